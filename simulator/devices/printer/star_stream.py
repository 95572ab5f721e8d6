"""What arrives at a Star printer, taken apart: the status request, print data, everything else.

Two readers of the same bytes. The request ESC ACK SOH is executed when it is received, not when it is
taken from the receive buffer (Line Mode specifications 3-70), so it is seen wherever it stands, even
inside an image. So are ENQ and EOT by that page; but every image has such bytes, so here they count
between two commands alone.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from simulator.devices.printer.star_commands import COMMANDS, ESC, RASTER, Command, Role

REQUEST = b"\x1b\x06\x01"
HELD_BYTES = 1 << 18
"""A longer command is handed on in pieces: an image may claim megabytes."""

_PRINTABLE = bytes(range(0x20, 0x100))
_BY_LEAD: dict[int, tuple[Command, ...]] = {
    lead: tuple(
        sorted((c for c in COMMANDS if c.prefix[0] == lead), key=lambda c: len(c.prefix), reverse=True)
    )
    for lead in {c.prefix[0] for c in COMMANDS}
}
_IN_RASTER = {**_BY_LEAD, **{c.prefix[0]: (c,) for c in RASTER}}


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


class RequestScanner:
    """Finds the status request in a stream, however it is cut into pieces."""

    def __init__(self) -> None:
        self._seen = b""  #: the end of the stream, if it may become a request

    def split(self, data: bytes) -> Iterator[tuple[bytes, bool]]:
        """The stream in pieces, and of each whether a request ends it."""
        known = len(self._seen)
        buffer, done = self._seen + data, known
        at = buffer.find(REQUEST)
        while at >= 0:
            end = at + len(REQUEST)
            yield buffer[done:end], True
            done, at = end, buffer.find(REQUEST, end)
        if done < len(buffer):
            yield buffer[done:], False
        rest = buffer[done:] if done > known else buffer
        self._seen = next((REQUEST[:n] for n in (2, 1) if rest.endswith(REQUEST[:n])), b"")

    def clear(self) -> None:
        self._seen = b""


class CommandStream:
    """Cuts a stream into tokens. Commands whose names are in `unknown` leave no token."""

    def __init__(self) -> None:
        self.unknown: Collection[str] = ()
        self.clear()

    def held(self) -> int:
        """Bytes of a command that is not complete yet."""
        return len(self._held)

    def clear(self) -> None:
        self._held = bytearray()
        self._rest = 0  #: bytes still to come of a command handed on in pieces
        self._running: Command | None = None
        self._raster = False

    def feed(self, data: bytes) -> list[Token]:
        """Every token that is complete by now, in order."""
        self._held += data
        tokens: list[Token] = []
        while self._held:
            taken = self._piece() if self._running else self._next()
            if taken is None:
                break
            if taken.data and taken.name not in self.unknown:
                tokens.append(taken)
        return tokens

    def _take(self, command: Command | None, count: int, *, whole: bool = True) -> Token:
        token = Token(command, bytes(self._held[:count]), whole)
        del self._held[:count]
        if token.name in ("ESC * r A", "ESC * r B"):
            self._raster = token.name == "ESC * r A"
        return token

    def _piece(self) -> Token:
        token = self._take(self._running, min(self._rest, len(self._held)), whole=False)
        self._rest -= len(token.data)
        if not self._rest:
            self._running = None
        return token

    def _next(self) -> Token | None:
        lead = self._held[0]
        if not self._raster and lead >= 0x20:
            return self._take(None, len(self._held) - len(self._held.lstrip(_PRINTABLE)))
        for command in (_IN_RASTER if self._raster else _BY_LEAD).get(lead, ()):
            seen = self._held[: len(command.prefix)]
            if seen != command.prefix[: len(seen)]:
                continue
            return self._command(command) if len(seen) == len(command.prefix) else None
        if lead >= 0x20:
            return self._take(None, 1)
        return self._drop(2 if lead == ESC else 1)

    def _command(self, command: Command) -> Token | None:
        size = len(command.prefix)
        length = size + command.length(bytes(self._held[size:]))
        if length <= len(self._held):
            return self._take(command, length)
        if len(self._held) < HELD_BYTES:
            return None
        self._running, self._rest = command, length
        return self._piece()

    def _drop(self, count: int) -> Token:
        """Swallowed without a trace: an unknown command, or a control code without a glyph."""
        del self._held[:count]
        return Token(None, b"")


def is_real_time(token: Token) -> bool:
    return token.command is not None and token.command.role is Role.REAL_TIME
