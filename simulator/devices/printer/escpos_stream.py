"""What arrives at an ESC/POS printer, taken apart: real-time commands, print data, everything else.

Two readers of the same bytes, as in the manual (TM-T88III p84-85, 318): real-time commands are seen
wherever they stand, even inside an image; the rest is cut into commands, one after the other. A real-time
command that stands between two commands is not print data; inside one it is part of it.
"""

from __future__ import annotations

from collections.abc import Iterator

from simulator.devices.printer.command import Command, Role
from simulator.devices.printer.escpos_commands import COMMANDS, DLE
from simulator.devices.printer.stream import PRINTABLE_FROM, CommandStream, Token, by_lead, is_real_time

_REAL_TIME = tuple(c for c in COMMANDS if c.role is Role.REAL_TIME)
_BY_LEAD = by_lead(COMMANDS)


def real_time(buffer: bytes, at: int) -> tuple[Command, int] | int | None:
    """The real-time command at `at` and its end; or how many bytes would tell; or None: there is none."""
    for command in _REAL_TIME:
        seen = buffer[at : at + len(command.prefix)]
        if seen != command.prefix[: len(seen)]:
            continue
        if len(seen) < len(command.prefix):
            return len(command.prefix)
        end = at + len(seen) + command.length(buffer[at + len(seen) :])
        return (command, end) if end <= len(buffer) else end - at
    return None


class RealTimeScanner:
    """Finds real-time commands in a stream, however it is cut into pieces."""

    def __init__(self) -> None:
        self._tail = b""  #: the beginning of what may become a real-time command

    def split(self, data: bytes) -> Iterator[tuple[bytes, Token | None]]:
        """The stream in pieces, each with the real-time command that it ends with, if any."""
        known = len(self._tail)
        buffer = self._tail + data
        done, at = known, buffer.find(DLE)
        self._tail = b""
        while at >= 0:
            found = real_time(buffer, at)
            if isinstance(found, int):
                self._tail = buffer[at:]
                break
            if found is None:
                at = buffer.find(DLE, at + 1)
                continue
            command, end = found
            yield buffer[done:end], Token(command, buffer[at:end])
            done, at = end, buffer.find(DLE, end)
        if done < len(buffer):
            yield buffer[done:], None

    def clear(self) -> None:
        self._tail = b""


class EscposStream(CommandStream):
    """Real-time commands are left out: `RealTimeScanner` finds them."""

    def __init__(self) -> None:
        super().__init__()
        self.prints_unknown = True  #: what it does not know loses its first byte and is printed as text

    def feed(self, data: bytes) -> list[Token]:
        return [token for token in super().feed(data) if not is_real_time(token)]

    def _next(self) -> Token | None:
        lead = self._held[0]
        if lead >= PRINTABLE_FROM:
            return self._characters()
        if lead not in _BY_LEAD:
            return self._drop(1)
        if command := self._begun(_BY_LEAD[lead]):
            return self._command(command)
        if len(self._held) < 2:
            return None
        return self._drop(1 if self.prints_unknown else 2)

    def _command(self, command: Command) -> Token | None:
        begun = len(self._held) >= len(command.prefix)
        if begun and self.prints_unknown and command.name in self.unknown:
            return self._drop(1)
        return super()._command(command)
