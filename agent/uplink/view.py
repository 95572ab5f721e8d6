"""The running session as others may look at it, from any thread: its line, and what the broker refuses."""

from __future__ import annotations

import socket
import ssl
from dataclasses import dataclass, field

from drivers.network.session import INFO_BYTES, Line, SessionState


@dataclass(slots=True)
class LiveSession:
    """One session's socket, looked at and never used; a closed one just says nothing any more."""

    sock: socket.socket
    peer: str | None = None
    certificate: bytes | None = None
    refused: set[str] = field(default_factory=set)

    @classmethod
    def of(cls, sock: socket.socket, refused: set[str]) -> LiveSession:
        """In the thread that owns the socket."""
        try:
            peer = str(sock.getpeername()[0])
        except (OSError, IndexError):
            peer = None
        certificate = sock.getpeercert(binary_form=True) if isinstance(sock, ssl.SSLSocket) else None
        return cls(sock, peer, certificate, refused)

    def state(self, word: str, detail: str) -> SessionState:
        return SessionState(
            connected=True,
            word=word,
            detail=detail,
            peer=self.peer,
            line=self._line(),
            certificate=self.certificate,
            refused=tuple(sorted(self.refused.copy())),
        )

    def _line(self) -> Line | None:
        try:  # a closed socket has the descriptor -1, so no other one is asked by mistake
            return Line.of(self.sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, INFO_BYTES))
        except OSError:
            return None
