"""The terminal on a turned clock: what is published when, in which order, and what a restart keeps."""

from __future__ import annotations

from dataclasses import replace

import pytest

from agent.diagnosis.opening import OPENING_GRACE_S
from agent.diagnosis.sale import SaleWord
from agent.messages import rfc3339
from agent.terminal import DEVICE_REFRESH
from agent.watch.worker import stuck_observation
from tests.fast_forward import CONFIG, Forward
from tests.harness import Bench

SETTLED_S = 12.0


@pytest.fixture
def forward() -> Forward:
    running = Forward(Bench())
    assert running.run(SETTLED_S) == []
    return running


def test_the_event_is_stored_before_the_health_it_explains(forward: Forward) -> None:
    before = len(forward.broker.messages)
    forward.tell("paper=end")
    forward.run(SETTLED_S)
    topics = [topic for topic, _ in forward.broker.messages[before:]]
    assert topics == ["device/receipt", "event", "health"]
    health = forward.broker.on("health")[-1]
    event = forward.broker.on("event")[-1]
    assert health["level"] == "now"
    assert health["faults"][0]["occurrence"] == event["occurrence"]
    assert health["as_of"] == event["seq"]


def test_conditions_are_published_before_any_delay(forward: Forward) -> None:
    forward.tell("paper=end")
    changed_at = rfc3339(forward.clock.wall_s() + 0.1)
    forward.run(SETTLED_S)
    report = forward.broker.on("device/receipt")[-1]
    assert report["conditions"]["paper_end"]["value"] is True
    assert report["at"] <= changed_at < forward.broker.on("event")[-1]["at"]


def test_a_device_that_says_nothing_is_unknown_and_no_fault() -> None:
    forward = Forward(Bench(settings=("fault=mute",)))
    assert forward.run(SETTLED_S) == []
    (health,) = forward.broker.on("health")
    assert (health["level"], health["unknown"], health["faults"]) == ("unknown", ["receipt"], [])


def test_no_health_before_every_device_had_an_observation_or_three_polls_passed() -> None:
    forward = Forward(Bench())
    forward.clock.advance(3 * forward.bench.poll_s - 0.1)
    forward.terminal.advance()
    assert forward.broker.on("health") == []
    forward.clock.advance(0.1)
    forward.terminal.advance()
    assert forward.broker.on("health")[-1]["level"] == "unknown"


def test_health_and_device_are_refreshed_when_nothing_happens() -> None:
    refresh_s = 100.0
    forward = Forward(Bench(), replace(CONFIG, agent=replace(CONFIG.agent, health_refresh_s=refresh_s)))
    forward.run(SETTLED_S + 2 * DEVICE_REFRESH * refresh_s)
    assert len(forward.broker.on("health")) == 1 + 2 * DEVICE_REFRESH
    refreshes = forward.broker.on("device/receipt")
    assert 3 <= len(refreshes) <= 5  # the first ones tell of identity and counters as they become known
    assert len({message["id"] for message in refreshes}) == len(refreshes)


def test_metrics_carry_each_devices_statistics() -> None:
    forward = Forward(Bench(), replace(CONFIG, agent=replace(CONFIG.agent, metric_s=60)))
    forward.run(60)
    values = forward.broker.on("metric")[-1]["values"]
    assert list(values) == ["receipt"]
    assert all(isinstance(value, int | float) for value in values["receipt"].values())


def test_an_open_fault_survives_a_restart_and_clears_with_the_same_occurrence(forward: Forward) -> None:
    forward.tell("cover=open")
    assert forward.run(SETTLED_S) == ["raised receipt/cover_open"]
    forward.restart()
    assert forward.run(SETTLED_S) == []
    forward.restart()
    forward.tell("cover=closed")
    assert forward.run(SETTLED_S) == ["cleared receipt/cover_open"]
    raised, cleared = forward.broker.on("event")
    assert raised["occurrence"] == cleared["occurrence"]
    assert raised["raised_at"] == cleared["raised_at"]
    assert forward.broker.faults == {}


def test_faults_of_what_is_watched_no_more_are_removed(forward: Forward) -> None:
    forward.tell("paper=end")
    forward.run(SETTLED_S)
    state = forward.broker.faults["receipt/paper_end"]
    forward.broker.faults |= {"gone/paper_end": state, "receipt/unreachable": state, "receipt/nonsense": 7}
    forward.restart()
    forward.run(SETTLED_S)
    assert sorted(forward.broker.changes()) == [
        "raised receipt/paper_end",
        "removed gone/paper_end",
        "removed receipt/unreachable",
    ]
    assert list(forward.broker.faults) == ["receipt/paper_end"]


def test_a_driver_that_hangs_right_after_a_restart_closes_no_fault(forward: Forward) -> None:
    forward.tell("paper=end")
    forward.run(SETTLED_S)
    forward.restart()
    forward.terminal.observe("receipt", stuck_observation(None, forward.clock, "hangs"))
    forward.run(SETTLED_S)
    assert "removed receipt/paper_end" not in forward.broker.changes()
    assert "receipt/paper_end" in forward.broker.faults


def test_the_agents_own_fault_colours_health_without_a_device_topic(forward: Forward) -> None:
    forward.terminal.judge("agent", {"storage_failed": True}, {"storage_failed": {"detail": "disk full"}})
    forward.run(SETTLED_S)
    assert forward.broker.changes() == ["raised agent/storage_failed"]
    assert forward.broker.on("health")[-1]["devices"]["agent"] in ("soon", "now")
    assert forward.broker.on("device/agent") == []
    forward.terminal.judge("agent", {"storage_failed": False}, {})
    forward.run(60)
    assert forward.broker.changes()[-1] == "cleared agent/storage_failed"


def test_the_view_shows_the_latest_of_everything(forward: Forward) -> None:
    view = forward.terminal.view()
    assert view["terminal"] == "T-0001"
    assert view["devices"]["receipt"]["power"] == "online"
    assert view["health"]["level"] == "ok"


# Hours and sales


def with_shop(said: str, maintenance: str = "") -> Forward:
    """A terminal of a shop with such hours, at 07:30 UTC."""
    bench = Bench(poll_s=5.0)
    bench.clock.step_wall(7.5 * 3600 - bench.clock.wall_s() % 86_400)
    terminal = replace(CONFIG.terminal, hours=said, timezone="UTC", maintenance=maintenance)
    return Forward(bench, replace(CONFIG, terminal=terminal))


def test_a_device_that_is_off_while_the_shop_is_closed_is_unknown_and_no_fault() -> None:
    forward = with_shop("Mo-Su 08:00-20:00")
    forward.run(SETTLED_S)
    assert forward.broker.on("health")[-1]["open"] is False
    forward.tell("power=off")
    assert forward.run(600) == []
    health = forward.broker.on("health")[-1]
    assert (health["devices"], health["unknown"], health["faults"]) == (
        {"receipt": "unknown"},
        ["receipt"],
        [],
    )
    forward.restart()
    assert forward.run(600) == []
    forward.tell("power=on", "paper=end")
    assert forward.run(60) == ["raised receipt/paper_end"], "closing does not explain that"
    assert forward.terminal.view()["open"] is False


def test_a_device_that_stays_off_is_a_fault_a_grace_after_opening() -> None:
    forward = with_shop("Mo-Su 08:00-20:00")
    forward.run(SETTLED_S)
    forward.tell("power=off")
    assert forward.run(1800 + OPENING_GRACE_S - 60 - SETTLED_S) == []
    assert forward.broker.on("health")[-1]["open"] is True
    assert forward.run(120) == ["raised receipt/power_off"]
    assert forward.broker.on("health")[-1]["level"] == "now"


def test_without_hours_it_is_not_known_whether_the_shop_is_open(forward: Forward) -> None:
    assert forward.broker.on("health")[-1]["open"] is None
    assert forward.terminal.view()["open"] is None


def test_the_sale_is_told_in_health_as_it_changes(forward: Forward) -> None:
    before = len(forward.broker.on("health"))
    for busy in (True, True, False, None):
        forward.terminal.tell_sale(SaleWord("till", busy, "whole"))
    assert [health["sale"] for health in forward.broker.on("health")[before:]] == ["yes", "no", "unknown"]
    forward.terminal.tell_sale(SaleWord("till", True, "whole", lasts_s=60))
    assert forward.terminal.view()["sale"] == {
        "state": "yes",
        "why": [{"source": "till", "word": "yes", "age_s": 0.0}],
    }
    forward.run(70)
    assert forward.broker.on("health")[-1]["sale"] == "unknown"


def test_print_data_on_its_way_is_a_sale(forward: Forward) -> None:
    seen = forward.terminal._devices["receipt"].last
    assert seen is not None
    forward.terminal.observe("receipt", replace(seen, in_use=True))
    assert forward.broker.on("health")[-1]["sale"] == "yes"
    assert forward.terminal.view()["sale"]["why"][0]["source"] == "device/receipt"
    forward.terminal.observe("receipt", replace(seen, in_use=False))
    forward.clock.turn_to(forward.clock.monotonic_s() + CONFIG.sale.quiet_s - 1)
    assert forward.broker.on("health")[-1]["sale"] == "yes"
    forward.clock.turn_to(forward.clock.monotonic_s() + 2)
    assert forward.broker.on("health")[-1]["sale"] == "unknown"


def test_a_driver_that_hangs_while_the_till_prints_is_no_sale_for_ever(forward: Forward) -> None:
    seen = forward.terminal._devices["receipt"].last
    assert seen is not None
    printing = replace(seen, in_use=True)
    forward.terminal.observe("receipt", printing)
    forward.terminal.observe("receipt", stuck_observation(printing, forward.clock, "hangs"))
    assert forward.broker.on("health")[-1]["sale"] == "yes"
    forward.clock.turn_to(forward.clock.monotonic_s() + CONFIG.sale.quiet_s + 1)
    assert forward.broker.on("health")[-1]["sale"] == "unknown"


def test_a_maintenance_window_is_no_sale() -> None:
    forward = with_shop("", maintenance="Mo-Su 07:40-07:50")
    forward.run(500)
    assert forward.broker.on("health")[-1]["sale"] == "unknown"
    forward.run(200)
    assert forward.broker.on("health")[-1]["sale"] == "no"
    forward.run(600)
    assert forward.broker.on("health")[-1]["sale"] == "unknown"
