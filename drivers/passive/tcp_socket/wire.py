"""The kernel's word on TCP sockets: by netlink's sock_diag, else as /proc/net/tcp has it. Sans-IO.

Layouts as in linux/inet_diag.h, linux/netlink.h, linux/tcp.h and Documentation/networking/proc_net_tcp.rst.
"""

from __future__ import annotations

import ipaddress
import struct
import sys
from collections.abc import Iterator
from dataclasses import dataclass

IPV4, IPV6 = 2, 10  #: address families, as the kernel numbers them

ESTABLISHED, SYN_SENT, TIME_WAIT, CLOSE, LISTEN = 1, 2, 6, 7, 10
OVER = (TIME_WAIT, CLOSE, LISTEN)
"""States of a socket that waits for nobody's answer."""

TIMER_RETRANSMITS, TIMER_KEEPALIVE = 1, 2

_ASK_BY_FAMILY = 20
_REQUEST_DUMP = 0x301
_DONE, _ERROR = 3, 2
_TCP = 6
_INFO = 2  #: the attribute that holds tcp_info
_HEAD = struct.Struct("=IHHII")
_REQUEST = struct.Struct("=BBBxI")
_SOCKET_ID = struct.Struct(">HH16s16s")
_FIXED = 72  # struct inet_diag_msg
_ACKED_AT, _RECEIVED_AT = 120, 128


@dataclass(frozen=True, slots=True)
class Socket:
    """One end of a connection."""

    key: tuple[int, int]  #: its own port and its inode; the same as long as it lives
    state: int
    peer: str
    peer_port: int
    timer: int  #: what it waits for: retransmission, keepalive...
    tries: int  #: so many times in a row, in vain
    moved_bytes: int | None  #: acknowledged and received in its life; None where the kernel does not say


def request(family: int, peer_port: int) -> bytes:
    """Asks for every TCP socket whose peer has this port."""
    body = _REQUEST.pack(family, _TCP, 1 << (_INFO - 1), 0xFFFFFFFF)
    body += _SOCKET_ID.pack(0, peer_port, bytes(16), bytes(16)) + bytes(12)
    return _HEAD.pack(_HEAD.size + len(body), _ASK_BY_FAMILY, _REQUEST_DUMP, 1, 0) + body


def answer(data: bytes) -> tuple[list[Socket], bool]:
    """The sockets in one datagram of the answer, and whether it was the last; OSError if it is a no."""
    found: list[Socket] = []
    at = 0
    while at + _HEAD.size <= len(data):
        length, kind, *_ = _HEAD.unpack_from(data, at)
        if length < _HEAD.size:
            break
        body = data[at + _HEAD.size : at + length]
        if kind == _DONE:
            return found, True
        if kind == _ERROR:
            code = -int.from_bytes(body[:4], sys.byteorder, signed=True)
            raise OSError(code, "the kernel does not tell of its sockets")
        if kind == _ASK_BY_FAMILY and len(body) >= _FIXED:
            found.append(_socket(body))
        at += (length + 3) & ~3
    return found, False


def _socket(body: bytes) -> Socket:
    family, state, timer, tries = body[:4]
    own_port, peer_port, _, peer = _SOCKET_ID.unpack_from(body, 4)
    inode = int(struct.unpack_from("=I", body, _FIXED - 4)[0])
    info = dict(_attributes(body[_FIXED:])).get(_INFO, b"")
    moved = None
    if len(info) >= _RECEIVED_AT + 8:
        moved = sum(struct.unpack_from("=QQ", info, _ACKED_AT))
    return Socket((own_port, inode), state, _address(family, peer), peer_port, timer, tries, moved)


def _attributes(data: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at + 4 <= len(data):
        length, kind = struct.unpack_from("=HH", data, at)
        if length < 4:
            return
        yield kind, data[at + 4 : at + length]
        at += (length + 3) & ~3


def _address(family: int, raw: bytes) -> str:
    return plain(ipaddress.ip_address(raw[:4] if family == IPV4 else raw))


def plain(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> str:
    """As it compares: an IPv4 address that a socket of IPv6 speaks to is that IPv4 address."""
    mapped = getattr(address, "ipv4_mapped", None)
    return str(mapped or address)


def table(text: str, peer_port: int) -> list[Socket]:
    """The sockets in /proc/net/tcp or tcp6 whose peer has this port. Lines that are none are stepped over."""
    found = []
    for line in text.splitlines()[1:]:
        words = line.split()
        if len(words) < 10:
            continue
        peer, _, port = words[2].partition(":")
        if int(port, 16) != peer_port:
            continue
        timer = int(words[5].partition(":")[0], 16)
        tries = int(words[8] if timer == TIMER_KEEPALIVE else words[6], 16)
        key = (int(words[1].partition(":")[2], 16), int(words[9]))
        found.append(Socket(key, int(words[3], 16), _proc_address(peer), peer_port, timer, tries, None))
    return found


def _proc_address(text: str) -> str:
    words = [bytes.fromhex(text[at : at + 8]) for at in range(0, len(text), 8)]
    raw = b"".join(word[::-1] if sys.byteorder == "little" else word for word in words)
    return plain(ipaddress.ip_address(raw))
