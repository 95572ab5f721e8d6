"""Plain HTTP, asked once: does the page answer, or somebody who stands in between and wants a log-in?"""

from __future__ import annotations

import calendar
import re
import select
import socket
from urllib.parse import urlsplit

from drivers.network.findings import Page
from drivers.network.patience import Patience

MOST_BYTES = 4096
NETWORK_AUTHENTICATION_REQUIRED = 511  #: RFC 6585 section 6
NO_CONTENT = 204
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_DATE = re.compile(r"\w{3}, (\d\d) (\w{3}) (\d{4}) (\d\d):(\d\d):(\d\d) GMT")


def ask(url: str, address: str, patience: Patience, *, must_be_empty: bool, wall_s: float) -> Page | None:
    """GET `url` from `address`. None if nobody answers with HTTP.

    `must_be_empty`: the page is known to answer 204, so that anything else is a portal's. Else only a
    redirect to another host or 511 is.
    """
    place = urlsplit(url)
    host = place.hostname or ""
    request = (
        f"GET {place.path or '/'} HTTP/1.1\r\nHost: {place.netloc}\r\nUser-Agent: tillwatch\r\n"
        "Accept: */*\r\nConnection: close\r\n\r\n"
    )
    head = _exchange(address, place.port or 80, request.encode("ascii", "replace"), patience)
    return None if head is None else judge(url, host, head, must_be_empty=must_be_empty, wall_s=wall_s)


def judge(url: str, host: str, head: bytes, *, must_be_empty: bool, wall_s: float) -> Page | None:
    """What the head of an HTTP answer means."""
    first, *lines = head.decode("latin-1").split("\r\n\r\n")[0].split("\r\n")
    parts = first.split(" ", 2)
    if not parts[0].startswith("HTTP/") or len(parts) < 2 or not parts[1].isdigit():
        return None
    status = int(parts[1])
    fields = {
        name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)
    }
    elsewhere = urlsplit(fields.get("location", "")).hostname if 300 <= status < 400 else None
    portal = status == NETWORK_AUTHENTICATION_REQUIRED or (elsewhere not in (None, host, f"www.{host}"))
    if must_be_empty:
        portal = portal or status != NO_CONTENT
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
    with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM) as sock:
        sock.setblocking(False)
        sock.connect_ex((address, port))
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
