"""Plain HTTP, asked once: does the page answer, or somebody who stands in between and wants a log-in?"""

from __future__ import annotations

import calendar
import re
import select
import socket
from typing import Literal
from urllib.parse import urlsplit

from drivers.network import tcp
from drivers.network.findings import Page
from drivers.network.patience import Patience

MOST_BYTES = 4096
NETWORK_AUTHENTICATION_REQUIRED = 511  #: RFC 6585 section 6
NO_CONTENT = 204
NOWHERE, NOWHERE6 = ("192.0.2.1", "198.51.100.1"), ("2001:db8::1",)  #: RFC 5737, RFC 3849: documentation's
Expected = Literal["empty", "any", "nobody"]
"""A page that answers 204; whatever the host may answer, redirects included; nobody at all."""
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_DATE = re.compile(r"\w{3}, (\d\d) (\w{3}) (\d{4}) (\d\d):(\d\d):(\d\d) GMT")


def nowhere(address: str) -> tuple[str, ...]:
    """Addresses of the same kind that nobody has; who answers HTTP for one stands in between."""
    return NOWHERE6 if ":" in address else NOWHERE


def ask(url: str, address: str, patience: Patience, *, expected: Expected, wall_s: float) -> Page | None:
    """GET `url` from `address`. None if nobody answers with HTTP."""
    place = urlsplit(url)
    host = place.hostname or ""
    request = (
        f"GET {place.path or '/'} HTTP/1.1\r\nHost: {place.netloc}\r\nUser-Agent: tillwatch\r\n"
        "Accept: */*\r\nConnection: close\r\n\r\n"
    )
    head = _exchange(address, place.port or 80, request.encode("ascii", "replace"), patience)
    return None if head is None else judge(url, host, head, expected=expected, wall_s=wall_s)


def judge(url: str, host: str, head: bytes, *, expected: Expected, wall_s: float) -> Page | None:
    """What the head of an HTTP answer means. A host that is in trouble itself (4xx, 5xx) is no portal."""
    first, *lines = head.decode("latin-1").split("\r\n\r\n")[0].split("\r\n")
    parts = first.split(" ", 2)
    if not parts[0].startswith("HTTP/") or len(parts) < 2 or not parts[1].isdigit():
        return None
    status = int(parts[1])
    fields = {
        name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)
    }
    elsewhere = urlsplit(fields.get("location", "")).hostname if 300 <= status < 400 else None
    leads_away = elsewhere not in (None, host, f"www.{host}")
    portal = status == NETWORK_AUTHENTICATION_REQUIRED
    if expected == "empty":
        portal = portal or leads_away or (200 <= status < 300 and status != NO_CONTENT)
    elif expected == "nobody":
        portal = portal or 200 <= status < 400
    seen = f"{status}, leads to {elsewhere}" if elsewhere else str(status)
    said_s = date(fields.get("date", ""))
    return Page(
        url=url,
        portal=portal,
        seen=seen,
        # A portal's own clock is worth nothing: such boxes are often wrong themselves.
        ahead_s=None if said_s is None or portal else wall_s - said_s,
    )


def date(text: str) -> float | None:
    """A Date header (RFC 9110 section 5.6.7), in seconds since the epoch."""
    found = _DATE.fullmatch(text)
    if found is None or found[2] not in _MONTHS:
        return None
    day, month, year = int(found[1]), _MONTHS.index(found[2]) + 1, int(found[3])
    return float(calendar.timegm((year, month, day, int(found[4]), int(found[5]), int(found[6]), 0, 0, 0)))


def host_of(url: str) -> str:
    """The host that a URL names; empty if it names none."""
    return urlsplit(url).hostname or ""


def _exchange(address: str, port: int, request: bytes, patience: Patience) -> bytes | None:
    try:
        sock, place = tcp.towards(address, port, socket.SOCK_STREAM)
    except OSError:
        return None
    with sock:
        sock.connect_ex(place)
        if not patience.wait({sock.fileno(): select.POLLOUT}):
            return None
        try:
            sock.send(request)
            head = b""
            while b"\r\n\r\n" not in head and len(head) < MOST_BYTES:
                if not patience.wait({sock.fileno(): select.POLLIN}):
                    return None
                more = sock.recv(MOST_BYTES)
                if not more:
                    break
                head += more
        except OSError:
            return None
    return head
