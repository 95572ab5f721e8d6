"""What a process and all its children cost: memory as PSS, CPU as a share of one core."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

_EVERYBODYS = ("/libc.so", "/ld-linux", "/libm.so")
_ANONYMOUS = ""


@dataclass(frozen=True, slots=True)
class Cost:
    """`pss_mib` divides what is shared with any other process. `alone_mib` is what PSS would be if no
    other process here used the same program and libraries (only the C library still divided)."""

    pss_mib: float
    alone_mib: float
    rss_mib: float
    cpu_pct: float
    switches_s: float  #: times a second that a thread of it was given the processor
    processes: int


@dataclass(frozen=True, slots=True)
class _Mapped:
    """KiB of one mapping, or of all mappings of one file."""

    pss: int = 0
    rss: int = 0

    def __add__(self, other: _Mapped) -> _Mapped:
        return _Mapped(self.pss + other.pss, self.rss + other.rss)


@dataclass(frozen=True, slots=True)
class _Used:
    cpu_s: float
    switches: int


def family(pid: int) -> list[int]:
    process = psutil.Process(pid)
    return [pid, *(child.pid for child in process.children(recursive=True))]


def at_rest(pids: Mapping[str, int], over_s: float) -> dict[str, Cost]:
    """Memory now, and CPU over the next `over_s` seconds, of several families at the same time."""
    families = {name: family(pid) for name, pid in pids.items()}
    before = {name: _used(members) for name, members in families.items()}
    started_s = time.monotonic()
    time.sleep(over_s)
    costs = {}
    for name, members in families.items():
        took_s = time.monotonic() - started_s
        after, mapped = _used(members), [_mapped(pid) for pid in members]
        total = sum((part for files in mapped for part in files.values()), _Mapped())
        costs[name] = Cost(
            pss_mib=total.pss / 1024,
            alone_mib=_alone(mapped) / 1024,
            rss_mib=total.rss / 1024,
            cpu_pct=100 * (after.cpu_s - before[name].cpu_s) / took_s,
            switches_s=(after.switches - before[name].switches) / took_s,
            processes=len(members),
        )
    return costs


def _used(members: Iterable[int]) -> _Used:
    used_ns = switches = 0
    for pid in members:
        for thread in Path(f"/proc/{pid}/task").iterdir():
            # Nanoseconds on the processor, waiting for it, times on it (kernel, scheduler/sched-stats).
            on_cpu_ns, _waiting_ns, times = (thread / "schedstat").read_text(encoding="ascii").split()
            used_ns += int(on_cpu_ns)
            switches += int(times)
    return _Used(used_ns / 1e9, switches)


def _mapped(pid: int) -> dict[str, _Mapped]:
    """By file; all that is no file together."""
    files: dict[str, _Mapped] = defaultdict(_Mapped)
    name = _ANONYMOUS
    for line in Path(f"/proc/{pid}/smaps").read_text(encoding="utf-8").splitlines():
        key, *values = line.split(maxsplit=5)
        if not key.endswith(":"):  # a mapping begins: addresses, rights, offset, device, inode, path
            name = values[4] if len(values) == 5 and values[4].startswith("/") else _ANONYMOUS
        elif key == "Pss:":
            files[name] += _Mapped(pss=int(values[0]))
        elif key == "Rss:":
            files[name] += _Mapped(rss=int(values[0]))
    return files


def _alone(members: Sequence[Mapping[str, _Mapped]]) -> int:
    """KiB: a file counts once for all members, with the most that one of them uses of it."""
    divided, whole = 0, dict[str, int]()
    for files in members:
        for name, mapped in files.items():
            if name == _ANONYMOUS or any(one in name for one in _EVERYBODYS):
                divided += mapped.pss
            else:
                whole[name] = max(whole.get(name, 0), mapped.rss)
    return divided + sum(whole.values())
