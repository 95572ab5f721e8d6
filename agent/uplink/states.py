"""Retained states on their way out: only the latest of each topic, at most ten in a second each."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass, field

from agent.messages import Body

MOST = 10
WINDOW_S = 1.0
"""At most `MOST` messages of one topic in any `WINDOW_S`. A burst passes at once; what is more waits."""


@dataclass(slots=True)
class _Slot:
    body: Body
    waiting: bool
    sent_s: deque[float] = field(default_factory=lambda: deque(maxlen=MOST))

    def free_at_s(self) -> float:
        return self.sent_s[0] + WINDOW_S if len(self.sent_s) == MOST else float("-inf")


class States:
    """The latest value of every topic; the last one put is always sent in the end. For any thread."""

    def __init__(self) -> None:
        self._slots: dict[str, _Slot] = {}
        self._lock = threading.Lock()

    def put(self, topic: str, body: Body) -> None:
        with self._lock:
            slot = self._slots.get(topic)
            if slot is None:
                self._slots[topic] = _Slot(body, waiting=True)
            else:
                slot.body, slot.waiting = body, True

    def anew(self) -> None:
        """A new session: everything is sent again."""
        with self._lock:
            for slot in self._slots.values():
                slot.waiting = True

    def take(self, now_s: float, most: int) -> list[tuple[str, Body]]:
        """What may be sent now."""
        taken: list[tuple[str, Body]] = []
        with self._lock:
            for topic, slot in self._slots.items():
                if len(taken) >= most:
                    break
                if slot.waiting and slot.free_at_s() <= now_s:
                    slot.waiting = False
                    slot.sent_s.append(now_s)
                    taken.append((topic, slot.body))
            for topic, _body in taken:  # to the end, so that where few may go, none is passed over for ever
                self._slots[topic] = self._slots.pop(topic)
        return taken

    def next_due_s(self) -> float | None:
        with self._lock:
            return min((slot.free_at_s() for slot in self._slots.values() if slot.waiting), default=None)
