"""The till program itself: one sale after the other, over a serial port. A part of a `Loop`.

It does what tills do: opens the port and keeps it, writes as fast as the port takes it, waits where the
port does not, and opens it anew when the line was cut. What it wanted to print then is lost, as it is there.
"""

from __future__ import annotations

import os
import random
import socket
from collections.abc import Callable
from pathlib import Path

from simulator.loop import Loop
from simulator.till.receipts import Sale, sale

LOOK_S = 0.2  #: how often a port that is not there is looked for
WRITE_AGAIN_S = 0.01  #: to a port that takes nothing just now
PORTION_BYTES = 512
READ_BYTES = 4096
RINGING_S = 4.0  #: the longest sale, from its first item to its receipt


class Till:
    """Sells each `each_s`, at `port`; says busy to the datagram socket `say`, if that is given."""

    def __init__(
        self,
        port: Path,
        loop: Loop,
        *,
        each_s: float,
        say: Path | None = None,
        seed: int = 0,
        sent: Callable[[bytes], object] = lambda _data: None,
    ) -> None:
        self._port = port
        self._loop = loop
        self._each_s = each_s
        self._say = say
        self._sent = sent
        self._chance = random.Random(seed)
        self._fd: int | None = None
        self._look_s = 0.0
        self._next_s: float | None = None  # the next sale's first item; None before the first look
        self._sale: Sale | None = None
        self._print_s = 0.0
        self._left = b""
        self.receipts = 0  #: printed to the end

    def open(self) -> None:
        self._loop.parts.append(self)

    def close(self) -> None:
        if self._sale is not None:
            self._say_busy(busy=False)
        self._hang_up(0.0)

    def tick(self, now_s: float) -> None:
        if self._next_s is None:
            self._next_s = now_s + self._each_s / 2
        if self._fd is None:
            self._look(now_s)
        if self._sale is None:
            if now_s >= self._next_s and self._fd is not None:
                self._begin(now_s)
        elif self._left:
            self._print(now_s)
        elif now_s >= self._print_s:
            self._left = self._sale.receipt

    def next_s(self, now_s: float) -> float | None:
        if self._fd is None:
            return self._look_s
        if self._left:
            return now_s + WRITE_AGAIN_S
        return self._next_s if self._sale is None else self._print_s

    def _begin(self, now_s: float) -> None:
        self._sale = sale(self.receipts + 1, self._chance, longest_s=min(RINGING_S, self._each_s / 2))
        self._print_s = now_s + self._sale.ringing_s
        self._say_busy(busy=True)

    def _end(self, now_s: float) -> None:
        self._sale, self._left = None, b""
        self._next_s = now_s + self._each_s
        self._say_busy(busy=False)

    def _print(self, now_s: float) -> None:
        if self._fd is None:
            return
        try:
            count = os.write(self._fd, self._left[:PORTION_BYTES])
        except BlockingIOError:
            return
        except OSError:
            self._hang_up(now_s)
            return
        self._sent(self._left[:count])
        self._left = self._left[count:]
        if not self._left:
            self.receipts += 1
            self._end(now_s)

    def _look(self, now_s: float) -> None:
        if now_s < self._look_s:
            return
        self._look_s = now_s + LOOK_S
        try:
            self._fd = os.open(self._port, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        except OSError:
            return  # not there yet, or again
        self._loop.watch(self._fd, self._read)

    def _read(self) -> None:
        """What the printer says is of no interest to this till, but it must not pile up."""
        if self._fd is None:
            return
        try:
            data = os.read(self._fd, READ_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._hang_up(self._look_s)

    def _hang_up(self, now_s: float) -> None:
        if self._fd is None:
            return
        self._loop.unwatch(self._fd)
        os.close(self._fd)
        self._fd, self._look_s = None, now_s + LOOK_S
        if self._left:  # its receipt is lost with the line
            self._end(now_s)

    def _say_busy(self, *, busy: bool) -> None:
        if self._say is None:
            return
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as out:
            out.setblocking(False)
            try:
                out.sendto(f"X_TILLWATCH_BUSY={int(busy)}\n".encode(), str(self._say))
            except OSError:
                return  # no agent listens; a till does not mind
