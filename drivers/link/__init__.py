"""Links: bytes in and out of a device, each call within its deadline."""

from __future__ import annotations

from drivers.api import Link
from drivers.errors import AddressError
from drivers.link import address as addresses


def make(address: str, usb_class: int | None = None) -> Link:  # noqa: ARG001 - for the links over USB
    """A closed link to that address; raises AddressError. Each kind is imported only when used.

    `usb_class` as in `drivers.api.DriverSpec`.
    """
    place = addresses.parse(address)
    if isinstance(place, addresses.SerialAddress):
        from drivers.link.serial import SerialLink  # noqa: PLC0415 - pyserial only where a tty is used

        return SerialLink(place)
    if isinstance(place, addresses.UsbAddress):
        raise AddressError('usb: is only looked at in this version; write access = "passive"')
    from drivers.link.tcp import TcpLink  # noqa: PLC0415 - likewise

    return TcpLink(place)
