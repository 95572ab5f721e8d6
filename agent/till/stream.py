"""A door of connections: each is heard until it has an answer, gets it, and ends. None may stay long."""

from __future__ import annotations

import logging
import select
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from agent.till.door import View, Wants
from drivers.api import Clock

CONNECTIONS_MOST = 4
WAITING_MOST = 8  #: connections the kernel keeps for us beyond these
TALK_S = 5.0  #: from the connection to the answer's end
ACCEPT_AGAIN_S = 1.0
END_S = 1.0  #: for the peer to close its side
READ_BYTES = 4096

log = logging.getLogger("tillwatch.till")

Ask = Callable[[Callable[[View], None]], None]
"""Asks the judging thread for a view; the callable gets it, in the doors' thread, or never."""


class Talk(Protocol):
    """What is spoken over one connection; sans-IO."""

    def feed(self, data: bytes) -> bytes | Wants | None: ...


@dataclass(slots=True)
class _Peer:
    socket: socket.socket
    talk: Talk
    ends_s: float
    hearing: bool = True  #: the request is not whole yet
    answer: bytes = b""  #: what is still to be sent
    last: bool = False  #: all was sent; closing on bytes that still come would cut it off at the peer


class StreamDoor:
    """`agent.till.door.Door` for a listening socket."""

    def __init__(
        self,
        name: str,
        listen: Callable[[], socket.socket],
        talk: Callable[[], Talk],
        ask: Ask,
        clock: Clock,
        unlisten: Callable[[], None] = lambda: None,
    ) -> None:
        self.name = name
        self._listen = listen
        self._unlisten = unlisten
        self._talk = talk
        self._ask = ask
        self._clock = clock
        self._listener: socket.socket | None = None
        self._peers: dict[int, _Peer] = {}
        self._full_till_s = float("-inf")  #: nobody can be taken until then: out of descriptors, say

    def open(self) -> None:
        listener = self._listen()
        try:
            listener.setblocking(False)
            listener.listen(WAITING_MOST)
        except BaseException:
            listener.close()
            raise
        self._listener = listener

    def close(self) -> None:
        for peer in list(self._peers.values()):
            self._drop(peer)
        if self._listener is not None:
            self._listener.close()
            self._listener = None
            self._unlisten()

    def watched(self) -> Mapping[int, int]:
        events = {
            descriptor: select.POLLOUT if peer.answer else select.POLLIN if peer.hearing or peer.last else 0
            for descriptor, peer in self._peers.items()
        }
        room = len(self._peers) < CONNECTIONS_MOST and self._full_till_s <= self._clock.monotonic_s()
        if self._listener is not None and room:
            events[self._listener.fileno()] = select.POLLIN
        return events

    def ready(self, descriptor: int, _events: int) -> None:
        peer = self._peers.get(descriptor)
        if peer is None:
            self._welcome()
            return
        try:
            if peer.answer:
                self._send(peer)
            else:
                self._hear(peer)
        except BlockingIOError:
            return
        except OSError:
            self._drop(peer)

    def next_due_s(self) -> float | None:
        moments = [peer.ends_s for peer in self._peers.values()]
        if self._full_till_s > self._clock.monotonic_s():
            moments.append(self._full_till_s)
        return min(moments, default=None)

    def advance(self) -> None:
        now_s = self._clock.monotonic_s()
        for peer in [peer for peer in self._peers.values() if peer.ends_s <= now_s]:
            self._drop(peer)

    def _welcome(self) -> None:
        if self._listener is None:
            return
        now_s = self._clock.monotonic_s()
        try:
            taken, _ = self._listener.accept()
        except (BlockingIOError, ConnectionAbortedError):
            return  # it went away before it was taken
        except OSError as error:
            self._full_till_s = now_s + ACCEPT_AGAIN_S
            log.warning("%s: cannot take a connection: %s", self.name, error)
            return
        taken.setblocking(False)
        peer = _Peer(taken, self._talk(), now_s + TALK_S)
        self._peers[taken.fileno()] = peer
        self._go_on(peer, b"")

    def _hear(self, peer: _Peer) -> None:
        data = peer.socket.recv(READ_BYTES)
        if not data:
            self._drop(peer)
        elif peer.hearing:
            self._go_on(peer, data)

    def _go_on(self, peer: _Peer, data: bytes) -> None:
        said = peer.talk.feed(data)
        if said is None:
            return
        peer.hearing = False
        if isinstance(said, bytes):
            self._answer(peer, said)
            return
        answer = said

        def take(view: View) -> None:
            if self._peers.get(peer.socket.fileno()) is peer:  # it may be gone by now
                self._answer(peer, answer(view))

        self._ask(take)

    def _answer(self, peer: _Peer, answer: bytes) -> None:
        peer.answer = answer
        try:
            self._send(peer)
        except BlockingIOError:
            return
        except OSError:
            self._drop(peer)

    def _send(self, peer: _Peer) -> None:
        peer.answer = peer.answer[peer.socket.send(peer.answer) :]
        if not peer.answer:
            peer.socket.shutdown(socket.SHUT_WR)
            peer.last = True
            peer.ends_s = min(peer.ends_s, self._clock.monotonic_s() + END_S)

    def _drop(self, peer: _Peer) -> None:
        self._peers.pop(peer.socket.fileno(), None)
        peer.socket.close()
