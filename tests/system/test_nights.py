"""A shop that switches everything off at night, as a real broker sees it: no fault, and never `lost`."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from agent.diagnosis.hours import DAYS
from tests.brokers import Broker
from tests.counter import Counter, Seen

pytestmark = pytest.mark.system

POLL_S = 0.3
SILENT_S = 12.0  #: after so long a printer that is off would be a fault by day: three polls, and then some


@pytest.mark.parametrize(
    ("nights", "dark_s"),
    [(2, 1.0), pytest.param(7, SILENT_S, marks=[pytest.mark.soak, pytest.mark.timeout(300)])],
)
def test_nights_are_no_fault_and_the_terminal_is_shut_down_not_lost(
    short_path: Path,
    broker: Broker,
    seen: Seen,
    monkeypatch: pytest.MonkeyPatch,
    nights: int,
    dark_s: float,
) -> None:
    systemctl = short_path / "systemctl"
    systemctl.write_text("#!/bin/sh\necho stopping\nexit 1\n")
    systemctl.chmod(0o755)
    monkeypatch.setenv("PATH", f"{short_path}:/usr/bin:/bin")
    counter = Counter(
        short_path,
        broker.url,
        poll_s=POLL_S,
        agent='clock = "trusted"',
        terminal=f'hours = "{_another_day()} 08:00-20:00"',
    )
    try:
        counter.start_printer()
        for night in range(nights):
            counter.tell("power=on")
            counter.start_daemon()
            seen.wait(lambda _m: len(seen.on("status")) == 2 * night + 1, 15.0, "the terminal is on")  # noqa: B023 - awaited here
            seen.wait_condition("silent", value=False, within_s=15)
            counter.tell("power=off")
            seen.wait_condition("silent", value=True, within_s=15)
            time.sleep(dark_s)  # the night, in which a fault would be raised
            assert counter.stop_daemon() == 0
            seen.wait(lambda _m: len(seen.on("status")) == 2 * night + 2, 5.0, "the terminal is off")  # noqa: B023 - awaited here
    finally:
        counter.close()
    assert seen.faults() == []
    said = [(status["state"], status["reason"]) for status in seen.on("status")]
    assert said == [("online", "started"), ("offline", "shutdown")] * nights
    assert {health["open"] for health in seen.on("health")} == {False}
    assert {health["level"] for health in seen.on("health")} == {"ok"}


def _another_day() -> str:
    """Not today, nor tomorrow if midnight comes."""
    return DAYS[(time.localtime().tm_wday + 3) % len(DAYS)]
