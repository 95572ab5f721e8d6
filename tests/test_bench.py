"""How the bench reads memory and prints what it found."""

from __future__ import annotations

import os
import time

from tests.bench.processes import at_rest
from tests.bench.report import Budget, Table, number


def test_a_table_is_aligned_and_says_what_is_over() -> None:
    table = Table(
        title="rest",
        columns=("", "MiB", "CPU %"),
        rows=[("ours", 25.04, 0.111), ("a peer", 123.4, None)],
        budgets=[Budget("memory", 25.0, 30.0, "MiB"), Budget("CPU", 1.0, 0.5, "%")],
        notes=["one run"],
    )
    assert table.text().splitlines() == [
        "rest",
        "----",
        "         MiB  CPU %",
        "ours    25.0   0.11",
        "a peer   123      -",
        "  within memory: 25.0 of 30.0 MiB (0.83)",
        "  OVER   CPU: 1.00 of 0.50 % (2.00)",
        "  (one run)",
    ]


def test_numbers_keep_three_digits() -> None:
    assert [number(value) for value in (0.0, 0.128, 9.5, 12.34, 1234.5)] == [
        "0.00", "0.13", "9.50", "12.3", "1234",
    ]  # fmt: skip


def test_a_process_costs_what_the_kernel_says() -> None:
    started_s = time.process_time()
    cost = at_rest({"this": os.getpid()}, 0.05)["this"]
    assert 0 < cost.pss_mib <= cost.alone_mib <= cost.rss_mib
    used_s = time.process_time() - started_s
    assert 0 <= cost.cpu_pct <= 100 * (used_s + 0.01) / 0.05
    assert cost.processes >= 1
