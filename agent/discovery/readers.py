"""What pcscd calls a card reader, and whether it has it: from its files, without asking it.

pcscd names a reader as its driver's Info.plist does, or by the bus's strings where only the class fits
(hotplug_libudev.c of pcsc-lite); behind that come a number and the slot, which a `pcsc:` link leaves out.
"""

from __future__ import annotations

import plistlib
from collections.abc import Mapping, Sequence
from xml.parsers.expat import ExpatError

from agent.discovery.machine import Machine
from drivers.identity import printable
from drivers.link.passive import Stable, UsbDevice

CCID_CLASS = 0x0B
SOCKET = "/run/pcscd/pcscd.comm"
NAMES = ("usr/lib/pcsc/drivers/ifd-ccid.bundle/Contents/Info.plist", "etc/libccid_Info.plist")
_NAME_MOST = 100


def is_reader(usb: UsbDevice) -> bool:
    return CCID_CLASS in usb.interface_classes


def pcscd_is_here(machine: Machine) -> bool:
    """It runs, or its socket waits for whoever asks."""
    return machine.running("pcscd") is not None or machine.exists(SOCKET)


def stable_name(usb: UsbDevice, others: Sequence[UsbDevice], machine: Machine) -> Stable | None:
    """The link to it through pcscd; None where its files tell no name."""
    name = _name(usb, machine)
    if name is None:
        return None
    twins = [one for one in others if is_reader(one) and one.port != usb.port and _name(one, machine) == name]
    if not twins:
        return Stable(f"pcsc:{name}", "pcsc", "pcscd has it, and gives access to it by this name")
    if usb.has_own_serial and usb.serial not in [twin.serial for twin in twins]:
        interface = next((one.name for one in usb.interfaces if one.code == CCID_CLASS and one.name), None)
        whole = f"{name}{f' [{interface}]' if interface else ''} ({usb.serial})"
        why = "pcscd has it, and tells it from the other by its serial number"
        return Stable(f"pcsc:{printable(whole, _NAME_MOST)}", "pcsc", why)
    why = "pcscd has it; another one has the same name, and pcscd numbers them as they come"
    return Stable(f"pcsc:{name}", "pcsc", why)


def _name(usb: UsbDevice, machine: Machine) -> str | None:
    known = _friendly_names(machine).get((usb.vid, usb.pid))
    said = " ".join(filter(None, (usb.manufacturer, usb.product)))
    return printable(known or said, _NAME_MOST) or None


def _friendly_names(machine: Machine) -> Mapping[tuple[int, int], str]:
    for place in NAMES:
        try:
            text = machine.text(place)
            if not text:
                continue
            listed = plistlib.loads(text.encode())
            vids, pids = listed.get("ifdVendorID", ()), listed.get("ifdProductID", ())
            names = listed.get("ifdFriendlyName", ())
            return {(int(v, 16), int(p, 16)): str(n) for v, p, n in zip(vids, pids, names, strict=False)}
        except (OSError, ValueError, TypeError, AttributeError, ExpatError):
            continue  # not as we know it: the bus's strings are left
    return {}
