"""Names and numbers of the X protocol (X Window System Protocol, X.Org; MIT-SCREEN-SAVER 1.1)."""

from __future__ import annotations

MAJOR, MINOR = 11, 0
LITTLE_ENDIAN = 0x6C

# The server's first byte to a new client.
FAILED, SUCCESS, AUTHENTICATE = 0, 1, 2

# The first byte of everything after it; larger ones are events.
ERROR, REPLY = 0, 1
GENERIC_EVENT = 35
SENT = 0x80  #: set in events that another client made

QUERY_EXTENSION = 98
SCREEN_SAVER = b"MIT-SCREEN-SAVER"
QUERY_INFO = 1

MESSAGE_BYTES = 32

# Xauthority's address families (Xau(3)).
FAMILY_LOCAL = 256
FAMILY_WILD = 0xFFFF
COOKIE = b"MIT-MAGIC-COOKIE-1"
