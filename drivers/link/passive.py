"""A look at what is attached, through sysfs and /dev; nothing is ever opened.

Every function takes `root`, the folder that holds sys, dev and proc.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from drivers.identity import ADAPTERS, Recognition, ieee1284, is_own_serial, recognise

ROOT = Path("/")
HUB_CLASS = 0x09
NO_UART = "0"  #: `type` of a ttyS that stands for no hardware (linux/serial_core.h, PORT_UNKNOWN)
SERIAL_CORE = frozenset({"port", "ctrl"})  #: drivers of the kernel's own layer above the real one


@dataclass(frozen=True, slots=True, kw_only=True)
class UsbDevice:
    """One USB device. `port` is its place on the bus, such as 1-1.4."""

    port: str
    vid: int
    pid: int
    serial: str | None
    manufacturer: str | None
    product: str | None
    interface_classes: frozenset[int]
    kernel_drivers: tuple[str, ...]
    node: str | None  #: /dev/usb/lp0, where the kernel's printer driver has it
    ieee1284: dict[str, str] = field(default_factory=dict)

    @property
    def recognised(self) -> Recognition | None:
        return recognise(self.vid, self.interface_classes, self.ieee1284)

    @property
    def has_own_serial(self) -> bool:
        """Whether its serial number is likely to be its alone."""
        return is_own_serial(self.serial)


@dataclass(frozen=True, slots=True, kw_only=True)
class SerialPort:
    """One serial port. `by_id` and `by_path` are udev's links to it."""

    node: str
    kernel_driver: str | None
    by_id: str | None
    by_path: str | None
    usb: UsbDevice | None

    @property
    def recognised(self) -> Recognition | None:
        """The device, where it is on the bus itself; None behind an adapter or a plain port."""
        if self.usb is None or self.usb.vid in ADAPTERS:
            return None
        return self.usb.recognised


@dataclass(frozen=True, slots=True)
class Stable:
    """A name for a port that outlives a reboot and a replug, and why this one."""

    path: str
    by: str  #: by-id, by-path, or node
    why: str


@dataclass(frozen=True, slots=True)
class Holder:
    """A process that has a node open."""

    pid: int
    command: str


@dataclass(frozen=True, slots=True)
class Holders:
    """Who has which node open. Not `complete`: other users' processes could not be looked into."""

    by_node: dict[str, tuple[Holder, ...]]
    complete: bool


def serial_ports(root: Path = ROOT) -> list[SerialPort]:
    """Every serial port with hardware behind it, by node."""
    by_id = _links(root / "dev/serial/by-id")
    by_path = _links(root / "dev/serial/by-path")
    ports = []
    for entry in _entries(root / "sys/class/tty"):
        device = entry / "device"
        if not device.exists() or _text(entry / "type") == NO_UART:
            continue  # a virtual terminal, or a ttyS without a UART
        home = device.resolve()
        ports.append(
            SerialPort(
                node=f"/dev/{entry.name}",
                kernel_driver=_kernel_driver(home),
                by_id=by_id.get(entry.name),
                by_path=by_path.get(entry.name),
                usb=_usb_above(home),
            )
        )
    return ports


def usb_devices(root: Path = ROOT) -> list[UsbDevice]:
    """Every USB device that is no hub, by its place on the bus."""
    found = (_usb(entry.resolve()) for entry in _entries(root / "sys/bus/usb/devices"))
    return [device for device in found if device is not None]


def stable_name(port: SerialPort, others: list[SerialPort]) -> Stable:
    """The name to configure. An id is good only if the hardware has a serial number of its own."""
    usb = port.usb
    if usb is None:
        if port.by_path:
            return Stable(port.by_path, "by-path", "a built-in port stays where it is")
        return Stable(port.node, "node", "a built-in port keeps its number")
    twins = [
        other
        for other in others
        if other.usb and other.usb.port != usb.port and _identity(other.usb) == _identity(usb)
    ]
    if port.by_id and usb.has_own_serial and not twins:
        return Stable(port.by_id, "by-id", f"it has a serial number of its own ({usb.serial})")
    why = "another one here has the same ids" if twins else "it has no serial number of its own"
    if port.by_path:
        return Stable(port.by_path, "by-path", f"{why}, so the socket it is plugged into counts")
    return Stable(port.node, "node", f"{why} and udev gives no by-path link: the number may change")


def holders(nodes: list[str], root: Path = ROOT) -> Holders:
    """Who has any of `nodes` open, as far as this user may see."""
    wanted = set(nodes)
    found: dict[str, list[Holder]] = {node: [] for node in nodes}
    complete = True
    for process in _entries(root / "proc"):
        if not process.name.isdigit():
            continue
        try:
            opened = {str(fd.readlink()) for fd in (process / "fd").iterdir()}
        except PermissionError:
            complete = False
            continue
        except OSError:
            continue  # the process ended, or closed a file, while it was looked at
        for node in wanted & opened:
            found[node].append(Holder(int(process.name), _text(process / "comm") or "?"))
    return Holders({node: tuple(who) for node, who in found.items()}, complete)


def _identity(usb: UsbDevice) -> tuple[int, int, str | None]:
    return usb.vid, usb.pid, usb.serial


def _usb(home: Path) -> UsbDevice | None:
    vid, pid = _hex(home / "idVendor"), _hex(home / "idProduct")
    if vid is None or pid is None or _hex(home / "bDeviceClass") == HUB_CLASS:
        return None
    interfaces = [entry for entry in _entries(home) if entry.name.startswith(f"{home.name}:")]
    classes = (_hex(interface / "bInterfaceClass") for interface in interfaces)
    drivers = (_link_name(interface / "driver") for interface in interfaces)
    ids = (_text(interface / "ieee1284_id") for interface in interfaces)
    nodes = (f"/dev/usb/{lp.name}" for i in interfaces for lp in _entries(i / "usbmisc"))
    return UsbDevice(
        port=home.name,
        vid=vid,
        pid=pid,
        serial=_text(home / "serial") or None,
        manufacturer=_text(home / "manufacturer") or None,
        product=_text(home / "product") or None,
        interface_classes=frozenset(code for code in classes if code is not None),
        kernel_drivers=tuple(sorted({driver for driver in drivers if driver})),
        node=next(nodes, None),
        ieee1284=ieee1284(next((text for text in ids if text), "")),
    )


def _usb_above(home: Path) -> UsbDevice | None:
    return next((_usb(folder) for folder in _upwards(home) if (folder / "idVendor").exists()), None)


def _kernel_driver(home: Path) -> str | None:
    names = (_link_name(folder / "driver") for folder in _upwards(home))
    return next((name for name in names if name and name not in SERIAL_CORE), None)


def _upwards(home: Path) -> Iterator[Path]:
    for folder in (home, *home.parents):
        if folder.name == "devices":
            return
        yield folder


def _links(folder: Path) -> dict[str, str]:
    """Where udev's links point -> the link's own path as the system sees it."""
    shown = Path("/dev/serial") / folder.name
    return {name: str(shown / link.name) for link in _entries(folder) if (name := _link_name(link))}


def _link_name(link: Path) -> str | None:
    try:
        return link.readlink().name
    except OSError:  # not there, or no link
        return None


def _entries(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError:  # not there on this machine, or gone meanwhile
        return []


def _text(path: Path) -> str | None:
    try:
        return path.read_text("utf-8", errors="replace").strip("\0\n ")
    except OSError:  # an attribute that this device does not have, or that went with it
        return None


def _hex(path: Path) -> int | None:
    text = _text(path)
    return int(text, 16) if text else None
