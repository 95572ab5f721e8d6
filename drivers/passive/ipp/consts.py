"""IPP's tags and numbers (RFC 8010, RFC 8011)."""

from __future__ import annotations

import enum

PORT = 631
GET_PRINTER_ATTRIBUTES = 0x000B
VERSION = b"\x01\x01"
"""1.1: every later service still takes it (RFC 8011 4.1.8)."""

OK_MOST = 0x00FF
"""Statuses up to here are successes."""
NOT_FOUND = 0x0406


class Group(enum.IntEnum):
    OPERATION = 0x01
    END = 0x03
    PRINTER = 0x04


DELIMITER_MOST = 0x0F


class Tag(enum.IntEnum):
    INTEGER = 0x21
    BOOLEAN = 0x22
    ENUM = 0x23
    TEXT_WITH_LANGUAGE = 0x35
    NAME_WITH_LANGUAGE = 0x36
    TEXT = 0x41
    NAME = 0x42
    KEYWORD = 0x44
    URI = 0x45
    CHARSET = 0x47
    LANGUAGE = 0x48


NUMBERS = frozenset({Tag.INTEGER, Tag.ENUM})
TEXTS = frozenset({Tag.TEXT, Tag.NAME, Tag.KEYWORD, Tag.URI, 0x46, Tag.CHARSET, Tag.LANGUAGE, 0x49})
WITH_LANGUAGE = frozenset({Tag.TEXT_WITH_LANGUAGE, Tag.NAME_WITH_LANGUAGE})


class State(enum.IntEnum):
    """printer-state."""

    IDLE = 3
    PROCESSING = 4
    STOPPED = 5


WANTED = (
    "printer-state",
    "printer-state-reasons",
    "printer-state-message",
    "printer-is-accepting-jobs",
    "queued-job-count",
    "printer-make-and-model",
    "printer-device-id",
    "printer-firmware-string-version",
)
