"""The contract between a device driver and whoever uses it. Read this first.

A driver owns one device through one link. It is asked (`poll`) or listened to (`listen`), and
each time it answers with an `Observation`: what is known of the device now. What is not known
is `None` there; it is never guessed, and silence is never "no paper" or "offline".

Units stand in the names. Seconds are floats; `*_s` without `wall` is monotonic.
"""

from __future__ import annotations

import enum
import time
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from dataclasses import dataclass, field
from typing import Literal, Protocol, TypeAlias, runtime_checkable

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"
Memory: TypeAlias = MutableMapping[str, Json]
"""What a driver has learned of its device; whoever hands it over keeps it over restarts."""
ANSWERED_KEY = "answered"
"""In Memory: it answered in this power session of the terminal. The one thing forgotten at a boot."""

VerifiedBy = Literal["readback", "transport", "operator"]
Level = Literal["internal", "external", "interactive"]
Verdict = Literal["passed", "failed", "untested"]
Sale = Literal["yes", "no", "unknown"]
"""Whether a sale is in progress at this terminal."""


class Power(enum.StrEnum):
    """UnifiedPOS power states; `OFF` and `OFFLINE` only where they can be told apart."""

    ONLINE = "online"
    OFF = "off"
    OFFLINE = "offline"
    OFF_OFFLINE = "off_offline"
    UNKNOWN = "unknown"


class Clock(Protocol):
    """Both clocks of the machine; tests turn theirs by hand."""

    def monotonic_s(self) -> float: ...
    def wall_s(self) -> float: ...


class SystemClock:
    """The machine's own clocks."""

    monotonic_s = staticmethod(time.monotonic)
    wall_s = staticmethod(time.time)


@dataclass(frozen=True, slots=True)
class Deadline:
    """A moment on the monotonic clock, passed down; each layer spends from it."""

    clock: Clock
    at_s: float

    @classmethod
    def after(cls, clock: Clock, seconds: float) -> Deadline:
        return cls(clock, clock.monotonic_s() + seconds)

    def remaining_s(self) -> float:
        return max(0.0, self.at_s - self.clock.monotonic_s())

    def expired(self) -> bool:
        return self.clock.monotonic_s() >= self.at_s

    def within(self, seconds: float) -> Deadline:
        """The earlier of this deadline and `seconds` from now."""
        return Deadline(self.clock, min(self.at_s, self.clock.monotonic_s() + seconds))


class Link(Protocol):
    """Bytes in and out of one device, each call within its deadline; one thread owns it.

    `open`, `read` and `write` raise `drivers.errors.LinkError`s. `wake` alone may be called
    from any thread: it ends a `read` in progress, or the next one, early. `read` on a link that
    is not open only waits for that.
    """

    scheme: str
    """`serial`, `tcp`, `usb`...: it says which troubles are possible."""
    held: bool
    """Stays open between polls; a `tcp` link does so only if told to."""
    proves_power: bool
    """An open link of this kind proves that the device has power (TCP accepted, USB enumerated)."""

    def open(self, deadline: Deadline) -> None: ...
    def close(self) -> None: ...
    def is_open(self) -> bool: ...
    def read(self, deadline: Deadline) -> bytes:
        """What has come, as soon as anything has; `b""` at the deadline or when woken."""
        ...

    def write(self, data: bytes, deadline: Deadline) -> int:
        """Send; returns the exact count that left, less than all only at the deadline."""
        ...

    def power_line(self) -> bool | None:
        """The line that shows the device's power (DSR): high, low, or None where there is none."""
        ...

    def busy(self) -> bool:
        """Somebody else is using the device, so that it cannot be asked now: its silence says nothing."""
        ...

    def wake(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Condition:
    """One thing a device can report. None is unknown; `wall_s` is when it was last known, 0 if never."""

    value: bool | None
    wall_s: float
    verified_by: VerifiedBy = "transport"


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """All that is known of a device at one moment; a whole picture, not a difference."""

    at_s: float
    heard: bool  #: the device itself said something in its protocol since the last observation
    power: Power
    conditions: Mapping[str, Condition]  #: every kind the device can report, in a fixed order
    last_heard_wall_s: float | None = None
    in_use: bool | None = None  #: somebody else's data is on its way to it; None where nobody can know
    identity: Mapping[str, str] = field(default_factory=dict)
    facts: Mapping[str, Json] = field(default_factory=dict)  #: what is no condition, such as pin3
    statistics: Mapping[str, float] = field(default_factory=dict)  #: UnifiedPOS names; absent, not 0
    evidence: Mapping[str, Mapping[str, Json]] = field(default_factory=dict)  #: kind -> raw facts


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a self-test. A `question` is for the technician, who then gives the verdict."""

    name: str
    verdict: Verdict
    detail: str = ""
    question: str | None = None


@dataclass(frozen=True, slots=True)
class Occasion:
    """On whose behalf a self-test runs; an external one puts it on the slip."""

    terminal: str
    at: str  #: local time, as the slip shows it


class Driver(Protocol):
    """One device, from open to close, in one thread. No method raises for device or link trouble."""

    def poll(self, deadline: Deadline) -> Observation:
        """Ask the device all that it is asked regularly. Opens the link where it is not open."""
        ...

    def listen(self, deadline: Deadline) -> Observation | None:
        """Wait for what the device says unasked; None when it said nothing new till the deadline."""
        ...

    def selftest(self, level: Level, occasion: Occasion, deadline: Deadline) -> Iterator[Step]:
        """UnifiedPOS CheckHealth. `internal` changes nothing at the device."""
        ...

    def wake(self) -> None:
        """End a `listen` early; from any thread."""
        ...

    def close(self) -> None: ...


@runtime_checkable
class HearsTechnician(Protocol):
    """A driver that wants to know what was answered to a `Step.question` of its own, in its own thread."""

    def answered(self, step: str, verdict: Verdict) -> None:
        """`step` is the Step's name. Raises nothing for device or link trouble."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """What a driver is made from."""

    device: str
    link: Link
    clock: Clock
    memory: Memory
    profile: str = "plain"
    poll_s: float = 2.0
    reply_s: float = 0.5
    shared: bool = False  #: the device is the till's as well, and `link` is by way of the pass-through
    options: Mapping[str, Json] = field(default_factory=dict)
    sale: Callable[[], Sale] = lambda: "unknown"
    """Now; from any thread. A device that the customer looks at or pays with is left alone during one."""


class Maker(Protocol):
    def __call__(self, setup: Setup) -> Driver: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnFault:
    """A kind of fault that the agent's catalogue does not have: a condition of this name raises it.

    For drivers of other packages. `advice` is a code of the catalogue (docs/faults.md).
    """

    kind: str
    severity: Literal["critical", "major", "minor", "warning"]
    on_s: float = 0.5  #: so long the condition holds before it is raised
    off_s: float = 1.0  #: and so long it does not before it is cleared
    advice: str = "call_support"
    meaning: str


@dataclass(frozen=True, slots=True)
class Within:
    """What a config key may be: a number from `low` to `high`."""

    low: float
    high: float
    whole: bool = False


Option: TypeAlias = type | tuple[str, ...] | Within


@dataclass(frozen=True, slots=True, kw_only=True)
class DriverSpec:
    """What a driver package exports as `SPEC`; the registry finds it by name."""

    name: str
    categories: tuple[str, ...]  #: UnifiedPOS: POSPrinter, CashDrawer, LineDisplay...
    links: tuple[str, ...]  #: link schemes it works over: serial, tcp, usb...
    usb_class: int | None = None
    """Over USB it speaks to the first interface of this class; None: to the first with bulk pipes."""
    selftest_s: float = 30.0  #: a self-test beyond internal ends within this
    profiles: tuple[str, ...] = ("plain",)
    options: Mapping[str, Option] = field(default_factory=dict)
    """Further config keys, each with its type, its range or the words it may be.

    A type of its own is a kind of str, and raises ValueError for a text that it cannot take.
    """
    faults: tuple[OwnFault, ...] = ()
    look: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Link scheme -> where passive access looks if the configuration does not say."""
    junction: str = ""
    """`package.module:Class` of what shares such a device with the till; without one it cannot be shared."""
    make: Maker
