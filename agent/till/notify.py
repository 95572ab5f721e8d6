"""The datagram door: a till says it is busy as a service talks to systemd (sd_notify(3)).

Who speaks is taken from the kernel (SCM_CREDENTIALS, unix(7)), and a speaker that ends withdraws its
word with that. One that ends within MESSENGER_S only carried the word for somebody else, as
systemd-notify does, so its word stays until it runs out.
"""

from __future__ import annotations

import contextlib
import os
import select
import socket
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from agent.till.complaints import Complaints
from agent.till.door import bind_local, unbind_local
from agent.till.speakers import Speakers
from agent.till.words import LASTS_MOST_S, LASTS_S, WORD_BYTES, Said, Unclear, from_assignments
from drivers.api import Clock

MESSENGER_S = 2.0
AT_ONCE_MOST = 64  #: datagrams in REST_S; who sends more waits, so that a flood costs little
REST_S = 0.1
_CREDENTIALS = struct.Struct("3i")  # struct ucred: pid, uid, gid (unix(7))


@dataclass(slots=True)
class _Sender:
    """The process behind a source's last word. `pidfd` becomes readable when it ends."""

    pid: int
    pidfd: int
    said: Said
    said_s: float


class NotifyDoor:
    """`agent.till.door.Door` at a datagram socket."""

    def __init__(self, path: Path, speakers: Speakers, clock: Clock) -> None:
        self.name = str(path)
        self._path = path
        self._speakers = speakers
        self._clock = clock
        self._socket: socket.socket | None = None
        self._may_hear = 0
        self._may_again_s = float("-inf")
        self._rests_till_s = float("-inf")
        self._senders: dict[str, _Sender] = {}
        self._complaints = Complaints(f"{path}: what a till said was not understood", clock)

    def open(self) -> None:
        bound = bind_local(self._path, socket.SOCK_DGRAM)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        self._socket = bound

    def close(self) -> None:
        for source in list(self._senders):
            self._forget(source)
        if self._socket is not None:
            self._socket.close()
            self._socket = None
            unbind_local(self._path)

    def watched(self) -> Mapping[int, int]:
        rests = self.next_due_s() is not None
        own = {self._socket.fileno(): select.POLLIN} if self._socket and not rests else {}
        return own | {sender.pidfd: select.POLLIN for sender in self._senders.values()}

    def ready(self, descriptor: int, _events: int) -> None:
        if self._socket and descriptor == self._socket.fileno():
            self._hear(self._socket)
            return
        for source, sender in list(self._senders.items()):
            # Of an earlier sender, perhaps, whose number the kernel has given away again.
            if sender.pidfd == descriptor and _has_ended(sender.pidfd):
                self._ended(source, sender)

    def next_due_s(self) -> float | None:
        return self._rests_till_s if self._rests_till_s > self._clock.monotonic_s() else None

    def advance(self) -> None:
        for source in [source for source in self._senders if not self._speakers.holds(source)]:
            self._forget(source)  # its word ran out, or was withdrawn; its end is no news
        self._speakers.keep()

    def _hear(self, bound: socket.socket) -> None:
        now_s = self._clock.monotonic_s()
        if now_s >= self._may_again_s:
            self._may_hear, self._may_again_s = AT_ONCE_MOST, now_s + REST_S
        while self._may_hear:
            try:
                data, extras, flags, _ = bound.recvmsg(
                    WORD_BYTES, socket.CMSG_SPACE(_CREDENTIALS.size), socket.MSG_CMSG_CLOEXEC
                )
            except BlockingIOError:
                return
            self._may_hear -= 1
            try:
                self._take(data, extras, whole=not flags & socket.MSG_TRUNC)
            except Unclear as unclear:
                self._complaints.note(str(unclear))
        self._rests_till_s = self._may_again_s

    def _take(self, data: bytes, extras: list[tuple[int, int, bytes]], *, whole: bool) -> None:
        if not whole:
            raise Unclear(f"is longer than {WORD_BYTES} bytes")
        pid, uid = _who(extras)
        said = from_assignments(data)
        if said is None:
            return
        pidfd = _watch(pid)
        # A till that lives tells of its next sale, so its `no` holds meanwhile; a `yes` may be forgotten.
        lasts_s = LASTS_MOST_S if pidfd is not None and not said.busy else LASTS_S
        source = self._speakers.say(str(uid), said, lasts_s)
        if source is not None:
            self._forget(source)
            if pidfd is not None:
                self._senders[source] = _Sender(pid, pidfd, said, self._clock.monotonic_s())
            return
        if pidfd is not None:
            os.close(pidfd)
        raise Unclear("there are too many sources already")

    def _ended(self, source: str, sender: _Sender) -> None:
        self._forget(source)
        if self._clock.monotonic_s() - sender.said_s > MESSENGER_S:
            self._speakers.withdraw(source)
        elif not sender.said.busy:
            uid = source.split("/")[1]
            self._speakers.say(uid, sender.said)  # nobody lives who would tell of the next sale

    def _forget(self, source: str) -> None:
        sender = self._senders.pop(source, None)
        if sender is not None:
            os.close(sender.pidfd)


def _who(extras: list[tuple[int, int, bytes]]) -> tuple[int, int]:
    """The sender's pid and uid. No room is made for descriptors: the kernel closes any that came along."""
    for level, kind, data in extras:
        if level == socket.SOL_SOCKET and kind == socket.SCM_CREDENTIALS:
            pid, uid, _gid = _CREDENTIALS.unpack(data[: _CREDENTIALS.size])
            return pid, uid
    raise Unclear("came without its sender's credentials")


def _has_ended(pidfd: int) -> bool:
    poller = select.poll()
    poller.register(pidfd, select.POLLIN)
    return bool(poller.poll(0))


def _watch(pid: int) -> int | None:
    """A descriptor that tells when the process ends; None where it has, or is not of our pid namespace."""
    with contextlib.suppress(OSError):
        if pid > 0:
            return os.pidfd_open(pid)
    return None
