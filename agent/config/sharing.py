"""Which device is whose: the keys `access` and `till`, each by itself and against the other devices'."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from agent.config.tables import Problems
from drivers.api import DriverSpec
from drivers.errors import AddressError
from drivers.link import address


def check(device: Mapping[str, Any], spec: DriverSpec | None, prefix: str, problems: Problems) -> None:
    """One device's own keys."""
    till = device.get("till")
    if device.get("access") != "shared":
        if till is not None:
            problems.add(f"{prefix}till", 'goes with access = "shared" only')
        return
    if spec and not spec.junction:
        problems.add(f"{prefix}access", f"driver {spec.name} has no way to share; use passive or exclusive")
        return
    if till is None:
        problems.add(f"{prefix}till", "is missing: where does the till connect? tty:PATH or tcp:HOST:PORT")
        return
    try:
        address.parse_till(till)
    except AddressError as wrong:
        problems.add(f"{prefix}till", str(wrong))


def check_together(devices: Sequence[Mapping[str, Any]], problems: Problems) -> None:
    """One device is opened by one of ours only, and one door is one device's.

    Looking at a device passively takes nothing away.
    """
    openers: dict[object, str] = {}
    doors: dict[str, str] = {}
    for index, device in enumerate(devices):
        where = f"device[{index}]"
        link, till = device.get("link"), device.get("till")
        if device.get("access") in ("exclusive", "shared") and link is not None:
            opener = openers.setdefault(_place(link), where)
            if opener != where:
                problems.add(f"{where}.link", f"is opened by {opener} already; two cannot own one device")
        if device.get("access") == "shared" and till is not None:
            door = doors.setdefault(till.partition("?")[0], where)
            if door != where:
                problems.add(f"{where}.till", f"is where the till connects to {door} already")
    for index, device in enumerate(devices):
        till = str(device.get("till")).partition("?")[0]
        if till.startswith("tty:") and "serial:" + till.removeprefix("tty:") in openers:
            problems.add(f"device[{index}].till", "is the path of a device's own link; choose another")


def _place(link: str) -> object:
    """What two links to one device have in common: how fast a port is makes it no other port."""
    try:
        place = address.parse(link)
    except AddressError:  # told already
        return link
    return place if isinstance(place, address.UsbAddress) else link.partition("?")[0]
