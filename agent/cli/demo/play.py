"""What happens at the demo's counter: a scenario, played by `tillwatch-sim play`, and told as it goes."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from agent.cli.demo.stage import Stage

REPEAT_S = 6.0  #: pause before the built-in scenario starts again


class Step(Protocol):
    """One step as `simulator.scenario` reads it."""

    @property
    def at_s(self) -> float: ...
    @property
    def device(self) -> str | None: ...
    @property
    def settings(self) -> Sequence[str]: ...
    @property
    def say(self) -> str: ...


class Play:
    """The scenario's course, from when the terminal is `ready`; with `again` it is repeated."""

    def __init__(self, stage: Stage, path: Path, steps: Sequence[Step], *, again: bool) -> None:
        self.ready = False
        self._stage = stage
        self._path = path
        self._steps = steps
        self._again = again
        self._running: subprocess.Popen[bytes] | None = None
        self._started_s = 0.0
        self._told = 0

    def turn(self, tell: Callable[[str], None]) -> None:
        """Start what is to start, and tell the steps that came due."""
        if not self.ready:
            return
        now_s = time.monotonic()
        if self._running is None or (self._again and self._over(now_s)):
            self._running = self._stage.play(self._path)
            self._started_s, self._told = now_s, 0
        while self._told < len(self._steps) and now_s >= self._started_s + self._steps[self._told].at_s:
            step = self._steps[self._told]
            tell(step.say or f"{step.device}: {' '.join(step.settings)}")
            self._told += 1

    def _over(self, now_s: float) -> bool:
        ended = self._running is not None and self._running.poll() is not None
        return ended and now_s > self._started_s + self._steps[-1].at_s + REPEAT_S
