"""Logic Controls PD3000 and LD9000, as in the manual of LD9000, `Software commands`."""

from __future__ import annotations

BRIGHTNESS = 0x04  #: 04 n
LEVELS = (0x20, 0x40, 0x60, 0xFF)  #: from the darkest to full
DIGIT_SELECT = 0x10  #: 10 n: the cursor to position 00 to 27
UPPER = 0x00  #: where the upper line begins
LOWER = 0x14
NORMAL = 0x11  #: each line is written where the cursor stands; 12 scrolls
SCROLL = 0x12
CURSOR_ON = 0x13
CURSOR_OFF = 0x14
RESET = 0x1F  #: erases all, settings as at power-on
