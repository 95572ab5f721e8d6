"""What `tillwatch doctor` says, and of what: findings, and the devices that they are about."""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, TypeAlias

from agent.config import Access, Config
from agent.discovery import readers
from agent.discovery.attached import Attached, best_link, is_wedge
from agent.discovery.machine import DAEMON, PASS_THROUGH, SERVICE_CONFIG, Machine, User
from drivers.errors import AddressError
from drivers.identity import printable
from drivers.link import address
from drivers.link.address import Address, HidAddress, PcscAddress, SerialAddress, TcpAddress, UsbAddress
from drivers.link.hid.nodes import nodes as hid_nodes
from drivers.link.passive import Holders, SerialPort, UsbDevice, holders, stable_name

_TEXT_MOST = 400
Layer = Literal["agent", "link", "device"]


class Severity(enum.StrEnum):
    STOPS = "stops"  #: a device that is configured cannot be seen or held
    WARNS = "warns"  #: it works now, or none of the configuration is touched
    UNKNOWN = "unknown"  #: could not be looked at


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """`kind` is stable. `mend`: steps, each a sentence or a command; the command in backquotes."""

    kind: str
    severity: Severity
    layer: Layer
    what: str
    mend: tuple[str, ...]
    device: str | None = None  #: its id in the configuration
    why: str = ""  #: what was seen that says so

    def view(self) -> dict[str, Any]:
        return {
            "kind": self.kind,
            "severity": self.severity.value,
            "layer": self.layer,
            "device": self.device,
            "what": printable(self.what, _TEXT_MOST),  # names of programs and devices are in it
            "why": printable(self.why, _TEXT_MOST),
            "mend": list(self.mend),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A device that is configured; without a configuration, one that is attached (`device` None)."""

    device: str | None
    driver: str
    link: str
    at: Address
    access: Access
    port: SerialPort | None = None
    usb: UsbDevice | None = None

    @property
    def name(self) -> str:
        if self.device:
            return self.device
        if self.port or not self.usb:
            return self.port.node if self.port else self.link
        known = self.usb.recognised
        return f"{known.what if known else 'device'} at USB {self.usb.port}"

    @property
    def opened(self) -> bool:
        """Whether the agent opens it at all."""
        return self.access != "passive"


@dataclass(frozen=True)
class Given:
    """All that the checks look at."""

    machine: Machine
    has_module: Callable[[str], bool]
    config: Config | None = None
    view: Mapping[str, Any] | None = None  #: the running daemon's; None: none answers
    refused: str = ""  #: why the daemon could not be asked, though it may run
    unread: str = ""  #: the configuration that is there and may not be read
    kernel_log: str = ""

    @property
    def source(self) -> str:
        """The configuration's path; without one, where the service would have it."""
        return str(self.config.source.absolute()) if self.config else SERVICE_CONFIG

    @cached_property
    def ours(self) -> frozenset[int]:
        """The processes that hold its devices: the daemon, and what shares them with the till."""
        till_dir = str(self.config.agent.till_dir.absolute()) if self.config else ""
        return frozenset(
            one.pid
            for one in self.machine.processes
            if one.runs(DAEMON, self.source) or (till_dir and one.runs(PASS_THROUGH, till_dir))
        )

    @property
    def again(self) -> tuple[str, ...]:
        """What to do where this user may not look."""
        named = f" --config {self.config.source}" if self.config and self.source != SERVICE_CONFIG else ""
        return (f"`sudo tillwatch doctor{named}`",)

    @cached_property
    def user(self) -> User:
        """Who opens the devices."""
        return self.machine.service_user(self.source)

    @cached_property
    def attached(self) -> Attached:
        return Attached.at(self.machine.root)

    @cached_property
    def targets(self) -> tuple[Target, ...]:
        return tuple(_configured(self) if self.config else _suggested(self))

    @cached_property
    def held(self) -> Holders:
        nodes = {node for target in self.targets for node in self.nodes(target)}
        nodes |= {node for usb in self.attached.usb for node in (usb.bus_node, usb.node) if node}
        nodes |= {port.node for port in self.attached.ports}
        return holders(sorted(nodes), self.machine.root)

    def nodes(self, target: Target) -> list[str]:
        """What the agent opens of it."""
        if isinstance(target.at, SerialAddress):
            return [self.machine.resolved(target.at.path)]
        if isinstance(target.at, HidAddress):
            found = hid_nodes(target.at, self.machine.root)
            return [node.path for node in found if not node.reports.types_keys][:1]
        if target.usb is None or isinstance(target.at, PcscAddress):
            return []
        through_kernel = (
            [target.usb.node] if target.access == "shared" else [target.usb.bus_node, target.usb.node]
        )
        return [node for node in through_kernel if node]

    def condition(self, target: Target, kind: str) -> bool | None:
        """What the running daemon says of it."""
        seen = ((self.view or {}).get("devices") or {}).get(target.device) or {}
        value = (seen.get("conditions", {}).get(kind) or {}).get("value")
        return value if isinstance(value, bool) else None

    def is_pcscds(self, target: Target) -> bool:
        """A reader that is asked over USB although pcscd is here to take it."""
        over_usb = (
            isinstance(target.at, UsbAddress) and target.usb is not None and readers.is_reader(target.usb)
        )
        return over_usb and readers.pcscd_is_here(self.machine)

    def is_wedge(self, usb: UsbDevice) -> bool:
        return is_wedge(usb, self.machine.root)


Check: TypeAlias = Callable[[Given], Iterator[Finding]]


def _configured(given: Given) -> Iterator[Target]:
    """What is behind the network, or is no device of this machine, cannot be looked at from here."""
    for device in given.config.devices if given.config else ():
        try:
            at = address.parse(device.link)
        except AddressError:  # the configuration is checked before
            continue
        if isinstance(at, TcpAddress) or (isinstance(at, UsbAddress) and at.backend):
            continue
        port, usb = _found(given, at)
        yield Target(
            device=device.id,
            driver=device.driver,
            link=device.link,
            at=at,
            access=device.access,
            port=port,
            usb=usb,
        )


def _found(given: Given, at: Address) -> tuple[SerialPort | None, UsbDevice | None]:
    if isinstance(at, SerialAddress):
        node = given.machine.resolved(at.path)
        port = next((port for port in given.attached.ports if port.node == node), None)
        return port, port.usb if port else None
    if isinstance(at, UsbAddress):
        fits = (usb for usb in given.attached.usb if at.fits(usb.vid, usb.pid, usb.serial, usb.port))
        return None, next(fits, None)
    for usb in given.attached.usb:
        stable = (
            readers.stable_name(usb, given.attached.usb, given.machine) if readers.is_reader(usb) else None
        )
        name = stable.path.removeprefix("pcsc:") if stable else ""
        if (
            isinstance(at, PcscAddress)
            and name
            and (at.reader.startswith(name) or name.startswith(at.reader))
        ):
            return None, usb
    return None, None


def _suggested(given: Given) -> Iterator[Target]:
    """What `tillwatch devices` would have pasted, as if the agent opened it."""
    for port in given.attached.ports:
        at = SerialAddress(path=stable_name(port, given.attached.ports).path)
        yield Target(
            device=None,
            driver="",
            link=f"serial:{at.path}",
            at=at,
            access="exclusive",
            port=port,
            usb=port.usb,
        )
    for usb in given.attached.beside_ports():
        stable = best_link(usb, given.attached, given.machine)
        if stable is not None:
            driver = (usb.recognised.driver if usb.recognised else None) or ""
            place = address.parse(stable.path)
            yield Target(device=None, driver=driver, link=stable.path, at=place, access="exclusive", usb=usb)
