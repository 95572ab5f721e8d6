"""What silence means: every row of the table, over every kind of link."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.api import ANSWERED_KEY, Memory, Power
from drivers.silence import KINDS, LINE_KEY, POLLS, SHOWS_BUSY, SHOWS_POWER, Judge, Outcome

A, M, G = Outcome.ANSWERED, Outcome.MISSED, Outcome.GARBLED
HIGH, LOW, NONE = True, False, None


def judge(scheme: str = "serial", memory: Memory | None = None) -> Judge:
    return Judge(scheme=scheme, proves_power=scheme != "serial", memory={} if memory is None else memory)


def holds(judged: Judge) -> set[str]:
    return {kind for kind, value in judged.conditions().items() if value}


# link, DSR while it answered, how three polls ended, DSR then -> what holds, and the power
TABLE = [
    ("serial", NONE, Outcome.ABSENT, NONE, "unplugged", Power.OFF_OFFLINE),
    ("usb", NONE, Outcome.ABSENT, NONE, "unplugged", Power.OFF_OFFLINE),
    ("tcp", NONE, Outcome.UNREACHABLE, NONE, "unreachable", Power.OFF_OFFLINE),
    ("serial", HIGH, M, LOW, "power_off", Power.OFF),
    ("serial", HIGH, M, HIGH, "frozen", Power.OFFLINE),
    ("tcp", NONE, M, NONE, "frozen", Power.OFFLINE),
    ("tcp", NONE, Outcome.LOST, NONE, "frozen", Power.OFFLINE),
    ("usb", NONE, M, NONE, "frozen", Power.OFFLINE),
    ("serial", NONE, M, NONE, "silent", Power.OFF_OFFLINE),
    ("serial", LOW, M, LOW, "silent", Power.OFF_OFFLINE),  # a DSR never seen high is not wired
    ("serial", HIGH, M, NONE, "silent", Power.OFF_OFFLINE),
    ("serial", NONE, G, NONE, "garbled", Power.UNKNOWN),
    ("serial", NONE, Outcome.HELD_BY_OTHER, NONE, "held_by_other", Power.UNKNOWN),
    ("serial", NONE, Outcome.NO_PERMISSION, NONE, "no_permission", Power.UNKNOWN),
    ("usb", NONE, Outcome.STUCK, NONE, "driver_stuck", Power.UNKNOWN),
    ("hid", NONE, M, NONE, "frozen", Power.OFFLINE),
    ("pcsc", NONE, Outcome.SERVICE_DOWN, NONE, "card_service_down", Power.UNKNOWN),
    ("pcsc", NONE, Outcome.STUCK, NONE, "driver_stuck", Power.UNKNOWN),
]
AT_ONCE = {"unplugged", "held_by_other", "no_permission", "card_service_down", "driver_stuck"}
NEVER_ANSWERED_TOO = {"garbled", *AT_ONCE} - {"unplugged"}


@pytest.mark.parametrize(("scheme", "before", "outcome", "line", "kind", "power"), TABLE)
def test_after_it_answered(
    scheme: str, before: bool | None, outcome: Outcome, line: bool | None, kind: str, power: Power
) -> None:
    judged = judge(scheme)
    judged.feed(A, before)
    assert (holds(judged), judged.power) == (set(), Power.ONLINE)
    for poll in range(1, POLLS + 1):
        judged.feed(outcome, line)
        assert holds(judged) == ({kind} if poll == POLLS or kind in AT_ONCE else set())
    assert judged.power is power
    assert judged.blind
    assert tuple(judged.conditions()) == KINDS[scheme]
    judged.feed(A, before)
    assert (holds(judged), judged.power, judged.blind) == (set(), Power.ONLINE, False)
    assert None not in judged.conditions().values()


@pytest.mark.parametrize(("scheme", "before", "outcome", "line", "kind", "power"), TABLE)
def test_never_answered(
    scheme: str, before: bool | None, outcome: Outcome, line: bool | None, kind: str, power: Power
) -> None:
    judged = judge(scheme)
    for _ in range(5):
        judged.feed(outcome, line)
    assert holds(judged) == ({kind} & NEVER_ANSWERED_TOO)
    assert judged.power is Power.UNKNOWN


def test_before_the_first_poll_nothing_is_known() -> None:
    assert set(judge().conditions().values()) == {None}
    assert judge().power is Power.UNKNOWN


def test_an_open_port_is_neither_absent_nor_held() -> None:
    judged = judge()
    judged.feed(M)
    assert judged.conditions() == {
        "unplugged": False,
        "power_off": None,
        "frozen": None,
        "silent": None,
        "garbled": None,
        "held_by_other": False,
        "no_permission": False,
    }


def test_held_by_another_leaves_the_rest_unknown() -> None:
    judged = judge()
    judged.feed(A)
    judged.feed(Outcome.HELD_BY_OTHER)
    assert judged.conditions()["silent"] is None
    judged.feed(M)
    assert (holds(judged), judged.conditions()["held_by_other"]) == (set(), False)


def test_back_in_its_socket_it_has_three_deadlines_again() -> None:
    judged = judge()
    judged.feed(A)
    judged.feed(Outcome.ABSENT)
    judged.feed(M)
    judged.feed(M)
    assert (holds(judged), judged.power) == (set(), Power.UNKNOWN)
    judged.feed(M)
    assert holds(judged) == {"silent"}


def test_one_answer_starts_the_count_anew() -> None:
    judged = judge()
    for outcome in (A, M, M, A, M, M):
        judged.feed(outcome)
    assert (holds(judged), judged.missed) == (set(), 2)


def test_any_garbage_among_the_three_is_garbled_until_only_silence_is_left() -> None:
    judged = judge()
    for outcome in (A, G, M, M):
        judged.feed(outcome)
    assert holds(judged) == {"garbled"}
    judged.feed(M)
    assert holds(judged) == {"silent"}


def test_a_port_that_the_system_refuses_proves_nothing() -> None:
    judged = judge()
    judged.feed(A)
    for _ in range(4):
        judged.feed(Outcome.UNUSABLE)
    assert (holds(judged), judged.power) == (set(), Power.UNKNOWN)


def test_a_dsr_that_is_low_while_the_printer_answers_shows_no_power() -> None:
    memory: Memory = {}
    judged = judge(memory=memory)
    judged.feed(A, HIGH)
    judged.feed(A, LOW)  # once may be chance: the power went just after the answer
    judged.feed(A, HIGH)
    judged.feed(A, LOW)
    judged.feed(A, LOW)
    assert memory[LINE_KEY] == SHOWS_BUSY
    for _ in range(POLLS):
        judged.feed(M, LOW)
    assert holds(judged) == {"silent"}


def test_memory_outlives_the_judge() -> None:
    memory: Memory = {}
    judge(memory=memory).feed(A, HIGH)
    judged = judge(memory=memory)
    for _ in range(POLLS):
        judged.feed(M, LOW)
    assert holds(judged) == {"power_off"}
    del memory[ANSWERED_KEY]  # as at a new boot
    judged = judge(memory=memory)
    for _ in range(POLLS):
        judged.feed(M, LOW)
    assert holds(judged) == set()


O = Outcome.OPEN  # noqa: E741 - in a row with A, M and G

# link, how polls ended after one that found the way open -> what holds, and the power
NATURE = [
    ("serial", (O,), None, Power.UNKNOWN),
    ("usb", (O,), None, Power.ONLINE),
    ("tcp", (O,), None, Power.ONLINE),
    ("serial", (Outcome.ABSENT,), "unplugged", Power.OFF_OFFLINE),
    ("usb", (Outcome.ABSENT,), "unplugged", Power.OFF_OFFLINE),
    ("usb", (Outcome.ABSENT, O), None, Power.ONLINE),
    ("tcp", (Outcome.UNREACHABLE,) * (POLLS - 1), None, Power.ONLINE),
    ("tcp", (Outcome.UNREACHABLE,) * POLLS, "unreachable", Power.OFF_OFFLINE),
    ("tcp", (Outcome.LOST,) * POLLS, None, Power.UNKNOWN),
    ("usb", (M,) * POLLS, None, Power.UNKNOWN),
    ("serial", (M,) * POLLS, None, Power.UNKNOWN),
    ("serial", (Outcome.NO_PERMISSION,), "no_permission", Power.UNKNOWN),
    ("usb", (Outcome.HELD_BY_OTHER,), "held_by_other", Power.UNKNOWN),
    ("usb", (Outcome.STUCK,), "driver_stuck", Power.UNKNOWN),
]


@pytest.mark.parametrize(("scheme", "outcomes", "kind", "power"), NATURE)
def test_a_device_that_never_speaks_is_judged_by_its_way_alone(
    scheme: str, outcomes: tuple[Outcome, ...], kind: str | None, power: Power
) -> None:
    judged = judge(scheme)
    for outcome in (O, *outcomes):
        judged.feed(outcome)
    assert (holds(judged), judged.power) == ({kind} - {None}, power)


def test_an_open_way_says_nothing_of_what_the_device_would_say() -> None:
    judged = judge("usb")
    judged.feed(O)
    assert judged.conditions() == {
        "unplugged": False,
        "frozen": None,
        "garbled": None,
        "held_by_other": False,
        "no_permission": False,
        "driver_stuck": False,
    }


@given(
    scheme=st.sampled_from(sorted(KINDS)),
    polls=st.lists(st.tuples(st.sampled_from(Outcome), st.sampled_from([HIGH, LOW, NONE]))),
)
def test_at_most_one_thing_holds_and_none_after_an_answer(
    scheme: str, polls: list[tuple[Outcome, bool | None]]
) -> None:
    judged = judge(scheme)
    answered = opened = False
    for outcome, line in polls:
        judged.feed(outcome, line)
        answered = answered or outcome is A
        assert len(holds(judged)) <= 1
        opened = opened or outcome is Outcome.OPEN
        assert (judged.power is Power.ONLINE) <= (answered or opened)
        if outcome in (A, Outcome.OPEN):
            assert not holds(judged)
        if not answered:
            assert holds(judged) <= NEVER_ANSWERED_TOO | ({"unplugged", "unreachable"} if opened else set())


def test_a_device_that_never_speaks_is_off_where_its_line_was_learned_to_show_it() -> None:
    memory: Memory = {LINE_KEY: SHOWS_POWER}
    judged = Judge(scheme="serial", proves_power=False, memory=memory)
    judged.feed(O, True)
    assert judged.conditions()["power_off"] is False
    for _ in range(POLLS):
        judged.feed(M, False)
    assert (holds(judged), judged.power) == ({"power_off"}, Power.OFF)
    judged.feed(O, True)
    assert judged.conditions()["power_off"] is False
    judged.feed(O, None)
    assert judged.conditions()["power_off"] is None
