"""The two ways that APDUs travel: bare over TCP, in acknowledged frames over a serial line."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Protocol, TypeAlias

from drivers.api import Deadline, Link
from drivers.errors import ProtocolError
from drivers.terminal.zvt.consts import CHARACTER_S, FRAME_ACK, FRAME_ACK_S, FRAME_NAK, FRAME_TRIES
from drivers.terminal.zvt.wire import Apdu, BadFrame, Event, FrameAck, FrameNak, Frames, Stream, frame

OnStatus: TypeAlias = Callable[[int], None]
"""Gets each intermediate status."""

SLICE_S = 0.2
"""How long a wish to give up may go unnoticed."""


class GivenUp(Exception):
    """The till needs the terminal now."""


class Line(Protocol):
    """Both raise LinkErrors and ProtocolErrors, and GivenUp as soon as `give_up` says so."""

    def send(self, apdu: Apdu, deadline: Deadline) -> bool:
        """False where it did not get through by the deadline."""
        ...

    def receive(self, deadline: Deadline) -> Apdu | None:
        """The next one; None if none came by the deadline."""
        ...


class _Reader:
    """Reads a link in slices."""

    def __init__(self, link: Link, give_up: Callable[[], bool]) -> None:
        self._link = link
        self._give_up = give_up

    def read(self, deadline: Deadline) -> bytes:
        """`b""` at the deadline alone."""
        while not self._give_up():
            if data := self._link.read(deadline.within(SLICE_S)):
                return data
            if deadline.expired():
                return b""
        raise GivenUp


class BareLine:
    """As over TCP."""

    def __init__(self, link: Link, give_up: Callable[[], bool]) -> None:
        self._link = link
        self._reader = _Reader(link, give_up)
        self._stream = Stream()
        self._waiting: deque[Apdu] = deque()

    def send(self, apdu: Apdu, deadline: Deadline) -> bool:
        data = apdu.encode()
        return self._link.write(data, deadline) == len(data)

    def receive(self, deadline: Deadline) -> Apdu | None:
        while not self._waiting:
            data = self._reader.read(deadline)
            if not data:
                return None
            self._waiting += self._stream.feed(data)
        return self._waiting.popleft()


class FramedLine:
    """As over a serial line: each frame is acknowledged, and sent again up to `FRAME_TRIES` times."""

    def __init__(self, link: Link, give_up: Callable[[], bool]) -> None:
        self._link = link
        self._reader = _Reader(link, give_up)
        self._frames = Frames()
        self._waiting: deque[Event] = deque()
        self._bad = 0

    def send(self, apdu: Apdu, deadline: Deadline) -> bool:
        data = frame(apdu)
        for _ in range(FRAME_TRIES):
            if self._link.write(data, deadline) < len(data):
                return False
            if self._arrived(deadline.within(FRAME_ACK_S)):
                return True
        return False

    def receive(self, deadline: Deadline) -> Apdu | None:
        while (event := self._next(deadline)) is not None:
            if isinstance(event, Apdu):
                self._bad = 0
                self._write(FRAME_ACK, deadline)
                return event
            if isinstance(event, BadFrame):
                self._reject(deadline)
        return None

    def _arrived(self, deadline: Deadline) -> bool:
        """Whether the frame that was sent is acknowledged."""
        early: list[Event] = []
        try:
            while (event := self._next(deadline)) is not None:
                if isinstance(event, FrameAck):
                    return True
                if isinstance(event, FrameNak):
                    return False
                if isinstance(event, Apdu):
                    early.append(event)  # it spoke at the same time; its own is taken next
                else:
                    self._reject(deadline)
            return False
        finally:
            self._waiting.extendleft(reversed(early))

    def _reject(self, deadline: Deadline) -> None:
        self._bad += 1
        if self._bad >= FRAME_TRIES:
            self._bad = 0
            raise ProtocolError("no frame of the terminal's arrives whole")
        self._write(FRAME_NAK, deadline)

    def _write(self, byte: int, deadline: Deadline) -> None:
        self._link.write(bytes((byte,)), deadline)

    def _next(self, deadline: Deadline) -> Event | None:
        while not self._waiting:
            until = deadline.within(CHARACTER_S) if self._frames.partial() else deadline
            data = self._reader.read(until)
            if data:
                self._waiting += self._frames.feed(data)
            elif self._frames.partial():
                self._frames.reset()
                return BadFrame()
            else:
                return None
        return self._waiting.popleft()


def make(link: Link, give_up: Callable[[], bool]) -> Line:
    """The way of this link's kind."""
    return FramedLine(link, give_up) if link.scheme == "serial" else BareLine(link, give_up)
