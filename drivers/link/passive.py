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
HID_CLASS = 0x03  #: bInterfaceClass
KEYBOARD = 0x01  #: bInterfaceProtocol of a boot keyboard (HID 1.11, 4.3)
SERIAL_CORE = frozenset({"port", "ctrl"})  #: drivers of the kernel's own layer above the real one


@dataclass(frozen=True, slots=True, kw_only=True)
class UsbInterface:
    """One interface of a USB device; `driver` is the kernel's, `usbfs` where a program has claimed it."""

    number: int
    code: int
    protocol: int = 0
    driver: str | None = None
    name: str | None = None


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
    interfaces: tuple[UsbInterface, ...] = ()
    bus_node: str | None = None  #: /dev/bus/usb/001/004, what libusb opens
    number: str | None = None  #: the bus node's, major:minor

    @property
    def recognised(self) -> Recognition | None:
        return recognise(self.vid, self.interface_classes, self.ieee1284, self.product or "")

    @property
    def is_keyboard(self) -> bool:
        """It says that it is one: a keyboard, or a reader that types what it reads."""
        return any(one.code == HID_CLASS and one.protocol == KEYBOARD for one in self.interfaces)

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
    number: str | None = None  #: the node's, major:minor

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
                number=_text(entry / "dev"),
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


def stable_link(usb: UsbDevice, scheme: str, others: list[UsbDevice]) -> Stable:
    """The link to configure for a device on the bus itself: `usb:` or `hid:`, and by what."""
    ids = f"{scheme}:{usb.vid:04x}:{usb.pid:04x}"
    twins = [other for other in others if other.port != usb.port and _identity(other) == _identity(usb)]
    serial = usb.serial or ""
    if usb.has_own_serial and not twins and serial.isprintable() and not set(serial) & set("?#"):
        return Stable(f"{ids}:{serial}", "serial", f"it has a serial number of its own ({serial})")
    why = "another one here has the same ids" if twins else "it has no serial number of its own"
    if usb.has_own_serial and not twins:
        why = "its serial number cannot be written in a link"
    return Stable(f"{ids}?port={usb.port}", "port", f"{why}, so the socket it is plugged into counts")


def holders(nodes: list[str], root: Path = ROOT) -> Holders:
    """Who has any of `nodes` open, as far as this user may see."""
    wanted = set(nodes)
    found: dict[str, list[Holder]] = {node: [] for node in nodes}
    complete = True
    for process in _entries(root / "proc"):
        if not process.name.isdigit():
            continue
        try:
            opened = {_leads_to(fd) for fd in (process / "fd").iterdir()}
        except PermissionError:
            complete = False
            continue
        except OSError:
            continue  # the process ended while it was looked at
        for node in wanted & opened:
            found[node].append(Holder(int(process.name), _text(process / "comm") or "?"))
    return Holders({node: tuple(who) for node, who in found.items()}, complete)


def _identity(usb: UsbDevice) -> tuple[int, int, str | None]:
    return usb.vid, usb.pid, usb.serial


def _usb(home: Path) -> UsbDevice | None:
    vid, pid = _hex(home / "idVendor"), _hex(home / "idProduct")
    if vid is None or pid is None or _hex(home / "bDeviceClass") == HUB_CLASS:
        return None
    folders = [entry for entry in _entries(home) if entry.name.startswith(f"{home.name}:")]
    interfaces = tuple(_interface(folder) for folder in folders)
    ids = (_text(folder / "ieee1284_id") for folder in folders)
    nodes = (f"/dev/usb/{lp.name}" for i in folders for lp in _entries(i / "usbmisc"))
    return UsbDevice(
        port=home.name,
        vid=vid,
        pid=pid,
        serial=_text(home / "serial") or None,
        manufacturer=_text(home / "manufacturer") or None,
        product=_text(home / "product") or None,
        interface_classes=frozenset(one.code for one in interfaces if one.code >= 0),
        kernel_drivers=tuple(sorted({one.driver for one in interfaces if one.driver})),
        node=next(nodes, None),
        ieee1284=ieee1284(next((text for text in ids if text), "")),
        interfaces=interfaces,
        bus_node=_bus_node(home),
        number=_text(home / "dev"),
    )


def _interface(folder: Path) -> UsbInterface:
    code, number = _hex(folder / "bInterfaceClass"), _hex(folder / "bInterfaceNumber")
    return UsbInterface(
        number=number or 0,
        code=-1 if code is None else code,
        protocol=_hex(folder / "bInterfaceProtocol") or 0,
        driver=_link_name(folder / "driver"),
        name=_text(folder / "interface") or None,
    )


def _bus_node(home: Path) -> str | None:
    bus, device = _text(home / "busnum") or "", _text(home / "devnum") or ""
    return f"/dev/bus/usb/{int(bus):03d}/{int(device):03d}" if bus.isdigit() and device.isdigit() else None


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


def _leads_to(fd: Path) -> str:
    """What a descriptor is of; "" where it was closed meanwhile. Raises PermissionError."""
    try:
        return str(fd.readlink())
    except PermissionError:
        raise
    except OSError:
        return ""


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
