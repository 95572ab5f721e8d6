"""Sets up logging: for the journal if it reads stderr, else for a person."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Mapping
from typing import TextIO

LEVELS = ("debug", "info", "warning", "error")
PRIORITIES = {  # sd-daemon(3)
    logging.DEBUG: 7,
    logging.INFO: 6,
    logging.WARNING: 4,
    logging.ERROR: 3,
    logging.CRITICAL: 2,
}


class JournalFormatter(logging.Formatter):
    """`<6>message`: the journal has its own clock, and takes each line by itself."""

    def __init__(self) -> None:
        super().__init__("%(name)s: %(message)s")

    def format(self, record: logging.LogRecord) -> str:
        start = f"<{PRIORITIES.get(record.levelno, 6)}>"
        return "\n".join(start + line for line in super().format(record).splitlines())


class PlainFormatter(logging.Formatter):
    """`08:15:30 WARNING tillwatch.uplink: message`, in local time."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)-7s %(name)s: %(message)s", datefmt="%H:%M:%S")


def goes_to_journal(stream: TextIO, env: Mapping[str, str]) -> bool:
    """Whether this very stream is the one that systemd connected to the journal."""
    device, _, inode = env.get("JOURNAL_STREAM", "").partition(":")
    try:
        where = os.fstat(stream.fileno())
    except (OSError, ValueError):  # a stream without a descriptor, or a closed one
        return False
    return (device, inode) == (str(where.st_dev), str(where.st_ino))


def setup(level: str = "info", stream: TextIO | None = None, env: Mapping[str, str] | None = None) -> None:
    """Send every logger's lines to `stream` (stderr); `level` is one of LEVELS. Replaces what was set up."""
    where = sys.stderr if stream is None else stream
    handler = logging.StreamHandler(where)
    journal = goes_to_journal(where, os.environ if env is None else env)
    handler.setFormatter(JournalFormatter() if journal else PlainFormatter())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
