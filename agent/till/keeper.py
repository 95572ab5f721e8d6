"""Keeps doors: opens them, waits at all of them, tries again where one stays shut.

One thread, and nothing in it blocks.
"""

from __future__ import annotations

import logging
import math
import os
import select
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence

from agent.till.door import Door, View
from drivers.api import Clock

TRY_AGAIN_S = 30.0  #: at a door that could not be opened
VIEW_S = 4.0  #: the judging thread has so long for a view
STUMBLED_S = 1.0
STOP_S = 3.0  #: longer than a message to the judging thread may wait for its place

log = logging.getLogger("tillwatch.till")

AskView = Callable[[Callable[[View], None]], None]
"""The callable gets `Terminal.view()`, in any thread, once."""


class Keeper:
    """Owns its doors from `start` to `stop`.

    `trouble` is told what keeps doors shut, on each change; None once all are open.
    """

    def __init__(
        self, clock: Clock, doors: Sequence[Door], ask_view: AskView, trouble: Callable[[str | None], None]
    ) -> None:
        self._clock = clock
        self._doors = doors
        self._ask_view = ask_view
        self._trouble = trouble
        self._told: str | None = ""
        self._shut = {door.name: "" for door in doors}
        self._try_s = -math.inf
        self._asked: dict[int, tuple[float, Callable[[View], None]]] = {}
        self._asked_last = 0
        self._answers: deque[tuple[int, View]] = deque()
        self._stopping = False
        self._wake = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._thread = threading.Thread(target=self._run, name="till-doors", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self, timeout_s: float = STOP_S) -> None:
        """Close the doors; also before `start`."""
        self._stopping = True
        os.eventfd_write(self._wake, 1)
        if self._thread.ident is not None:
            self._thread.join(timeout_s)
        if not self._thread.is_alive():
            os.close(self._wake)

    def _run(self) -> None:
        try:
            while not self._stopping:
                try:
                    self._turn()
                except Exception:
                    # One request that we stumble over must not shut the doors to all others.
                    log.exception("the till's doors stumbled")
                    time.sleep(STUMBLED_S)
        finally:
            for door in self._doors:
                door.close()

    def _turn(self) -> None:
        self._open_shut()
        poller = select.poll()
        poller.register(self._wake, select.POLLIN)
        owners: dict[int, Door] = {}
        for door in self._doors:
            for descriptor, events in door.watched().items():
                poller.register(descriptor, events)
                owners[descriptor] = door
        for descriptor, events in poller.poll(self._wait_ms()):
            if descriptor in owners:
                owners[descriptor].ready(descriptor, events)
            else:
                os.eventfd_read(self._wake)
        self._take_answers()
        for door in self._doors:
            door.advance()

    def _wait_ms(self) -> int | None:
        now_s = self._clock.monotonic_s()
        moments = [due_s for door in self._doors if (due_s := door.next_due_s()) is not None]
        moments += [ends_s for ends_s, _ in self._asked.values()]
        if self._shut:
            moments.append(self._try_s)
        return math.ceil(max(0.0, min(moments) - now_s) * 1000) if moments else None

    def _open_shut(self) -> None:
        """Open what is not open yet; a place that is taken may become free."""
        now_s = self._clock.monotonic_s()
        if self._shut and now_s >= self._try_s:
            self._try_s = now_s + TRY_AGAIN_S
            for door in self._doors:
                if door.name in self._shut:
                    try:
                        door.open()
                    except OSError as wrong:
                        self._shut[door.name] = f"{door.name}: {wrong.strerror or wrong}"
                    else:
                        del self._shut[door.name]
        detail = "; ".join(self._shut.values()) or None
        if detail != self._told:
            self._told = detail
            if detail:
                log.warning("the till cannot speak to the agent: %s; free that place", detail)
            self._trouble(detail)

    def ask(self, take: Callable[[View], None]) -> None:
        """Ask for a view; `take` gets it in this thread, or None when it takes too long."""
        self._asked_last += 1
        number = self._asked_last
        self._asked[number] = (self._clock.monotonic_s() + VIEW_S, take)

        def answer(view: View) -> None:
            self._answers.append((number, view))
            if not self._stopping:
                os.eventfd_write(self._wake, 1)

        self._ask_view(answer)

    def _take_answers(self) -> None:
        while self._answers:
            number, view = self._answers.popleft()
            asked = self._asked.pop(number, None)
            if asked:
                asked[1](view)
        now_s = self._clock.monotonic_s()
        for number in [number for number, (ends_s, _) in self._asked.items() if ends_s <= now_s]:
            self._asked.pop(number)[1](None)
