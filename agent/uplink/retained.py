"""What we have retained at the broker: remembered over restarts, cleared when it is no longer ours."""

from __future__ import annotations

import threading
from collections.abc import Iterable

from agent.outbox.outbox import Outbox
from agent.uplink.topics import ALWAYS, Topics

KEY = "uplink/retained"


class Retained:
    """The set of retained topics, by full name: those of an old terminal id are found too."""

    def __init__(self, outbox: Outbox, topics: Topics) -> None:
        self._outbox = outbox
        self._topics = topics
        self._lock = threading.Lock()
        remembered = outbox.memory().get(KEY)
        self._known = {t for t in remembered if isinstance(t, str)} if isinstance(remembered, list) else set()
        self._present = {topics.full(below) for below in ALWAYS}
        self._complete = False
        self._asked: set[str] = set()
        self.remember(ALWAYS)

    def remember(self, below: Iterable[str]) -> None:
        """These are ours now; noted before they are sent."""
        full = {self._topics.full(topic) for topic in below}
        with self._lock:
            self._present |= full
            if not full <= self._known:
                self._known |= full
                self._note()

    def keep(self, below: Iterable[str]) -> None:
        """With these, all that is ours has been named: the rest may be cleared."""
        self.remember(below)
        self._complete = True

    def anew(self) -> None:
        """A new session: what was not confirmed as cleared is asked for again."""
        with self._lock:
            self._asked.clear()

    def take_orphans(self) -> list[str]:
        """Topics to clear now."""
        if not self._complete:
            return []
        with self._lock:
            orphans = sorted(self._known - self._present - self._asked)
            self._asked.update(orphans)
        return orphans

    def cleared(self, topic: str) -> None:
        """The broker confirmed it."""
        with self._lock:
            if topic in self._known and topic not in self._present:
                self._known.discard(topic)
                self._note()

    def _note(self) -> None:
        self._outbox.remember({KEY: [*sorted(self._known)]})
