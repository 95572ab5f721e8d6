"""The thread that writes the outbox: one transaction for all that waits, then the next."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from agent.messages import AgentEvent
from agent.outbox.outbox import Batch, Outbox, Prepared, prepare
from agent.outbox.storage import StorageError

BATCHES_IN_ONE = 256
WAITING_MOST = 2_000
SETTLE_S = 0.5
SETTLE_AT = 256
RETRY_S = (0.5, 1.0, 2.0, 5.0, 10.0, 30.0)

log = logging.getLogger("tillwatch.outbox")


@dataclass(slots=True)
class _Waiting:
    batch: Prepared
    then: Callable[[int], None] | None


class Writer:
    """Commits batches in the order they come; each group is what waited while the last one was written.

    `trouble` is what is wrong with the storage, in one word, or None while it works. Meanwhile batches
    wait in memory, at most `waiting_most`; past that the oldest lose their rows, which have no number
    yet, so none goes missing. Faults and memory are never lost, only merged.
    """

    def __init__(
        self,
        outbox: Outbox,
        *,
        waiting_most: int = WAITING_MOST,
        settle_s: float = SETTLE_S,
        retry_s: tuple[float, ...] = RETRY_S,
    ) -> None:
        self._outbox = outbox
        self.trouble: str | None = None
        self._waiting_most = waiting_most
        self._settle_s = settle_s
        self._retry_s = retry_s
        self._changed = threading.Condition()
        self._following = threading.RLock()  # one `then` after the other, in the order of their batches
        self._waiting: deque[_Waiting] = deque()
        self._in_hand: list[_Waiting] = []
        self._failures = 0
        self._lost_rows = 0
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="outbox", daemon=True)
        outbox.listen(self._wake)

    def start(self) -> None:
        self._thread.start()

    def submit(self, batch: Batch, then: Callable[[int], None] | None = None) -> None:
        """Queue a batch; raises TypeError or ValueError for a body that is not JSON.

        `then` gets the last number taken once the batch is on disk, after those of earlier batches. While
        the storage is in trouble it does not wait for that: what it sends may be all that gets out."""
        waiting = _Waiting(prepare(batch), then)
        with self._changed:
            self._waiting.append(waiting)
            if len(self._waiting) > self._waiting_most:
                self._let_go_of_oldest()
            self._changed.notify()
        if self._failures:
            self._run_all_thens()

    def stop(self, timeout_s: float = 5.0) -> bool:
        """Commit what waits and end; False if that took longer than `timeout_s`, or the storage failed."""
        with self._changed:
            self._stopping = True
            self._changed.notify()
        if self._thread.ident is not None:
            self._thread.join(timeout_s)
        left = len(self._in_hand) + len(self._waiting)
        if left:
            log.error("outbox: %d batches could not be stored before the end", left)
        return not self._thread.is_alive() and not left

    # -- the thread ----------------------------------------------------------------------------------

    def _run(self) -> None:
        while self._take():
            try:
                self._write()
            except StorageError as error:
                trouble = error
            except Exception as error:  # a mistake must not end the only thread that stores events
                log.exception("outbox: writing it stumbled")
                trouble = StorageError(f"outbox: {error!r}")
            else:
                self._recovered()
                continue
            if not self._failed(trouble):
                return

    def _take(self) -> bool:
        """Wait for work and take it in hand; False when there is none and never will be."""
        with self._changed:
            idle_from_s = time.monotonic()
            while not (self._in_hand or self._waiting):
                notes = self._outbox.notes()
                if self._stopping:
                    return notes > 0
                rest_s = self._settle_s - (time.monotonic() - idle_from_s)
                if notes >= SETTLE_AT or (notes and rest_s <= 0):
                    return True
                self._changed.wait(rest_s if notes else None)
                if not notes:
                    idle_from_s = time.monotonic()
            while self._waiting and len(self._in_hand) < BATCHES_IN_ONE:
                self._in_hand.append(self._waiting.popleft())
            return True

    def _write(self) -> None:
        if not self._in_hand:
            self._outbox.settle()
            return
        last_seq = self._outbox.commit_all([waiting.batch for waiting in self._in_hand])
        with self._following:
            with self._changed:
                done, self._in_hand = self._in_hand, []
            self._run_thens(done, last_seq)

    def _run_all_thens(self) -> None:
        """Those of all that is not stored yet, too."""
        with self._following:
            with self._changed:
                blocked = [*self._in_hand, *self._waiting]
            self._run_thens(blocked, self._outbox.last_seq)

    def _run_thens(self, batches: Iterable[_Waiting], last_seq: int) -> None:
        for waiting in batches:
            then, waiting.then = waiting.then, None
            if then is None:
                continue
            try:
                then(last_seq)
            except Exception:  # a caller's mistake must not end the only thread that stores events
                log.exception("outbox: what should follow a commit failed")

    # -- trouble -------------------------------------------------------------------------------------

    def _failed(self, error: StorageError) -> bool:
        """Say so once, let states go on without their events, wait; False when it is time to give up."""
        last_try = self._stopping
        self._failures += 1
        if self._failures == 1:
            log.error("%s (%s)", error, error.hint)
            event = self._outbox.event(AgentEvent(agent="storage_failed", detail=error.code))
            with self._changed:
                self._in_hand.insert(0, _Waiting(prepare(Batch([event])), None))
            self.trouble = error.code
        self._run_all_thens()
        pause_s = self._retry_s[min(self._failures, len(self._retry_s)) - 1]
        with self._changed:
            self._changed.wait_for(lambda: self._stopping, 0 if last_try else pause_s)
        return not last_try

    def _recovered(self) -> None:
        if not self._failures:
            return
        log.warning("outbox: stored again, after %d attempts", self._failures)
        lost = self._lost_rows
        self._failures = self._lost_rows = 0
        detail = "rows lost" if lost else "nothing lost"
        event = AgentEvent(agent="storage_recovered", detail=detail, count=lost)
        self.submit(Batch([self._outbox.event(event)]))
        self.trouble = None

    def _let_go_of_oldest(self) -> None:
        oldest, heir = self._waiting.popleft(), self._waiting[0]
        self._lost_rows += len(oldest.batch.lines)
        heir.batch = Prepared(
            heir.batch.lines,
            {**oldest.batch.faults, **heir.batch.faults},
            {**oldest.batch.memory, **heir.batch.memory},
        )

    def _wake(self) -> None:
        with self._changed:
            self._changed.notify()
