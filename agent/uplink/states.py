"""Retained states on their way out: only the latest of each topic, at most ten a second each."""

from __future__ import annotations

import threading
from dataclasses import dataclass

from agent.messages import Body

INTERVAL_S = 0.1


@dataclass(slots=True)
class _Slot:
    body: Body
    waiting: bool
    free_at_s: float


class States:
    """The latest value of every topic; the last one put is always sent in the end. For any thread."""

    def __init__(self) -> None:
        self._slots: dict[str, _Slot] = {}
        self._lock = threading.Lock()

    def put(self, topic: str, body: Body) -> None:
        with self._lock:
            slot = self._slots.get(topic)
            if slot is None:
                self._slots[topic] = _Slot(body, waiting=True, free_at_s=float("-inf"))
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
                if slot.waiting and slot.free_at_s <= now_s:
                    slot.waiting, slot.free_at_s = False, now_s + INTERVAL_S
                    taken.append((topic, slot.body))
        return taken

    def next_due_s(self) -> float | None:
        with self._lock:
            return min((slot.free_at_s for slot in self._slots.values() if slot.waiting), default=None)
