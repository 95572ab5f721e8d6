"""Receipts of python-escpos through the pass-through, while the daemon watches and faults come and go.

The same till plays the same script at a second simulated printer, directly: what it is answered must be the
same, question by question, and so must what is printed.
"""

from __future__ import annotations

import contextlib
import random
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.brokers import mosquitto_broker
from tests.counter import Seen, subscriber, until
from tests.pass_through import SharedPrinter
from tests.till import TcpTill, TtyTill, hold_against, receipt, receipt_with_picture

pytestmark = pytest.mark.system

MOMENTS = ("never", "picture", "after", "never", "before", "never")
"""When a change comes with a receipt."""
LINGER_S = 0.07  #: between two receipts, so that the agent finds a gap
VIEW_S = 5.0
CHANGES = (
    ("paper=near_end", "paper=ok", "paper_near_end"),
    ("paper=end", "paper=ok", "paper_end"),
    ("cover=open", "cover=closed", "cover_open"),
    ("cutter=jam", "cutter=ok", "cutter_error"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """How till and printer are connected, and what the profile lets the agent do."""

    name: str
    till: str
    door: str
    hold: bool = False
    profile: str = "epson-tm"

    @property
    def pushed(self) -> bool:
        """The agent hears of a change also while it may not ask."""
        return self.profile == "epson-tm" and (self.door == "tty" or self.hold)


WAYS = (
    Way(name="tty, automatic status", till="tty", door="tty"),
    Way(name="tty, plain", till="tty", door="tty", profile="plain"),
    Way(name="tcp, automatic status", till="tcp", door="tcp", hold=True),
    Way(name="tcp, plain", till="tcp", door="tcp", profile="plain"),
)
MIXED = (
    Way(name="tty to tcp", till="tty", door="tcp"),
    Way(name="tty to tcp, held", till="tty", door="tcp", hold=True),
    Way(name="tcp to tty", till="tcp", door="tty"),
    Way(name="tcp to tty, plain", till="tcp", door="tty", profile="plain"),
)


@pytest.fixture(params=WAYS, ids=lambda way: way.name)
def way(request: pytest.FixtureRequest) -> Way:
    chosen: Way = request.param
    return chosen


def test_receipts_pass_unchanged_and_questions_are_answered_as_without_us(way: Way, short_path: Path) -> None:
    _compare(way, short_path, range(13))


@pytest.mark.soak
def test_a_hundred_and_twenty_five_each_way(way: Way, short_path: Path) -> None:
    _compare(way, short_path, range(125))


@pytest.mark.soak
@pytest.mark.parametrize("mixed", MIXED, ids=lambda way: way.name)
def test_a_till_and_a_printer_of_different_kinds(mixed: Way, short_path: Path) -> None:
    _compare(mixed, short_path, range(50))


def _compare(way: Way, folder: Path, numbers: Sequence[int]) -> None:
    with (
        mosquitto_broker(folder, options={"log_type": "error"}) as broker,
        subscriber(broker.url) as seen,
        _printer(folder / "through", way, broker.url) as through,
        _printer(folder / "direct", way, broker.url) as direct,
        ThreadPoolExecutor(1) as beside,
    ):
        through.start()
        through.start_daemon()
        seen.wait_condition("paper_end", value=False, within_s=15)
        alone = beside.submit(_play, direct, direct.direct, way, numbers, Nobody())
        till = _play(
            through,
            str(through.tty) if way.till == "tty" else through.port,
            way,
            numbers,
            Agent(through, seen, way),
        )
        expected = alone.result()
        assert till.sent == expected.sent
        for number, (ours, theirs) in enumerate(zip(till.answers, expected.answers, strict=True)):
            assert ours == theirs, f"answer {number}"
        until(lambda: direct.printed() == through.printed(), "the same on both papers")
        assert direct.received() == till.sent
        assert hold_against(through.received(), bytes(till.sent), till.borders), "the agent asked nothing"
        changes = [fault for fault, change in seen.faults() if change == "raised"]
        assert set(changes) <= {f"receipt/{kind}" for *_, kind in CHANGES}


@contextlib.contextmanager
def _printer(folder: Path, way: Way, url: str) -> Iterator[SharedPrinter]:
    folder.mkdir()
    printer = SharedPrinter(
        folder, door=way.door, till=way.till, hold=way.hold, url=url, profile=way.profile, poll_s=0.2
    )
    try:
        printer.start_printer()
        yield printer
    finally:
        printer.close()


class Nobody:
    """In a direct run no agent watches."""

    def ready(self) -> None: ...

    def sees(self, kind: str, *, value: bool) -> None: ...


class Agent(Nobody):
    """The one beside the till, as a subscriber knows it."""

    def __init__(self, printer: SharedPrinter, seen: Seen, way: Way) -> None:
        self._printer, self._seen, self._way = printer, seen, way

    def ready(self) -> None:
        """What is pushed from now on, it hears: each ESC @ of the till's ends that until the job is over."""
        if self._way.pushed:
            until(lambda: bool(self._printer.tell()["automatic_status"]), "automatic status to be on again")

    def sees(self, kind: str, *, value: bool) -> None:
        self._seen.wait_condition(kind, value=value, within_s=VIEW_S)


def _play(printer: SharedPrinter, at: str | int, way: Way, numbers: Sequence[int], agent: Nobody) -> Any:
    """The script; the same wherever it is played. Returns the till."""
    till: Any = TtyTill(at) if isinstance(at, str) else TcpTill(at)
    chance = random.Random(len(numbers))
    try:
        for number in numbers:
            if number == numbers[0] or way.till == "tcp":
                till.open()
            _sell(till, printer, way, number, chance, agent)
            if way.till == "tcp":
                till.close()
    finally:
        till.close()
    return till


def _sell(
    till: Any, printer: SharedPrinter, way: Way, number: int, chance: random.Random, agent: Nobody
) -> None:
    """One receipt; with every other one a change comes: before it, in the middle of its picture, after it."""
    begin, end, kind = CHANGES[(number // 6 + number) % len(CHANGES)]
    moment = MOMENTS[number % len(MOMENTS)]

    def change() -> None:
        """As the till knows it, and the agent."""
        till.write(b"\x1da" + bytes((chance.choice((0, 1, 2, 4, 8, 0x0F)),)))
        till.ask("GS a")
        printer.tell(begin)
        till.status()
        agent.sees(kind, value=True)
        printer.tell(end)
        agent.sees(kind, value=False)
        till.ask("all well")

    def change_in_picture() -> None:
        printer.tell(begin)
        if way.pushed:
            agent.sees(kind, value=True)

    if moment == "before":
        change()
    if moment == "picture":
        agent.ready()
        till.in_picture = change_in_picture
    till.begin()
    if moment == "picture":
        receipt_with_picture(till, number)
    else:
        receipt(till, number)
    till.cut(mode="PART" if number % 2 else "FULL")
    till.end()
    if moment == "picture":
        till.status()
        agent.sees(kind, value=True)
        printer.tell(end)
        agent.sees(kind, value=False)
    if moment == "after":
        change()
    till.ask("the cut")
    printer.tell("drawer=closed")
    till.ask("the drawer")
    till.linger(LINGER_S)
