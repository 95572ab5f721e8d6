"""A child process for calls whose time nobody can bound: it is killed where one does not come back.

One for each kind of bus, started when first asked and spoken to in JSON, one message a datagram. It ends with
its parent, however that ends. `child_main` is the other side.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import math
import os
import select
import signal
import socket
import sys
import threading
from collections.abc import Mapping
from pathlib import Path

import drivers
from drivers.api import Deadline, Json
from drivers.errors import LinkLost, LinkUnusable, Stuck

START_S = 10.0  #: a machine that has just booted is slow to start anything
LOST_MOST = 4  #: so many killed ones may hang in the kernel; no more are started then
REAP_S = 0.2
STOP_S = 1.0
REST_LONGEST_S = 4.0
MESSAGE_MOST = 65536
CHANNEL, LIFELINE = 3, 4  #: the child's descriptors
BROKE = "broke"  #: in an answer: its module raised what it should not
_BUG = "this is a mistake in Tillwatch or in a library of its: tell its makers"
_ABOVE = 10  # no descriptor of ours is in the way of these

_MAIN = str(Path(__file__).with_name("child_main.py"))
_PACKAGE = str(Path(drivers.__file__).parents[1])


class NotYet(LinkUnusable):
    """The answer is still to come, and it is too early to call that a hang."""

    hint = "it is tried again by itself"


class Child:
    """`ask` may be called from any thread.

    `hang_s`: an answer that is not there at the deadline is a hang only after so long. `rest_s`: a hang is
    likely to be the next caller's too, so that it is not tried again for so long, then twice that; and
    until something has answered again, what is not answered in time is stuck too. `hint` is what a technician
    does.
    """

    def __init__(
        self, module: str, *, hang_s: float = 0.0, rest_s: float = 0.0, hint: str | None = None
    ) -> None:
        self._module = module
        self._hang_s = hang_s
        self._first_rest_s = self._rest_s = rest_s
        self._rests_until_s = -math.inf
        self._hint = hint
        self._hung = False
        self._lock = threading.Lock()
        self._pid = 0
        self._channel: socket.socket | None = None
        self._lifeline = -1
        self._lost: list[int] = []
        self._last = 0
        self._ready = False
        self._waits_since_s = 0.0

    @property
    def pid(self) -> int:
        """Of the child that runs; 0 where none does."""
        return self._pid

    def ask(self, request: Mapping[str, Json], deadline: Deadline) -> dict[str, Json]:
        """The child's answer; raises Stuck where it was killed for it, NotYet, or LinkLost where it broke."""
        if not self._lock.acquire(timeout=deadline.remaining_s()):
            if self._hung:
                raise self._stuck("still no answer")
            raise NotYet(f"{self._name}: another call is in progress")
        try:
            return self._ask(request, deadline)
        finally:
            self._lock.release()

    def tidy(self) -> None:
        """Take note of a child that ended by itself; at once."""
        if (self._pid or self._lost) and self._lock.acquire(blocking=False):
            try:
                self._look()
            finally:
                self._lock.release()

    def stop(self) -> None:
        """End it, at the latest after STOP_S. The next `ask` starts another."""
        with self._lock:
            pid = self._pid
            self._let_go()
            if pid and not _ended(pid, STOP_S):
                self._kill(pid)

    # -- asking ------------------------------------------------------------------------------------

    @property
    def _name(self) -> str:
        return self._module.rpartition(".")[2].removesuffix("_child")

    def _ask(self, request: Mapping[str, Json], deadline: Deadline) -> dict[str, Json]:
        self._look()
        now_s = deadline.clock.monotonic_s()
        if now_s < self._rests_until_s:
            raise self._stuck("a call did not come back; it is tried again in a moment")
        if self._channel is None:
            self._start(now_s)
        elif not self._waits_since_s:
            self._waits_since_s = now_s
        self._last += 1
        self._send({**request, "id": self._last})
        while True:
            said = self._receive(deadline)
            if said is None:
                raise self._late(deadline.clock.monotonic_s())
            now_s = deadline.clock.monotonic_s()
            if "ready" in said:
                self._ready, self._waits_since_s = True, now_s
            elif said.get("id") == self._last:
                self._waits_since_s, self._rest_s, self._hung = 0.0, self._first_rest_s, False
                if BROKE in said:
                    raise LinkUnusable(f"{self._name}: the helper broke: {said[BROKE]}", hint=_BUG)
                return said
            else:
                self._waits_since_s = now_s  # the answer to one that was given up; the next is on its way

    def _late(self, now_s: float) -> Stuck | NotYet:
        waited_s = now_s - self._waits_since_s
        if waited_s < (self._hang_s if self._ready else START_S):
            return self._stuck("still no answer") if self._hung else NotYet(f"{self._name}: no answer yet")
        self._hung = self._first_rest_s > 0
        self._rests_until_s = now_s + self._rest_s
        self._rest_s = min(2 * self._rest_s, REST_LONGEST_S)
        pid = self._pid
        self._let_go()
        self._kill(pid)
        return self._stuck(f"a call did not come back in {waited_s:.1f} s and was given up")

    def _stuck(self, what: str) -> Stuck:
        return Stuck(f"{self._name}: {what}", hint=self._hint)

    def _send(self, request: Mapping[str, Json]) -> None:
        if self._channel is None:
            raise self._broke()
        try:
            self._channel.send(json.dumps(request).encode())
        except BlockingIOError:
            raise NotYet(f"{self._name}: it is far behind") from None
        except OSError:
            raise self._broke() from None

    def _receive(self, deadline: Deadline) -> dict[str, Json] | None:
        """The next message; None at the deadline."""
        if self._channel is None:
            raise self._broke()
        poller = select.poll()
        poller.register(self._channel, select.POLLIN)
        if not poller.poll(math.ceil(1000 * deadline.remaining_s())):
            return None
        try:
            said = json.loads(self._channel.recv(MESSAGE_MOST) or b"null")
        except (OSError, ValueError):
            said = None
        if not isinstance(said, dict):
            raise self._broke()
        return said

    def _broke(self) -> LinkLost:
        pid = self._pid
        self._let_go()
        if pid:
            self._kill(pid)
        return LinkLost(f"{self._name}: the helper process ended", hint="it is started again by itself")

    # -- the process ---------------------------------------------------------------------------------

    def _start(self, now_s: float) -> None:
        if len(self._lost) >= LOST_MOST:
            raise self._stuck(f"{len(self._lost)} calls hang in the kernel")
        with contextlib.ExitStack() as ours, contextlib.ExitStack() as passed:
            try:
                channel, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
                ours.enter_context(channel)
                passed.enter_context(theirs)
                until, lifeline = os.pipe()
                ours.callback(os.close, lifeline)
                passed.callback(os.close, until)
                given = []
                for descriptor in (theirs.fileno(), until):
                    given.append(fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, _ABOVE))
                    passed.callback(os.close, given[-1])
                channel.setblocking(False)
                self._pid = self._spawn(*given)
            except OSError as error:  # out of descriptors, of processes, of memory
                why = f"{self._name}: cannot start a helper: {error.strerror}"
                raise LinkUnusable(why, hint="it is tried again by itself") from error
            ours.pop_all()
        self._channel, self._lifeline = channel, lifeline
        self._ready, self._waits_since_s = False, now_s

    def _spawn(self, channel: int, lifeline: int) -> int:
        return os.posix_spawn(
            sys.executable,
            # Without site-packages' own start-up files, which cost time and memory.
            [sys.executable, "-I", "-S", _MAIN, self._module, _PACKAGE, *filter(None, sys.path)],
            os.environ,
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                (os.POSIX_SPAWN_DUP2, 2, 1),
                (os.POSIX_SPAWN_DUP2, channel, CHANNEL),
                (os.POSIX_SPAWN_DUP2, lifeline, LIFELINE),
            ],
            setpgroup=0,  # a Ctrl-C is for the agent
            setsigmask=[],
        )

    def _look(self) -> None:
        """What ended meanwhile is reaped."""
        self._lost = [pid for pid in self._lost if not _ended(pid, 0)]
        if self._pid and _ended(self._pid, 0):
            self._let_go()

    def _let_go(self) -> None:
        channel, self._channel = self._channel, None
        lifeline, self._lifeline = self._lifeline, -1
        self._pid, self._ready, self._waits_since_s = 0, False, 0.0
        if channel is not None:
            channel.close()
            os.close(lifeline)

    def _kill(self, pid: int) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        if not _ended(pid, REAP_S):
            self._lost.append(pid)  # it hangs in the kernel, which lets it go when it pleases


def _ended(pid: int, within_s: float) -> bool:
    """Whether a child of ours has ended; it is reaped then."""
    if within_s:
        with contextlib.suppress(OSError):
            descriptor = os.pidfd_open(pid)
            try:
                poller = select.poll()
                poller.register(descriptor, select.POLLIN)
                poller.poll(1000 * within_s)
            finally:
                os.close(descriptor)
    try:
        return os.waitpid(pid, os.WNOHANG)[0] != 0
    except ChildProcessError:
        return True
