"""Holds a published message against its schema; every test that sees messages uses it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from jsonschema import Draft202012Validator

from tests.tools.schema import Published, closed, published, schema_of


def validate(topic_suffix: str, message: Any) -> None:
    """AssertionError, naming what is wrong, if `message` may not stand on `<base>/<terminal>/<topic_suffix>`.

    Stricter than the schemas in docs/: a key that they do not name is refused too.
    """
    topic, _, device = topic_suffix.partition("/")
    kind = _kind(topic, message)
    wrong = [f"{error.json_path}: {error.message}" for error in _validators()[kind.name].iter_errors(message)]
    wrong += _inconsistencies(kind, device, message) if not wrong else []
    assert not wrong, f"{topic_suffix} is no {kind.name}: {'; '.join(wrong)}: {message}"


def _kind(topic: str, message: Any) -> Published:
    assert isinstance(message, dict), f"{topic}: a message is an object, not {message!r}"
    fitting = [kind for kind in _kinds() if kind.fits(topic, message)]
    assert len(fitting) == 1, f"{topic}: nothing of this type is published there: {message}"
    return fitting[0]


@cache
def _kinds() -> tuple[Published, ...]:
    return tuple(published())


@cache
def _validators() -> dict[str, Draft202012Validator]:
    return {kind.name: Draft202012Validator(closed(schema_of(kind))) for kind in _kinds()}


def _inconsistencies(kind: Published, device: str, message: Mapping[str, Any]) -> list[str]:
    """What a schema cannot say."""
    wrong = []
    if kind.name == "device" and message["device"] != device:
        wrong.append(f"it tells of {message['device']}")
    if kind.name != "device" and device:
        wrong.append("nothing is published below this topic")
    if kind.name == "event-fault":
        if message["fault"] != f"{message['device']}/{message['kind']}":
            wrong.append("fault is not device/kind")
        ended = message["change"] in ("cleared", "removed")
        if message["active"] is ended or (message["cleared_at"] is not None) is not ended:
            wrong.append("active and cleared_at do not go with change")
    if kind.name == "health" and message["unknown"] != [
        name for name, level in message["devices"].items() if level == "unknown"
    ]:
        wrong.append("unknown is not the unknown devices")
    return wrong
