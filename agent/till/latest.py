"""Words on their way to the judging thread: of each source the latest only, all in one message.

So no source, however often it speaks, fills that thread's inbox.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable

from agent.diagnosis.sale import SaleWord
from drivers.api import Clock

LOST_S = 5.0  #: a message not taken by then was let go, since the inbox was full

Post = Callable[[Callable[[], None]], None]


class Latest:
    """`tell` may come from any thread; `take` is called by whoever runs what was posted."""

    def __init__(self, post: Post, take: Callable[[SaleWord], None], clock: Clock) -> None:
        self._post = post
        self._take = take
        self._clock = clock
        self._lock = threading.Lock()
        self._words: dict[str, SaleWord] = {}
        self._posted_s = -math.inf

    def tell(self, word: SaleWord) -> None:
        now_s = self._clock.monotonic_s()
        with self._lock:
            self._words[word.source] = word
            if now_s < self._posted_s + LOST_S:
                return
            self._posted_s = now_s
        self._post(self._deliver)

    def _deliver(self) -> None:
        with self._lock:
            words = list(self._words.values())
            self._words.clear()
            self._posted_s = -math.inf
        for word in words:
            self._take(word)
