"""What the commands of any receipt printer have in common: how each begins, its length, what it is to us."""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

Length: TypeAlias = Callable[[bytes], int]
"""Parameters seen so far -> how many there are in all; more than seen so far when it takes more to know."""


class Role(enum.Enum):
    """What a command does, as far as status, paper and answers are concerned."""

    SETTING = enum.auto()  #: changes how things look, or something not simulated
    PRINTS = enum.auto()  #: makes marks or moves paper
    REAL_TIME = enum.auto()  #: acted upon when received, not when its turn comes
    AUTO_STATUS = enum.auto()  #: turns automatic status on or off
    QUERY = enum.auto()  #: answered when its turn comes
    QUEUED = enum.auto()  #: acted upon otherwise when its turn comes


@dataclass(frozen=True, slots=True)
class Command:
    name: str
    prefix: bytes
    length: Length
    role: Role = Role.SETTING


def fixed(count: int) -> Length:
    return lambda _seen: count


def to_nul(seen: bytes) -> int:
    end = seen.find(0)
    return end + 1 if end >= 0 else len(seen) + 1


def little_endian(width: int) -> Length:
    """A length of `width` bytes, then as many bytes of parameters."""
    return lambda seen: width + int.from_bytes(seen[:width], "little") if len(seen) >= width else width


def stored_images(seen: bytes) -> int:
    """n, then n images of xL xH yL yH and x times y times 8 bytes (FS q, Star's ESC FS q)."""
    at = 1
    for _ in range(seen[0] if seen else 0):
        if len(seen) < at + 4:
            return at + 4
        x, y = int.from_bytes(seen[at : at + 2], "little"), int.from_bytes(seen[at + 2 : at + 4], "little")
        at += 4 + x * y * 8
    return at
