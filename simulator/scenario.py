"""A scenario: what happens at a counter, when, and what must then be seen at the broker. Pure.

    [[step]]
    at_s = 3                            # from the start
    device = "receipt"
    set = ["paper=end"]                 # knobs, as in `tell`
    fault = "mute+5"                    # one or a list, as in `tell`
    say = "the paper is out"            # told to whoever watches
    expect = {topic = "event", where = {kind = "paper_end", change = "raised"}, within_s = 3}

`topic` is below the terminal's; a name in `where` may have dots: `conditions.paper_end.value`.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any


class BadScenario(ValueError):
    """A file that is no scenario: one line with file, step and reason."""


@dataclass(frozen=True, slots=True)
class Expectation:
    """A message that must be seen within `within_s` of its step."""

    topic: str
    where: Mapping[str, object]
    within_s: float

    def met_by(self, topic: str, payload: object) -> bool:
        """`topic` is below the terminal's."""
        return topic == self.topic and all(
            _has(payload, name.split("."), value) for name, value in self.where.items()
        )

    def __str__(self) -> str:
        return f"{self.topic} with {dict(self.where)} within {self.within_s:g} s"


@dataclass(frozen=True, slots=True)
class Step:
    at_s: float
    device: str | None
    settings: tuple[str, ...]
    say: str
    expect: Expectation | None


def load(path: Path) -> list[Step]:
    """The steps in order of time; `BadScenario`."""
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadScenario(f"{path}: {error.strerror}; name the scenario's file") from error
    except ValueError as error:
        raise BadScenario(f"{path}: {error}") from error
    try:
        _known(found, {"title", "step"}, "a scenario")
    except BadScenario as error:
        raise BadScenario(f"{path}: {error}") from error
    steps = found.get("step")
    if not isinstance(steps, list) or not steps:
        raise BadScenario(f"{path}: has no [[step]]")
    read = []
    for number, step in enumerate(steps, 1):
        try:
            read.append(_step(step))
        except BadScenario as error:
            raise BadScenario(f"{path}: step {number}: {error}") from error
    return sorted(read, key=lambda step: step.at_s)


def _step(table: Any) -> Step:
    _known(table, {"at_s", "device", "set", "fault", "say", "expect"}, "a step")
    settings = (
        *_texts(table.get("set", []), "set"),
        *(f"fault={fault}" for fault in _texts(table.get("fault", []), "fault")),
    )
    device = table.get("device")
    if settings and not isinstance(device, str):
        raise BadScenario("device is missing: whose knobs?")
    return Step(
        at_s=_seconds(table, "at_s"),
        device=device,
        settings=settings,
        say=str(table.get("say", "")),
        expect=_expectation(table["expect"]) if "expect" in table else None,
    )


def _expectation(table: Any) -> Expectation:
    _known(table, {"topic", "where", "within_s"}, "expect")
    topic, where = table.get("topic"), table.get("where", {})
    if not isinstance(topic, str) or not isinstance(where, dict):
        raise BadScenario('expect: write {topic = "event", where = {...}, within_s = 3}')
    return Expectation(topic, where, _seconds(table, "within_s"))


def _known(table: Any, names: set[str], what: str) -> None:
    if not isinstance(table, dict):
        raise BadScenario(f"{what} must be a table")
    for name in table:
        if name not in names:
            raise BadScenario(f"{what} has no {name}; there are {', '.join(sorted(names))}")


def _seconds(table: Mapping[str, Any], name: str) -> float:
    value = table.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < float("inf"):
        raise BadScenario(f"{name} must be a number of seconds")
    return float(value)


def _texts(value: Any, name: str) -> list[str]:
    texts = [value] if isinstance(value, str) else value
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise BadScenario(f"{name} must be a text or a list of texts")
    return texts


def _has(payload: object, path: list[str], value: object) -> bool:
    for name in path:
        if not isinstance(payload, Mapping) or name not in payload:
            return False
        payload = payload[name]
    return payload == value
