"""Plays a scenario at a running counter, in real time, and says what of it was not observed."""

from __future__ import annotations

import threading
import time
import tomllib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from simulator.control import tell
from simulator.counter import CONFIG_NAME, Counter, control_of
from simulator.loop import Loop
from simulator.scenario import Expectation, Step

_BASE = "tillwatch/v1"
_SEEN_KEPT = 10_000
_STOP_S = 5.0


@contextmanager
def counter_at(folder: Path, broker: str) -> Iterator[None]:
    """The counter that runs in `folder`; one of our own, in a thread, where none does."""
    if (folder / CONFIG_NAME).exists():
        yield
        return
    loop = Loop()
    counter = Counter(folder, broker, loop)
    thread = threading.Thread(target=loop.run, name="counter", daemon=True)
    try:
        counter.open()
        thread.start()
        yield
    finally:
        loop.stop()
        if thread.ident is not None:
            thread.join(_STOP_S)
        counter.close()
        loop.close()


def broker_of(folder: Path) -> str:
    """The broker that the counter's own configuration names."""
    config = tomllib.loads((folder / CONFIG_NAME).read_text(encoding="utf-8"))
    return str(config["mqtt"]["url"])


class Seen:
    """What a subscriber has got so far; filled by its thread, asked by ours."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._messages: list[tuple[float, str, object]] = []

    def add(self, topic: str, payload: object) -> None:
        """`topic` in full: base, terminal, and what is below."""
        below = topic.removeprefix(f"{_BASE}/").partition("/")[2]
        with self._changed:
            self._messages.append((time.monotonic(), below, payload))
            del self._messages[:-_SEEN_KEPT]
            self._changed.notify_all()

    def wait_for(self, expectation: Expectation, since_s: float) -> bool:
        """Whether it is met by a message from `since_s` on, and in time."""
        until_s = since_s + expectation.within_s

        def met() -> bool:
            return any(
                since_s <= at_s <= until_s and expectation.met_by(topic, payload)
                for at_s, topic, payload in self._messages
            )

        with self._changed:
            return self._changed.wait_for(met, max(0.0, until_s - time.monotonic()))


@dataclass(frozen=True, slots=True)
class _Open:
    expectation: Expectation
    since_s: float


def play(steps: Sequence[Step], folder: Path, seen: Seen | None, say: Callable[[str], None]) -> list[str]:
    """Do every step at its time; what was expected and not observed, a line each."""
    start_s = time.monotonic()
    expected: list[_Open] = []
    for step in steps:
        time.sleep(max(0.0, start_s + step.at_s - time.monotonic()))
        at_s = time.monotonic()
        if step.settings and step.device:
            tell(control_of(folder, step.device), step.settings)
        say(f"{step.at_s:6.1f} s  {step.say or ' '.join((step.device or '', *step.settings))}")
        if step.expect:
            expected.append(_Open(step.expect, at_s))
    if seen is None:
        return []
    return [str(one.expectation) for one in expected if not seen.wait_for(one.expectation, one.since_s)]


@contextmanager
def watching(broker: str) -> Iterator[Seen]:
    """A subscriber to everything that terminals publish at `broker`; `ConnectionError`, `ValueError`."""
    from agent.uplink.watcher import Message, Watcher  # noqa: PLC0415 - needed by expectations alone

    seen = Seen()

    def take(message: Message) -> None:
        seen.add(message.topic, message.payload)

    watcher = Watcher(broker, [f"{_BASE}/#"], take)
    try:
        if not watcher.start():
            why = watcher.trouble.detail if watcher.trouble else "no answer"
            raise ConnectionError(f"{broker}: {why}; is the broker running?")
        yield seen
    finally:
        watcher.stop()
