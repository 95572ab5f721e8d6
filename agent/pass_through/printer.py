"""The device's own link as a lane uses it: opened when wanted, read and written without waiting."""

from __future__ import annotations

import logging
import math

from agent.pass_through.till import Line
from drivers.api import Deadline, SystemClock
from drivers.errors import AddressError, LinkError
from drivers.link import address as addresses
from drivers.link.serial import SerialLink
from drivers.link.shared_wire import OPEN
from drivers.link.tcp import TcpLink
from drivers.link.usb.usblp import UsblpLink

AHEAD_BYTES = 8192
SERIAL_AGAIN_S = 0.3
TCP_AGAIN_S = 3.0
JUST_S = 0.5
EMPTY_S = 0.02  #: a printer that brings nothing, at once and always, is listened to no more often than this
LOOK_S = 0.2  #: at the line that shows the device's power

CLOCK = SystemClock()


class Printer:
    """One device. Methods that read and write raise LinkError; `lost` is to be called then."""

    def __init__(self, device: str, link: str) -> None:
        place = addresses.parse(link)
        self._link: SerialLink | TcpLink | UsblpLink
        self._usblp: UsblpLink | None = None
        if isinstance(place, addresses.SerialAddress):
            self._link = SerialLink(place)
            self.kept, self.network, self._again_s = True, False, SERIAL_AGAIN_S
            self._line: Line | None = Line(place.baud, place.flow == "rtscts", place.flow == "xonxoff")
            self._char_bits = 2 + place.bits + (place.parity != "N")
        elif isinstance(place, addresses.UsbAddress) and not isinstance(place, addresses.HidAddress):
            self._link = self._usblp = UsblpLink(place)
            self.kept, self.network, self._again_s = True, False, SERIAL_AGAIN_S
            self._line = None
            self._char_bits = 0
        elif not isinstance(place, addresses.TcpAddress):
            raise AddressError(f"{link}: a device behind such a link cannot be shared")
        else:
            self._link = TcpLink(place, ahead_bytes=AHEAD_BYTES)
            self.kept, self.network, self._again_s = place.hold, True, TCP_AGAIN_S
            self._line = None
            self._char_bits = 0
        self._configured = self._line
        self._log = logging.getLogger(f"tillwatch.device.{device}")
        self.trouble: LinkError | None = None
        self.next_try_s = 0.0
        self.listens_at_s = 0.0
        self._failed_s = -math.inf
        self._power: bool | None = None
        self._look_s = 0.0
        self._left_s = 0.0  # when the last byte has left, by the line's speed
        self.shut = False  #: nothing more will be written over this connection

    @property
    def is_open(self) -> bool:
        return self._link.is_open()

    @property
    def code(self) -> str:
        if self.is_open:
            return OPEN
        return self.trouble.code if self.trouble else "closed"

    @property
    def baud(self) -> int:
        return self._line.baud if self._line else 0

    @property
    def byte_s(self) -> float:
        """What one byte takes on the line; 0 where that is not known."""
        return self._char_bits / self._line.baud if self._line else 0.0

    def fileno(self) -> int:
        return self._link.fileno()

    def open(self, within_s: float) -> bool:
        """Try it; `trouble` says why not."""
        if self.is_open:
            return True
        try:
            self._link.open(Deadline.after(CLOCK, within_s))
            if (
                self._line is not None
                and self._line != self._configured
                and isinstance(self._link, SerialLink)
            ):
                self._apply(self._link, self._line)
        except LinkError as error:
            self._note(error)
            self._failed_s = CLOCK.monotonic_s()
            return False
        if self.trouble is not None:
            self._log.info("the link is open again")
        self.trouble, self.shut, self._look_s = None, False, 0.0
        return True

    def just_tried(self) -> bool:
        """In vain, a moment ago; another attempt would only take time from the till."""
        return CLOCK.monotonic_s() - self._failed_s < JUST_S

    def lost(self, error: LinkError) -> None:
        self._note(error)

    def close(self) -> None:
        self._link.close()

    def read(self) -> bytes:
        data = self._link.read(Deadline(CLOCK, 0.0))
        if self._usblp is not None and self._usblp.empty > 1:
            self.listens_at_s = CLOCK.monotonic_s() + EMPTY_S
        return data

    def write(self, data: bytes) -> int:
        count = self._link.write(data, Deadline(CLOCK, 0.0))
        self._left_s = max(self._left_s, CLOCK.monotonic_s()) + count * self.byte_s
        return count

    def waiting_bytes(self) -> int:
        """Written and not gone yet, as the system says."""
        try:
            return self._link.waiting_bytes()
        except LinkError:  # it broke; the next read tells
            return 0

    def unsent_bytes(self) -> int:
        """Of these, what would be lost with this process: a connection delivers them all the same."""
        return 0 if self.network else self.waiting_bytes()

    def leaving(self, now_s: float) -> bool:
        """Some of what was written is still on its way out."""
        return self.is_open and (now_s < self._left_s or self.waiting_bytes() > 0)

    def end_writing(self) -> None:
        """Pass on that the till will write no more."""
        self.shut = True
        if isinstance(self._link, TcpLink):
            self._link.shut()

    def power_line(self, now_s: float) -> bool | None:
        if now_s >= self._look_s:
            self._look_s = now_s + LOOK_S
            self._power = self._link.power_line()
        return self._power

    def follows(self, line: Line, now_s: float) -> bool:
        """Whether the real line is set as the till's is; if it can be now, it is set so."""
        if self._line is None or self._configured is None or not isinstance(self._link, SerialLink):
            return True
        wanted = Line(
            line.baud or self._line.baud,  # B0 means to hang up, which we do not do to a shared device
            line.rtscts or self._configured.rtscts,
            line.xonxoff or self._configured.xonxoff,
        )
        if wanted == self._line:
            return True
        if self.is_open:
            if self.leaving(now_s):
                return False  # what was written at the old speed leaves at the old speed
            try:
                self._apply(self._link, wanted)
            except LinkError as error:
                self._log.warning("%s", error)
        self._line = wanted
        return True

    def _apply(self, link: SerialLink, line: Line) -> None:
        link.set_line(baud=line.baud, rtscts=line.rtscts, xonxoff=line.xonxoff)

    def _note(self, error: LinkError) -> None:
        if self.trouble is None or self.trouble.code != error.code:
            self._log.warning("%s; %s", str(error), error.hint)
        # A copy: the error itself would keep the frames it passed through, and all they hold.
        self.trouble = type(error)(str(error), hint=error.hint)
        self._link.close()
        self.next_try_s = CLOCK.monotonic_s() + self._again_s
