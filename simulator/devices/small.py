"""What the small devices of a counter (readers, customer displays) share: power, plug, stall, saying things.

A model built on this says what its bytes mean (`_hear`), and how it is when it has just been switched on
(`_start`). Everything else of `simulator.devices.device.Device` is here.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping

from simulator.devices.device import Knob, Knobs, PrintSink

ROOM_BYTES = 1 << 16
"""What it takes at a time while it is not busy: more than any door hands over."""
ANSWERS_KEPT = 256

POWER = Knob("power", ("on", "off"))
DSR = Knob("dsr", ("wired", "none"))


class Small:
    """A device whose answers come at once. Knobs `power`, and `supply` and `dsr` where it has them."""

    model = ""

    def __init__(self, *knobs: Knob) -> None:
        self.knobs = Knobs(*knobs)
        self._answers: deque[bytes] = deque(maxlen=ANSWERS_KEPT)
        self._stalled = False
        self._plugged = True
        self._away = False  #: it restarts by itself
        self._leaves_s: float | None = None
        self._returns_s: float | None = None
        self._heard_bytes = 0
        self._restarts = 0
        self._sink: PrintSink | None = None
        self._start()

    # What a model adds

    def _start(self) -> None:
        """As after switching on."""

    def _hear(self, data: bytes, now_s: float) -> None:
        """Bytes from the host, while it has power."""

    def _turned(self, knob: str, value: str) -> None:
        """After a knob was turned."""

    def _work(self, now_s: float) -> None:
        """Do what waits, as far as it can by now."""

    def _works_s(self) -> float | None:
        """When `_work` next has something to do by itself."""
        return None

    # Turned from outside

    def turn(self, knob: str, value: str, now_s: float) -> None:
        self._settle(now_s)
        was_supplied = self._supplied()
        self.knobs.turn(knob, value)
        self._turned(knob, value)
        self._follow(was_supplied)

    def plug(self, plugged: bool, now_s: float) -> None:
        self._settle(now_s)
        was_supplied = self._supplied()
        self._plugged = plugged
        self._follow(was_supplied)

    def stall(self, stalled: bool, now_s: float) -> None:
        self._stalled = stalled
        self._settle(now_s)

    def powered(self) -> bool:
        """False also while it restarts: it has then left the bus, and hears nothing."""
        return self._supplied() and not self._away

    def power_line(self) -> bool | None:
        if "dsr" not in self.knobs or self.knobs["dsr"] == "none":
            return None
        return self._supplied()

    def intake_bytes_s(self) -> float | None:
        return None

    def _supplied(self) -> bool:
        by_cable = "supply" in self.knobs and self.knobs["supply"] == "bus"
        return self.knobs["power"] == "on" and (self._plugged or not by_cable)

    def _follow(self, was_supplied: bool) -> None:
        if self._supplied() != was_supplied:
            self._away, self._leaves_s, self._returns_s = False, None, None
            self._answers.clear()
            self._start()

    def _restart(self, now_s: float, after_s: float, for_s: float) -> None:
        """Leave in `after_s` seconds (what it said has gone out by then), and come back `for_s` later."""
        self._leaves_s, self._returns_s = now_s + after_s, now_s + after_s + for_s

    def _settle(self, now_s: float) -> None:
        if self._leaves_s is not None and now_s >= self._leaves_s:
            self._leaves_s, self._away = None, True
            self._restarts += 1
            self._answers.clear()
            self._start()
        if self._away and self._returns_s is not None and now_s >= self._returns_s:
            self._away, self._returns_s = False, None
            self._start()
        self._work(now_s)

    # Bytes in, frames out

    def take(self, data: bytes, now_s: float) -> None:
        self._settle(now_s)
        if self.powered():
            self._heard_bytes += len(data)
            self._hear(data, now_s)
            self._work(now_s)

    def room(self) -> int:
        return ROOM_BYTES

    def due(self, now_s: float) -> list[bytes]:
        self._settle(now_s)
        frames = list(self._answers)
        self._answers.clear()
        return frames

    def next_s(self, now_s: float) -> float | None:
        if self._answers:
            return now_s
        moments = (self._leaves_s, self._returns_s if self._away else None, self._works_s())
        return min((moment_s for moment_s in moments if moment_s is not None), default=None)

    def facts(self) -> Mapping[str, object]:
        return {"heard_bytes": self._heard_bytes, "restarts": self._restarts}

    def print_to(self, sink: PrintSink) -> None:
        self._sink = sink
