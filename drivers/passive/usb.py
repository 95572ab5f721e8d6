"""sysfs of a USB device: whether it is plugged in, who it is, which kernel driver and program have it."""

from __future__ import annotations

from pathlib import Path

from drivers.api import Deadline, Json, Memory
from drivers.identity import printable
from drivers.link.address import UsbAddress
from drivers.link.passive import ROOT, UsbDevice, usb_devices
from drivers.passive.node import HeldBy, unplugged
from drivers.passive.source import Findings, Whose

_TEXT_MOST = 120
_SERIAL_KEYS = ("SN", "SERN", "SERIALNUMBER")


class UsbPlace:
    """Where the device is on the bus; a whole look round only when it is not where it was."""

    def __init__(self, address: UsbAddress, root: Path = ROOT) -> None:
        self._address = address
        self._root = root
        self._mark: str | None = None
        self.twins = 0  #: others with the same ids, and the same serial number if one is given
        self.last: UsbDevice | None = None  #: also after it is gone

    def find(self) -> UsbDevice | None:
        """The device now; None if it is not plugged in."""
        if self.last is not None and self._mark is not None and self._mark == self._number(self.last):
            return self.last
        found = [device for device in usb_devices(self._root) if self._is_it(device)]
        self.twins = max(0, len(found) - 1)
        if not found:
            self._mark = None
            return None
        self.last = found[0]
        self._mark = self._number(self.last)
        return self.last

    def _is_it(self, device: UsbDevice) -> bool:
        return self._address.fits(device.vid, device.pid, device.serial, device.port)

    def _number(self, device: UsbDevice) -> str | None:
        """The kernel numbers each arrival anew. A driver that comes or goes shows in the interface."""
        home = self._root / "sys/bus/usb/devices" / device.port
        try:
            number = (home / "devnum").read_text("ascii").strip()
        except OSError:
            return None
        claimed = [str((home / f"{home.name}:1.{n}" / "driver").exists()) for n in range(2)]
        return " ".join((number, *claimed))


class UsbSource:
    """Looks at the bus's folders; no device node is opened."""

    name = "sysfs"
    whose: Whose = "kernel"
    kinds: tuple[str, ...] = ("unplugged",)
    each_s = 0.0
    down: str | None = None

    def __init__(self, place: UsbPlace, memory: Memory, *, root: Path = ROOT) -> None:
        self._place = place
        self._memory = memory
        self._held = HeldBy(root)

    def look(self, deadline: Deadline) -> Findings:
        device = self._place.find()
        missing = unplugged(device is not None, self._memory)
        if device is None:
            last = self._place.last
            where = f"; it was at {last.port}" if last else ""
            return Findings(
                conditions={"unplugged": missing},
                facts={"present": False},
                evidence={"port": last.port if last else None},
                says=f"no such USB device is plugged in{where}",
            )
        facts: dict[str, Json] = {
            "present": True,
            "port": device.port,
            "kernel_drivers": list(device.kernel_drivers),
        }
        if self._place.twins:
            facts["twins"] = self._place.twins
        if device.node:
            facts |= self._held.facts(device.node, deadline)
        identity = identity_of(device)
        return Findings(
            conditions={"unplugged": missing},
            identity=identity,
            facts=facts,
            evidence={"port": device.port},
            says=f"{identity.get('model', 'the device')} at {device.port}, held by "
            + (", ".join(device.kernel_drivers) or "no kernel driver"),
        )

    def close(self) -> None:
        """Nothing was opened."""


def identity_of(device: UsbDevice) -> dict[str, str]:
    """As the printer's IEEE-1284 id says, else as its USB descriptor does."""
    told = device.ieee1284
    serial = next((told[key] for key in _SERIAL_KEYS if told.get(key)), None)
    identity = {
        "manufacturer": told.get("MFG") or device.manufacturer,
        "model": told.get("MDL") or device.product,
        "serial": serial or device.serial,
    }
    return {name: shown for name, text in identity.items() if (shown := printable(text or "", _TEXT_MOST))}
