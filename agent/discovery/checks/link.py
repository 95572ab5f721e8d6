"""Whether what is configured is there, and found by the name that is written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from agent.discovery.attached import WEDGE, best_link
from agent.discovery.finding import Finding, Given, Severity, Target
from drivers.identity import ADAPTERS
from drivers.link.address import HidAddress, SerialAddress, UsbAddress
from drivers.link.passive import UsbDevice, UsbInterface, stable_name

SEE = "`tillwatch devices` lists what is there"
_CHECK = "check the cable and that the device is switched on"

BY_VENDOR: Mapping[int, str] = {0x0403: "ftdi_sio", 0x067B: "pl2303", 0x10C4: "cp210x", 0x1A86: "ch341"}
BY_CLASS: Mapping[int, str] = {0x02: "cdc_acm", 0x03: "usbhid"}
"""Which module of the kernel gives an adapter, or a class of interfaces, its node."""
_PRINTER, _USBLP = 0x07, "usblp"
_VENDOR_SPECIFIC = 0xFF


def absent(given: Given) -> Iterator[Finding]:
    for target in given.targets:
        if isinstance(target.at, SerialAddress):
            there = given.machine.exists(target.at.path)
        else:
            there = target.usb is not None
        if there or target.device is None:
            continue
        known = target.usb is not None or isinstance(target.at, SerialAddress | UsbAddress)
        yield Finding(
            kind="absent",
            severity=Severity.STOPS if known else Severity.UNKNOWN,
            layer="link",
            device=target.device,
            what=f"{target.name}: {target.link} is not there",
            why=_seen_instead(given, target),
            mend=(_CHECK, SEE),
        )


def _seen_instead(given: Given, target: Target) -> str:
    at = target.at
    if not isinstance(at, UsbAddress):
        return (
            "no such node" if isinstance(at, SerialAddress) else "no card reader here has that name at pcscd"
        )
    alike = [usb for usb in given.attached.usb if (usb.vid, usb.pid) == (at.vid, at.pid)]
    if not alike:
        return "nothing with these ids is plugged in"
    places = ", ".join(f"{usb.port} (serial {usb.serial or 'none'})" for usb in alike)
    return f"with these ids there is: {places}"


def no_module(given: Given) -> Iterator[Finding]:
    """An interface that no driver of the kernel took, so that it has no node."""
    by_port = {target.usb.port: target for target in given.targets if target.usb}
    for usb in given.attached.usb:
        for interface in usb.interfaces:
            module = _module(usb, interface)
            if module is None or interface.driver is not None:
                continue
            target = by_port.get(usb.port)
            if module == "usbhid" and (target is None or not isinstance(target.at, HidAddress)):
                continue  # a keyboard or a scanner is none of ours
            absent_serial = any(
                isinstance(one.at, SerialAddress) and not given.machine.exists(one.at.path)
                for one in given.targets
            )
            stops = given.config is None or target is not None or (module != "usbhid" and absent_serial)
            yield Finding(
                kind="no_kernel_module",
                severity=Severity.STOPS if stops else Severity.WARNS,
                layer="agent",
                device=target.device if target else None,
                what=f"USB {usb.port} [{usb.vid:04x}:{usb.pid:04x}]: no driver of the kernel has taken it; "
                f"it wants {module}",
                why=f"interface {interface.number} has no driver",
                mend=(f"`sudo modprobe {module}`", "unplug it and plug it in again"),
            )
            break


def _module(usb: UsbDevice, interface: UsbInterface) -> str | None:
    if interface.code == _VENDOR_SPECIFIC or usb.vid in ADAPTERS:
        return BY_VENDOR.get(usb.vid)
    return BY_CLASS.get(interface.code)


def no_printer_driver(given: Given) -> Iterator[Finding]:
    """Shared access prints through usblp, which has to be there."""
    for target in given.targets:
        usb = target.usb
        if (
            target.access == "shared"
            and usb is not None
            and isinstance(target.at, UsbAddress)
            and usb.node is None
        ):
            printer = [one for one in usb.interfaces if one.code == _PRINTER and one.driver is None]
            if printer:
                yield Finding(
                    kind="no_kernel_module",
                    severity=Severity.STOPS,
                    layer="agent",
                    device=target.device,
                    what=f"{target.name}: no driver of the kernel has taken it; sharing it wants {_USBLP}",
                    why=f"interface {printer[0].number} has no driver",
                    mend=(f"`sudo modprobe {_USBLP}`", "unplug it and plug it in again"),
                )


def wedge(given: Given) -> Iterator[Finding]:
    """A reader that types is a keyboard, and no keyboard is ever read."""
    if given.config is None:
        yield from _readers_that_type(given)
    for target in given.targets:
        if target.opened and isinstance(target.at, HidAddress) and target.usb and given.is_wedge(target.usb):
            yield Finding(
                kind="keyboard_wedge",
                severity=Severity.STOPS,
                layer="device",
                device=target.device,
                what=f"{target.name}: {WEDGE}",
                why=f"USB {target.usb.port} says that it is a keyboard",
                mend=("set the reader to its HID mode with its maker's tool", 'or set access = "passive"'),
            )


def _readers_that_type(given: Given) -> Iterator[Finding]:
    for usb in given.attached.beside_ports():
        if given.is_wedge(usb):
            what = usb.recognised.what if usb.recognised else "device"
            yield Finding(
                kind="keyboard_wedge",
                severity=Severity.WARNS,
                layer="device",
                what=f"the {what} at USB {usb.port} is never opened: {WEDGE}",
                why="it says that it is a keyboard",
                mend=("to have it watched, set it to its HID mode with its maker's tool",),
            )


def unstable(given: Given) -> Iterator[Finding]:
    """A name that another device may have tomorrow."""
    for target in given.targets:
        if target.device is None:
            continue
        if isinstance(target.at, SerialAddress):
            better = stable_name(target.port, given.attached.ports) if target.port else None
            if (
                better is None
                or better.path == target.at.path
                or target.at.path.startswith("/dev/serial/by-path/")
            ):
                continue
            if target.at.path.startswith("/dev/serial/by-id/") and better.by != "by-path":
                continue
            write = f"serial:{better.path}{target.link[len('serial:' + target.at.path) :]}"
        elif isinstance(target.at, UsbAddress) and target.usb:
            others = [u for u in given.attached.usb if target.at.fits(u.vid, u.pid, u.serial, u.port)]
            better = best_link(target.usb, given.attached, given.machine)
            if len(others) < 2 or better is None:
                continue
            write = better.path
        else:
            continue
        yield Finding(
            kind="unstable_name",
            severity=Severity.WARNS,
            layer="link",
            device=target.device,
            what=f"{target.name}: {target.link} may be another device after the next start",
            why=better.why,
            mend=(f'write link = "{write}"',),
        )
