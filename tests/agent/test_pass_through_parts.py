"""The pass-through's pure parts: the ledger, the agent's slip; and the event that tells of a restart."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.pass_through.ledger import Ledger, Slot
from agent.pass_through.slip import BEGIN_S, SETTLE_S, WRITE_S, Slip
from agent.watch.restarts import RestartWatch
from drivers.api import Observation, Power
from drivers.errors import UnknownDriver
from drivers.junction import maker


@pytest.fixture
def page(tmp_path: Path) -> Iterator[Ledger]:
    ledger = Ledger(tmp_path / "till" / "receipt.ledger")
    yield ledger
    ledger.close()


def test_a_clean_end_is_no_restart_and_what_it_held_is_lost(page: Ledger) -> None:
    assert page.begin(door_lost=False) is False
    page[Slot.HOLDING] = 5
    page.end()
    assert page.begin(door_lost=False) is False
    assert (page[Slot.RESTARTS], page[Slot.LOST_BYTES], page[Slot.HOLDING]) == (0, 5, 0)


@pytest.mark.parametrize(
    ("holding", "taking", "busy", "doubt"),
    [(0, 0, 0, False), (3, 4, 0, True), (0, 0, 1, True), (0, 9, 0, True)],
)
def test_a_broken_off_worker_is_counted_with_what_it_held(
    page: Ledger, holding: int, taking: int, busy: int, *, doubt: bool
) -> None:
    page.begin(door_lost=False)
    page[Slot.HOLDING], page[Slot.TAKING], page[Slot.BUSY] = holding, taking, busy
    assert page.begin(door_lost=False) is doubt
    assert (page[Slot.RESTARTS], page[Slot.LOST_BYTES]) == (1, holding + taking)


@pytest.mark.parametrize("door_lost", [False, True])
def test_what_waited_at_a_door_is_lost_with_the_door(page: Ledger, *, door_lost: bool) -> None:
    page.begin(door_lost=False)
    page[Slot.WAITING] = 8
    page.begin(door_lost=door_lost)
    assert (page[Slot.LOST_BYTES], page[Slot.WAITING]) == (8 * door_lost, 0)
    page[Slot.WAITING] = 5
    page.end()
    assert page[Slot.LOST_BYTES] == 8 * door_lost + 5


def test_what_has_not_left_over_the_line_is_lost_with_the_process(page: Ledger) -> None:
    page.begin(door_lost=False)
    page[Slot.HOLDING], page[Slot.UNSENT] = 3, 4
    assert page.begin(door_lost=False)
    assert (page[Slot.LOST_BYTES], page[Slot.UNSENT]) == (7, 0)
    page[Slot.UNSENT] = 5
    page.end()
    assert (page[Slot.LOST_BYTES], page[Slot.UNSENT]) == (12, 0)


def test_the_ledger_outlives_the_process(tmp_path: Path) -> None:
    first = Ledger(tmp_path / "l")
    first.begin(door_lost=False)
    first[Slot.HOLDING] = 7
    first.close()
    second = Ledger(tmp_path / "l")
    second.begin(door_lost=False)
    assert (second[Slot.RESTARTS], second[Slot.LOST_BYTES]) == (1, 7)
    second.close()


def test_a_torn_ledger_begins_anew(tmp_path: Path) -> None:
    (tmp_path / "l").write_bytes(b"\xff" * 100)
    page = Ledger(tmp_path / "l")
    assert [page[slot] for slot in Slot if slot is not Slot.MAGIC] == [0] * (len(Slot) - 1)
    page.close()


def test_a_slip_begins_when_free_and_holds_the_till_off_for_a_bounded_time() -> None:
    slip = Slip(b"x" * 100, asked_s=10.0)
    assert not slip.may_begin(10.1, free=False)
    assert not slip.holds_till()
    assert slip.may_begin(10.2, free=True)
    slip.count = 40
    assert slip.holds_till()
    assert not slip.over(10.3, 0.001)
    assert not slip.over(10.2 + WRITE_S, 0.001), "what was written still leaves over the line"
    assert slip.done_s is not None
    assert slip.over(10.2 + WRITE_S + 40 * 0.001 + SETTLE_S, 0.001)


def test_a_slip_that_found_no_gap_is_not_printed_later() -> None:
    slip = Slip(b"x", asked_s=10.0)
    assert slip.over(10.0 + BEGIN_S, 0.0)
    assert not slip.may_begin(10.0 + BEGIN_S, free=True)
    assert slip.count == 0


def seen(restarts: int, lost: int) -> Observation:
    statistics = {"PassThroughRestartCount": float(restarts), "PassThroughLostByteCount": float(lost)}
    return Observation(at_s=0, heard=True, power=Power.ONLINE, conditions={}, statistics=statistics)


def test_each_restart_is_told_once_also_over_restarts_of_the_daemon() -> None:
    watch = RestartWatch({}, "boot")
    assert watch.look("receipt", seen(0, 0)) is None
    event = watch.look("receipt", seen(1, 0))
    assert event is not None
    assert (event.agent, event.detail) == ("pass_through_restarted", "receipt: no byte of the till's is lost")
    assert watch.look("receipt", seen(1, 0)) is None
    later = RestartWatch(watch.seen("receipt"), "boot")
    assert later.look("receipt", seen(1, 0)) is None
    event = later.look("receipt", seen(3, 12))
    assert event is not None
    assert (event.count, event.detail) == (2, "receipt: 12 bytes of the till's may be lost")
    event = later.look("receipt", seen(1, 0))
    assert event is not None, "it began to count anew, and broke off since"
    assert RestartWatch(later.seen("receipt"), "another").look("receipt", seen(1, 0)) is not None


def test_a_device_that_is_not_shared_has_no_restarts() -> None:
    plain = Observation(at_s=0, heard=True, power=Power.ONLINE, conditions={})
    assert RestartWatch({"pass_through/x": 3, "other": {}}, "boot").look("x", plain) is None


@pytest.mark.parametrize("name", ["", "no.such:Thing", "drivers.api:Nothing"])
def test_a_junction_that_is_not_there_is_one_clear_error(name: str) -> None:
    with pytest.raises(UnknownDriver, match="cannot be loaded"):
        maker(name)
