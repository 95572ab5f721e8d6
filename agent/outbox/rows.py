"""What goes into the outbox and comes out of it, and its JSON; no database here."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from agent.messages import encode
from agent.outbox.books import Gap, Klass
from drivers.api import Json


@dataclass(frozen=True, slots=True)
class Row:
    """One message to deliver; `body` is stamped, `topic` is what stands below `<base>/<terminal>/`."""

    topic: str
    body: Mapping[str, Json]
    klass: Klass = "event"


@dataclass(frozen=True, slots=True)
class Batch:
    """What becomes true in one transaction; a fault or a memory that is None is removed."""

    rows: Sequence[Row] = ()
    faults: Mapping[str, Json] = field(default_factory=dict)
    memory: Mapping[str, Json] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Stored:
    """A row as the uplink sends it."""

    stream: str
    seq: int
    topic: str
    payload: str


@dataclass(frozen=True, slots=True)
class Line:
    """A row in JSON, but for its number."""

    topic: str
    klass: str
    text: str
    synced: bool
    names: Gap | None = None

    def numbered(self, stream: str, seq: int) -> str:
        return f'{self.text[:-1]},"stream":"{stream}","seq":{seq}}}'


@dataclass(frozen=True, slots=True)
class Prepared:
    """A batch whose JSON is made, so that what cannot be JSON fails before the transaction."""

    lines: Sequence[Line]
    faults: Mapping[str, str | None]
    memory: Mapping[str, str | None]


def prepare(batch: Batch) -> Prepared:
    """Raises TypeError or ValueError for a body that is not JSON."""
    return Prepared(
        [make_line(row.topic, row.body, row.klass) for row in batch.rows],
        texts(batch.faults),
        texts(batch.memory),
    )


def make_line(topic: str, body: Mapping[str, Json], klass: str = "event", names: Gap | None = None) -> Line:
    return Line(topic, klass, encode(dict(body)), body.get("clock") == "synced", names)


def texts(values: Mapping[str, Json]) -> dict[str, str | None]:
    return {key: None if value is None else json.dumps(value) for key, value in values.items()}


def apply(values: dict[str, str], changes: Mapping[str, str | None]) -> None:
    for key, text in changes.items():
        if text is None:
            values.pop(key, None)
        else:
            values[key] = text


def merged(changes: Iterable[Mapping[str, str | None]]) -> dict[str, str | None]:
    merged: dict[str, str | None] = {}
    for change in changes:
        merged.update(change)
    return merged
