"""Aedex command set, as in the manual of POS-X XP8200."""

from __future__ import annotations

ATTENTION = b"!#"  #: 21 23: what comes next is a command
CR = 0x0D  #: ends its data
TOP = 0x31  #: data for the upper line
BOTTOM = 0x32
SCROLL = 0x34
FORTY = 0x39  #: forty characters for both lines
RESET = 0x41
