"""Health: levels, what is listed, and its size on the wire."""

from __future__ import annotations

from dataclasses import replace

import pytest

from agent.diagnosis.health import summarise
from agent.messages import Acknowledgement, FaultEvent, Severity, Shelving, Stamper, encode
from drivers.api import Observation, Power
from tests.clock import TurnedClock


def seen(power: Power = Power.ONLINE) -> Observation:
    return Observation(at_s=0.0, heard=power is Power.ONLINE, power=power, conditions={})


def fault(
    key: str = "receipt/paper_end",
    severity: Severity = "major",
    *,
    raised_at: str = "2026-11-22T08:00:00.000Z",
    suppressed_by: str | None = None,
    shelved: Shelving | None = None,
    acknowledged: Acknowledgement | None = None,
) -> FaultEvent:
    device, _, kind = key.partition("/")
    return FaultEvent(
        change="raised",
        occurrence=f"occurrence of {key}",
        fault=key,
        device=device,
        kind=kind,
        severity=severity,
        active=True,
        suppressed_by=suppressed_by,
        shelved=shelved,
        acknowledged=acknowledged,
        raised_at=raised_at,
        advice="load_paper",
    )


SHELVED = Shelving(by="anna", until="2026-11-23T08:00:00.000Z", why="ordered")
ACKNOWLEDGED = Acknowledgement(by="anna", at="2026-11-22T08:01:00.000Z")


@pytest.mark.parametrize(
    ("faults", "level"),
    [
        ([], "ok"),
        ([fault(severity="critical")], "now"),
        ([fault(severity="major")], "now"),
        ([fault(severity="minor")], "soon"),
        ([fault(severity="warning")], "soon"),
        ([fault(severity="indeterminate")], "ok"),
        ([fault(severity="minor"), fault("receipt/cover_open", "major")], "now"),
        ([fault(suppressed_by="another")], "ok"),
        ([fault(shelved=SHELVED)], "ok"),
        ([fault(acknowledged=ACKNOWLEDGED)], "now"),
    ],
)
def test_a_device_is_as_bad_as_its_worst_fault(faults: list[FaultEvent], level: str) -> None:
    health = summarise({"receipt": seen()}, faults, refresh_s=900)
    assert health.devices == {"receipt": level}
    assert health.level == level
    assert len(health.faults) == len(faults)


def test_an_unknown_device_is_listed_and_does_not_colour() -> None:
    observed = {"receipt": seen(Power.UNKNOWN), "kitchen": None, "host": seen()}
    health = summarise(observed, [], refresh_s=900)
    assert health.level == "ok"
    assert health.unknown == ["receipt", "kitchen"]
    assert health.devices == {"receipt": "unknown", "kitchen": "unknown", "host": "ok"}


@pytest.mark.parametrize("observed", [{}, {"receipt": None}, {"receipt": None, "host": seen(Power.UNKNOWN)}])
def test_all_unknown_is_unknown(observed: dict[str, Observation | None]) -> None:
    health = summarise(observed, [], refresh_s=900)
    assert health.level == "unknown"
    assert health.unknown == list(observed)


def test_a_fault_judges_a_device_that_has_not_been_seen_yet() -> None:
    health = summarise({"receipt": None, "host": seen()}, [fault()], refresh_s=900)
    assert (health.level, health.devices["receipt"], health.unknown) == ("now", "now", [])


def test_a_device_that_is_gone_is_judged_by_its_fault() -> None:
    health = summarise({"receipt": seen(Power.OFF_OFFLINE)}, [fault("receipt/unplugged")], refresh_s=900)
    assert health.devices == {"receipt": "now"}


def test_the_agents_own_faults_colour_the_terminal() -> None:
    health = summarise({"host": seen()}, [fault("agent/storage_failed")], refresh_s=900)
    assert health.level == "now"
    assert health.devices == {"host": "ok", "agent": "now"}


def test_faults_are_listed_severest_and_oldest_first() -> None:
    faults = [
        fault("a/head_hot", "minor"),
        fault("b/paper_end", raised_at="2026-11-22T09:00:00.000Z"),
        fault("c/paper_end", acknowledged=ACKNOWLEDGED, shelved=SHELVED),
        fault("d/error_unrecoverable", "critical"),
    ]
    listed = summarise({}, faults, refresh_s=900).faults
    assert [item.fault for item in listed] == [
        "d/error_unrecoverable",
        "c/paper_end",
        "b/paper_end",
        "a/head_hot",
    ]
    assert [(item.acknowledged, item.shelved) for item in listed[:2]] == [(False, False), (True, True)]


def test_it_is_overdue_after_two_refreshes() -> None:
    assert summarise({}, [], refresh_s=900).expires_s == 1800
    assert summarise({}, [], refresh_s=0.3).expires_s == 1


def test_a_healthy_terminal_fits_into_700_bytes() -> None:
    observed = dict.fromkeys(("receipt", "kitchen", "reader", "display", "screen", "card", "host"), seen())
    health = replace(
        summarise(observed, [], refresh_s=900), labels={"model": "two-screen", "region": "north"}
    )
    stamper = Stamper(
        site="a-shop-with-a-rather-long-name-17",
        boot="1b4e28ba-2fa1-4d2b-883f-0016d3cca427",
        clock=TurnedClock(),
        up_s=lambda: 3.2e8,
        synced=lambda: True,
    )
    assert len(encode(stamper.stamp(health, as_of=2**40)).encode()) <= 700


def test_a_device_whose_trouble_is_excused_is_unknown_and_colours_nothing() -> None:
    observed = {"receipt": seen(Power.OFF_OFFLINE), "host": seen()}
    health = summarise(observed, [], refresh_s=900, excused={"receipt"}, sale="no", shop_open=False)
    assert (health.level, health.devices["receipt"], health.unknown) == ("ok", "unknown", ["receipt"])
    assert (health.sale, health.open) == ("no", False)
    health = summarise(observed, [fault(severity="minor")], refresh_s=900, excused={"receipt"})
    assert health.devices["receipt"] == "soon"
    assert (health.sale, health.open) == ("unknown", None)
