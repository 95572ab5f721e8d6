"""Names: is the name server alive, is the broker's name found, and is the answer honest?"""

from __future__ import annotations

import queue
import secrets
import select
import socket
import struct
import threading
from pathlib import Path

from drivers.network.patience import Patience

DNS_PORT = 53
TRIES = 4
SPACING_S = 0.5
MOST_SERVERS = 3  #: resolv.conf(5)

_NOT_FOUND = (socket.EAI_NONAME, socket.EAI_NODATA)
Answer = tuple[tuple[str, ...], str, str]  #: addresses, error, detail


def servers(root: Path = Path("/")) -> tuple[str, ...]:
    """What /etc/resolv.conf names."""
    try:
        text = (root / "etc/resolv.conf").read_text("utf-8", "replace")
    except OSError:
        return ()
    found = [
        line.split()[1]
        for line in text.splitlines()
        if line.startswith("nameserver") and len(line.split()) > 1
    ]
    return tuple(found[:MOST_SERVERS])


def alive(server: str, patience: Patience) -> bool:
    """Whether it answers at all: it is asked for `localhost`, which no server has to ask others for."""
    number = secrets.token_bytes(2)
    # RFC 1035 section 4.1: one question, A, IN.
    question = (
        number + struct.pack(">5H", 0x0100, 1, 0, 0, 0) + b"\x09localhost\x00" + struct.pack(">2H", 1, 1)
    )
    with socket.socket(socket.AF_INET6 if ":" in server else socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.setblocking(False)
        try:
            sock.connect((server, DNS_PORT))
            for _ in range(TRIES):
                if patience.over():
                    return False
                sock.send(question)
                if patience.wait({sock.fileno(): select.POLLIN}, SPACING_S):
                    return sock.recv(512)[:2] == number
            return bool(patience.wait({sock.fileno(): select.POLLIN}, 2.0)) and sock.recv(512)[:2] == number
        except OSError:  # refused: nothing listens there
            return False


class Resolver:
    """getaddrinfo, as everybody uses it. It knows no deadline, so it has a thread, never more than one."""

    def __init__(self) -> None:
        self._thread: threading.Thread | None = None
        self._asked = ""
        self._found: queue.SimpleQueue[Answer] = queue.SimpleQueue()

    def ask(self, host: str, patience: Patience) -> Answer | None:
        """The answer, or None while there is none: asked again for the same, it waits for that one."""
        if self._thread is None:
            self._asked = host
            self._thread = threading.Thread(target=self._run, args=(host,), name="resolve", daemon=True)
            self._thread.start()
        while not patience.over():
            try:
                answer = self._found.get(timeout=min(0.1, patience.deadline.remaining_s()))
            except queue.Empty:
                continue
            self._thread.join()
            self._thread = None
            return answer if self._asked == host else self.ask(host, patience)
        return None

    def asking(self) -> bool:
        """Whether an answer is still to come."""
        return self._thread is not None

    def _run(self, host: str) -> None:
        try:
            found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
        except UnicodeError as error:
            self._found.put(((), "unknown_name", str(error)))
        except OSError as error:
            unknown = isinstance(error, socket.gaierror) and error.errno in _NOT_FOUND
            word = "unknown_name" if unknown else "no_answer"
            self._found.put(((), word, error.strerror or str(error)))
        else:
            self._found.put((tuple(dict.fromkeys(str(each[4][0]) for each in found)), "", ""))


def nonsense(below: str = "invalid") -> str:
    """A name that nobody has (RFC 6761 section 6.4 for `invalid`)."""
    return f"tillwatch-{secrets.token_hex(4)}.{below}"


def is_name(host: str) -> bool:
    """Whether it has to be looked up at all."""
    for family in (socket.AF_INET, socket.AF_INET6):
        try:
            socket.inet_pton(family, host)
        except OSError:
            continue
        return False
    return True
