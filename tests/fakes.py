"""A link that plays a script: no system calls, on a turned clock."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from drivers.api import Deadline
from drivers.errors import LinkError
from tests.clock import TurnedClock

Answer = Callable[[bytes], bytes | None]


@dataclass
class ScriptedLink:
    """`answer` maps each write to what comes back, `delay_s` later; None is silence.

    `fail_open` and `fail` are raised by the next opens, reads and writes while they are set.
    `room` is how many bytes a write takes. `push` lets bytes come unasked.
    """

    clock: TurnedClock
    answer: Answer = lambda _data: None
    scheme: str = "serial"
    held: bool = True
    proves_power: bool = False
    dsr: bool | None = None
    delay_s: float = 0.002
    room: int = 1 << 16
    fail_open: LinkError | None = None
    fail: LinkError | None = None
    written: list[bytes] = field(default_factory=list)
    opened: int = 0
    _open: bool = False
    _woken: bool = False
    _coming: list[tuple[float, bytes]] = field(default_factory=list)

    def push(self, data: bytes, after_s: float = 0.0) -> None:
        self._coming.append((self.clock.monotonic_s() + after_s, data))
        self._coming.sort(key=lambda item: item[0])

    def open(self, deadline: Deadline) -> None:
        if self.fail_open is not None:
            raise self.fail_open
        if not self._open:
            self.opened += 1
            self._open = True
            self._coming.clear()

    def close(self) -> None:
        self._open = False

    def is_open(self) -> bool:
        return self._open

    def read(self, deadline: Deadline) -> bytes:
        if self._open and self.fail is not None:
            raise self.fail
        if self._woken:
            self._woken = False
            return b""
        if self._open and self._coming and self._coming[0][0] <= max(deadline.at_s, self.clock.monotonic_s()):
            at_s, data = self._coming.pop(0)
            self.clock.turn_to(at_s)
            return data
        self.clock.turn_to(deadline.at_s)
        return b""

    def write(self, data: bytes, deadline: Deadline) -> int:
        if self.fail is not None:
            raise self.fail
        taken = data[: self.room]
        if len(taken) < len(data):
            self.clock.turn_to(deadline.at_s)
        self.written.append(taken)
        back = self.answer(taken)
        if back:
            self.push(back, self.delay_s)
        return len(taken)

    def power_line(self) -> bool | None:
        return self.dsr if self._open else None

    def busy(self) -> bool:
        return False

    def wake(self) -> None:
        self._woken = True
