"""Waits for many descriptors at once; each is registered only while something of it is wanted."""

from __future__ import annotations

import select


class Watch:
    """epoll(7), told only of changes. `drop` a descriptor before it is closed."""

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._wanted: dict[int, int] = {}

    def want(self, descriptor: int, events: int) -> None:
        """These events of it; 0: none, not even that it hung up."""
        if descriptor < 0 or self._wanted.get(descriptor, 0) == events:
            return
        if not events:
            self.drop(descriptor)
        elif descriptor in self._wanted:
            self._epoll.modify(descriptor, events)
            self._wanted[descriptor] = events
        else:
            self._epoll.register(descriptor, events)
            self._wanted[descriptor] = events

    def drop(self, descriptor: int) -> None:
        if self._wanted.pop(descriptor, 0):
            self._epoll.unregister(descriptor)

    def wait(self, seconds: float) -> dict[int, int]:
        """descriptor -> what is so; empty when the time is over."""
        return dict(self._epoll.poll(seconds))

    def close(self) -> None:
        self._epoll.close()
