"""The agent's own printing on a shared device: a self-test's slip, between two jobs, with the till held off.

Pure. Its time is bounded: it begins soon or not at all, and a device that takes nothing is not waited for.
"""

from __future__ import annotations

from dataclasses import dataclass, field

BEGIN_S = 2.0  #: waits so long for the till's job to end
WRITE_S = 4.0  #: the till is held off no longer than that
SETTLE_S = 0.05


@dataclass(slots=True)
class Slip:
    """One slip on its way; `count` bytes of it have been written."""

    data: bytes
    asked_s: float
    begun_s: float | None = None
    count: int = 0
    done_s: float | None = field(default=None)

    def may_begin(self, now_s: float, *, free: bool) -> bool:
        if self.begun_s is None and free and now_s - self.asked_s < BEGIN_S:
            self.begun_s = now_s
        return self.begun_s is not None

    @property
    def rest(self) -> bytes:
        return self.data[self.count :]

    def holds_till(self) -> bool:
        return self.begun_s is not None and self.done_s is None

    def over(self, now_s: float, byte_s: float) -> bool:
        """Whether to tell the result: all of it left, over the line too, or it takes too long."""
        if self.begun_s is None:
            return now_s - self.asked_s >= BEGIN_S
        if self.done_s is None and (not self.rest or now_s - self.begun_s >= WRITE_S):
            self.done_s = now_s
        return self.done_s is not None and now_s >= self.done_s + self.count * byte_s + SETTLE_S

    def next_s(self) -> float:
        """When `over` may say something new by time alone; often enough."""
        if self.begun_s is None:
            return self.asked_s + BEGIN_S
        return self.begun_s + WRITE_S if self.done_s is None else self.done_s + SETTLE_S
