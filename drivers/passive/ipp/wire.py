"""IPP messages (RFC 8010): Get-Printer-Attributes out, the printer's attributes in. Sans-IO."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from drivers.errors import ProtocolError
from drivers.passive.ipp.consts import (
    DELIMITER_MOST,
    GET_PRINTER_ATTRIBUTES,
    NUMBERS,
    TEXTS,
    VERSION,
    WITH_LANGUAGE,
    Group,
    Tag,
)

Value: TypeAlias = int | bool | str | None
"""None: a value of a kind that is not read here, or one that the printer says it does not know."""

VALUES_MOST = 1000


@dataclass(frozen=True, slots=True)
class Answer:
    """`printer` has the values of each attribute of the printer, in order."""

    status: int
    printer: dict[str, list[Value]] = field(default_factory=dict)

    def first(self, name: str) -> Value:
        return next(iter(self.printer.get(name, ())), None)

    def text(self, name: str) -> str:
        said = self.first(name)
        return said if isinstance(said, str) else ""


def ask(uri: str, wanted: Sequence[str], request: int = 1) -> bytes:
    """What are these attributes of the printer at `uri`?"""
    return b"".join(
        (
            VERSION,
            GET_PRINTER_ATTRIBUTES.to_bytes(2),
            request.to_bytes(4),
            bytes((Group.OPERATION,)),
            _attribute(Tag.CHARSET, "attributes-charset", "utf-8"),
            _attribute(Tag.LANGUAGE, "attributes-natural-language", "en"),
            _attribute(Tag.URI, "printer-uri", uri),
            *(
                _attribute(Tag.KEYWORD, "" if place else "requested-attributes", name)
                for place, name in enumerate(wanted)
            ),
            bytes((Group.END,)),
        )
    )


def read(data: bytes) -> Answer:
    """An answer; raises ProtocolError for anything else."""
    if len(data) < 9 or data[0] not in (1, 2):
        raise ProtocolError("IPP: no answer of version 1 or 2")
    answer = Answer(int.from_bytes(data[2:4]))
    at, group, name, count = 8, 0, "", 0
    while True:
        tag = _part(data, at, 1)[0]
        at += 1
        if tag == Group.END:
            return answer
        if tag <= DELIMITER_MOST:
            group, name = tag, ""
            continue
        named, at = _counted(data, at)
        content, at = _counted(data, at)
        name = named.decode("utf-8", "replace") or name
        count += 1
        if count > VALUES_MOST:
            raise ProtocolError("IPP: more values than were asked for")
        if group == Group.PRINTER:
            answer.printer.setdefault(name, []).append(_value(tag, content))


def _value(tag: int, content: bytes) -> Value:
    if tag in NUMBERS and len(content) == 4:
        return int.from_bytes(content, signed=True)
    if tag == Tag.BOOLEAN and len(content) == 1:
        return content != b"\0"
    if tag in WITH_LANGUAGE:
        _, at = _counted(content, 0)
        content, _ = _counted(content, at)
        return content.decode("utf-8", "replace")
    return content.decode("utf-8", "replace") if tag in TEXTS else None


def _counted(data: bytes, at: int) -> tuple[bytes, int]:
    count = int.from_bytes(_part(data, at, 2))
    return _part(data, at + 2, count), at + 2 + count


def _part(data: bytes, at: int, count: int) -> bytes:
    part = data[at : at + count]
    if len(part) < count:
        raise ProtocolError("IPP: the answer ends too early")
    return part


def _attribute(tag: Tag, name: str, value: str) -> bytes:
    raw_name, raw = name.encode(), value.encode()
    return bytes((tag,)) + len(raw_name).to_bytes(2) + raw_name + len(raw).to_bytes(2) + raw
