"""The little of HTTP/1.1 that carries IPP (RFC 9112): one POST, one answer. Sans-IO.

The library's client has a timeout for each read but no deadline for the whole, which a printer that
drips its answer would stretch at will.
"""

from __future__ import annotations

from drivers.errors import ProtocolError

ANSWER_MOST = 1 << 16
HEAD_MOST = 1 << 13
CONTENT_TYPE = "application/ipp"


def post(host: str, path: str, body: bytes) -> bytes:
    head = (
        f"POST {path} HTTP/1.1\r\nHost: {host}\r\nContent-Type: {CONTENT_TYPE}\r\n"
        f"Content-Length: {len(body)}\r\nAccept: {CONTENT_TYPE}\r\nConnection: close\r\n\r\n"
    )
    return head.encode("ascii", "replace") + body


class Answer:
    """Fed as it comes; `feed` is True when it is whole. Then there are `status` and `body`."""

    def __init__(self) -> None:
        self.status = 0
        self.body = b""
        self._rest = b""
        self._headers: dict[str, str] | None = None
        self._whole = False

    def feed(self, data: bytes) -> bool:
        """Raises ProtocolError for what is no HTTP, or too much."""
        self._rest += data
        if len(self._rest) + len(self.body) > ANSWER_MOST:
            raise ProtocolError("HTTP: the answer is too long")
        while self._headers is None:
            head, found, rest = self._rest.partition(b"\r\n\r\n")
            if not found:
                if len(head) > HEAD_MOST or not b"HTTP/1.".startswith(head[:7]):
                    raise ProtocolError("HTTP: this is no answer")
                return False
            self._rest = rest
            self._read_head(head)
        self._take_body()
        return self._whole

    def ended(self) -> None:
        """The other side closed, which ends a body of unknown length; else raises ProtocolError."""
        if self._whole:
            return
        if self._headers is None or self._length() is not None or self._chunked():
            raise ProtocolError("HTTP: the answer ends too early")
        self.body, self._rest, self._whole = self._rest, b"", True

    def _read_head(self, head: bytes) -> None:
        first, *lines = head.decode("latin-1").split("\r\n")
        words = first.split(" ", 2)
        if not words[0].startswith("HTTP/1.") or len(words) < 2 or not words[1].isdecimal():
            raise ProtocolError("HTTP: this is no answer")
        self.status = int(words[1][:4])
        if 100 <= self.status < 200:
            return  # "go on"; the answer itself follows
        pairs = (line.partition(":") for line in lines)
        self._headers = {name.strip().lower(): value.strip() for name, _, value in pairs}

    def _take_body(self) -> None:
        if self._chunked():
            self._take_chunks()
        elif (length := self._length()) is not None and len(self._rest) >= length:
            self.body, self._rest, self._whole = self._rest[:length], b"", True

    def _take_chunks(self) -> None:
        while not self._whole:
            line, found, rest = self._rest.partition(b"\r\n")
            if not found:
                return
            try:
                size = int(line.partition(b";")[0], 16)
            except ValueError as error:
                raise ProtocolError("HTTP: a chunk without a size") from error
            if not 0 <= size <= ANSWER_MOST:
                raise ProtocolError("HTTP: a chunk of impossible size")
            if size == 0:
                self._rest, self._whole = b"", True  # trailers say nothing here
            elif len(rest) < size + 2:
                return
            else:
                self.body += rest[:size]
                self._rest = rest[size + 2 :]

    def _chunked(self) -> bool:
        return (self._headers or {}).get("transfer-encoding", "").lower() == "chunked"

    def _length(self) -> int | None:
        said = (self._headers or {}).get("content-length", "")
        return int(said) if said.isdecimal() and len(said) < 9 else None
