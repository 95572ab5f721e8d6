"""CD5220 as it stands in the manuals of POS-X XP8200 (page 19) and Bematech LDX1000 (page 50)."""

from __future__ import annotations

ESC = 0x1B
CR = 0x0D
CLR = 0x0C  #: clears, and leaves modes and brightness as they are
INITIALISE = ord("@")  #: ESC @: settings as at power-on, and clears
LINE = ord("Q")  #: ESC Q A text CR, ESC Q B text CR: the upper, the lower line
LINES = (ord("A"), ord("B"))
BRIGHTNESS = ord("*")  #: ESC * n
LEVELS = (1, 2, 3, 4)  #: from the darkest to full
