"""The little of HTTP/1.1 (RFC 9112) that a till needs: one request, one answer, the end. Sans-IO.

Header fields are parsed by the standard library; the request line, the length and the bounds are ours.
"""

from __future__ import annotations

import http.client
import io
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.message import Message
from http import HTTPStatus

HEAD_BYTES = 8192
BODY_BYTES = 4096

_LINE = re.compile(rb"([A-Z]{1,16}) (/[!-~]*|\*) HTTP/1\.[01]")
_LENGTH = re.compile(r"[0-9]{1,9}")
_FIELD = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+:[\t -~\x80-\xff]*")
_ONCE = ("Host", "Origin", "Content-Length")


class Refused(Exception):
    """The request gets no further; `status` and one clause are the answer."""

    def __init__(self, status: HTTPStatus, detail: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(detail)
        self.status = status
        self.headers = headers or {}


@dataclass(frozen=True, slots=True)
class Request:
    method: str
    path: str  #: without the query
    headers: Message
    body: bytes


@dataclass(frozen=True, slots=True)
class Response:
    status: HTTPStatus
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)

    def encode(self) -> bytes:
        """The whole answer; the connection ends after it."""
        fields = {
            **self.headers,
            "Cache-Control": "no-store",
            "X-Content-Type-Options": "nosniff",
            "Connection": "close",
        }
        if self.status != HTTPStatus.NO_CONTENT:  # which has neither body nor length
            fields |= {"Content-Type": "application/json", "Content-Length": str(len(self.body))}
        head = [f"HTTP/1.1 {self.status.value} {self.status.phrase}", *map(": ".join, fields.items())]
        return "\r\n".join((*head, "", "")).encode("latin-1") + self.body


def said(status: HTTPStatus, value: object, headers: Mapping[str, str] | None = None) -> Response:
    """An answer of one JSON line."""
    return Response(status, json.dumps(value, ensure_ascii=False).encode() + b"\n", headers or {})


class RequestReader:
    """Fed with bytes in any pieces; holds at most a head and a body."""

    def __init__(self) -> None:
        self._held = bytearray()
        self._head: tuple[str, str, Message] | None = None
        self._length = 0

    def feed(self, data: bytes) -> Request | None:
        """The request once it is whole; what comes behind it is not looked at. Raises Refused."""
        self._held += data
        if self._head is None:
            end = self._held.find(b"\r\n\r\n", 0, HEAD_BYTES)
            if end < 0:
                if len(self._held) >= HEAD_BYTES:
                    raise Refused(
                        HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, f"the head is over {HEAD_BYTES} bytes"
                    )
                return None
            self._head = _head(bytes(self._held[:end]))
            self._length = _length(self._head[2])
            del self._held[: end + 4]
        if len(self._held) < self._length:
            return None
        method, path, headers = self._head
        return Request(method, path, headers, bytes(self._held[: self._length]))


def _head(head: bytes) -> tuple[str, str, Message]:
    line, _, rest = head.partition(b"\r\n")
    start = _LINE.fullmatch(line)
    if not start:
        raise Refused(HTTPStatus.BAD_REQUEST, "expected METHOD /PATH HTTP/1.1")
    # Strict before the lenient parser: no folding, no bare line ends, nothing that can be read in two ways.
    if rest and not all(map(_FIELD.fullmatch, rest.split(b"\r\n"))):
        raise Refused(HTTPStatus.BAD_REQUEST, "a header field is malformed")
    try:
        headers = http.client.parse_headers(io.BytesIO(rest + b"\r\n\r\n"))
    except http.client.HTTPException:
        status = HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE
        raise Refused(status, "there are too many header fields") from None
    for name in _ONCE:
        if len(headers.get_all(name, ())) > 1:
            raise Refused(HTTPStatus.BAD_REQUEST, f"{name} stands there twice")
    return start[1].decode(), start[2].decode().partition("?")[0], headers


def _length(headers: Message) -> int:
    if "Transfer-Encoding" in headers:
        raise Refused(HTTPStatus.LENGTH_REQUIRED, "send a Content-Length, no Transfer-Encoding")
    given = headers.get("Content-Length", "0").strip()
    if not _LENGTH.fullmatch(given):
        raise Refused(HTTPStatus.BAD_REQUEST, "Content-Length is no number")
    if int(given) > BODY_BYTES:
        raise Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"the body is over {BODY_BYTES} bytes")
    return int(given)
