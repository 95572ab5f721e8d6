"""One question beside a device: what the system or the other side refuses is one error of ours."""

from __future__ import annotations

import errno
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from drivers.api import Deadline, SystemClock
from drivers.errors import Refused, Unreachable
from drivers.link.address import TcpAddress
from drivers.link.once import Host, ask_datagram, ask_stream
from drivers.link.tcp import TcpLink

WITHIN_S = 2.0
NO_NAMES = ["printer..lan", "p" * 64, "printer\x80"]


def soon() -> Deadline:
    return Deadline.after(SystemClock(), WITHIN_S)


@pytest.fixture
def no_ipv6(monkeypatch: pytest.MonkeyPatch) -> None:
    """A kernel that was started with ipv6.disable=1; names resolve to ::1 all the same."""
    real = socket.socket

    def refuses(family: int = socket.AF_INET, *args: Any) -> socket.socket:
        if family == socket.AF_INET6:
            raise OSError(errno.EAFNOSUPPORT, "Address family not supported by protocol")
        return real(family, *args)

    monkeypatch.setattr(socket, "socket", refuses)


@pytest.mark.usefixtures("no_ipv6")
def test_without_ipv6_an_address_of_it_is_unreachable() -> None:
    with pytest.raises(Unreachable, match=r"::1:9.*not supported"):
        Host("::1", 9, socket.SOCK_STREAM).connected(soon())
    with pytest.raises(Unreachable, match=r"::1:9.*not supported"):
        TcpLink(TcpAddress(host="::1", port=9)).open(soon())


@pytest.mark.parametrize("name", NO_NAMES)
def test_what_is_no_name_is_unreachable(name: str) -> None:
    with pytest.raises(Unreachable, match="cannot be resolved"):
        Host(name, 161, socket.SOCK_DGRAM).connected(soon())
    with pytest.raises(Unreachable, match="cannot be resolved"):
        TcpLink(TcpAddress(host=name, port=9)).open(soon())


@contextmanager
def one_that_resets() -> Iterator[int]:
    """Takes a connection and a request, and resets it, as a port does that speaks TLS only."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def reset() -> None:
            taken, _ = listener.accept()
            with taken:
                taken.recv(100)
                taken.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

        thread = threading.Thread(target=reset)
        thread.start()
        yield listener.getsockname()[1]
        thread.join()


@pytest.mark.system
def test_a_reset_proves_that_somebody_is_there() -> None:
    with one_that_resets() as port, pytest.raises(Refused, match="reset"):
        ask_stream(Host("127.0.0.1", port, socket.SOCK_STREAM), b"hello", lambda _data: False, soon())


@pytest.mark.system
def test_a_datagram_of_somebody_else_is_not_heard() -> None:
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as printer,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger,
    ):
        printer.bind(("127.0.0.1", 0))
        heard: list[bytes] = []

        def answer() -> None:
            _, asker = printer.recvfrom(100)
            stranger.sendto(b"of somebody else", asker)
            printer.sendto(b"late", asker)
            printer.sendto(b"right", asker)

        def is_answer(data: bytes) -> bool:
            heard.append(data)
            return data == b"right"

        thread = threading.Thread(target=answer)
        thread.start()
        host = Host("127.0.0.1", printer.getsockname()[1], socket.SOCK_DGRAM)
        assert ask_datagram(host, [(0.0, b"who?")], is_answer, soon()) == b"right"
        thread.join()
        assert heard == [b"late", b"right"]
