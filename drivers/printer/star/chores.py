"""What a Star printer is told and asked beside its status: automatic status on, and whether it prints."""

from __future__ import annotations

import math

from drivers.api import Clock, Deadline
from drivers.learned import Learned
from drivers.printer.probe import Probe
from drivers.printer.star.profiles import Profile
from drivers.printer.star.talk import Talk
from drivers.printer.star.wire import Asb, automatic, count

CLEAN_S = 60.0  #: a line must have lost nothing for so long; a mangled command may swallow a receipt
ARM_EACH_S = 10.0  #: until what was not obeyed is sent again, and twice as long at each further time
ARM_EACH_MOST_S = 600.0


class Chores:
    """Done after a status that came well."""

    def __init__(self, learned: Learned, clock: Clock, talk: Talk, profile: Profile) -> None:
        self._clock = clock
        self._talk = talk
        self._asb = profile.asb
        self.probe = Probe(learned, profile.completion)
        self._base: int | None = None  # the ETB counter when the oldest unanswered probe was sent
        self._counter: int | None = None  # as it was seen last
        self._state: bytes | None = None  # likewise the rest of the status
        self._lost_s = -math.inf
        self.opened()

    def opened(self) -> None:
        """The link is open anew: the power may have been away."""
        self.probe.forget()
        self._base = self._counter = self._state = None
        self._arm_due, self._arm_s, self._arm_each_s = self._asb, -math.inf, ARM_EACH_S

    def lost(self) -> None:
        """A poll brought nothing, or noise: a probe may be lost too, and automatic status have ended."""
        self._lost_s = self._clock.monotonic_s()
        self.probe.lost()
        self._arm_due = self._asb

    def do(self, said: Asb, *, idle: bool, deadline: Deadline) -> None:
        """`said`: the status just asked for. Raises LinkErrors."""
        now_s = self._clock.monotonic_s()
        if not self._talk.prompt:
            self._lost_s = now_s
            self.probe.lost()
        self.count(said)
        self.probe.look(now_s, idle=idle)
        stable, self._state = said.state == self._state, said.state
        self._arm_due |= self._asb and self._talk.unannounced
        if not idle or not stable:
            return
        if self._arm_due and now_s >= self._arm_s:
            self._arm_due = False
            self._arm_s, self._arm_each_s = (
                now_s + self._arm_each_s,
                min(2 * self._arm_each_s, ARM_EACH_MOST_S),
            )
            self._talk.send(automatic(on=True), deadline)
        ready = said.counter is not None and now_s - self._lost_s >= CLEAN_S
        if ready and self.probe.take(now_s):
            if self._base is None:
                self._base = said.counter
            self._talk.send(count(), deadline)

    def count(self, said: Asb) -> None:
        """The counter that moved since the probe was sent, seen twice alike, proves that the queue moves."""
        if (
            self._base is not None
            and said.counter not in (None, self._base)
            and said.counter == self._counter
        ):
            self._base = None
            self.probe.works()
        self._counter = said.counter
