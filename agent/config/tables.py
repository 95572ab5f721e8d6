"""Tables of the configuration file: each key read by its field, every problem kept to be told at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from agent.config.values import Reader


@dataclass(frozen=True, slots=True)
class ConfigError:
    """One thing that is wrong, and where."""

    key: str  #: device[0].link; `line N` for what is no TOML; `file` for the file as a whole
    reason: str
    file: Path

    def __str__(self) -> str:
        return f"{self.file}: {self.key}: {self.reason}"


class ConfigErrors(Exception):
    """All that is wrong with a configuration; its text is one line for each."""

    def __init__(self, errors: Iterable[ConfigError]) -> None:
        self.errors = tuple(errors)
        super().__init__("\n".join(map(str, self.errors)))


@dataclass(frozen=True, slots=True)
class Field:
    """How one key is read. Where it is absent, the dataclass's default stands, unless required."""

    read: Reader
    required: bool = False


Fields = Mapping[str, Field]


@dataclass(slots=True)
class Problems:
    """What was found wrong so far; `end` raises it."""

    file: Path
    found: list[ConfigError] = field(default_factory=list)

    def add(self, key: str, reason: str) -> None:
        self.found.append(ConfigError(key, reason, self.file))

    def end(self) -> None:
        if self.found:
            raise ConfigErrors(self.found)


def read_fields(table: Mapping[str, Any], prefix: str, fields: Fields, problems: Problems) -> dict[str, Any]:
    """The values that are right; for each other one a problem."""
    read: dict[str, Any] = {}
    for key, known in fields.items():
        if key not in table:
            if known.required:
                problems.add(prefix + key, "is missing")
            continue
        try:
            read[key] = known.read(table[key])
        except ValueError as wrong:
            problems.add(prefix + key, str(wrong))
    return read


def refuse_unknown(
    table: Mapping[str, Any],
    prefix: str,
    known: Iterable[str],
    problems: Problems,
    whose: Callable[[str], str] = lambda _key: "",
) -> None:
    """A problem for each key that is not `known`: `whose` it is, else the nearest one that is known."""
    known = list(known)
    for key in table:
        if key not in known:
            from difflib import get_close_matches  # noqa: PLC0415 - costs memory, and a good file never needs it

            near = get_close_matches(key, known, n=1)
            name = key if key.isprintable() else repr(key)
            guess = f"unknown key; did you mean {near[0]}?" if near else "unknown key"
            problems.add(prefix + name, whose(key) or guess)
