"""What holds for the self-test of every device, over every link."""

from __future__ import annotations

import pytest

from drivers.api import Deadline, Occasion
from tests.every_device import PLACES, Place

OCCASION = Occasion("T-0001", "2026-01-01 12:00:00")
PRINTS_BETWEEN_JOBS = ("escpos",)
"""Shared with the till, whose print data is a sale: docs/configuration.md."""


@pytest.mark.parametrize("level", ["external", "interactive"])
@pytest.mark.parametrize("place", [p for p in PLACES if p.driver not in PRINTS_BETWEEN_JOBS], ids=str)
def test_nothing_but_questions_of_a_poll_is_sent_while_somebody_pays(place: Place, level: str) -> None:
    bench = place.bench()
    sent: set[bytes] = set()
    write = bench.link.write

    def noted(data: bytes, deadline: Deadline) -> int:
        sent.add(data)
        return write(data, deadline)

    bench.link.write = noted  # type: ignore[method-assign]  # a tap on the line
    bench.run(150)
    before = set(sent)
    bench.sale = "yes"
    steps = list(bench.driver.selftest(level, OCCASION, Deadline.after(bench.clock, 60)))  # type: ignore[arg-type]
    assert any("sale" in step.detail and step.verdict == "untested" for step in steps)
    assert not [step for step in steps if step.question]
    if place.driver != "ccid":  # its questions are numbered
        assert sent <= before
    else:
        assert {data[0] for data in sent} <= {data[0] for data in before}
