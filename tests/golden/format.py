"""Reads golden transcripts; the format is in README.md beside this file."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from drivers.api import Json

HERE = Path(__file__).parent
_PIECE = re.compile(r'"(?P<text>[\x20-\x21\x23-\x7e]+)"|(?P<hex>[0-9A-Fa-f]{2})(?=\s|$)')


@dataclass(frozen=True, slots=True)
class Knobs:
    """`!`: settings of the simulated device, `knob=value` each."""

    settings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Sent:
    """`>`: host to device."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Received:
    """`<`: device to host. `data` is the example; `pattern` is what any device may say there."""

    data: bytes
    pattern: re.Pattern[bytes]

    def matches(self, got: bytes) -> bool:
        return self.pattern.fullmatch(got) is not None


@dataclass(frozen=True, slots=True)
class Known:
    """`=`: what the bytes so far mean. Names without a dot are conditions."""

    values: dict[str, Json]

    def conditions(self) -> dict[str, Json]:
        return {name: value for name, value in self.values.items() if "." not in name}

    def of(self, kind: str) -> dict[str, Json]:
        """The values of one kind, `fact` or `block`, without that prefix."""
        start = f"{kind}."
        return {k.removeprefix(start): v for k, v in self.values.items() if k.startswith(start)}


Step: TypeAlias = Knobs | Sent | Received | Known


@dataclass(frozen=True, slots=True)
class Transcript:
    """One file. `driver_only` and `simulator_only` hold the reason, if the other side skips it."""

    name: str
    sources: tuple[str, ...]
    driver_only: str | None
    simulator_only: str | None
    steps: tuple[Step, ...]


class BadTranscript(ValueError):
    """A line that is not of the format, with file and line number."""


def load(path: Path) -> Transcript:
    """Read one file; raises `BadTranscript`."""
    sources: list[str] = []
    only: dict[str, str] = {}
    steps: list[Step] = []
    for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
        mark, text = line[:1], line[1:].strip()
        try:
            if mark == "#":
                word, _, said = text.partition(": ")
                if word == "source":
                    sources.append(said)
                elif word in ("driver only", "simulator only"):
                    only[word] = said
            elif mark:
                steps.append(_step(mark, text))
        except ValueError as error:
            raise BadTranscript(f"{path.name}:{number}: {error}") from error
    if not sources:
        raise BadTranscript(f"{path.name}: names no source")
    if len(only) > 1:
        raise BadTranscript(f"{path.name}: for neither driver nor simulator")
    return Transcript(
        path.stem, tuple(sources), only.get("driver only"), only.get("simulator only"), tuple(steps)
    )


def load_all(family: str) -> list[Transcript]:
    """Every transcript of one family of devices, by name."""
    return [load(path) for path in sorted((HERE / family).glob("*.txt"))]


def _step(mark: str, text: str) -> Step:
    if mark == "!":
        settings = tuple(text.split())
        if not settings or not all(re.fullmatch(r"\w+=\S+", setting) for setting in settings):
            raise ValueError(f"not knob=value: {text!r}")
        return Knobs(settings)
    if mark == "=":
        return Known(dict(_value(item) for item in text.split()))
    if mark in "<>":
        data, pattern = _bytes(text)
        return Received(data, re.compile(pattern, re.DOTALL)) if mark == "<" else Sent(data)
    raise ValueError(f"a line starts with one of # ! > < =, not {mark!r}")


def _value(item: str) -> tuple[str, Json]:
    name, colon, text = item.partition(":")
    if not (name and colon and text):
        raise ValueError(f"not name:value: {item!r}")
    known = {"true": True, "false": False, "null": None}
    if "." in name:
        return name, known.get(text, text)
    if text not in known:
        raise ValueError(f"a condition is true, false or null: {item!r}")
    return name, known[text]


def _bytes(text: str) -> tuple[bytes, bytes]:
    """The bytes of a line, and the pattern that any device's bytes must match."""
    data, pattern, at = b"", b"", 0
    while at < len(text):
        piece = _PIECE.match(text, at)
        if piece is None:
            raise ValueError(f"neither hex nor quoted ASCII: {text[at:]!r}")
        if piece["hex"] is not None:
            one = bytes.fromhex(piece["hex"])
            data, pattern = data + one, pattern + re.escape(one)
        else:
            words: str = piece["text"]
            data += words.encode("ascii")
            pattern += b"[0-9]{1,10}" if words.isdigit() else b"[ -~]{1,80}"
        at = piece.end()
        while at < len(text) and text[at] == " ":
            at += 1
    if not data:
        raise ValueError("no bytes")
    return data, pattern


def dump(step: Step) -> str:
    """One step for a failure's message."""
    if isinstance(step, Sent | Received):
        return f"{'>' if isinstance(step, Sent) else '<'} {step.data.hex(' ')}"
    if isinstance(step, Known):
        return f"= {json.dumps(step.values)}"
    return f"! {' '.join(step.settings)}"
