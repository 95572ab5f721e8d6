"""What a device says of itself when it is asked seldom: who it is.

Each thing is read alike three times in a row before it counts. All is asked anew once an hour and when the
device was away, since it may be another by then; and the first thing once a minute, in case nobody noticed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Generic, TypeVar

from drivers.api import Deadline, Setup
from drivers.belief import Belief

ANEW_S = 3600.0
CHECK_S = 60.0
RETRY_S = 10.0  #: after no answer: one that is only late has come by then
AWAY_POLLS = 1.5  #: not looked at for so long, a poll was missed
ASKED_MOST = 6  #: times for one thing, in one look
REFUSED_MOST = 3  #: so often asked for and never answered: the device does not tell it

Key = TypeVar("Key")
What = TypeVar("What")


class Seldom(Generic[Key, What]):
    """`keys`: what can be asked for, in order. `ask` brings one of them; None where no answer came.

    Something false where the device says that it has none.
    """

    def __init__(
        self, setup: Setup, keys: Iterable[Key], ask: Callable[[Key, Deadline], What | None]
    ) -> None:
        self._clock = setup.clock
        self._away_s = AWAY_POLLS * setup.poll_s
        self._reply_s = setup.reply_s
        self._keys = tuple(keys)
        self._ask = ask
        self._said: dict[Key, What | None] = {}  # settled; None: it does not tell
        self._beliefs: dict[Key, Belief[What]] = {}  # of what answered and is not settled
        self._in_vain: dict[Key, int] = {}
        self._due_s = self._looked_s = -math.inf
        self._anew_s = math.inf

    def doubt(self) -> None:
        """It may be another device: ask for all at the next look."""
        self._said.clear()
        self._beliefs.clear()
        self._in_vain.clear()
        self._due_s, self._anew_s = -math.inf, math.inf

    def look(self, deadline: Deadline, *, ask: bool = True) -> dict[Key, What]:
        """What it said; empty until all of it is settled. At each poll that the device answered.

        `ask`: it may be asked now for what is due. Raises what asking raises.
        """
        now_s = self._clock.monotonic_s()
        if now_s - self._looked_s > self._away_s or now_s >= self._anew_s:
            self.doubt()
        if ask and now_s >= self._due_s:
            self._ask_now(deadline)
        self._looked_s = self._clock.monotonic_s()
        return {key: said for key, said in self._said.items() if said} if self.settled else {}

    @property
    def settled(self) -> bool:
        """All that it has to say is known."""
        return len(self._said) == len(self._keys)

    def _ask_now(self, deadline: Deadline) -> None:
        if self.settled:
            self._check(deadline)
        for key in self._keys:
            if key not in self._said and not self._settle(key, deadline):
                return
        now_s = self._clock.monotonic_s()
        self._due_s, self._anew_s = now_s + CHECK_S, min(self._anew_s, now_s + ANEW_S)

    def _check(self, deadline: Deadline) -> None:
        """Another answer than before puts all in doubt; none says nothing."""
        key = self._keys[0]
        known = self._said[key]
        said = self._ask(key, deadline) if known else None
        if said is not None and said != known:
            self.doubt()

    def _settle(self, key: Key, deadline: Deadline) -> bool:
        for _ in range(ASKED_MOST):
            if deadline.remaining_s() < self._reply_s:
                return False  # no time to wait for an answer, so that none would say nothing
            said = self._ask(key, deadline)
            if said is None:
                self._vain(key)
                return False
            if self._beliefs.setdefault(key, Belief()).hear(said):
                self._said[key] = said
                return True
        return False

    def _vain(self, key: Key) -> None:
        self._due_s = self._clock.monotonic_s() + RETRY_S
        if key in self._beliefs:
            return  # it can tell it, and this time something was lost
        self._in_vain[key] = self._in_vain.get(key, 0) + 1
        if self._in_vain[key] >= REFUSED_MOST:
            self._said[key] = None
