"""What arrives at a pole display, cut into commands and characters by its table. Bounded, whatever comes."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

CR, BLANK = 0x0D, 0x20
HELD_BYTES = 1024
"""A command longer than this is not waited for: its prefix is dropped and the rest is read as it comes."""

Length = Callable[[bytes], int]


@dataclass(frozen=True, slots=True)
class Command:
    """`parameters`: how many bytes follow the prefix, or what tells it from those that came so far.

    `text`: in their place up to so many characters, and CR; what is longer is cut.
    """

    name: str
    prefix: bytes
    parameters: int | Length = 0
    text: int | None = None

    def needs(self, given: bytes) -> int:
        return self.parameters if isinstance(self.parameters, int) else self.parameters(given)


@dataclass(frozen=True, slots=True)
class Token:
    """A command with its parameters, or (`name` empty) a run of characters."""

    name: str
    data: bytes


class PoleStream:
    """`escapes`: what begins commands of two bytes and more, of which unknown ones are swallowed.

    `control_characters`: everything else is a character, control codes too.
    """

    def __init__(
        self, commands: Iterable[Command], escapes: bytes = b"\x1b\x1f", *, control_characters: bool = False
    ) -> None:
        self._escapes = escapes
        self._control_characters = control_characters
        self._held = bytearray()
        self._cut = False  #: inside a text that was longer than it may be
        self._by_lead: dict[int, list[Command]] = {}
        self.know(commands)

    def know(self, commands: Iterable[Command]) -> None:
        """From now on these are its commands."""
        self._by_lead = {}
        for command in sorted(commands, key=lambda one: len(one.prefix), reverse=True):
            self._by_lead.setdefault(command.prefix[0], []).append(command)

    def held(self) -> int:
        return len(self._held)

    def clear(self) -> None:
        self._held.clear()
        self._cut = False

    def feed(self, data: bytes) -> list[Token]:
        """Every token that is complete by now, in order."""
        tokens: list[Token] = []
        self._held += data
        while self._held:
            if self._cut:
                self._skip_text()
                continue
            token = self._next()
            if token is None:
                break
            if token.name or token.data:
                tokens.append(token)
        return tokens

    def _skip_text(self) -> None:
        end = self._held.find(CR)
        self._cut = end < 0
        del self._held[: end + 1 if end >= 0 else len(self._held)]

    def _take(self, name: str, start: int, end: int) -> Token:
        token = Token(name, bytes(self._held[start:end]))
        del self._held[:end]
        return token

    def _next(self) -> Token | None:
        lead = self._held[0]
        commands = self._by_lead.get(lead)
        if commands is None and lead not in self._escapes:
            return self._characters()
        for command in commands or ():
            seen = self._held[: len(command.prefix)]
            if seen != command.prefix[: len(seen)]:
                continue
            return self._command(command) if len(seen) == len(command.prefix) else None
        if lead not in self._escapes:
            return self._take("", 0, 1)
        if len(self._held) < 2:
            return None
        return self._take("", 2, 2)

    def _command(self, command: Command) -> Token | None:
        start = len(command.prefix)
        if command.text is not None:
            return self._text(command, start, start + command.text)
        end = start + command.needs(bytes(self._held[start:]))
        if end > HELD_BYTES:
            return self._take("", start, start)
        return self._take(command.name, start, end) if len(self._held) >= end else None

    def _text(self, command: Command, start: int, limit: int) -> Token | None:
        end = self._held.find(CR, start, limit + 1)
        if end >= 0:
            token = self._take(command.name, start, end)
            del self._held[:1]
            return token
        if len(self._held) <= limit:
            return None
        self._cut = True
        return self._take(command.name, start, limit)

    def _characters(self) -> Token:
        """The run of characters that the held bytes begin with; a control code alone is none."""
        end = 0
        while end < len(self._held) and self._is_character(self._held[end]):
            end += 1
        return self._take("", 0, end) if end else self._take("", 1, 1)

    def _is_character(self, byte: int) -> bool:
        if byte in self._by_lead or byte in self._escapes:
            return False
        return self._control_characters or byte >= BLANK
