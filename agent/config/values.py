"""One reader for each form a configured value can take: the value checked, or ValueError saying why not.

Pure, but for the readers of paths, which look whether a file is there. A reason is one clause that
follows the key, and never repeats what may be secret.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

from agent.diagnosis import hours
from drivers.api import Option, Within

Reader = Callable[[Any], Any]

T = TypeVar("T")
N = TypeVar("N", int, float)

_LARGEST = sys.float_info.max

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
_ID_FORM = "a letter or digit, then at most 62 letters, digits, dots, underscores or dashes"
_PORTS = {"mqtt": 1883, "mqtts": 8883}
_TYPE_NAMES: tuple[tuple[type, str], ...] = (
    (bool, "true or false"),
    (str, "a text in quotes"),
    (int, "a whole number"),
    (float, "a number"),
    (list, "a list"),
    (dict, "a table"),
)


@dataclass(frozen=True, slots=True)
class Broker:
    host: str
    port: int
    tls: bool


def form_of(value: object) -> str:
    """What a TOML value is, in a technician's words."""
    return next((name for kind, name in _TYPE_NAMES if isinstance(value, kind)), "a date or time")


def _expect(kind: type[T], value: object) -> T:
    # A bool is an int to Python; in a configuration it is not.
    if isinstance(value, kind) and (kind is bool or not isinstance(value, bool)):
        return value
    raise ValueError(f"expected {dict(_TYPE_NAMES)[kind]}, not {form_of(value)}")


def option(kind: Option) -> Reader:
    """As a driver names one of its own keys."""
    if isinstance(kind, tuple):
        return one_of(*kind)
    if isinstance(kind, Within):
        return whole(int(kind.low), int(kind.high)) if kind.whole else number(kind.low, kind.high)
    return of_type(kind)


def of_type(kind: type) -> Reader:
    """A plain value of that type; one of a driver's own is made from a str."""
    if kind is float:
        return number(-_LARGEST, _LARGEST)
    if issubclass(kind, str) and kind is not str:
        return lambda value: kind(_expect(str, value))
    return lambda value: _expect(kind, value)


def text(max_length: int = 200) -> Callable[[object], str]:
    """One line of text."""

    def read(value: object) -> str:
        said = _expect(str, value)
        if not said.isprintable() or not said:
            raise ValueError("expected one line of text")
        if len(said) > max_length:
            raise ValueError(f"expected at most {max_length} characters, not {len(said)}")
        return said

    return read


def texts(value: object) -> tuple[str, ...]:
    """A list of lines of text."""
    return tuple(text()(each) for each in _expect(list, value))


def number(low: float, high: float) -> Callable[[object], float]:
    """A number from `low` to `high`, with or without a fraction."""

    def read(value: object) -> float:
        if isinstance(value, int) and not isinstance(value, bool):
            return float(_within(value, low, high))
        return _within(_expect(float, value), low, high)

    return read


def whole(low: int, high: int) -> Callable[[object], int]:
    """A whole number from `low` to `high`."""
    return lambda value: _within(_expect(int, value), low, high)


def _within(value: N, low: float, high: float) -> N:
    if low <= value <= high:  # never so for nan
        return value
    raise ValueError(f"expected {low:g} to {high:g}, not {value}")


def one_of(*choices: str) -> Callable[[object], str]:
    def read(value: object) -> str:
        said = text()(value)
        if said not in choices:
            raise ValueError(f'expected {" or ".join(choices)}, not "{said}"')
        return said

    return read


def identifier(*reserved: str) -> Callable[[object], str]:
    """An id that may stand in a topic, a path and a command line."""

    def read(value: object) -> str:
        said = text()(value)
        if not _ID.fullmatch(said):
            raise ValueError(f"expected {_ID_FORM}")
        if said in reserved:
            raise ValueError(f'"{said}" is reserved; choose another')
        return said

    return read


def path_in(folder: Path) -> Callable[[object], Path]:
    """A path; a relative one counts from the folder of the configuration file."""

    def read(value: object) -> Path:
        return folder / Path(text(max_length=4096)(value))

    return read


def file_in(folder: Path) -> Callable[[object], Path]:
    """A file that is there. Whether it may be read is the service's user's matter, not the checker's."""

    def read(value: object) -> Path:
        path = path_in(folder)(value)
        try:
            there = path.is_file()
        except PermissionError:
            there = True  # cannot be told from here
        if not there:
            raise ValueError(f"there is no file {path}")
        return path

    return read


def week(value: object) -> str:
    """Hours of a week, as in "Mo-Fr 08:00-20:00; Sa 10:00-14:00,16:00-02:00; Su off"."""
    said = text(max_length=500)(value)
    hours.read_week(said)
    return said


def holidays(value: object) -> tuple[str, ...]:
    """Dates that differ from the week, as in "2026-12-25" or "12-24 08:00-14:00"."""
    said = texts(value)
    dates: set[tuple[int | None, int, int]] = set()
    for each in said:
        read = hours.read_holiday(each)
        date = read.year, read.month, read.day
        if date in dates:
            raise ValueError(
                f"{each.split()[0]} stands there twice; write all its hours behind it, "
                'as in "12-24 08:00-10:00,12:00-14:00"'
            )
        dates.add(date)
    return said


def time_zone(value: object) -> str:
    """An IANA name that this machine knows."""
    said = text()(value)
    hours.read_zone(said)
    return said


def topic_base(value: object) -> str:
    """The first levels of every topic."""
    said = text()(value)
    if "+" in said or "#" in said:
        raise ValueError("a wildcard (+ or #) cannot stand in a topic that is published to")
    if said.startswith("$"):
        raise ValueError("topics that begin with $ are the broker's own")
    if "" in said.split("/"):
        raise ValueError("expected levels with a single slash between them, and none at either end")
    return said


def vitals(value: object) -> str:
    """Where the host's vitals come from."""
    said = text(max_length=4096)(value)
    if said != "psutil" and not said.removeprefix("file:").startswith("/"):
        raise ValueError("expected psutil, or file: with an absolute path")
    return said


def plain_url(value: object) -> str:
    """http://HOST[:PORT][/PATH]: over TLS nobody could stand in between."""
    said = text()(value)
    try:
        url = urlsplit(said)
        _ = url.port
    except ValueError as wrong:
        raise ValueError(f"not a URL: {wrong}") from None
    if url.scheme != "http" or not url.hostname or " " in said or "@" in said:
        raise ValueError("expected http://HOST[:PORT][/PATH]; with https a portal cannot be seen")
    return said


def broker_url(value: object) -> Broker:
    """mqtt://HOST[:PORT] or mqtts://HOST[:PORT]."""
    said = text()(value)
    if "@" in said:  # never repeated: it may hold a password
        raise ValueError("user and password do not belong into the URL; use username and password_file")
    try:
        url = urlsplit(said)
        port = url.port
    except ValueError as wrong:
        raise ValueError(f"not a URL: {wrong}") from None
    if url.scheme not in _PORTS:
        raise ValueError("expected mqtt://HOST[:PORT] or mqtts://HOST[:PORT]")
    if not url.hostname or " " in said:
        raise ValueError("names no host; expected mqtt://HOST[:PORT] or mqtts://HOST[:PORT]")
    if port == 0:
        raise ValueError("port 0 is none; expected 1 to 65535")
    if url.path.strip("/") or url.query or url.fragment:
        raise ValueError("ends with the port; the topics' beginning goes into base")
    return Broker(url.hostname, port or _PORTS[url.scheme], tls=url.scheme == "mqtts")
