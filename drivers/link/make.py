"""From an address to its link. Each kind is imported only when it is used."""

from __future__ import annotations

from drivers.api import Link
from drivers.link.address import Address, SerialAddress


def make(address: Address) -> Link:
    """A closed link to that address."""
    if isinstance(address, SerialAddress):
        from drivers.link.serial import SerialLink  # noqa: PLC0415 - pyserial only where a tty is used

        return SerialLink(address)
    from drivers.link.tcp import TcpLink  # noqa: PLC0415 - likewise

    return TcpLink(address)
