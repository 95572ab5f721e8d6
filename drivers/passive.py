"""A device that is only looked at, never opened: what its presence alone tells.

This is what `access = "passive"` gives any driver: whether the node is there, and nothing that
would need a question. Network devices say nothing this way; they stay unknown.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

from drivers.api import ANSWERED_KEY, Condition, Deadline, Level, Observation, Occasion, Power, Setup, Step
from drivers.link import address

UNPLUGGED = "unplugged"


class PassiveDriver:
    """Looks for a serial port's node at each poll."""

    def __init__(self, setup: Setup, node: Path | None) -> None:
        self._clock = setup.clock
        self._memory = setup.memory
        self._node = node
        self._woken = threading.Event()

    def poll(self, deadline: Deadline) -> Observation:  # noqa: ARG002 - a look at a directory does not wait
        wall_s = self._clock.wall_s()
        present = self._node.exists() if self._node else None
        if present:
            self._memory[ANSWERED_KEY] = True
        # As everywhere, what was never there is unknown, not unplugged.
        seen_before = self._memory.get(ANSWERED_KEY) is True
        missing = None if present is None or not (present or seen_before) else not present
        return Observation(
            at_s=self._clock.monotonic_s(),
            heard=False,
            power=Power.OFF_OFFLINE if missing else Power.UNKNOWN,
            conditions={UNPLUGGED: Condition(missing, wall_s)} if self._node else {},
            facts={"access": "passive", "present": present},
        )

    def listen(self, deadline: Deadline) -> None:
        self._woken.wait(deadline.remaining_s())
        self._woken.clear()

    def selftest(self, level: Level, occasion: Occasion, deadline: Deadline) -> Iterator[Step]:  # noqa: ARG002 - the contract's
        if self._node is None:
            yield Step("presence", "untested", "access is passive and nothing shows its presence")
        else:
            present = self._node.exists()
            yield Step("presence", "passed" if present else "failed", f"{self._node}")
        yield Step(
            "answers", "untested", 'access is passive: the agent never opens it; set access = "exclusive"'
        )

    def wake(self) -> None:
        self._woken.set()

    def close(self) -> None:
        """Nothing was opened."""


def make(setup: Setup, link: str) -> PassiveDriver:
    parsed = address.parse(link)
    return PassiveDriver(setup, Path(parsed.path) if isinstance(parsed, address.SerialAddress) else None)
