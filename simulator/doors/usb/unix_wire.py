"""What passes through the socket of `usb:unix:PATH`: a request, then its reply, one at a time.

A request is a `REQUEST` and, where bytes go out, `length` of them; its fields mean what they mean in a
control request (USB 2.0, table 9-2). The reply is a `REPLY` (0 or an errno, how many bytes moved) and, where
they came in, those bytes. A timeout of 0 never ends. Whoever says anything else is hung up on.
"""

from __future__ import annotations

import struct

REQUEST = struct.Struct("<BBBxHHII")
"""op, request type or endpoint address, request, value, index, length, timeout in ms."""
REPLY = struct.Struct("<II")
MOST_BYTES = 1 << 16
"""The most that one transfer carries; a host cuts longer ones."""

LOOK = 1
"""What is on the bus, not opening it: `STANDING`, device descriptor (18), configuration; or nothing."""
OPEN = 2  #: value: the address it was found at; it is closed by hanging up
CLAIM, RELEASE = 3, 4  #: index: the interface
GET_CONFIGURATION, SET_CONFIGURATION = 5, 6  #: value
SET_ALTERNATE = 7  #: index: the interface; value: the setting
CLEAR_HALT = 8  #: endpoint
RESET = 9
CONTROL = 10
TRANSFER = 11  #: endpoint; its direction bit says which way

STANDING = struct.Struct("<BBB")
"""bus, address, port."""


def goes_out(op: int, kind: int) -> bool:
    """Whether bytes follow the request."""
    return op in (CONTROL, TRANSFER) and not kind & 0x80
