"""What all customer displays on a pole share: a glass, a stream of commands, and work that can wait.

Text and settings wait while the display is stalled or busy with itself; when its buffer is full it takes no
more. `shows=nonsense`: the glass shows something other than it was told.
`print_to` gets each character shown.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Mapping

from simulator.devices.device import Knob
from simulator.devices.display.glass import Glass
from simulator.devices.display.pole_stream import PoleStream, Token
from simulator.devices.small import ROOM_BYTES, Small

BUFFER_BYTES = 256
"""What it holds while it cannot work. The manuals name no number."""

SHOWS = Knob("shows", ("told", "nonsense"))

Act = Callable[[bytes], object]


class Pole(Small, ABC):
    """A model gives its stream, its glass, and what each command does (`_acts`)."""

    status: frozenset[str] = frozenset()  #: commands that are answered in a stall too

    def __init__(self, stream: PoleStream, glass: Glass, *knobs: Knob) -> None:
        self._stream = stream
        self.glass = glass
        self._queue: deque[Token] = deque()
        self._queued_bytes = 0
        self._busy_until_s: float | None = None
        self._now_s = 0.0
        self._shown_bytes = 0
        self.brightness_pct = 100
        self._table: Mapping[str, Act] = self._acts()
        super().__init__(*knobs)

    @abstractmethod
    def _acts(self) -> Mapping[str, Act]:
        """What each command of its stream does, by name."""

    def _moves(self) -> dict[str, Act]:
        """What most command sets have in common."""
        glass = self.glass
        return {
            "left": lambda _: glass.step(-1),
            "right": lambda _: glass.step(1),
            "up": lambda _: glass.line(-1),
            "down": lambda _: glass.line(1),
            "home": lambda _: glass.go(0),
            "bottom": lambda _: glass.go(len(glass.cells) - 1),
            "left end": lambda _: glass.left_end(),
            "right end": lambda _: glass.right_end(),
            "position": lambda given: glass.place(*given),
            "overwrite": lambda _: setattr(glass, "mode", "overwrite"),
            "vertical": lambda _: setattr(glass, "mode", "vertical"),
            "horizontal": lambda _: setattr(glass, "mode", "horizontal"),
        }

    def _start(self) -> None:
        self._stream.clear()
        self._queue.clear()
        self._queued_bytes = 0
        self._busy_until_s = None
        self._initialise()

    def _initialise(self) -> None:
        """As after switching on; what waits stays."""
        self.glass.clear()
        self.glass.mode = "overwrite"
        self.brightness_pct = 100

    # Bytes in

    def room(self) -> int:
        if not self.powered() or not self._held_up():
            return ROOM_BYTES
        return max(0, BUFFER_BYTES - self._queued_bytes - self._stream.held())

    def _hear(self, data: bytes, now_s: float) -> None:
        self._now_s = now_s
        for token in self._stream.feed(data[: self.room()]):
            if self._stalled and token.name in self.status:
                self._execute(token)
            else:
                self._queue.append(token)
                self._queued_bytes += len(token.data) + len(token.name)

    def _held_up(self) -> bool:
        return self._stalled or self._busy_until_s is not None

    def _work(self, now_s: float) -> None:
        self._now_s = now_s
        if self._busy_until_s is not None and now_s >= self._busy_until_s:
            self._busy_until_s = None
        while self._queue and not self._held_up():
            token = self._queue.popleft()
            self._queued_bytes -= len(token.data) + len(token.name)
            self._execute(token)

    def _works_s(self) -> float | None:
        return self._busy_until_s

    def _busy(self, for_s: float) -> None:
        self._busy_until_s = self._now_s + for_s

    def _execute(self, token: Token) -> None:
        if token.name:
            self._table[token.name](token.data)
        else:
            self._text(token.data)

    def _text(self, characters: bytes) -> None:
        for character in characters:
            self.glass.put(character)
        self._note_shown(characters)

    def _row(self, row: int, text: bytes) -> None:
        self.glass.write(row, text)
        self._note_shown(text[: self.glass.columns])

    def _note_shown(self, characters: bytes) -> None:
        self._shown_bytes += len(characters)
        if self._sink is not None:
            self._sink(characters)

    def _brightness(self, levels: Mapping[int, int]) -> Act:
        def act(given: bytes) -> None:
            self.brightness_pct = levels.get(given[0], self.brightness_pct)

        return act

    def lines(self) -> list[str]:
        """What the customer sees."""
        return self.glass.lines(nonsense="shows" in self.knobs and self.knobs["shows"] == "nonsense")

    def facts(self) -> Mapping[str, object]:
        return {
            **super().facts(),
            "shown": self.lines() if self.powered() else [],
            "shown_bytes": self._shown_bytes,
            "brightness_pct": self.brightness_pct,
            "cursor": self.glass.cursor,
            "waiting_bytes": self._queued_bytes + self._stream.held(),
        }


def nothing(_given: bytes) -> None:
    """A command that is known, and of which nothing can be seen here."""
