"""NCR 597x and 7454 displays, as in NCR's user's guides (5972: BD20-1372-A; 7454: B005-0000-1256)."""

from __future__ import annotations

from collections.abc import Mapping

ESC = 0x1B
ERASE = 0x02  #: ESC 02: a space in each position, the cursor to the first
DISPLAY_ON = 0x05  #: ESC 05: after power-up nothing is to be seen until then
CURSOR = 0x13  #: ESC 13 n: the cursor to position n
LINES = (0x00, 0x14)  #: where the first two lines begin
BRIGHTNESS = 0x17  #: ESC 17 n
LEVELS = (2, 3, 4, 5)  #: 25 to 100 %; 1 is dark
ID_BYTE = 0x18  #: ESC 18: one byte
ID_TEXT = 0x19  #: ESC 19: a length, and so many characters
SCREEN = 0x38  #: ESC 38: 50, and the eighty characters that are displayed now

MODELS: Mapping[int, str] = {0x8A: "5972", 0x8E: "7454"}
"""What ESC 18 answers."""
READS_BACK = (0x8E,)
"""Those that have ESC 38."""
SCREEN_CHARACTERS = 0x50
ID_MARK = 0x80  #: an id byte has this bit, a length has not
