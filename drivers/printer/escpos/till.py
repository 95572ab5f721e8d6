"""What the till's bytes mean: where commands begin and end, what is cut, asked and set. Sans-IO.

Two readers look at every byte, as in the printer. One follows the commands, by the lengths in
`commands`; a pair of bytes that is not there is taken for a command without parameters. The other
looks for real-time sequences (DLE EOT, DLE ENQ, DLE DC4), which a printer obeys wherever they
stand, also inside raster data; there they count as data all the same.

Data is counted down, not kept: the memory is a few dozen bytes, whatever comes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from operator import attrgetter
from typing import TypeAlias

from drivers.printer.escpos import commands
from drivers.printer.escpos.commands import COMMANDS, LEADS, Answer, Shape, Until
from drivers.printer.escpos.consts import DLE, ESC, GS, NUL

PARAMS_MOST = 16  #: of a command's first bytes that are looked at; the longest head is 13
_LEAD = re.compile(b"[" + re.escape(LEADS) + b"]")
_CUTS = (b"\x1bi", b"\x1bm", b"\x1dV")
_INITIALISE, _SELECT, _MACRO, _AUTOMATIC = (
    bytes((ESC, ord("@"))),
    bytes((ESC, ord("="))),
    bytes((GS, ord(":"))),
    bytes((GS, ord("a"))),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something between two positions of the stream, counted in bytes from its start."""

    begin: int
    end: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Question(Event):
    """Something that the printer answers. `key`: its bytes, the first PARAMS_MOST + 2 of them."""

    answer: Answer
    key: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Automatic(Event):
    """GS a n: automatic status is set."""

    n: int


class Cut(Event):
    """The paper is cut: most jobs end so."""


class Initialise(Event):
    """ESC @: settings as at power-on."""


class Cleared(Event):
    """The printer's buffers are emptied: what waited there is not worked off."""


Sight: TypeAlias = Question | Automatic | Cut | Initialise | Cleared


class JobStream:
    """Feed it all that goes to the printer, in any pieces."""

    def __init__(self) -> None:
        self.position = 0  #: bytes fed so far
        self.work = 0  #: grows with all that prints, feeds, sets; not with mere questions
        self.reset()

    def reset(self) -> None:
        """A printer that has just been switched on: nothing is begun."""
        self.ends_with_cut = False  #: nothing but questions came since the last cut
        self._selected = True
        self._in_macro = False
        self._lead: int | None = None
        self._name = b""  # of the command that is unfinished
        self._begin = 0
        self._params = bytearray()  # the first of them
        self._skip = 0  # bytes of data still to come
        self._step: Shape | Until | None = None  # what comes behind them
        self._head = bytearray()
        self._text = self._highest = 0  # of an `Until`: how many came, the last one
        self._real_time = bytearray()

    @property
    def at_border(self) -> bool:
        """No command is unfinished."""
        return not self._name and self._lead is None

    @property
    def in_command(self) -> bool:
        """A command other than a real-time one is unfinished."""
        lead = self._name[0] if self._name else self._lead
        return lead not in (None, DLE)

    @property
    def takes_commands(self) -> bool:
        """Another command here is obeyed: the printer is selected, and no macro is being defined."""
        return self._selected and not self._in_macro

    def feed(self, data: bytes) -> list[Sight]:
        """What `data` completes, in order of its end; equal for every way of cutting a stream into pieces."""
        seen: list[Sight] = []
        self._watch(data, seen)
        self._follow(data, seen)
        self.position += len(data)
        seen.sort(key=attrgetter("end"))
        return seen

    # -- real-time sequences, anywhere -------------------------------------------------------------

    def _watch(self, data: bytes, seen: list[Sight]) -> None:
        at = 0
        while at < len(data):
            if not self._real_time:
                at = data.find(DLE, at)
                if at < 0:
                    return
            self._extend_real_time(data[at], self.position + at + 1, seen)
            at += 1

    def _extend_real_time(self, byte: int, end: int, seen: list[Sight]) -> None:
        self._real_time.append(byte)
        sequence = bytes(self._real_time)
        length = commands.real_time_length(sequence)
        if len(sequence) < length:
            return
        self._real_time.clear()
        if length:
            begin = end - length
            if (answer := commands.real_time_answer(sequence)) is not None:
                seen.append(Question(begin=begin, end=end, answer=answer, key=sequence))
            if commands.clears_buffers(sequence):
                seen.append(Cleared(begin=begin, end=end))
        elif byte == DLE:
            self._real_time.append(byte)

    # -- commands ----------------------------------------------------------------------------------

    def _follow(self, data: bytes, seen: list[Sight]) -> None:
        at = 0
        while at < len(data):
            if self._skip:
                end = min(len(data), at + self._skip)
                self._skip -= end - at
                at = self._keep(data, at, end)
            elif isinstance(self._step, Shape):
                end = min(len(data), at + self._step.head - len(self._head))
                self._head += data[at:end]
                at = self._keep(data, at, end)
            elif self._step is not None:
                at = self._take_text(data, at, self._step)
            elif self._lead is not None:
                self._name = bytes((self._lead, data[at]))
                self._lead, self._step = None, COMMANDS.get(self._name)
                at += 1
            else:
                at = self._find_lead(data, at)
            self._settle(self.position + at, seen)

    def _find_lead(self, data: bytes, at: int) -> int:
        """Text up to the next command."""
        found = _LEAD.search(data, at)
        end = found.start() if found is not None else len(data)
        if end > at:
            self._works()
        if found is None:
            return end
        self._lead, self._begin = data[end], self.position + end
        return end + 1

    def _keep(self, data: bytes, at: int, end: int) -> int:
        self._params += data[at : min(end, at + PARAMS_MOST - len(self._params))]
        return end

    def _take_text(self, data: bytes, at: int, step: Until) -> int:
        """Up to NUL, one byte at a time: these are short."""
        byte = data[at]
        self._text += 1
        if byte == NUL or self._text >= step.most or (step.ascending and byte <= self._highest):
            self._step, self._text = None, 0
            belongs = byte == NUL or not step.ascending or byte > self._highest
            self._highest = 0
            return at + belongs
        self._highest = byte
        return at + 1

    def _settle(self, end: int, seen: list[Sight]) -> None:
        """Go on to what comes next where something is whole; nothing next: the command is."""
        while self._name and not self._skip:
            step = self._step
            if step is None:
                self._complete(end, seen)
            elif isinstance(step, Shape) and len(self._head) == step.head:
                head = bytes(self._head)
                self._head.clear()
                self._skip, self._step = step.then(head) if step.then is not None else (0, None)
            else:
                return

    def _complete(self, end: int, seen: list[Sight]) -> None:
        name, params, begin = self._name, bytes(self._params), self._begin
        self._name = b""
        self._params.clear()
        if name[0] == DLE:
            return  # the other reader has seen it
        if name == _SELECT:
            self._selected = bool(params[0] & 1)
        answer = commands.answer(name, params) if self._selected else None
        if answer is not None or name == _AUTOMATIC:
            if name == _AUTOMATIC and self._selected:
                seen.append(Automatic(begin=begin, end=end, n=params[0]))
            elif answer is not None:
                seen.append(Question(begin=begin, end=end, answer=answer, key=name + params))
            return
        self._works()
        if not self._selected:
            return
        if name == _MACRO:
            self._in_macro = not self._in_macro
        elif name == _INITIALISE:
            seen.append(Initialise(begin=begin, end=end))
        elif name in _CUTS:
            self.ends_with_cut = True
            seen.append(Cut(begin=begin, end=end))

    def _works(self) -> None:
        self.work += 1
        self.ends_with_cut = False
