"""The way to a device, as its driver goes it: opens the link, judges silence, keeps what is wrong."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TypeVar

from drivers.api import Clock, Deadline, Json, Setup
from drivers.errors import Absent, LinkError, LinkLost, PassThroughDown, ServiceDown, Stuck
from drivers.silence import Judge, Outcome

OPEN_S = 1.0  #: opening may take so long, if that is more than `reply_s`
REOPEN_S = 0.3  #: how often the node of an unplugged device is looked for

COMES_BACK = (Absent, PassThroughDown, ServiceDown, Stuck)
"""What is over as soon as the link can be opened."""

Result = TypeVar("Result")


class Way:
    """`opened(again)` is called at each opening of the link; `again`: after a trouble."""

    def __init__(self, setup: Setup, opened: Callable[[bool], None]) -> None:
        self._setup = setup
        self._clock: Clock = setup.clock
        self._opened = opened
        self.link = setup.link
        self.log = logging.getLogger(f"tillwatch.device.{setup.device}")
        self.judge = Judge(
            scheme=setup.link.scheme,
            proves_power=setup.link.proves_power,
            memory=setup.memory,
            shared=setup.shared,
        )
        self.trouble: LinkError | None = None

    def attempt(self, deadline: Deadline, look: Callable[[Deadline], Result]) -> Result | Outcome:
        """Open the link where it is not, and look; a link found broken is opened once more."""
        for _ in range(2):
            try:
                self.open(deadline.within(max(OPEN_S, self._setup.reply_s)))
                return look(deadline)
            except LinkError as error:
                self.lose(error)
                if not isinstance(error, LinkLost):
                    return Outcome(error.code)
        return Outcome.LOST

    def open(self, deadline: Deadline) -> None:
        """Raises LinkError."""
        if self.link.is_open():
            return
        self.link.open(deadline)
        again = self.trouble is not None
        if again and self.link.held:
            self.log.info("the link is open again")
        self.trouble = None
        self._opened(again)

    def lose(self, error: LinkError) -> None:
        if self.trouble is None or self.trouble.code != error.code:
            self.log.warning("%s; %s", str(error), error.hint)
        # A copy: the error itself would keep the frames it passed through, and all they hold.
        self.trouble = type(error)(str(error), hint=error.hint)
        self.link.close()

    def wait_closed(self, deadline: Deadline) -> bool:
        """No link to listen to; an unplugged one is looked for. True: it is back, and open."""
        while not deadline.expired():
            looks = isinstance(self.trouble, COMES_BACK)
            until = deadline.within(REOPEN_S) if looks else deadline
            self.link.read(until)
            if not until.expired():
                return False  # woken
            if not deadline.expired() and self._is_back(deadline):
                return True
        return False

    def _is_back(self, deadline: Deadline) -> bool:
        try:
            self.open(deadline)
        except LinkError:
            return False  # the next poll reports it
        return True

    def facts(self) -> dict[str, Json]:
        """What of this belongs to the device's facts."""
        return {} if self.trouble is None else {"link": self.trouble.code}

    def evidence(self) -> dict[str, Json]:
        """Behind what is said of the way to it."""
        evidence: dict[str, Json] = {"missed_polls": self.judge.missed}
        if self.trouble is not None:
            evidence["error"] = str(self.trouble)
        return evidence
