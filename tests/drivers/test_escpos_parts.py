"""The driver's small pure parts: what is learned, what is asked now and then, the slip."""

from __future__ import annotations

from drivers.api import Memory, Occasion
from drivers.learned import ASK_AGAIN_S, TRIES, Learned
from drivers.printer.escpos.chores import (
    COUNTERS_EACH_S,
    Completion,
    Inventory,
)
from drivers.printer.escpos.slip import slip
from drivers.printer.probe import PROBE_ANSWER_S, PROBE_EACH_S, PROBES
from drivers.printer.slip import WIDTH
from tests.clock import TurnedClock


def learned(memory: Memory | None = None, clock: TurnedClock | None = None) -> Learned:
    return Learned({} if memory is None else memory, clock or TurnedClock())


def test_three_in_vain_are_a_refusal_and_a_day_later_it_is_asked_again() -> None:
    clock, memory = TurnedClock(), dict[str, object]()
    known = learned(memory, clock)  # type: ignore[arg-type]
    assert [known.unanswered("q") for _ in range(TRIES)] == [False, False, True]
    assert learned(memory, clock).refused("q")  # type: ignore[arg-type]
    clock.advance(ASK_AGAIN_S)
    assert not known.refused("q")
    assert not known.unanswered("q")  # once in vain is enough now, and no news
    assert known.refused("q")
    known.answered("q")
    assert known.supported("q")
    assert not known.refused("q")


def test_a_wall_clock_set_back_asks_again() -> None:
    clock = TurnedClock()
    known = learned(clock=clock)
    for _ in range(TRIES):
        known.unanswered("q")
    clock.step_wall(-3600)
    assert not known.refused("q")


def test_what_answered_once_stays_supported_until_doubted() -> None:
    known = learned()
    known.answered("q")
    assert not any(known.unanswered("q") for _ in range(9))
    known.doubt("q")
    known.doubt("never asked")
    assert not known.supported("q")
    assert not known.refused("q")


def ask_all(inventory: Inventory, now_s: float, body: bytes | None) -> int:
    count = 0
    while (chore := inventory.next(now_s)) is not None:
        count += 1
        if body is None or not inventory.answered(chore, body):
            inventory.unanswered(chore)
    return count


def test_inventory_takes_only_what_can_be_an_answer() -> None:
    inventory = Inventory(learned(), identity_wanted=True, counters_wanted=True)
    assert ask_all(inventory, 0, b"12") == 7
    assert inventory.identity["model"] == "12"
    assert inventory.statistics == {
        "ReceiptLineFeedCount": 12,
        "PaperCutCount": 12,
        "HoursPoweredCount": 12,
    }
    inventory = Inventory(learned(), identity_wanted=True, counters_wanted=True)
    assert ask_all(inventory, 0, b"\x81") == 7 * TRIES
    assert (inventory.identity, inventory.statistics) == ({}, {})


def test_counters_are_asked_hourly_and_identity_when_the_power_returns() -> None:
    inventory = Inventory(learned(), identity_wanted=True, counters_wanted=True)
    ask_all(inventory, 0, b"1")
    assert ask_all(inventory, COUNTERS_EACH_S - 1, b"1") == 0
    assert ask_all(inventory, COUNTERS_EACH_S, b"1") == 3
    inventory.doubt_identity()
    assert ask_all(inventory, COUNTERS_EACH_S, b"1") == 4


def test_a_supported_question_unanswered_waits_for_its_next_time() -> None:
    inventory = Inventory(learned(), identity_wanted=False, counters_wanted=True)
    ask_all(inventory, 0, b"1")
    assert ask_all(inventory, COUNTERS_EACH_S, None) == 3


def probe(completion: Completion, now_s: float) -> bytes:
    asked = completion.due(now_s)
    assert asked is not None
    return asked[-4:]


def stalled(completion: Completion) -> bool | None:
    return completion.stalled


def test_a_probe_in_vain_is_repeated_before_it_counts() -> None:
    completion = Completion(learned(), wanted=True)
    completion.answered(b'"' + probe(completion, 0))
    assert stalled(completion) is False
    assert completion.due(PROBE_EACH_S - 1) is None
    now_s = PROBE_EACH_S
    for _ in range(PROBES):
        assert stalled(completion) is False
        last = probe(completion, now_s)
        completion.look(now_s + 1, idle=True)
        now_s += PROBE_ANSWER_S
        completion.look(now_s, idle=True)
    assert stalled(completion) is True
    completion.answered(b'"' + last)
    assert stalled(completion) is False


def test_a_probe_waits_for_an_offline_printer() -> None:
    completion = Completion(learned(), wanted=True)
    completion.answered(b'"' + probe(completion, 0))
    completion.hurry()
    probe(completion, 1)
    for second in range(2, 600, 2):
        completion.look(second, idle=False)
    assert completion.stalled is False
    completion.answered(b"\x25other")
    completion.lost()
    completion.look(9999, idle=True)
    assert completion.stalled is False
    completion.forget()
    assert completion.stalled is None


def test_a_printer_without_the_probe_is_asked_three_times() -> None:
    completion = Completion(learned(), wanted=True)
    asked = 0
    for now_s in range(0, 3600, 10):
        asked += completion.due(now_s) is not None
        completion.look(now_s + PROBE_ANSWER_S, idle=True)
    assert (asked, completion.stalled) == (TRIES, None)


def test_the_slip_fits_narrow_paper_and_is_ascii() -> None:
    data = slip("receipt", Occasion(terminal="T-0001", at="12:00 \u00fc"), "passed")
    assert data.startswith(b"\x1b@")
    assert data.endswith(b"\x1dV\x42\x00")
    lines = data[2:-4].split(b"\n")
    assert max(map(len, lines)) <= WIDTH
    assert b"Time:     12:00 ?" in lines
