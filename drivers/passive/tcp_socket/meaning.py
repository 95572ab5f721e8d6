"""What the sockets of the till say of the device that they lead to. Pure.

Only what is sent and not acknowledged, again and again, proves that nobody is there. A till that waits three
minutes for an answer proves nothing: the customer looks for the card. And whoever acknowledges is no more
than switched on: the kernel of a machine does so for a program that hangs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from drivers.passive.tcp_socket.wire import (
    OVER,
    SYN_SENT,
    TIMER_KEEPALIVE,
    TIMER_RETRANSMITS,
    Socket,
)

STALLED_S = 10.0
"""So long in vain, by four or five tries of the kernel's, and it is judged."""
FORGOTTEN_S = 60.0
"""A till that gave up, and has not tried again for so long, says nothing any more."""
AFTER_S = 5.0
"""So long after an echo the kernel must have tried again, in vain, before the port alone is to blame."""


@dataclass(frozen=True, slots=True)
class Host:
    """What is known of the host itself since a moment."""

    answered_s: float | None = None  #: when it first answered an echo since
    in_vain: bool = True  #: it was asked and does not answer; or it never did, so that nothing is known


@dataclass(frozen=True, slots=True)
class Verdict:
    """None is not known."""

    frozen: bool | None = None
    unreachable: bool | None = None
    in_use: bool | None = None
    tries: int = 0


class Judge:
    """Told of all sockets to the device at each look."""

    def __init__(self) -> None:
        self._before: dict[tuple[int, int], Socket] | None = None
        self._since_s: float | None = None  # something is sent in vain since
        self._stalled_s = 0.0  # when that was seen last
        self._tried_s = 0.0  # when the kernel was last seen to have tried again
        self._verdict = Verdict()

    def look(self, sockets: Sequence[Socket], now_s: float, host: Callable[[float], Host]) -> Verdict:
        """`host` tells of the host since a moment."""
        now = {socket.key: socket for socket in sockets if socket.state not in OVER}
        in_use = self._in_use(now)
        stalled = [socket for socket in now.values() if _stalled(socket)]
        tries = max((socket.tries for socket in stalled), default=0)
        if self._progress(now) or (now and not stalled and not all(map(_connecting, now.values()))):
            self._since_s = None
            self._verdict = Verdict(frozen=False, unreachable=False)
        if stalled:
            self._stall(stalled, now_s)
            self._judge(now_s, host)
        elif not now:
            self._nobody(now_s)
        self._before = now
        return Verdict(self._verdict.frozen, self._verdict.unreachable, in_use, tries)

    def _stall(self, stalled: Sequence[Socket], now_s: float) -> None:
        before = self._before or {}
        if self._since_s is None:
            self._since_s = self._tried_s = now_s
        elif any(socket.key not in before or socket.tries > before[socket.key].tries for socket in stalled):
            self._tried_s = now_s
        self._stalled_s = now_s

    def _judge(self, now_s: float, host: Callable[[float], Host]) -> None:
        if self._since_s is None or now_s - self._since_s < STALLED_S:
            return
        seen = host(self._since_s)
        if seen.in_vain:
            self._verdict = Verdict(frozen=False, unreachable=True)
        elif seen.answered_s is not None and self._tried_s - seen.answered_s >= AFTER_S:
            self._verdict = Verdict(frozen=True, unreachable=False)

    def _nobody(self, now_s: float) -> None:
        """No connection. What was well stays so; what was not is not known any more."""
        if self._since_s is not None and now_s - self._stalled_s > FORGOTTEN_S:
            self._since_s = None
        if self._since_s is None and (self._verdict.frozen or self._verdict.unreachable):
            self._verdict = Verdict()

    def _progress(self, now: dict[tuple[int, int], Socket]) -> bool:
        """Something came, or was acknowledged."""
        both = [(socket, before) for key, socket in now.items() if (before := (self._before or {}).get(key))]
        return any(
            socket.tries < before.tries or (socket.moved_bytes or 0) > (before.moved_bytes or 0)
            for socket, before in both
        )

    def _in_use(self, now: dict[tuple[int, int], Socket]) -> bool | None:
        """Bytes moved since the last look; None where that cannot be said."""
        if self._before is None:
            return None
        counted = {key: one.moved_bytes for key, one in now.items() if not _connecting(one)}
        before = {key: one.moved_bytes for key, one in self._before.items() if not _connecting(one)}
        if counted != before:
            return True
        return None if None in counted.values() else False


def _connecting(socket: Socket) -> bool:
    return socket.state == SYN_SENT


def _stalled(socket: Socket) -> bool:
    return socket.timer in (TIMER_RETRANSMITS, TIMER_KEEPALIVE) and socket.tries > 0
