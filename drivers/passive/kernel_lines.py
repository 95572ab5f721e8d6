"""What a line of the kernel's log says of one USB printer. Pure.

Texts as in linux/drivers/usb/class/usblp.c (usblp_messages), drivers/usb/core/hub.c and port.c.
"""

from __future__ import annotations

import enum
import re

_RECORD = re.compile(rb"(\d+),\d+,\d+,[^;]*;([^\n]*)")
_KERNEL_FACILITY = 8  #: levels below it: said by the kernel itself, not written to /dev/kmsg by a program

_USBLP = re.compile(r"usblp(\d+): (ok|out of paper|off-line|on fire|removed)$")
_DISCONNECT = re.compile(r"usb (\S+): USB disconnect, device number \d+")
_OVER_CURRENT = (
    re.compile(r"usb (?P<port>\S+-port\d+): over-current (?:condition|change)"),
    re.compile(r"hub (?P<hub>\S+):\d+\.\d+: (?:over-current condition on port|port) (?P<number>\d+).*"),
)


class Word(enum.StrEnum):
    """What was said."""

    OK = "ok"
    PAPER = "out of paper"
    OFFLINE = "off-line"
    ERROR = "on fire"  #: the printer's error line; nothing burns
    REMOVED = "removed"
    DISCONNECT = "disconnect"
    OVER_CURRENT = "over-current"


def text_of(record: bytes) -> str | None:
    """The text of a record of /dev/kmsg (Documentation/ABI/testing/dev-kmsg); None if a program wrote it."""
    found = _RECORD.match(record)
    if found is None or int(found[1][:9]) >= _KERNEL_FACILITY:
        return None
    return found[2].decode("ascii", "replace")


def word(text: str, *, port: str, minor: int | None) -> Word | None:
    """What this line says of the printer that is at `port` (such as 1-1.4) and is usblp's number `minor`."""
    if (said := _USBLP.search(text)) is not None:
        return Word(said[2]) if minor is not None and int(said[1][:6]) == minor else None
    if (said := _DISCONNECT.search(text)) is not None:
        return Word.DISCONNECT if said[1] == port else None
    if "over-current" in text:
        said = next((found for form in _OVER_CURRENT if (found := form.search(text))), None)
        return Word.OVER_CURRENT if said is not None and _hub_port(said) == _place(port) else None
    return None


def _place(port: str) -> tuple[str, int] | None:
    """1-1.4 hangs on port 4 of 1-1; 1-2 on port 2 of the root hub of bus 1."""
    hub, dot, number = port.rpartition(".")
    if not dot:
        hub, _, number = port.partition("-")
        hub = f"usb{hub}"
    return (hub, int(number)) if number.isdecimal() else None


def _hub_port(said: re.Match[str]) -> tuple[str, int] | None:
    names = said.groupdict()
    if "hub" in names:
        hub = names["hub"]
        return (hub if "-" in hub and not hub.endswith("-0") else f"usb{hub.partition('-')[0]}"), int(
            names["number"][:6]
        )
    hub, _, number = names["port"].rpartition("-port")
    return hub, int(number[:6])
