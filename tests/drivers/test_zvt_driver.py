"""The payment terminal's driver on a scripted line: when it asks, and what it never does."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from drivers.api import Deadline, Json, Memory, Observation, Occasion, Power, Sale, Setup, Step
from drivers.errors import Refused
from drivers.silence import POLLS
from drivers.terminal.zvt import consts
from drivers.terminal.zvt.driver import AGAIN_S, IN_VAIN, SPEC
from drivers.terminal.zvt.wire import POSITIVE, Apdu, Frames, Stream, frame
from tests.clock import TurnedClock
from tests.fakes import ScriptedLink
from tests.harness import raised, values

ENQUIRY = Apdu(consts.STATUS_ENQUIRY).encode()
DIAGNOSIS = Apdu(consts.DIAGNOSIS).encode()
SELFTEST = Apdu(consts.SELFTEST).encode()
ACK = POSITIVE.encode()
CLEAN = Apdu(consts.COMPLETION, bytes.fromhex("F0 F0 F1 37 00 29 12 34 56 78")).encode()
EACH_S = 60.0
HARMLESS = {"05 01", "80 00"}
OCCASION = Occasion("T-0001", "2026-11-22 19:00:00")


def completion(code: int) -> bytes:
    return Apdu(consts.COMPLETION, bytes((code,))).encode()


@dataclass
class Terminal:
    """A terminal by its script: command -> messages, each sent when the one before is acknowledged."""

    script: dict[bytes, list[bytes]] = field(default_factory=dict)
    waiting: list[bytes] = field(default_factory=list)
    commands: list[bytes] = field(default_factory=list)
    acknowledged: int = 0

    def __call__(self, data: bytes) -> bytes | None:
        if data == ACK:
            self.acknowledged += 1
            return self.waiting.pop(0) if self.waiting else None
        self.commands.append(data)
        messages = self.script.get(data)
        if messages is None:
            return None
        self.waiting = list(messages[2:])
        return b"".join(messages[:2])


class Table:
    """A driver, its clock and its terminal."""

    def __init__(self, *answers: bytes, options: dict[str, Json] | None = None, sale: Sale = "no") -> None:
        self.clock = TurnedClock()
        self.sale: Sale = sale
        self.terminal = Terminal({ENQUIRY: [ACK, *answers]} if answers else {})
        self.link = ScriptedLink(
            self.clock, answer=self.terminal, scheme="tcp", held=False, proves_power=True
        )
        self.memory: Memory = {}
        options = {"status_enquiry_s": EACH_S} if options is None else options
        self.driver = SPEC.make(
            Setup(
                device="card",
                link=self.link,
                clock=self.clock,
                memory=self.memory,
                options=options,
                sale=lambda: self.sale,
            )
        )

    def answer(self, *messages: bytes) -> None:
        self.terminal.script[ENQUIRY] = [ACK, *messages]

    def run(self, seconds: float) -> Observation:
        end_s = self.clock.monotonic_s() + seconds
        while True:
            seen = self.driver.poll(Deadline.after(self.clock, 2.5))
            if self.clock.monotonic_s() >= end_s:
                return seen
            self.driver.listen(Deadline.after(self.clock, 2.0))

    def test(self, level: str) -> list[Step]:
        steps: Iterator[Step] = self.driver.selftest(level, OCCASION, Deadline.after(self.clock, 30))  # type: ignore[arg-type]
        return list(steps)

    def sent(self) -> set[str]:
        return {data[:2].hex(" ") for data in self.link.written}


def test_unless_it_is_configured_the_terminal_is_never_opened() -> None:
    table = Table(CLEAN, options={})
    seen = table.run(3600)
    assert (table.link.opened, table.link.written) == (0, [])
    assert set(values(seen).values()) == {None}
    assert seen.power is Power.UNKNOWN
    (step,) = table.test("internal")
    assert (step.verdict, "status_enquiry_s" in step.detail) == ("untested", True)
    assert table.link.opened == 0


@pytest.mark.parametrize("sale", ["yes", "unknown"])
def test_it_is_not_opened_either_unless_it_is_known_that_nobody_pays(sale: Sale) -> None:
    table = Table(CLEAN, sale=sale)
    table.run(600)
    assert table.link.opened == 0
    (step,) = table.test("internal")
    assert (step.verdict, "sale" in step.detail) == ("untested", True)


def test_it_is_asked_seldom_and_let_go_at_once() -> None:
    table = Table(CLEAN)
    seen = table.run(10)
    assert len(table.terminal.commands) == 3, "what it says first is asked again till it is believed"
    table.run(595)
    assert len(table.terminal.commands) == 3 + 10
    assert table.sent() == HARMLESS
    assert not table.link.is_open()
    assert table.terminal.acknowledged == len(table.terminal.commands)
    assert values(seen) == dict.fromkeys(values(seen), False)
    assert (seen.power, seen.identity) == (Power.ONLINE, {"firmware": "7", "terminal_id": "12345678"})
    status = seen.facts["poi_status"]
    assert isinstance(status, dict)
    assert (status["GlobalStatus"], status["PrinterStatus"]) == ("OK", "OK")


def test_it_is_never_asked_more_often_than_each_minute() -> None:
    table = Table(CLEAN, options={"status_enquiry_s": 1.0})
    table.run(295)
    assert len(table.terminal.commands) == 3 + 4


def test_a_trouble_is_raised_at_the_next_enquiry_and_cleared_by_a_clean_one() -> None:
    table = Table(CLEAN)
    table.run(10)
    table.answer(completion(consts.READER_DEFECTIVE))
    seen = table.run(EACH_S)
    assert raised(seen) == {"reader_defective"}
    assert seen.evidence["reader_defective"] == {"codes": ["E2"], "completed": True}
    assert seen.facts["poi_status"] == {"CardReaderOKFlag": False}
    table.answer(CLEAN)
    assert raised(table.run(EACH_S)) == set()


def test_a_refusal_and_an_abort_are_answers() -> None:
    table = Table(CLEAN)
    table.terminal.script[ENQUIRY] = [bytes.fromhex("84 6B 00")]
    assert raised(table.run(10)) == {"not_registered"}
    table.answer(Apdu(consts.ABORT, b"\x9b").encode())
    assert raised(table.run(EACH_S)) == {"communication_fault"}


def test_all_that_the_terminal_sends_is_acknowledged_and_print_lines_are_dropped_unread(
    caplog: pytest.LogCaptureFixture,
) -> None:
    pan = bytes.fromhex("22 F0 F8 49 29 12 34 56 78 90 14")
    caplog.set_level(logging.DEBUG)
    table = Table(
        Apdu(consts.INTERMEDIATE_STATUS, b"\xc9").encode(),
        Apdu(consts.PRINT_LINE, b"\x00Karte 4929123456789014").encode(),
        Apdu(consts.PRINT_TEXT_BLOCK, b"\x06\x124929123456789014").encode(),
        Apdu(consts.STATUS_INFORMATION, b"\x27\x00" + pan).encode(),
        CLEAN,
    )
    seen = table.run(10)
    assert table.terminal.acknowledged == 5 * len(table.terminal.commands)
    assert raised(seen) == set()
    told = repr(seen) + repr(table.memory) + caplog.text + "".join(map(repr, table.link.written))
    for shape in ("4929", "1234567890", pan.hex(), pan.hex(" ")):
        assert shape not in told


def test_a_sale_that_begins_gets_the_terminal_at_once() -> None:
    table = Table()
    table.terminal.script[ENQUIRY] = [ACK]
    read, began_s = table.link.read, table.clock.monotonic_s()

    def paying(deadline: Deadline) -> bytes:
        if table.clock.monotonic_s() - began_s > 1:
            table.sale = "yes"
        return read(deadline)

    table.link.read = paying  # type: ignore[method-assign]
    seen = table.driver.poll(Deadline.after(table.clock, 60))
    assert not table.link.is_open()
    assert table.clock.monotonic_s() - began_s < 1.5
    assert (seen.power, raised(seen)) == (Power.UNKNOWN, set()), "nothing is judged"
    table.link.read = read  # type: ignore[method-assign]
    table.answer(CLEAN)
    table.sale = "no"
    assert table.run(AGAIN_S).power is Power.ONLINE


def test_silence_is_asked_again_soon_and_then_seldom() -> None:
    table = Table(CLEAN)
    table.run(10)
    table.terminal.script.clear()
    seen = table.run(EACH_S + IN_VAIN * POLLS * AGAIN_S)
    assert (raised(seen), seen.power) == ({"frozen"}, Power.OFFLINE)
    count = len(table.terminal.commands)
    table.run(10 * EACH_S)
    assert len(table.terminal.commands) - count <= 10
    table.answer(CLEAN)
    assert raised(table.run(EACH_S)) == set()


def test_a_terminal_that_is_gone_is_unreachable() -> None:
    table = Table(CLEAN)
    table.run(10)
    table.link.fail_open = Refused("192.0.2.9:20007: refused")
    assert raised(table.run(EACH_S + 3 * AGAIN_S)) == {"unreachable"}


def test_what_is_no_zvt_is_garbled() -> None:
    table = Table(b"\xffnonsense")
    assert raised(table.run(IN_VAIN * POLLS * AGAIN_S)) == {"garbled"}


def test_at_internal_nothing_contacts_the_host() -> None:
    table = Table(CLEAN)
    steps = table.test("internal")
    assert [(step.name, step.verdict) for step in steps] == [("answer", "passed"), ("status", "passed")]
    assert table.sent() == HARMLESS


def test_at_external_a_technician_is_told_what_contacts_the_host() -> None:
    table = Table(CLEAN, sale="unknown", options={})
    going = Apdu(consts.INTERMEDIATE_STATUS, bytes((consts.AUTOMATIC_DIAGNOSIS,))).encode()
    table.terminal.script[Apdu(consts.DIAGNOSIS).encode()] = [ACK, going, Apdu(consts.COMPLETION).encode()]
    table.terminal.script[Apdu(consts.SELFTEST).encode()] = [ACK, Apdu(consts.ABORT, b"\xed").encode()]
    steps = table.test("external")
    assert [(step.name, step.verdict) for step in steps] == [
        ("answer", "passed"),
        ("status", "passed"),
        ("host", "passed"),
        ("diagnosis goes on", "passed"),
        ("diagnosis", "passed"),
        ("selftest", "failed"),
    ]
    assert "contact the payment host" in steps[2].detail
    assert "ED (pin pad defective)" in steps[-1].detail
    assert not table.link.is_open()
    table.sale = "yes"
    (step,) = table.test("external")
    assert (step.verdict, step.detail) == ("untested", "a sale is in progress")


@pytest.mark.parametrize("unfinished", [ENQUIRY, DIAGNOSIS])
def test_after_a_command_that_did_not_end_none_is_sent_on_that_connection(unfinished: bytes) -> None:
    table = Table(CLEAN)
    table.terminal.script |= {DIAGNOSIS: [ACK, CLEAN], SELFTEST: [ACK, CLEAN]}
    table.terminal.script[unfinished] = [ACK]
    steps = {step.name: step.verdict for step in table.test("external")}
    assert table.terminal.commands[-1] == unfinished
    assert not table.link.is_open(), "its completion may come yet, and would pass for another's"
    assert "selftest" not in steps
    assert "failed" in steps.values()


def test_interactive_asks_the_technician_and_contacts_nobody() -> None:
    table = Table(CLEAN)
    assert table.test("interactive")[-1].question
    assert table.sent() == HARMLESS


class Framed(Terminal):
    """The same behind a serial line; `spoils` of the frames that arrive are answered with NAK."""

    spoils = 0

    def __call__(self, data: bytes) -> bytes | None:
        if data in (b"\x06", b"\x15"):
            return frame(self.out) if data == b"\x15" and self.out else self._next()
        (event,) = Frames().feed(data)
        assert isinstance(event, Apdu)
        if self.spoils:
            self.spoils -= 1
            return b"\x15"
        said = super().__call__(event.encode())
        self.queue += Stream().feed(said or b"")
        return b"\x06" + (self._next() or b"")

    def __init__(self, script: dict[bytes, list[bytes]]) -> None:
        super().__init__(script)
        self.queue: list[Apdu] = []
        self.out: Apdu | None = None

    def _next(self) -> bytes | None:
        self.out = self.queue.pop(0) if self.queue else None
        return frame(self.out) if self.out else None


def test_over_a_serial_line_each_frame_is_acknowledged_and_sent_again_if_it_was_spoilt() -> None:
    table = Table()
    terminal = Framed({ENQUIRY: [ACK, completion(consts.MEMORY_FULL)]})
    terminal.spoils = 2
    link = ScriptedLink(table.clock, answer=terminal)
    setup = Setup(
        device="card",
        link=link,
        clock=table.clock,
        memory={},
        options={"status_enquiry_s": EACH_S},
        sale=lambda: "no",
    )
    driver = SPEC.make(setup)
    seen = driver.poll(Deadline.after(table.clock, 2.5))
    assert raised(seen) == {"memory_full"}
    assert link.written[:3] == [frame(Apdu(consts.STATUS_ENQUIRY))] * 3
    assert not link.is_open(), "the till's program finds the port free"
