"""What arrives at a Star printer, taken apart: the status request, print data, everything else.

Two readers of the same bytes. The request ESC ACK SOH is executed when it is received, not when it is
taken from the receive buffer (Line Mode specifications 3-70), so it is seen wherever it stands, even
inside an image. So are ENQ and EOT by that page; but every image has such bytes, so here they count
between two commands alone.
"""

from __future__ import annotations

from collections.abc import Iterator

from simulator.devices.printer.command import Command
from simulator.devices.printer.star_commands import COMMANDS, ESC, RASTER
from simulator.devices.printer.stream import PRINTABLE_FROM, CommandStream, Token, by_lead

REQUEST = b"\x1b\x06\x01"
_BY_LEAD = by_lead(COMMANDS)
_IN_RASTER = {**_BY_LEAD, **{c.prefix[0]: (c,) for c in RASTER}}


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


class StarStream(CommandStream):
    """Between ESC * r A and ESC * r B the lines of a raster are commands too."""

    def clear(self) -> None:
        super().clear()
        self._raster = False

    def _take(self, command: Command | None, count: int, *, whole: bool = True) -> Token:
        token = super()._take(command, count, whole=whole)
        if token.name in ("ESC * r A", "ESC * r B"):
            self._raster = token.name == "ESC * r A"
        return token

    def _next(self) -> Token | None:
        lead = self._held[0]
        if not self._raster and lead >= PRINTABLE_FROM:
            return self._characters()
        if command := self._begun((_IN_RASTER if self._raster else _BY_LEAD).get(lead, ())):
            return self._command(command)
        if lead >= PRINTABLE_FROM:
            return self._take(None, 1)
        return self._drop(2 if lead == ESC else 1)
