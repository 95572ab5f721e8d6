"""JSON Schema (draft 2020-12) of every message, out of the types in `agent/messages.py`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import TypeAdapter

from agent import messages

DIALECT = "https://json-schema.org/draft/2020-12/schema"
TIME_PATTERN = r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$"
STORED_TOPICS = ("event",)
"""What goes through the outbox and is numbered there; all else carries `as_of`."""

_NUMBERED = {
    "stream": {"type": "string", "description": "Born with the terminal's database; a new one counts anew."},
    "seq": {"type": "integer", "minimum": 1, "description": "Gapless within its stream."},
    "replayed": {"const": True, "description": "Stored before the session that sends it; else absent."},
}
_AS_OF = {
    "as_of": {"type": "integer", "minimum": 0, "description": "The last seq taken when this was sent."},
}
_TIMES = ("at", "until")
_DROPPED_KEYS = ("title", "default")


@dataclass(frozen=True, slots=True)
class Published:
    """One message type: its name in docs/, the topic's first level, and the words that tell it apart."""

    name: str
    topic: str
    body: type
    tells: Mapping[str, tuple[str, ...]]

    def fits(self, topic: str, message: Mapping[str, Any]) -> bool:
        return topic == self.topic and all(message.get(key) in words for key, words in self.tells.items())


def published() -> Iterator[Published]:
    """Every message type there is."""
    for topic, bodies in messages.TOPIC_BODIES.items():
        for body in bodies:
            hints = _properties(body)
            tells: dict[str, tuple[str, ...]] = {
                key: tuple(hints[key].get("enum", [hints[key].get("const")]))
                for key in ("type", "agent")
                if key in hints and topic == "event"
            }
            words = [tells[key][0] for key in tells if len(tells[key]) == 1]
            yield Published("-".join([topic, *words]), topic, body, tells)


def schema_of(kind: Published) -> dict[str, Any]:
    """The schema of the whole message: envelope, numbering, body. Further keys may be added later."""
    envelope, body = _schema(messages.Envelope), _schema(kind.body)
    stored = kind.topic in STORED_TOPICS
    properties = {
        **envelope["properties"],
        **(_NUMBERED if stored else _AS_OF),
        **body["properties"],
    }
    return {
        "$schema": DIALECT,
        "$id": f"urn:{messages.SCHEMA.replace('/', ':')}:{kind.name}",
        "title": kind.name,
        "description": body["description"],
        "type": "object",
        "properties": properties,
        "required": [key for key in properties if key != "replayed"],
        **({"$defs": body["$defs"]} if "$defs" in body else {}),
    }


def closed(schema: Any) -> Any:
    """The same, allowing no key that it does not name: what tests hold messages against."""
    if isinstance(schema, dict):
        inner = {key: closed(value) for key, value in schema.items()}
        return {**inner, "additionalProperties": False} if "properties" in schema else inner
    if isinstance(schema, list):
        return [closed(value) for value in schema]
    return schema


def _schema(body: type) -> dict[str, Any]:
    made: dict[str, Any] = _tidied(TypeAdapter(body).json_schema(mode="serialization"))
    return made


def _properties(body: type) -> dict[str, Any]:
    found: dict[str, Any] = _schema(body)["properties"]
    return found


def _tidied(schema: Any) -> Any:
    """Without pydantic's titles and defaults; every key is required, since every key is sent."""
    if isinstance(schema, list):
        return [_tidied(value) for value in schema]
    if not isinstance(schema, dict):
        return schema
    kept: dict[str, Any] = {
        key: {name: _tidied(value) for name, value in inner.items()}
        if key in ("properties", "$defs")
        else _tidied(inner)
        for key, inner in schema.items()
        if key not in _DROPPED_KEYS
    }
    if "properties" in kept:
        kept["properties"] = {
            name: _timed(value) if name in _TIMES or name.endswith("_at") else value
            for name, value in kept["properties"].items()
        }
        kept["required"] = list(kept["properties"])
    if "description" in kept:
        kept["description"] = " ".join(kept["description"].split())
    return kept


def _timed(schema: dict[str, Any]) -> dict[str, Any]:
    """A time, where the type only says that it is text."""
    if schema.get("type") == "string":
        return {**schema, "format": "date-time", "pattern": TIME_PATTERN}
    if "anyOf" in schema:
        return {**schema, "anyOf": [_timed(choice) for choice in schema["anyOf"]]}
    return schema
