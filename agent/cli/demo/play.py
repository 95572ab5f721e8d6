"""What happens at the demo's counter: a scenario, played by `tillwatch-sim play`, and told as it goes."""

from __future__ import annotations

import subprocess
import time
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from agent.cli.demo.stage import Stage

REPEAT_S = 6.0  #: pause before the built-in scenario starts again


class Play:
    """The scenario's course, from when the terminal is `ready`; the built-in one is repeated."""

    def __init__(self, stage: Stage, scenario: Path | None) -> None:
        self.ready = False
        self._stage = stage
        self._path = scenario or built_in_scenario()
        self._again = scenario is None
        steps: list[dict[str, Any]] = tomllib.loads(self._path.read_text(encoding="utf-8")).get("step", [])
        self._steps = sorted(steps, key=lambda step: float(step["at_s"]))
        self._length_s = float(self._steps[-1]["at_s"]) if self._steps else 0.0
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
        while self._told < len(self._steps) and now_s >= self._started_s + float(
            self._steps[self._told]["at_s"]
        ):
            step = self._steps[self._told]
            tell(step.get("say") or f"{step.get('device', '')}: {' '.join(step.get('set', []))}")
            self._told += 1

    def _over(self, now_s: float) -> bool:
        ended = self._running is not None and self._running.poll() is not None
        return ended and now_s > self._started_s + self._length_s + REPEAT_S


def built_in_scenario() -> Path:
    import simulator  # noqa: PLC0415 - named exception: the demo shows the simulator

    return Path(simulator.__file__).parent / "scenarios" / "counter.toml"
