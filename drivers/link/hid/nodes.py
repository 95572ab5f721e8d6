"""Which hidraw nodes a HID device has, and what their report descriptors say: from sysfs, opening nothing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from drivers.link.address import HidAddress
from drivers.link.hid.report import Reports, parse
from drivers.link.passive import ROOT

USB = "0003"  #: BUS_USB of linux/input.h, as HID_ID has it


@dataclass(frozen=True, slots=True)
class Node:
    """A hidraw node and what its descriptor says."""

    path: str
    device: str  #: 0003:0801:0011.0004: the kernel counts the last number up and uses none twice
    reports: Reports


def nodes(at: HidAddress, root: Path = ROOT) -> list[Node]:
    """The nodes of that device, by its interfaces. Nothing is opened."""
    found = []
    for entry in entries(root / "sys/class/hidraw"):
        try:
            home = (entry / "device").resolve(strict=True)
            said = dict(line.partition("=")[::2] for line in (home / "uevent").read_text().splitlines())
            bus, vid, pid = said.get("HID_ID", "::").split(":")
            place = home.parent.name
            if bus == USB and at.fits(
                int(vid, 16), int(pid, 16), said.get("HID_UNIQ", "").strip(), place.partition(":")[0]
            ):
                reports = parse((home / "report_descriptor").read_bytes())
                found.append((place, Node(f"/dev/{entry.name}", home.name, reports)))
        except (OSError, ValueError):  # it is going, or is none of ours
            continue
    return [node for _, node in sorted(found, key=lambda one: one[0])]


def entries(folder: Path) -> Iterator[Path]:
    try:
        return iter(sorted(folder.iterdir()))
    except OSError:
        return iter(())
