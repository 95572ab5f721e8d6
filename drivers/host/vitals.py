"""The numbers of the machine itself, and the two places they come from.

`machine` reads this computer; `from_file` reads a JSON object of the same names, which is how a
simulated machine says them. A number that cannot be had is None.
"""

from __future__ import annotations

import ctypes
import dataclasses
import json
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeAlias

from drivers.errors import ProtocolError

FILE_MOST_BYTES = 64 * 1024
PROCESSOR_SENSORS = ("coretemp", "k10temp", "zenpower", "cpu", "soc", "x86_pkg", "acpitz")
"""How kernel drivers name a processor's sensor. Others (AUXTIN of a board's chip) often have no probe."""
IFF_UP = 0x1  #: include/uapi/linux/if.h
TIME_ERROR = 5  #: adjtimex(2): the clock is not synchronised
TIMEX_BYTES = 512  #: struct timex is 208 bytes on 64-bit machines; modes 0 in it only asks


@dataclass(frozen=True, slots=True, kw_only=True)
class Vitals:
    """One look at the machine."""

    cpu_pct: float | None = None  #: of all cores, since the look before
    memory_available_pct: float | None = None
    disk_used_pct: float | None = None  #: of the file system that holds the agent's state
    temperature_c: float | None = None  #: the hottest of the processor's sensors
    clock_synced: bool | None = None
    network_up: bool | None = None  #: some interface has a link
    uptime_s: float | None = None
    boot_id: str | None = None
    load_1m: float | None = None


Source: TypeAlias = Callable[[], Vitals]


class _Temperature(Protocol):
    @property
    def current(self) -> float: ...


def machine(disk: Path, root: Path = Path("/")) -> Source:
    """This computer, by psutil, which is loaded here and not before. `root` holds proc and sys."""
    import psutil  # noqa: PLC0415 - a MiB that a simulated machine does not need

    first = True

    def look() -> Vitals:
        nonlocal first
        cpu_pct = psutil.cpu_percent()
        known, first = not first, False
        memory = psutil.virtual_memory()
        return Vitals(
            cpu_pct=cpu_pct if known else None,
            memory_available_pct=round(100 * memory.available / memory.total, 1),
            disk_used_pct=psutil.disk_usage(str(_nearest(disk))).percent,
            temperature_c=processor_c(psutil.sensors_temperatures()),
            clock_synced=clock_synced(),
            network_up=network_up(root),
            uptime_s=round(time.clock_gettime(time.CLOCK_BOOTTIME), 1),
            boot_id=boot_id(root),
            load_1m=round(os.getloadavg()[0], 2),
        )

    return look


def _nearest(path: Path) -> Path:
    """Itself, or the folder that it will be made in: the agent's is not there before its first run."""
    return next((place for place in (path, *path.absolute().parents) if place.exists()), path)


def from_file(path: Path) -> Source:
    """Vitals written down by another program; raises OSError or ProtocolError at a look."""
    kinds = {field.name: field.type for field in dataclasses.fields(Vitals)}

    def look() -> Vitals:
        with path.open("rb") as file:
            text = file.read(FILE_MOST_BYTES)
        try:
            said = json.loads(text)
        except ValueError as error:
            raise ProtocolError(f"{path}: no JSON: {error}") from error
        if not isinstance(said, dict):
            raise ProtocolError(f"{path}: no JSON object")
        return Vitals(**{name: _typed(path, name, kinds[name], said.get(name)) for name in kinds})

    return look


def _typed(path: Path, name: str, kind: object, value: object) -> Any:
    is_bool = isinstance(value, bool)
    fits: Mapping[object, bool] = {
        "bool | None": is_bool,
        "str | None": isinstance(value, str),
        "float | None": isinstance(value, int | float) and not is_bool,
    }
    if value is not None and not fits[kind]:
        raise ProtocolError(f"{path}: {name} is {value!r}")
    return value


def processor_c(sensors: Mapping[str, Sequence[_Temperature]]) -> float | None:
    """The hottest sensor of the processor, or None where it has none."""
    found = [
        reading.current
        for name, readings in sensors.items()
        if name.lower().startswith(PROCESSOR_SENSORS)
        for reading in readings
    ]
    return max(found, default=None)


def clock_synced() -> bool | None:
    """What the kernel says, by adjtimex(2): true under any time service, not only under systemd's."""
    # The C call, since Python has none; asking needs no privilege.
    answer = ctypes.CDLL(None).adjtimex(ctypes.create_string_buffer(TIMEX_BYTES))
    return None if answer < 0 else answer != TIME_ERROR


def network_up(root: Path) -> bool | None:
    """Whether an interface has its link. Judged by those with hardware behind them, so that a
    bridge or tunnel proves nothing; where none has (in a container), by all but the loopback."""
    net = root / "sys/class/net"
    try:
        names = [entry for entry in net.iterdir() if entry.name != "lo"]
    except OSError:
        return None
    judged = [entry for entry in names if (entry / "device").exists()] or names
    return any(_has_link(entry) for entry in judged)


def _has_link(interface: Path) -> bool:
    state = _line(interface / "operstate")
    if state == "unknown":  # mobile modems and other drivers that keep no state
        return bool(int(_line(interface / "flags") or "0", 16) & IFF_UP)
    return state == "up"


def boot_id(root: Path) -> str | None:
    """The kernel's id of this boot."""
    return _line(root / "proc/sys/kernel/random/boot_id")


def _line(path: Path) -> str | None:
    try:
        return path.read_text("ascii").strip()
    except OSError:  # an interface may go while it is read
        return None
