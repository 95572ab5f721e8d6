"""Input at the main screen, as a source of the sale's state: X's idle counter, asked every other second."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from agent.diagnosis.sale import SaleWord
from drivers.api import Clock, Deadline
from drivers.errors import LinkError
from drivers.screen.x11 import IdleCounter

SOURCE = "input"
ASK_EACH_S = 2.0
ANSWER_S = 2.0  #: with ASK_EACH_S before it: a server that hangs is known to within 5 s
LASTS_S = 60.0  #: ends what was said should this thread ever end
REPEAT_S = 20.0
SAME_S = 0.05  #: two answers this close tell of the same input
STOP_S = 3.0

log = logging.getLogger("tillwatch.till")


class IdleWatch:
    """One display, one thread. `tell` is called from it."""

    def __init__(self, display: str, clock: Clock, tell: Callable[[SaleWord], None]) -> None:
        self._counter = IdleCounter(int(display.partition(":")[2].partition(".")[0]))
        self._clock = clock
        self._tell = tell
        self._told: tuple[float, float] | None = None  #: input was, told at
        self._trouble: str | None = None
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="input-idle", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self, timeout_s: float = STOP_S) -> None:
        """Also before `start`."""
        self._stopping.set()
        self._counter.wake()
        if self._thread.ident is not None:
            self._thread.join(timeout_s)

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                idle_s = self._counter.idle_s(Deadline.after(self._clock, ANSWER_S))
            except LinkError as wrong:
                self._lost(wrong)
            else:
                self._heard(idle_s)
            self._stopping.wait(ASK_EACH_S)
        self._counter.close()

    def _heard(self, idle_s: float) -> None:
        if self._trouble:
            log.info("the idle counter answers again")
            self._trouble = None
        now_s = self._clock.monotonic_s()
        input_s = now_s - idle_s
        if self._told and input_s < self._told[0] + SAME_S and now_s < self._told[1] + REPEAT_S:
            return
        self._told = (input_s, now_s)
        self._tell(SaleWord(SOURCE, busy=False, sees="whole", lasts_s=LASTS_S, at_s=input_s))

    def _lost(self, wrong: LinkError) -> None:
        if self._told:
            self._told = None
            self._tell(SaleWord(SOURCE, busy=None, sees="whole"))
        # At the end of the daemon the wait is ended by ourselves.
        said = f"{wrong} ({wrong.hint})"
        if said != self._trouble and not self._stopping.is_set():
            self._trouble = said
            log.warning("input cannot be told: %s", said)
