"""The till's door as a tty: a pty of ours, linked at a stable path.

A pty has no modem lines (setting or reading them gives ENOTTY). What the till sets otherwise, speed and flow
control, can be read on our end and is passed on to the real line.
"""

from __future__ import annotations

import errno
import fcntl
import grp
import os
import select
import struct
import termios
import tty
from pathlib import Path

from agent.pass_through.till import Line
from drivers.errors import AddressError, HeldByOther, LinkUnusable
from drivers.link.address import TillTty

_TERMIOS2 = struct.Struct(
    "=4IB19s2I"
)  # struct termios2 (asm-generic/termbits.h): it has every speed as a number
_TCGETS2 = 0x802C542A
_IFLAG, _CFLAG, _OSPEED = 0, 2, 7
_CRTSCTS = 0o20000000000
_WAITING = struct.Struct("i")


class TtyTill:
    """`agent.pass_through.till.Till` for `tty:`. Made by the supervisor, used by each worker."""

    edge = True  # the kernel tells of a hang-up again and again, and of its end only by the next byte
    each_connects = False

    def __init__(self, at: TillTty, baud: int) -> None:
        """`baud`: how the line is set before any till has."""
        self._at = at
        self._baud = baud
        self._path = Path(at.path)
        self.connected = self.ended = self.spent = False
        try:
            taken = self._path.exists() and not self._path.is_symlink()
        except OSError as error:
            raise _no_place(self._path, error) from error
        if taken:
            raise HeldByOther(
                f"tty:{self._path}: a file stands there that is no link", hint="choose another path"
            )
        self._open()

    def _open(self) -> None:
        self._master, slave = os.openpty()
        try:
            self._node = os.ttyname(slave)
            tty.setraw(slave)
            _set_speed(slave, self._baud)
            _give(self._node, self._at)
            os.set_blocking(self._master, False)
            self._link()
        except OSError as error:
            os.close(self._master)
            raise _no_place(self._path, error) from error
        except BaseException:
            os.close(self._master)
            raise
        finally:
            os.close(slave)

    def fileno(self) -> int:
        return self._master

    def came(self) -> bool:
        if not self.connected:
            self.connected = not self._deserted()
            self.ended = False
        return self.connected

    def _deserted(self) -> bool:
        """Nobody has it open, and nothing is left in it: one may have come and gone."""
        poll = select.poll()
        poll.register(self._master, select.POLLIN)
        return any(event & select.POLLHUP and not event & select.POLLIN for _, event in poll.poll(0))

    def waiting_bytes(self) -> int:
        return int(_WAITING.unpack(fcntl.ioctl(self._master, termios.FIONREAD, bytes(4)))[0])

    def read(self, most: int) -> bytes:
        try:
            return os.read(self._master, most)
        except BlockingIOError:
            return b""
        except OSError as error:
            if error.errno != errno.EIO:
                raise
            self.ended = True
            return b""

    def write(self, data: bytes) -> None:
        try:
            os.write(self._master, data)
        except BlockingIOError:
            return  # the till does not read: its side overflows, as a real port's does
        except OSError as error:
            if error.errno != errno.EIO:
                raise

    def line(self) -> Line | None:
        settings = _TERMIOS2.unpack(fcntl.ioctl(self._master, _TCGETS2, bytes(_TERMIOS2.size)))
        return Line(
            baud=settings[_OSPEED],
            rtscts=bool(settings[_CFLAG] & _CRTSCTS),
            xonxoff=bool(settings[_IFLAG] & termios.IXON),
        )

    def hang_up(self, *, reset: bool = False) -> None:  # noqa: ARG002 - a line cannot be reset
        """The till has gone: what it has not read is not for the next one."""
        self.connected = self.ended = False
        self.spent = not self._flush()

    def renew(self) -> None:
        """Another tty at the same path, where the last till locked this one and went. The supervisor's to do.

        TIOCEXCL on a pty holds until its master is closed: a till that ends without taking it back could
        never open it again, nor could we, who are not root.
        """
        if self._deserted() and not self._flush() and self._deserted():
            old = self._master
            self._open()
            os.close(old)
        self.spent = False

    def _flush(self) -> bool:
        """What the last till has not read is gone, and its lock; False if that locks us out, too."""
        try:
            slave = os.open(self._node, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as error:
            if error.errno != errno.EBUSY:
                raise
            return False
        fcntl.ioctl(slave, termios.TIOCNXCL)
        termios.tcflush(slave, termios.TCIFLUSH)
        os.close(slave)
        return True

    def close(self) -> None:
        if self._path.is_symlink() and str(self._path.readlink()) == self._node:
            self._path.unlink()
        os.close(self._master)

    def _link(self) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        beside = self._path.with_name(f".{self._path.name}.{os.getpid()}")
        beside.unlink(missing_ok=True)
        beside.symlink_to(self._node)
        beside.replace(self._path)


def _set_speed(slave: int, baud: int) -> None:
    """One that has no name cannot be set this way; the till sets its own anyway."""
    speed = getattr(termios, f"B{baud}", None)
    if speed is not None:
        settings = termios.tcgetattr(slave)
        settings[4] = settings[5] = speed
        termios.tcsetattr(slave, termios.TCSANOW, settings)


def _no_place(path: Path, error: OSError) -> LinkUnusable:
    return LinkUnusable(f"tty:{path}: {error.strerror}", hint="its folder must be writable for this user")


def _give(node: str, at: TillTty) -> None:
    """Mode and group, as configured."""
    if at.group:
        try:
            group = grp.getgrnam(at.group).gr_gid
        except KeyError:
            raise AddressError(
                f"tty:{at.path}: there is no group {at.group!r}", hint="make it, or name another"
            ) from None
        try:
            os.chown(node, -1, group)
        except PermissionError:
            raise LinkUnusable(
                f"tty:{at.path}: this user may not give it to the group {at.group!r}", hint="make it a member"
            ) from None
    Path(node).chmod(at.mode)
