"""Cuts what arrives at a receipt printer into commands and runs of characters, one after the other."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from simulator.devices.printer.command import Command, Role

HELD_BYTES = 1 << 18
"""A longer command is handed on in pieces: an image may claim gigabytes."""
PRINTABLE_FROM = 0x20
_PRINTABLE = bytes(range(PRINTABLE_FROM, 0x100))


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


def is_real_time(token: Token) -> bool:
    return token.command is not None and token.command.role is Role.REAL_TIME


def by_lead(commands: Iterable[Command]) -> Mapping[int, tuple[Command, ...]]:
    """Commands by their first byte; a longer prefix goes before a shorter one that it begins with."""
    found: dict[int, list[Command]] = {}
    for command in sorted(commands, key=lambda one: len(one.prefix), reverse=True):
        found.setdefault(command.prefix[0], []).append(command)
    return {lead: tuple(those) for lead, those in found.items()}


class CommandStream(ABC):
    """Commands whose names are in `unknown` are not known to this printer: they leave no token."""

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

    @abstractmethod
    def _next(self) -> Token | None:
        """What the held bytes begin with; None: more has to come first."""

    def _begun(self, commands: Sequence[Command]) -> Command | None:
        """The first of them that the held bytes begin with, or may."""
        for command in commands:
            seen = self._held[: len(command.prefix)]
            if seen == command.prefix[: len(seen)]:
                return command
        return None

    def _command(self, command: Command) -> Token | None:
        size = len(command.prefix)
        if len(self._held) < size:
            return None
        length = size + command.length(bytes(self._held[size:]))
        if length <= len(self._held):
            return self._take(command, length)
        if len(self._held) < HELD_BYTES:
            return None
        self._running, self._rest = command, length
        return self._piece()

    def _characters(self) -> Token:
        """The run of characters that the held bytes begin with."""
        return self._take(None, len(self._held) - len(self._held.lstrip(_PRINTABLE)))

    def _take(self, command: Command | None, count: int, *, whole: bool = True) -> Token:
        token = Token(command, bytes(self._held[:count]), whole)
        del self._held[:count]
        return token

    def _drop(self, count: int) -> Token:
        """Swallowed without a trace: an unknown command, or a control code without a glyph."""
        del self._held[:count]
        return Token(None, b"")

    def _piece(self) -> Token:
        token = self._take(self._running, min(self._rest, len(self._held)), whole=False)
        self._rest -= len(token.data)
        if not self._rest:
            self._running = None
        return token
