"""The link to a device that is shared with the till: through the pass-through, not to the device itself.

To a driver it is a link like the device's own. While a job of the till's is in progress, `busy` says so.
"""

from __future__ import annotations

import contextlib
import select
import socket
from collections import deque
from pathlib import Path

from drivers import errors
from drivers.api import Deadline
from drivers.errors import LinkError, LinkLost, PassThroughDown
from drivers.link import address as addresses
from drivers.link.shared_wire import (
    FRAME_MOST,
    OPEN,
    QUESTION_MOST,
    Ask,
    Frame,
    Heard,
    Leave,
    Open,
    Print,
    Printed,
    State,
    decode,
    encode,
)
from drivers.link.unix import short_address
from drivers.link.wake import Waiter

HEARD_MOST = 64  #: messages kept while something else is waited for
BUSY_S = 4.0  #: connecting to a device that is not there, for the till, takes no longer than that

_TROUBLES: dict[str, type[LinkError]] = {
    kind.code: kind
    for kind in vars(errors).values()
    if isinstance(kind, type) and issubclass(kind, LinkError)
}


class SharedLink:
    """One device, by way of the socket at `path`. `link` is the address of the device's own link.

    The socket stays connected when the link is closed: so the till's doings are heard all the time.
    """

    def __init__(self, path: Path, link: str) -> None:
        place = addresses.parse(link)
        self.scheme: str = place.scheme
        self.held = not isinstance(place, addresses.TcpAddress) or place.hold
        self.proves_power = not isinstance(place, addresses.SerialAddress)
        self.state: State | None = None  #: what was last said; None until the pass-through was reached
        self._path = path
        self._waiter = Waiter()
        self._socket: socket.socket | None = None
        self._open = False
        self._token = 0
        self._asked_s: float | None = None  # since then it has not answered
        self._heard: deque[bytes] = deque(maxlen=HEARD_MOST)
        self._printed: int | None = None

    def open(self, deadline: Deadline) -> None:
        if self._open:
            return
        self._connect(deadline)
        self._heard.clear()
        self._token += 1
        if self._asked_s is None:
            self._asked_s = deadline.clock.monotonic_s()
        self._send(Open(self._token))
        while self.state is None or self.state.opened != self._token:
            if deadline.expired():
                raise self._unanswered(deadline.clock.monotonic_s() - self._asked_s)
            self._take(deadline)
        self._asked_s = None
        if self.state.link != OPEN:
            kind = _TROUBLES.get(self.state.link, LinkError)
            raise kind(self.state.text, hint=self.state.hint or None)
        self._open = True

    def _unanswered(self, for_s: float) -> LinkError:
        """It may be busy connecting to the device; if it is for too long, it hangs."""
        if for_s >= BUSY_S:
            self._hang_up()
            return PassThroughDown(f"{self._path}: the pass-through does not answer")
        if self.state is not None and self.state.link in _TROUBLES:
            return _TROUBLES[self.state.link](self.state.text, hint=self.state.hint or None)
        return self._lost("the pass-through does not answer yet")

    def close(self) -> None:
        if self._open:
            self._open = False
            with contextlib.suppress(LinkError):
                self._send(Leave())
        self._heard.clear()

    def end(self) -> None:
        """Close, and hang up: the till's doings are not heard any more."""
        self.close()
        self._hang_up()

    def is_open(self) -> bool:
        return self._open

    def read(self, deadline: Deadline) -> bytes:
        """As of any link; `b""` also when the till began or ended something."""
        if self._socket is None:
            self._waiter.wait(None, 0, deadline)
            return b""
        if not self._open:  # nobody but `open` is told of troubles then
            with contextlib.suppress(LinkError):
                self._listen(deadline)
            return b""
        return self._listen(deadline)

    def _listen(self, deadline: Deadline) -> bytes:
        before = self._doings()
        while not self._heard:
            if self._socket is None or not self._waiter.wait(self._socket.fileno(), select.POLLIN, deadline):
                return b""
            self._take(deadline)
            self._check()
            if self._doings() != before:
                return b""
        return self._heard.popleft()

    def write(self, data: bytes, deadline: Deadline) -> int:
        """A question waits until the till is between two jobs, and is dropped if that takes too long.

        Longer data is printed between two jobs, or not at all.
        """
        if not self._open:
            raise self._lost("not open")
        if len(data) <= QUESTION_MOST:
            self._send(Ask(data))
            return len(data)
        self._printed = None
        self._send(Print(data))
        while self._printed is None and not deadline.expired():
            self._take(deadline)
            self._check()
        return self._printed or 0

    def power_line(self) -> bool | None:
        return self.state.power_line if self.state else None

    def busy(self) -> bool:
        return self.state is not None and self.state.busy

    def wake(self) -> None:
        self._waiter.wake()

    # -- the socket --------------------------------------------------------------------------------

    def _connect(self, deadline: Deadline) -> None:
        if self._socket is not None:
            return
        made = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        made.settimeout(max(0.001, deadline.remaining_s()))
        try:
            with short_address(self._path) as place:
                made.connect(place)
        except PermissionError as error:
            made.close()
            raise errors.NoPermission(
                f"{self._path}: {error.strerror}", hint="run as root or as the service's user"
            ) from error
        except OSError as error:
            made.close()
            self.state = None
            raise PassThroughDown(f"{self._path}: {error.strerror or error}") from error
        made.setblocking(False)
        self._socket, self._token = made, 0
        self.state = None

    def _hang_up(self) -> None:
        made, self._socket = self._socket, None
        self._open, self.state, self._asked_s = False, None, None
        if made is not None:
            made.close()

    def _send(self, frame: Frame) -> None:
        if self._socket is None:
            raise self._lost("not open")
        try:
            self._socket.send(encode(frame))
        except BlockingIOError:
            return  # it is far behind; what is not answered is asked again
        except OSError as error:
            self._hang_up()
            raise self._lost(error.strerror) from error

    def _take(self, deadline: Deadline) -> None:
        """Wait for one message and take it in."""
        if self._socket is None:
            raise self._lost("not open")
        if not self._waiter.wait(self._socket.fileno(), select.POLLIN, deadline, wakeable=False):
            return
        try:
            datagram = self._socket.recv(FRAME_MOST)
        except BlockingIOError:
            return
        except OSError as error:
            self._hang_up()
            raise self._lost(error.strerror) from error
        if not datagram:
            self._hang_up()
            raise self._lost("the pass-through ended")
        match decode(datagram):
            case State() as state:
                self.state = state
            case Heard(data) if self._open:
                self._heard.append(data)
            case Printed(count):
                self._printed = count

    def _check(self) -> None:
        """The device's own link may have broken meanwhile."""
        if self._open and self.state is not None and self.state.link != OPEN:
            self._open = False
            raise LinkLost(self.state.text or "the way to the device broke", hint=self.state.hint or None)

    def _doings(self) -> tuple[bool, bool] | None:
        return (self.state.busy, self.state.till_connected) if self.state else None

    def _lost(self, why: str | None) -> LinkLost:
        return LinkLost(f"{self._path}: {why}", hint="it is tried again by itself")
