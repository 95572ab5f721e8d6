"""Everything attached that belongs on a counter, as `tillwatch devices --json` prints it (docs/doctor.md)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from agent.discovery import readers
from agent.discovery.blocks import Names, block
from agent.discovery.machine import Machine
from drivers.identity import ADAPTERS, Recognition, printable
from drivers.link.address import HidAddress
from drivers.link.hid.nodes import nodes as hid_nodes
from drivers.link.passive import (
    HID_CLASS,
    Holders,
    SerialPort,
    Stable,
    UsbDevice,
    holders,
    serial_ports,
    stable_link,
    stable_name,
    usb_devices,
)

HID_DRIVERS = frozenset({"magtek", "vivotech"})
"""Drivers that speak to a HID device by its feature reports."""
WEDGE = "it types what it reads, as a keyboard does, and a keyboard is never opened"
_UDEV_KEYS = ("ID_PATH", "ID_SERIAL_SHORT", "ID_USB_INTERFACES")
_TEXT_MOST = 120


@dataclass(frozen=True, slots=True)
class Attached:
    """What was found, once for all who ask."""

    ports: list[SerialPort]
    usb: list[UsbDevice]  #: all of it, also what stands behind the ports

    @classmethod
    def at(cls, root: Path) -> Attached:
        return cls(serial_ports(root), usb_devices(root))

    def beside_ports(self) -> list[UsbDevice]:
        """What is recognised and is no serial port, or an adapter whose port the kernel does not show."""
        behind = {port.usb.port for port in self.ports if port.usb}
        return [usb for usb in self.usb if usb.port not in behind and (usb.recognised or usb.vid in ADAPTERS)]


def looked_at(root: Path) -> dict[str, Any]:
    """The whole answer; its form is documented and stays."""
    found, machine, names = Attached.at(root), Machine(root), Names()
    others = found.beside_ports()
    nodes = [port.node for port in found.ports]
    nodes += [node for usb in others for node in (usb.node, usb.bus_node) if node]
    held = holders(nodes, root)
    return {
        "serial_ports": [_port(port, found, held, machine, names) for port in found.ports],
        "usb_devices": [_beside(usb, found, held, machine, names) for usb in others],
        "all_processes_seen": held.complete,
    }


def is_wedge(usb: UsbDevice, root: Path) -> bool:
    """Whether it is a keyboard to the machine, by its interface or by its report descriptor."""
    at = HidAddress(vid=usb.vid, pid=usb.pid, port=usb.port)
    found = hid_nodes(at, root) if HID_CLASS in usb.interface_classes else []
    asked = any(node.reports.features and not node.reports.types_keys for node in found)
    return not asked and (usb.is_keyboard or any(node.reports.types_keys for node in found))


def best_link(usb: UsbDevice, found: Attached, machine: Machine) -> Stable | None:
    """The link for a device on the bus itself; None where none of ours leads to it."""
    known = usb.recognised
    if known is None or known.driver is None or is_wedge(usb, machine.root):
        return None
    if readers.is_reader(usb) and readers.pcscd_is_here(machine):
        through = readers.stable_name(usb, found.usb, machine)
        if through is not None:
            return through
    hid = HID_CLASS in usb.interface_classes and known.driver in HID_DRIVERS
    return stable_link(usb, "hid" if hid else "usb", found.usb)


def _port(port: SerialPort, found: Attached, held: Holders, machine: Machine, names: Names) -> dict[str, Any]:
    stable = stable_name(port, found.ports)
    known = port.recognised
    if known is not None and known.driver == "generic":  # it speaks USB's printer class, not serial
        known = replace(known, driver=None)
    return {
        "node": port.node,
        "kernel_driver": port.kernel_driver,
        "usb": _usb(port.usb, machine) if port.usb else None,
        "recognised": _recognition(known),
        "adapter": ADAPTERS.get(port.usb.vid) if port.usb else None,
        "held_by": _held_by([port.node], held),
        "stable": {"path": stable.path, "by": stable.by, "why": stable.why},
        "config": block(stable, known, names.take(known.driver if known else None)),
    }


def _beside(usb: UsbDevice, found: Attached, held: Holders, machine: Machine, names: Names) -> dict[str, Any]:
    stable, known = best_link(usb, found, machine), usb.recognised
    driver = known.driver if known else None
    return _usb(usb, machine) | {
        "adapter": ADAPTERS.get(usb.vid),
        "never_opened": WEDGE if is_wedge(usb, machine.root) else None,
        "held_by": _held_by([usb.node, usb.bus_node], held),
        "stable": {"link": stable.path, "by": stable.by, "why": stable.why} if stable else None,
        "config": block(stable, known, names.take(driver)) if stable else None,
    }


def _usb(usb: UsbDevice, machine: Machine) -> dict[str, Any]:
    kept = machine.udev(usb.number)
    return {
        "port": usb.port,
        "id": f"{usb.vid:04x}:{usb.pid:04x}",
        "serial": _said(usb.serial),
        "manufacturer": _said(usb.manufacturer),
        "product": _said(usb.product),
        "node": usb.node,
        "bus_node": usb.bus_node,
        "kernel_drivers": list(usb.kernel_drivers),
        "ieee1284": {key: printable(text, _TEXT_MOST) for key, text in usb.ieee1284.items()},
        "udev": {key: printable(kept[key], _TEXT_MOST) for key in _UDEV_KEYS if key in kept},
        "recognised": _recognition(usb.recognised),
    }


def _said(text: str | None) -> str | None:
    return printable(text, _TEXT_MOST) if text else None


def _recognition(known: Recognition | None) -> dict[str, Any] | None:
    if known is None:
        return None
    said = {"what": printable(known.what, _TEXT_MOST), "how": printable(known.how, _TEXT_MOST)}
    return {**said, "driver": known.driver, "profile": known.profile}


def _held_by(nodes: Iterable[str | None], held: Holders) -> list[dict[str, Any]]:
    who = {holder.pid: holder.command for node in nodes if node for holder in held.by_node.get(node, ())}
    return [{"pid": pid, "command": printable(command, _TEXT_MOST)} for pid, command in who.items()]
