"""What `look` in the configuration can say. Pure text; every mistake is an AddressError of one line.

snmp               the printer MIB, with the community `public`
snmp:COMMUNITY     another community; it is a secret, so it is never repeated
snmp:/PATH         the file that holds it
ipp                Get-Printer-Attributes at the usual paths
ipp:/PATH          at this one
tcp-socket         what the kernel sees of this machine's connections to that host and port
ping               whether the host answers an echo request
cups:QUEUE         the queue of this machine's CUPS
sysfs              whether it is there, and who holds it
kernel-log         what the kernel says of it
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from drivers.errors import AddressError

OFFERED: Mapping[str, tuple[str, ...]] = {
    "tcp": ("snmp", "ipp", "tcp-socket", "ping", "cups"),
    "usb": ("sysfs", "kernel-log", "cups"),
    "hid": ("sysfs",),
    "serial": ("sysfs", "cups"),
}
"""Link scheme -> where a device on such a link can be looked at."""

UNASKED: Mapping[str, tuple[str, ...]] = {
    "tcp": ("snmp", "ipp"),
    "usb": ("sysfs", "kernel-log"),
    "hid": ("sysfs",),
    "serial": ("sysfs",),
}
"""Where it is looked at if neither configuration nor driver says: nobody can guess a queue's name."""

PUBLIC = "public"
_PLAIN = ("sysfs", "kernel-log", "tcp-socket", "ping")
_QUEUE = re.compile(r"[^\x00-\x20/#?]{1,127}")  # what lpadmin takes


@dataclass(frozen=True, slots=True)
class Look:
    """One place to look; `argument` is the community, the path or the queue."""

    where: str
    argument: str | None = field(default=None, repr=False)


def read(words: Iterable[str], scheme: str) -> list[Look]:
    """Raises AddressError at the first word that is none."""
    looks: list[Look] = []
    for word in words or UNASKED.get(scheme, ()):
        where, colon, argument = word.partition(":")
        offered = OFFERED.get(scheme, ())
        if where not in offered:
            raise AddressError(
                f"{where[:20]!r} is no place to look over {scheme}; there are {', '.join(offered)}"
            )
        looks.append(Look(where, _argument(where, argument) if colon else _default(where)))
        if looks[-1].where in [look.where for look in looks[:-1]]:
            raise AddressError(f"{where} is given twice")
    return looks


def _default(where: str) -> str | None:
    if where == "cups":
        raise AddressError("cups needs a queue, such as cups:receipt; `lpstat -e` lists them")
    return PUBLIC if where == "snmp" else None


def _argument(where: str, argument: str) -> str:
    if where in _PLAIN:
        raise AddressError(f"{where} takes nothing behind it")
    if where == "snmp" and not (1 <= len(argument) <= 255 and argument.isprintable()):
        raise AddressError("snmp: has no community behind it; leave the colon out for the usual one")
    if where == "ipp" and not (argument.startswith("/") and argument.isascii() and argument.isprintable()):
        raise AddressError("ipp: needs a path behind it, such as ipp:/ipp/print")
    if where == "ipp" and " " in argument:
        raise AddressError("ipp: has a path with a space in it; write %20")
    if where == "cups" and not _QUEUE.fullmatch(argument):
        raise AddressError("cups: needs the name of a queue behind it; `lpstat -e` lists them")
    return argument
