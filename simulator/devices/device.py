"""The contract of a simulated device. Read this first.

A model is pure: bytes and moments in, frames out. It knows no door (tty, tcp, usb) and no fault; time is
handed to it as `now_s`, on any one monotonic clock, and never goes back. One model is driven by one thread.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol


class BadSetting(ValueError):
    """A knob or fault that does not exist, or a value it cannot take; one line that says what it can."""


@dataclass(frozen=True, slots=True)
class Knob:
    """What can be turned at a device. The first value is the default.

    `number`: any positive one too; `text`: any short one, without a blank in it.
    """

    name: str
    values: tuple[str, ...]
    number: bool = False
    text: bool = False

    @property
    def default(self) -> str:
        return self.values[0]

    def check(self, value: str) -> str:
        if value in self.values or (self.number and _positive(value)) or (self.text and _short(value)):
            return value
        raise BadSetting(f"{self.name}={value}: {self.name} can be {' | '.join(self.choices)}")

    @property
    def choices(self) -> tuple[str, ...]:
        return (*self.values, *["NUMBER"] * self.number, *["TEXT"] * self.text)


def _short(text: str) -> bool:
    return 1 <= len(text) <= 32 and text.isascii() and text.isprintable() and " " not in text


def _positive(text: str) -> bool:
    try:
        return 0 < float(text) < float("inf")
    except ValueError:
        return False


class Knobs:
    """The knobs of one device and how they stand."""

    def __init__(self, *knobs: Knob) -> None:
        self._knobs = {knob.name: knob for knob in knobs}
        self._values = {knob.name: knob.default for knob in knobs}

    def __getitem__(self, name: str) -> str:
        return self._values[name]

    def __contains__(self, name: str) -> bool:
        return name in self._knobs

    def check(self, name: str, value: str) -> str:
        """The value, if this knob exists and can take it; else `BadSetting`."""
        if name not in self._knobs:
            raise BadSetting(f"{name}={value}: no such knob; there are {', '.join(self._knobs)} and fault")
        return self._knobs[name].check(value)

    def turn(self, name: str, value: str) -> None:
        self._values[name] = self.check(name, value)

    def described(self) -> list[str]:
        """Each knob and what it can be, in a line."""
        return [f"{knob.name}={'|'.join(knob.choices)}" for knob in self._knobs.values()]

    def standing(self) -> dict[str, str]:
        return dict(self._values)


class Device(Protocol):
    """One simulated device."""

    model: str
    knobs: Knobs  #: read it; it is turned by `turn` alone

    def turn(self, knob: str, value: str, now_s: float) -> None:
        """Turn one knob; what the device then says unasked is `due`. `BadSetting` if it cannot."""
        ...

    def take(self, data: bytes, now_s: float) -> None:
        """Bytes from the host, as they arrive."""
        ...

    def room(self) -> int:
        """How many bytes it takes now; 0 while it is busy."""
        ...

    def due(self, now_s: float) -> list[bytes]:
        """What it says by `now_s`, one frame (one whole answer) an item; each is handed out once."""
        ...

    def next_s(self, now_s: float) -> float | None:
        """When `due` has something next (`now_s` or before: already); None: never without input."""
        ...

    def stall(self, stalled: bool, now_s: float) -> None:
        """Its work stands still (or goes on again) while it answers for its status."""
        ...

    def plug(self, plugged: bool, now_s: float) -> None:
        """The data cable is pulled or put back; one fed through it loses or regains its power."""
        ...

    def powered(self) -> bool: ...

    def power_line(self) -> bool | None:
        """The modem line that shows its power (DSR); None where it has none."""
        ...

    def intake_bytes_s(self) -> float | None:
        """How fast it takes data where the door has no speed of its own; None: as fast as it comes."""
        ...

    def facts(self) -> Mapping[str, object]:
        """What else its state tells, ready for JSON."""
        ...

    def print_to(self, sink: PrintSink) -> None:
        """From now on hand each byte that is printed or shown to `sink` too."""
        ...


class PrintSink(Protocol):
    def __call__(self, data: bytes, /) -> object: ...
