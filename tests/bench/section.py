"""What each section of the bench is given, and what it shares with the others."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from tests.bench.report import Table


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How much is measured. The whole run stays below six minutes; `QUICK` is for the smoke test."""

    warm_s: float = 15.0
    rest_s: float = 30.0
    changes: int = 200
    polled_changes: int = 20
    single_commits: int = 500
    grouped_commits: int = 5_000
    drained_rows: int = 5_000
    starts: int = 5
    passed_probes: int = 300
    passed_jobs: int = 100
    passed_s: float = 3.0


FULL = Size()
QUICK = Size(
    warm_s=2.0,
    rest_s=1.0,
    changes=5,
    polled_changes=2,
    single_commits=20,
    grouped_commits=200,
    drained_rows=200,
    starts=1,
    passed_probes=5,
    passed_jobs=3,
    passed_s=0.2,
)


class CannotMeasure(Exception):
    """Something that the section needs is not there; the message says what."""


Section: TypeAlias = Callable[[Path, Size], Table]
"""Measures in a folder of its own."""
