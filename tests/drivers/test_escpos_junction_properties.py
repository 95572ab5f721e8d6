"""Till, agent and printer at one junction, in random order, against the same printer with the till alone.

The printer is a small model of its own: it answers in order, obeys real-time sequences wherever
they stand, and knows only the commands that these scripts use.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import cycle
from typing import Any, TypeAlias

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.printer.escpos.junction import HOLD_S, Junction

Script: TypeAlias = "list[tuple[str, object]]"

FRAMES = {
    "fine": bytes((0x10, 0, 0, 0)),
    "paper low": bytes((0x10, 0, 3, 0)),
    "paper out": bytes((0x18, 0, 15, 0)),
    "cover": bytes((0x38, 0, 0, 0)),
    "drawer": bytes((0x14, 0, 0, 0)),
    "jam": bytes((0x18, 8, 0, 0)),
}
ITEMS: dict[int, Callable[[bytes], int]] = {  # what each item of GS a is about, in this model's frames
    1: lambda frame: frame[0] & 0x04,
    2: lambda frame: frame[0] & 0x28,
    4: lambda frame: frame[1],
    8: lambda frame: frame[2],
}
STATUS = {"fine": 0x12, "paper low": 0x1E, "paper out": 0x7E, "cover": 0x16, "drawer": 0x32, "jam": 0x1A}
SIZES = {  # of the commands, behind their two bytes
    b"\x1b@": 0,
    b"\x1bi": 0,
    b"\x1dV": 1,
    b"\x1dI": 1,
    b"\x1dr": 1,
    b"\x1da": 1,
    b"\x1d(": 9,
    b"\x10\x04": 1,
}


@dataclass
class ModelPrinter:
    """Bytes in, with who wrote them; answers out, each due at its time and marked with who asked."""

    lag_s: float
    real_time: bytes  #: the n of DLE EOT that it answers
    blocks: bool  #: it answers what waits in line
    state: str = "fine"
    n: int = 0
    out: deque[tuple[float, str, bytes]] = field(default_factory=deque)
    taken: bytearray = field(default_factory=bytearray)
    _command: bytearray = field(default_factory=bytearray)
    _raster: int = 0
    _dle: bytearray = field(default_factory=bytearray)

    @property
    def idle(self) -> bool:
        """Between commands."""
        return not self._command and not self._raster

    def take(self, data: bytes, who: str, now_s: float) -> None:
        for byte in data:
            self.taken.append(byte)
            self._look_for_real_time(byte, who, now_s)
            if self._raster:
                self._raster -= 1
            elif self._command or byte in b"\x10\x1b\x1d":
                self._command.append(byte)
                self._obey(who, now_s)

    def turn(self, state: str, now_s: float) -> None:
        before, self.state = FRAMES[self.state], state
        after = FRAMES[state]
        if any(self.n & item and about(before) != about(after) for item, about in ITEMS.items()):
            self._say("unasked", after, now_s)

    def due(self, now_s: float) -> Iterator[tuple[str, bytes]]:
        while self.out and self.out[0][0] <= now_s:
            _, who, data = self.out.popleft()
            yield who, data

    def _say(self, who: str, data: bytes, now_s: float) -> None:
        self.out.append((now_s + self.lag_s, who, data))

    def _look_for_real_time(self, byte: int, who: str, now_s: float) -> None:
        self._dle.append(byte)
        if len(self._dle) == 3:
            if byte in self.real_time:
                self._say(who, bytes((STATUS[self.state] ^ (0x40 if byte == 2 else 0),)), now_s)
            self._dle.clear()
        elif not b"\x10\x04".startswith(bytes(self._dle)):
            self._dle[:] = b"\x10" if byte == 0x10 else b""

    def _obey(self, who: str, now_s: float) -> None:
        command = bytes(self._command)
        if command[:2] == b"\x1dv":
            if len(command) == 8:
                self._raster = int.from_bytes(command[4:6], "little") * int.from_bytes(command[6:8], "little")
                self._command.clear()
            return
        if len(command) < 2 or len(command) < 2 + SIZES[command[:2]]:
            return
        self._command.clear()
        match command[:2]:
            case b"\x1b@":
                self.n = 0
            case b"\x1da":
                self.n = command[2]
                if self.n:
                    self._say(who, FRAMES[self.state], now_s)
            case b"\x1dI" if self.blocks:
                self._say(who, b"\x5fInfo %d\x00" % command[2], now_s)
            case b"\x1dr" if self.blocks:
                self._say(who, bytes((FRAMES[self.state][2],)), now_s)
            case b"\x1d(" if self.blocks:
                self._say(who, b"\x37\x22" + command[7:] + b"\x00", now_s)


@dataclass
class Counter:
    """The junction, the printer and both who use it, on a clock that is turned."""

    printer: ModelPrinter
    sizes: Iterator[int]  #: how much the printer's line takes at once
    junction: Junction = field(default_factory=Junction)
    now_s: float = 100.0
    wrote: bytearray = field(default_factory=bytearray)  # the till
    till_got: bytearray = field(default_factory=bytearray)
    agent_got: bytearray = field(default_factory=bytearray)
    worked_s: float = -math.inf  # when the till last wrote what is no question
    cut: bool = False  # and it was a cut
    agent_due: bytearray = field(default_factory=bytearray)
    requests: list[bytes] = field(default_factory=list)
    delays_s: list[float] = field(default_factory=list)
    _behind_s: float | None = None
    _tills: bytearray = field(default_factory=bytearray)  # what the printer was given of it

    def till_writes(self, data: bytes) -> None:
        while data:
            part = data[: self.junction.takes_till()]
            self.wrote += part
            self.junction.from_till(part, self.now_s)
            data = data[len(part) :]
            self._turn()

    def pass_s(self, seconds: float) -> None:
        end_s = self.now_s + seconds
        while True:
            self._turn()
            moments = [self.junction.next_s(self.now_s), *(due_s for due_s, _, _ in self.printer.out)]
            soon = min((moment for moment in moments if moment is not None), default=end_s)
            if soon >= end_s:
                break
            self.now_s = max(soon, self.now_s)
        self.now_s = end_s
        self._turn()

    def _turn(self) -> None:
        self.junction.tick(self.now_s)
        for who, data in self.printer.due(self.now_s):
            if who != "till" or data in FRAMES.values():
                self.agent_due += data
            self.junction.from_printer(data, self.now_s)
        while data := self.junction.to_printer(self.now_s)[: next(self.sizes)]:
            self._write(data)
        behind = len(self.wrote) > len(self._tills)
        if behind and self._behind_s is None:
            self._behind_s = self.now_s
        elif not behind and self._behind_s is not None:
            self.delays_s.append(self.now_s - self._behind_s)
            self._behind_s = None
        self.till_got += self.junction.take_till()
        self.agent_got += self.junction.take_agent()

    def _write(self, data: bytes) -> None:
        before = self.junction.till_bytes
        self.junction.wrote(len(data), self.now_s)
        tills = self.junction.till_bytes - before
        assert tills in (0, len(data))
        if tills:
            self._tills += data
            self.printer.take(data, "till", self.now_s)
            return
        if self.requests and len(self.requests[-1]) < size_of(self.requests[-1]):
            self.requests[-1] += data
        else:
            assert self.printer.idle, "a request stands inside of a command"
            assert len(self._tills) == len(self.wrote), "a request overtook the till"
            quiet_s = 0.05 if self.cut else 0.5
            assert self.now_s - self.worked_s >= quiet_s - 1e-9, "a request stands inside of a job"
            self.requests.append(data)
        self.printer.take(data, "agent", self.now_s)


def size_of(request: bytes) -> int:
    return 2 + SIZES[request[:2]] if len(request) >= 2 else 2


QUESTIONS = [b"\x10\x04" + bytes((n,)) for n in (1, 2, 3, 4)] + [
    b"\x1dI\x43",
    b"\x1dr\x01",
    b"\x1d(H\x06\x0000TILL",
]
SETS = [b"\x1da" + bytes((n,)) for n in (0, 1, 2, 8, 15)]
WORK = [
    b"Total 9.99\n",
    b"\x1b@",
    b"\x1dV\x00",
    b"\x1bi",
    b"\x1dv0\x00\x04\x00\x02\x00" + b"\x10\x04\x01\x1dI\x43\x1b\x10",
    b"\x1dv0\x00\x03\x00\x01\x00" + b"\x1da\x0f",
]
CUTS = (b"\x1dV\x00", b"\x1bi")
ASKS = [b"\x10\x04" + bytes((n,)) for n in (1, 2, 3, 4)] + [
    b"\x1da\x0f",
    b"\x1dI\x42",
    b"\x1dI\x43",
    b"\x1d(H\x06\x00000001",
]

till_step = st.lists(st.sampled_from(QUESTIONS + SETS + WORK + WORK), min_size=1, max_size=6).map(
    lambda parts: ("till", parts)
)
half_a_step = st.sampled_from(WORK).flatmap(
    lambda one: st.integers(1, len(one) - 1).map(lambda cut: ("half", one[:cut] + b"|" + one[cut:]))
)
step = st.one_of(
    till_step,
    half_a_step,
    st.tuples(st.sampled_from(ASKS), st.sampled_from(QUESTIONS)).map(lambda both: ("clash", both)),
    st.sampled_from(ASKS).map(lambda one: ("ask", one)),
    st.sampled_from([0.0, 0.001, 0.01, 0.06, 0.6, 1.2]).map(lambda s: ("pass", s)),
    st.sampled_from(sorted(FRAMES)).map(lambda state: ("state", state)),
    st.just(("gone", None)),
)
scripts = st.lists(step, max_size=25)
APART_S = 0.03  # around a change of the device: what is asked before it is answered before it


def alone(script: Script, printer: ModelPrinter) -> bytes:
    """What the till gets from the printer without us."""
    now_s, got = 100.0, bytearray()
    for what, value in script:
        match what, value:
            case "till", list(parts):
                printer.take(b"".join(parts), "till", now_s)
            case "clash", (_, bytes(question)):
                printer.take(question, "till", now_s)
            case "half", bytes(data):
                for part in data.split(b"|", 1):
                    printer.take(part, "till", now_s)
                    now_s += 0.1
            case "state", str(state):
                now_s += APART_S
                printer.turn(state, now_s)
                now_s += APART_S
            case "pass", float(seconds):
                now_s += seconds
    for _, data in printer.due(now_s + 10):
        got += data
    return bytes(got)


def together(script: Script, counter: Counter) -> None:
    for what, value in script:
        match what, value:
            case "till", list(parts):
                for part in parts:
                    if part in WORK:
                        counter.worked_s, counter.cut = counter.now_s, part in CUTS
                counter.till_writes(b"".join(parts))
            case "half", bytes(data):
                for part in data.split(b"|", 1):
                    counter.worked_s, counter.cut = counter.now_s, data.replace(b"|", b"") in CUTS
                    counter.till_writes(part)
                    counter.junction.ask(ASKS[0], counter.now_s)
                    counter.pass_s(0.1)
            case "clash", (bytes(request), bytes(question)):
                counter.junction.ask(request, counter.now_s)
                counter.pass_s(0)
                counter.till_writes(question)
            case "ask", bytes(request):
                counter.junction.ask(request, counter.now_s)
                counter.pass_s(0)
            case "state", str(state):
                counter.pass_s(APART_S)
                counter.printer.turn(state, counter.now_s)
                counter.pass_s(APART_S)
            case "pass", float(seconds):
                counter.pass_s(seconds)
            case "gone", _:
                counter.junction.agent_gone(counter.now_s)
    counter.pass_s(3.0)


kinds = st.fixed_dictionaries(
    {
        "lag_s": st.sampled_from([0.0, 0.003, 0.015]),
        "real_time": st.sampled_from([b"\x01\x02\x03\x04", b"\x01\x04", b""]),
        "blocks": st.booleans(),
    }
)


def check(script: Script, kind: dict[str, Any], sizes: list[int]) -> None:
    expected = alone(script, ModelPrinter(**kind))
    counter = Counter(ModelPrinter(**kind), cycle(sizes))
    together(script, counter)
    assert bytes(counter.till_got) == expected
    assert bytes(counter._tills) == bytes(counter.wrote)
    assert len(counter.printer.taken) == len(counter.wrote) + sum(map(len, counter.requests))
    if ("gone", None) not in script:
        assert bytes(counter.agent_got) == bytes(counter.agent_due)
    assert max(counter.delays_s, default=0.0) <= HOLD_S + 1e-9


room = st.lists(st.integers(1, 30), min_size=1, max_size=5)


@settings(max_examples=150, deadline=None)
@given(script=scripts, kind=kinds, sizes=room)
def test_the_till_is_as_if_alone(script: Script, kind: dict[str, Any], sizes: list[int]) -> None:
    check(script, kind, sizes)


@pytest.mark.slow
@settings(max_examples=4000, deadline=None)
@given(script=scripts, kind=kinds, sizes=room)
def test_the_till_is_as_if_alone_in_many_scripts(
    script: Script, kind: dict[str, Any], sizes: list[int]
) -> None:
    check(script, kind, sizes)
