"""When to try again, with which protocol, and whether somebody else uses our name: pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from drivers.api import Json

Version = Literal["5", "3.1.1"]
DAY_S = 86_400.0


@dataclass(frozen=True, slots=True)
class Timing:
    """Everything the uplink waits for, in one place; tests make it short."""

    connect_s: float = 5.0
    first_retry_s: float = 1.0
    cap_s: float = 300.0
    stable_s: float = 20.0
    farewell_s: float = 2.0
    duplicate_s: float = 30.0  #: first pause once a namesake is known
    calm_s: float = 600.0  #: a session this long ends the suspicion of a namesake
    held_s: float = 300.0  #: until a topic that was refused is tried again
    refused_pause_s: float = 5.0  #: after the broker refused a row for now


class Backoff:
    """Full jitter: anything up to a limit that doubles, so that a fleet does not come back in waves."""

    def __init__(self, timing: Timing, uniform: Callable[[float, float], float]) -> None:
        self._timing = timing
        self._uniform = uniform
        self._failures = 0

    def ended(self, lasted_s: float) -> None:
        """A session or an attempt ended; only one that was stable starts the count anew."""
        self._failures = 1 if lasted_s >= self._timing.stable_s else self._failures + 1

    def delay_s(self, at_least_s: float = 0.0) -> float:
        doubled = self._timing.first_retry_s * 2.0 ** min(self._failures - 1, 20)
        return at_least_s + self._uniform(0.0, min(self._timing.cap_s, doubled))


class Protocols:
    """MQTT 5 first; 3.1.1 where 5 was refused, remembered only once it worked; 5 again after a day."""

    def __init__(self, remembered: Json, broker: str) -> None:
        self._broker = broker
        self._trying: Version = "5"
        self._five_worked = False
        self._old_since_s: float | None = None
        if isinstance(remembered, dict) and remembered.get("broker") == broker:
            at_s = remembered.get("at_s")
            self._old_since_s = float(at_s) if isinstance(at_s, int | float) else None

    def next(self, wall_s: float) -> Version:
        """The version to try now."""
        if self._trying == "5" and self._old_since_s is not None and not self.due(wall_s):
            self._trying = "3.1.1"
        return self._trying

    def due(self, wall_s: float) -> bool:
        """Whether 3.1.1 has been used for a day, so that 5 deserves another try."""
        # A clock that was set back counts as a day too, lest a terminal stay behind for years.
        return self._old_since_s is not None and not 0 <= wall_s - self._old_since_s < DAY_S

    def failed(self, *, explicit: bool) -> bool:
        """An attempt got no CONNACK that lets us in, for what may be the version: True to try the other at
        once. A close or silence says so only as long as 5 never worked; `explicit` always."""
        if self._trying == "5" and (explicit or not self._five_worked):
            self._trying = "3.1.1"
            return True
        self._trying, self._old_since_s = "5", None
        return False

    def worked(self, wall_s: float) -> Json:
        """A CONNACK let us in; what to remember, None for nothing."""
        if self._trying == "5":
            self._five_worked, self._old_since_s = True, None
            return None
        if self._old_since_s is None or self.due(wall_s):
            self._old_since_s = wall_s
        self._trying = "5"
        return {"broker": self._broker, "at_s": self._old_since_s}


class Namesake:
    """Tells a late will from another terminal with our id, by how often we are thrown out."""

    def __init__(self, timing: Timing) -> None:
        self._timing = timing
        self._takeovers = 0
        self._counted = False

    @property
    def known(self) -> bool:
        return self._takeovers >= 2

    def thrown_out(self) -> None:
        """The broker said that our session was taken over."""
        self._takeovers += 1
        self._counted = True

    def seen(self) -> None:
        """A status under our name that is not ours; the same takeover is not counted twice."""
        if not self._counted:
            self._takeovers += 1
        self._counted = False

    def ended(self, lasted_s: float) -> None:
        if lasted_s >= self._timing.calm_s:
            self._takeovers, self._counted = 0, False

    def pause_s(self) -> float:
        """How long to stay away on top of the back-off."""
        if not self.known:
            return 0.0
        return min(self._timing.cap_s, self._timing.duplicate_s * 2.0 ** min(self._takeovers - 2, 10))
