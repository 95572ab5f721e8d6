"""What arrives at an ESC/POS printer, taken apart: real-time commands, print data, everything else.

Two readers of the same bytes, as in the manual (TM-T88III p84-85, 318): real-time commands are seen
wherever they stand, even inside an image; the rest is cut into commands, one after the other. A real-time
command that stands between two commands is not print data; inside one it is part of it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from simulator.devices.printer.escpos_commands import COMMANDS, DLE, Command, Role

HELD_BYTES = 1 << 18
"""A longer command is handed on in pieces: an image may claim gigabytes."""

_REAL_TIME = tuple(c for c in COMMANDS if c.role is Role.REAL_TIME)
_BY_LEAD: dict[int, tuple[Command, ...]] = {
    lead: tuple(
        sorted((c for c in COMMANDS if c.prefix[0] == lead), key=lambda c: len(c.prefix), reverse=True)
    )
    for lead in {c.prefix[0] for c in COMMANDS}
}
_PRINTABLE = bytes(range(0x20, 0x100))


@dataclass(frozen=True, slots=True)
class Token:
    """One command with its bytes, or (`command` None) a run of characters."""

    command: Command | None
    data: bytes
    whole: bool = True  #: False: a piece of a command too long to be held

    @property
    def name(self) -> str:
        """Of the command; empty for characters."""
        return self.command.name if self.command else ""

    @property
    def parameters(self) -> bytes:
        return self.data[len(self.command.prefix) :] if self.command else self.data


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


class CommandStream:
    """Cuts a stream into tokens. Commands whose names are in `unknown` are not known to this printer."""

    def __init__(self) -> None:
        self.unknown: Collection[str] = ()
        self.prints_unknown = True  #: what it does not know loses its first byte and is printed as text
        self._held = bytearray()
        self._rest = 0  #: bytes still to come of a command handed on in pieces
        self._running: Command | None = None

    def held(self) -> int:
        """Bytes of a command that is not complete yet."""
        return len(self._held)

    def clear(self) -> None:
        self._held.clear()
        self._rest, self._running = 0, None

    def feed(self, data: bytes) -> list[Token]:
        """Every token that is complete by now, in order; real-time commands are left out."""
        self._held += data
        tokens: list[Token] = []
        while self._held:
            taken = self._piece() if self._running else self._next()
            if taken is None:
                break
            if taken.data and not (taken.command and taken.command.role is Role.REAL_TIME):
                tokens.append(taken)
        return tokens

    def _take(self, command: Command | None, count: int, *, whole: bool = True) -> Token:
        token = Token(command, bytes(self._held[:count]), whole)
        del self._held[:count]
        return token

    def _piece(self) -> Token:
        token = self._take(self._running, min(self._rest, len(self._held)), whole=False)
        self._rest -= len(token.data)
        if not self._rest:
            self._running = None
        return token

    def _next(self) -> Token | None:
        lead = self._held[0]
        if lead >= 0x20:
            return self._take(None, self._characters())
        if lead not in _BY_LEAD:
            return self._drop(1)
        for command in _BY_LEAD[lead]:
            size = len(command.prefix)
            seen = self._held[:size]
            if seen != command.prefix[: len(seen)]:
                continue
            if len(seen) < size:
                return None
            return self._command(command)
        if len(self._held) < 2:
            return None
        return self._drop(1 if self.prints_unknown else 2)

    def _command(self, command: Command) -> Token | None:
        known = command.name not in self.unknown
        if not known and self.prints_unknown:
            return self._drop(1)
        size = len(command.prefix)
        length = size + command.length(bytes(self._held[size:]))
        if length <= len(self._held):
            return self._take(command, length) if known else self._drop(length)
        if len(self._held) < HELD_BYTES:
            return None
        self._running, self._rest = command, length
        return self._piece()

    def _characters(self) -> int:
        """How long the run of characters is that the held bytes begin with."""
        rest = self._held.lstrip(_PRINTABLE)
        return len(self._held) - len(rest)

    def _drop(self, count: int) -> Token:
        """Swallowed without a trace: an unknown command, or a control code without a glyph."""
        del self._held[:count]
        return Token(None, b"")
