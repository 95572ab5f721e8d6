"""Links: bytes in and out of a device, each call within its deadline."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:  # a child process that is one of these modules carries no more than it needs
    from drivers.api import Link


def make(address: str, usb_class: int | None = None) -> Link:
    """A closed link to that address; raises AddressError. Each kind is imported only when used.

    `usb_class` as in `drivers.api.DriverSpec`.
    """
    from drivers.link import address as addresses  # noqa: PLC0415 - see above

    place = addresses.parse(address)
    if isinstance(place, addresses.SerialAddress):
        from drivers.link.serial import SerialLink  # noqa: PLC0415 - pyserial only where a tty is used

        return SerialLink(place)
    if isinstance(place, addresses.HidAddress):
        from drivers.link.hid.link import HidLink  # noqa: PLC0415 - likewise

        return HidLink(place)
    if isinstance(place, addresses.UsbAddress):
        from drivers.link.usb.link import UsbLink  # noqa: PLC0415 - likewise

        return UsbLink(place, usb_class)
    if isinstance(place, addresses.PcscAddress):
        from drivers.link.pcsc.link import PcscLink  # noqa: PLC0415 - likewise

        return PcscLink(place)
    from drivers.link.tcp import TcpLink  # noqa: PLC0415 - likewise

    return TcpLink(place)
