"""A serial port: a real pty, linked at a path, at a line's speed.

Unplugged: link removed, master closed. Plugged again: a new pty at the same path. The master sees the speed
that the host has set; another than ours garbles both ways. A busy device lets the host's bytes wait in the
tty. While no host has the port open, what the device says is lost, as on a real line.
"""

from __future__ import annotations

import errno
import os
import select
import termios
import time
import tty
from pathlib import Path

from simulator.doors import uart
from simulator.doors.door import DoorError, Inside
from simulator.doors.line import Line
from simulator.loop import Loop

LOOK_S = 0.05
"""How often a port that nobody has open is looked at: the kernel tells of a hang-up, not of its end."""
AHEAD_BYTES = 256
_READ_LUMP, _WRITE_LUMP = 64, 16
_SPEEDS = {
    getattr(termios, name): int(name[1:]) for name in dir(termios) if name[1:].isdigit() and name[0] == "B"
}


class TtyDoor:
    """`simulator.doors.door.Door` for `tty:`."""

    def __init__(self, path: Path, baud: int, loop: Loop) -> None:
        self._path = path
        self._baud = baud
        self._loop = loop
        self._to_device = Line(uart.byte_s(baud), _READ_LUMP)
        self._to_host = Line(uart.byte_s(baud), _WRITE_LUMP)
        self._master: int | None = None
        self._node = ""
        self._look_s: float | None = None  #: when to see whether a host has opened the port
        self._inside: Inside

    def open(self, inside: Inside, now_s: float) -> None:
        self._inside = inside
        if self._path.exists() and not self._path.is_symlink():
            raise DoorError(f"tty:{self._path}: a file stands there that is no link; choose another path")
        try:
            self._plug(now_s)
        except OSError as error:
            raise DoorError(
                f"tty:{self._path}: {error.strerror}; choose a folder that can be written"
            ) from error

    def address(self) -> str:
        return f"tty:{self._path}?baud={self._baud}"

    def follow(self, *, plugged: bool, powered: bool, now_s: float) -> None:  # noqa: ARG002 - a tty stays without power
        if plugged and self._master is None:
            self._plug(now_s)
        elif not plugged and self._master is not None:
            self._unplug(self._master)

    def close(self) -> None:
        if self._master is not None:
            self._unplug(self._master)

    def _plug(self, now_s: float) -> None:
        master, slave = os.openpty()
        tty.setraw(slave)
        settings = termios.tcgetattr(slave)
        settings[4] = settings[5] = getattr(termios, f"B{self._baud}")
        termios.tcsetattr(slave, termios.TCSANOW, settings)
        self._node = os.ttyname(slave)
        os.close(slave)
        os.set_blocking(master, False)
        try:
            self._link()
        except OSError:
            os.close(master)
            raise
        self._master, self._look_s = master, now_s

    def _link(self) -> None:
        beside = self._path.with_name(f".{self._path.name}.{os.getpid()}")
        beside.unlink(missing_ok=True)
        beside.symlink_to(self._node)
        beside.replace(self._path)

    def _unplug(self, master: int) -> None:
        if self._path.is_symlink() and str(self._path.readlink()) == self._node:
            self._path.unlink()
        self._loop.unwatch(master)
        os.close(master)
        self._master, self._look_s = None, None
        self._to_device.clear()
        self._to_host.clear()

    def put(self, data: bytes, now_s: float) -> None:
        if self._master is not None and self._look_s is None:
            self._to_host.put(uart.heard(data, self._baud, self._host_baud(self._master)), now_s)

    def next_s(self, now_s: float) -> float | None:  # noqa: ARG002
        moments = [self._to_host.next_s(), self._look_s]
        if self._inside.room():
            moments.append(self._to_device.next_s())
        return min((moment for moment in moments if moment is not None), default=None)

    def tick(self, now_s: float) -> None:
        if self._master is None:
            return
        if self._look_s is not None and self._look_s <= now_s:
            self._look_s = None if _in_use(self._master) else now_s + LOOK_S
        if self._inside.room() and (data := self._to_device.take(now_s)):
            self._inside.deliver(data, now_s)
        if said := self._to_host.take(now_s):
            self._write(self._master, said)
        self._listen(self._master)

    def _listen(self, master: int) -> None:
        """Read only what can be worked on; the rest waits with the host."""
        if self._look_s is None and self._inside.room() and self._to_device.waiting_bytes < AHEAD_BYTES:
            self._loop.watch(master, self._read)
        else:
            self._loop.unwatch(master)

    def _read(self) -> None:
        master = self._master
        if master is None:
            return
        now_s = time.monotonic()
        try:
            data = os.read(master, AHEAD_BYTES)
        except BlockingIOError:
            return
        except OSError as error:
            if error.errno != errno.EIO:
                raise
            self._hung_up(master, now_s)
            return
        self._to_device.put(uart.heard(data, self._host_baud(master), self._baud), now_s)

    def _write(self, master: int, data: bytes) -> None:
        try:
            os.write(master, data)
        except BlockingIOError:
            return  # the host does not read: its side overflows, as a real port's does

    def _hung_up(self, master: int, now_s: float) -> None:
        """The host closed the port: what it has not read is gone."""
        self._loop.unwatch(master)
        self._look_s = now_s + LOOK_S
        self._to_host.clear()
        node = os.open(self._node, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        termios.tcflush(node, termios.TCIFLUSH)
        os.close(node)

    def _host_baud(self, master: int) -> int:
        """The speed the host has set; one that has no name (B0, a custom one) is taken for ours."""
        return _SPEEDS.get(termios.tcgetattr(master)[5]) or self._baud


def _in_use(master: int) -> bool:
    """A host has the port open, or left something in it."""
    poll = select.poll()
    poll.register(master, select.POLLIN)
    return not any(event & select.POLLHUP and not event & select.POLLIN for _, event in poll.poll(0))
