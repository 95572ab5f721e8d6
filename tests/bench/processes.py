"""What a process and all its children cost: memory as PSS, CPU as a share of one core."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path

import psutil

_TICK_S = 1 / os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Cost:
    pss_mib: float
    rss_mib: float
    cpu_pct: float
    processes: int


def family(pid: int) -> list[int]:
    process = psutil.Process(pid)
    return [pid, *(child.pid for child in process.children(recursive=True))]


def pss_mib(pid: int) -> float:
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) / 1024
    return 0.0


def cpu_s(pid: int) -> float:
    """Seconds of CPU the process itself used, user and system."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) * _TICK_S


def at_rest(pid: int, over_s: float) -> Cost:
    """Memory now, and CPU over the next `over_s` seconds."""
    pids = family(pid)
    before = sum(cpu_s(p) for p in pids)
    started = time.monotonic()
    time.sleep(over_s)
    used = sum(cpu_s(p) for p in pids) - before
    return Cost(
        pss_mib=sum(pss_mib(p) for p in pids),
        rss_mib=sum(psutil.Process(p).memory_info().rss for p in pids) / 1024**2,
        cpu_pct=100 * used / (time.monotonic() - started),
        processes=len(pids),
    )
