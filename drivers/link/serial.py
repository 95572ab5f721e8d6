"""A serial line, through pyserial for its settings and poll(2) for its bytes.

pyserial's own reads and writes are not used: a write without room blocks for ever or loses count,
`readline` has no bound and `flush` may never return.
"""

from __future__ import annotations

import contextlib
import errno
import os
import select
import termios

import serial

from drivers.api import Deadline
from drivers.errors import Absent, HeldByOther, LinkError, LinkLost, LinkUnusable, NoPermission
from drivers.link.address import SerialAddress
from drivers.link.wake import Waiter

READ_BYTES = 4096

_OPEN_ERRORS: dict[int, type[LinkError]] = {
    errno.ENOENT: Absent,
    errno.ENODEV: Absent,
    errno.ENXIO: Absent,
    errno.EIO: Absent,  # a node with nothing behind it: an unfitted UART, the rest of a pty
    errno.EACCES: NoPermission,
    errno.EPERM: NoPermission,
    errno.EAGAIN: HeldByOther,  # flock
    errno.EBUSY: HeldByOther,  # somebody's TIOCEXCL
}


class SerialLink:
    """One tty. Opened once and kept; the lock is advisory, so that a person can still look in."""

    scheme = "serial"
    held = True
    proves_power = False

    def __init__(self, address: SerialAddress) -> None:
        self._address = address
        self._waiter = Waiter()
        self._port: serial.Serial | None = None

    def open(self, deadline: Deadline) -> None:  # noqa: ARG002 - opening a tty without O_NONBLOCK would wait; this does not
        if self._port is not None:
            return
        at = self._address
        port = serial.Serial(
            None,
            baudrate=at.baud,
            bytesize=at.bits,
            parity=at.parity,
            rtscts=at.flow == "rtscts",
            xonxoff=at.flow == "xonxoff",
            exclusive=True,  # flock
            timeout=0,
            write_timeout=0,
        )
        port.port = at.path
        try:
            port.open()
            _settle(port.fileno(), at)
        except (OSError, termios.error) as error:
            port.close()
            raise _open_error(at, error) from error
        self._port = port

    def close(self) -> None:
        port, self._port = self._port, None
        if port is None:
            return
        # Without this, close(2) waits up to 30 s for a device that takes nothing.
        with contextlib.suppress(OSError, termios.error):
            termios.tcflush(port.fileno(), termios.TCOFLUSH)
        with contextlib.suppress(OSError):
            port.close()

    def is_open(self) -> bool:
        return self._port is not None

    def read(self, deadline: Deadline) -> bytes:
        if self._port is None:
            self._waiter.wait(None, 0, deadline)
            return b""
        descriptor = self._port.fileno()
        if not self._waiter.wait(descriptor, select.POLLIN, deadline):
            return b""
        try:
            data = os.read(descriptor, READ_BYTES)
        except BlockingIOError:
            return b""
        except OSError as error:
            raise self._lost(error.strerror) from error
        if not data:  # readable and empty: the kernel's word for a hang-up
            raise self._lost("hung up")
        return data

    def write(self, data: bytes, deadline: Deadline) -> int:
        if self._port is None:
            raise self._lost("not open")
        descriptor = self._port.fileno()
        sent = 0
        while sent < len(data):
            try:
                sent += os.write(descriptor, data[sent:])
            except BlockingIOError:
                if deadline.expired():
                    break
                ready = self._waiter.wait(descriptor, select.POLLOUT, deadline, wakeable=False)
                if ready & (select.POLLHUP | select.POLLERR):
                    raise self._lost("hung up") from None
            except OSError as error:
                raise self._lost(error.strerror) from error
        return sent

    def power_line(self) -> bool | None:
        if self._port is None:
            return None
        try:
            return bool(self._port.dsr)
        except OSError:  # ENOTTY: a line without modem lines, such as a pty
            return None

    def busy(self) -> bool:
        return False

    def fileno(self) -> int:
        """The descriptor, for a poll(2) of the caller's own; -1 while closed."""
        return -1 if self._port is None else self._port.fileno()

    def waiting_bytes(self) -> int:
        """So many written bytes have not left yet."""
        if self._port is None:
            return 0
        try:
            return int(self._port.out_waiting)
        except OSError as error:
            raise self._lost(error.strerror) from error

    def set_line(self, *, baud: int, rtscts: bool, xonxoff: bool) -> None:
        """Another speed or flow control, on the open port; raises LinkError where the port refuses it."""
        if self._port is None:
            raise self._lost("not open")
        try:
            self._port.apply_settings({"baudrate": baud, "rtscts": rtscts, "xonxoff": xonxoff})
        except (OSError, ValueError, termios.error) as error:
            raise LinkUnusable(f"{self._address.path}: the port refuses {baud} baud: {error}") from error

    def wake(self) -> None:
        self._waiter.wake()

    def _lost(self, why: str | None) -> LinkLost:
        return LinkLost(f"{self._address.path}: the line broke: {why}")


def _settle(descriptor: int, at: SerialAddress) -> None:
    """Check that the port took its settings, and clear HUPCL."""
    attributes = termios.tcgetattr(descriptor)
    flags = attributes[2]
    size = termios.CS7 if at.bits == 7 else termios.CS8
    # A pty may drop parity and seven bits without a word.
    if flags & termios.CSIZE != size or bool(flags & termios.PARENB) != (at.parity != "N"):
        raise termios.error(errno.EINVAL, os.strerror(errno.EINVAL))
    # Closing must not drop DTR, which some printers take for a reset.
    attributes[2] = flags & ~termios.HUPCL
    termios.tcsetattr(descriptor, termios.TCSANOW, attributes)


def _open_error(at: SerialAddress, error: OSError | termios.error) -> LinkError:
    number = error.args[0] if error.args and isinstance(error.args[0], int) else None
    kind = _OPEN_ERRORS.get(number or 0, LinkUnusable)
    said = os.strerror(number) if number else str(error)
    if number == errno.EINVAL:
        settings = f"{at.baud} baud, {at.bits}{at.parity}, flow {at.flow}"
        return LinkUnusable(
            f"{at.path}: the port refuses {settings}",
            hint="a pseudo-terminal takes only 8 bits without parity",
        )
    return kind(f"{at.path}: cannot open: {said}")
