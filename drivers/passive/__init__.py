"""Looking at a device from beside, for one that the till owns. A source is loaded only where it is used."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from drivers.api import Setup
from drivers.link import address
from drivers.link.address import SerialAddress, TcpAddress, UsbAddress
from drivers.passive.driver import PassiveDriver
from drivers.passive.look import read
from drivers.passive.source import Source


def make(setup: Setup, link: str, look: Sequence[str] = ()) -> PassiveDriver:
    """A driver of that link; `look` as in the configuration. Raises AddressError."""
    place = address.parse(link)
    made = {one.where: one.argument for one in read(look, place.scheme)}
    sources: list[Source] = []
    if isinstance(place, TcpAddress):
        sources = _network(place, made, setup)
    elif isinstance(place, UsbAddress):
        sources = _usb(place, made, setup)
    elif isinstance(place, SerialAddress) and "sysfs" in made:
        from drivers.passive.node import NodeSource  # noqa: PLC0415 - each source only where it is used

        sources = [NodeSource(place.path, setup.memory)]
    if queue := made.get("cups"):
        from drivers.passive.ipp.source import CupsSource  # noqa: PLC0415 - likewise

        sources.append(CupsSource(queue, setup.memory))
    return PassiveDriver(setup, sources)


def _network(place: TcpAddress, made: Mapping[str, str | None], setup: Setup) -> list[Source]:
    sources: list[Source] = []
    if community := made.get("snmp"):
        from drivers.passive.snmp.source import SnmpSource  # noqa: PLC0415 - likewise

        sources.append(SnmpSource(place.host, community, setup.memory))
    if "ipp" in made:
        from drivers.passive.ipp.source import IppSource  # noqa: PLC0415 - likewise

        sources.append(IppSource(place.host, made["ipp"], setup.memory))
    host = None
    if "ping" in made:
        from drivers.passive.ping import PingSource  # noqa: PLC0415 - likewise

        host = PingSource(place.host, setup.memory)
        sources.append(host)
    if "tcp-socket" in made:
        from drivers.passive.tcp_socket.source import TcpSocketSource  # noqa: PLC0415 - likewise

        sources.append(TcpSocketSource(place, setup.clock, host))
    return sources


def _usb(at: UsbAddress, made: Mapping[str, str | None], setup: Setup) -> list[Source]:
    from drivers.passive.usb import UsbPlace, UsbSource  # noqa: PLC0415 - likewise

    place = UsbPlace(at)
    sources: list[Source] = []
    if "sysfs" in made:
        sources.append(UsbSource(place, setup.memory))
    if "kernel-log" in made:
        from drivers.passive.kernel_log import KernelLogSource  # noqa: PLC0415 - likewise

        sources.append(KernelLogSource(place, setup.clock, setup.memory))
    return sources
