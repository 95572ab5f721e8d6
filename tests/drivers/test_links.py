"""Links over real ptys and sockets: the deadlines hold, counts are exact, breaks are told apart."""

from __future__ import annotations

import fcntl
import os
import pty
import socket
import termios
import threading
import time
import tty
from collections.abc import Iterator
from pathlib import Path

import pytest

from drivers.api import Deadline, Link, SystemClock
from drivers.errors import Absent, HeldByOther, LinkLost, LinkUnusable, NoPermission, Unreachable
from drivers.link import make
from drivers.link.address import SerialAddress, TcpAddress
from drivers.link.serial import SerialLink
from drivers.link.tcp import TcpLink

pytestmark = pytest.mark.system

CLOCK = SystemClock()


def after(seconds: float) -> Deadline:
    return Deadline.after(CLOCK, seconds)


class Line:
    """A pty and the link at its end."""

    def __init__(self) -> None:
        self.master, slave = pty.openpty()
        tty.setraw(slave)
        self.path = os.ttyname(slave)
        os.close(slave)
        self.link = make(f"serial:{self.path}")

    def hang_up(self) -> None:
        os.close(self.master)
        self.master = -1


@pytest.fixture
def line() -> Iterator[Line]:
    made = Line()
    yield made
    made.link.close()
    del made.link  # its wake-up descriptor ends with it
    if made.master >= 0:
        made.hang_up()


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as made:
        yield made


def tcp(listener: socket.socket) -> Link:
    return make(f"tcp:127.0.0.1:{listener.getsockname()[1]}?hold=1")


def elapsed_s(since_s: float) -> float:
    return time.monotonic() - since_s


def test_serial_bytes_both_ways(line: Line) -> None:
    line.link.open(after(1))
    assert line.link.write(b"\x10\x04\x01", after(1)) == 3
    assert os.read(line.master, 9) == b"\x10\x04\x01"
    os.write(line.master, b"\x12\x00\x11\x13\x0d\x0a\x04")
    assert line.link.read(after(1)) == b"\x12\x00\x11\x13\x0d\x0a\x04"
    assert line.link.power_line() is None  # a pty has no modem lines


def test_serial_read_ends_at_its_deadline_and_when_woken(line: Line) -> None:
    line.link.open(after(1))
    since_s = time.monotonic()
    assert line.link.read(after(0.2)) == b""
    assert 0.19 < elapsed_s(since_s) < 0.4
    threading.Timer(0.1, line.link.wake).start()
    since_s = time.monotonic()
    assert line.link.read(after(5)) == b""
    assert elapsed_s(since_s) < 1
    line.link.wake()
    assert line.link.read(after(5)) == b""


def test_closed_links_only_wait(line: Line) -> None:
    for link in (line.link, make("tcp:127.0.0.1:9")):
        since_s = time.monotonic()
        assert link.read(after(0.1)) == b""
        assert elapsed_s(since_s) >= 0.1
        with pytest.raises(LinkLost, match="not open"):
            link.write(b"x", after(1))
        assert link.power_line() is None


def test_a_babbling_peer_does_not_stretch_a_read(line: Line) -> None:
    line.link.open(after(1))
    stop = threading.Event()

    def babble() -> None:
        while not stop.wait(0.02):
            os.write(line.master, b"x" * 20)

    peer = threading.Thread(target=babble)
    peer.start()
    try:
        deadline, got, since_s = after(0.3), 0, time.monotonic()
        while not deadline.expired():
            got += len(line.link.read(deadline))
        assert got
        assert elapsed_s(since_s) < 0.5
    finally:
        stop.set()
        peer.join(2)


def test_a_peer_that_does_not_read_gets_an_exact_count_and_does_not_hang_close(line: Line) -> None:
    line.link.open(after(1))
    since_s = time.monotonic()
    sent = line.link.write(b"x" * (1 << 20), after(0.3))
    assert 0.25 < elapsed_s(since_s) < 0.6
    got = 0
    os.set_blocking(line.master, False)
    time.sleep(0.05)
    while True:
        try:
            got += len(os.read(line.master, 65536))
        except BlockingIOError:
            break
    assert 0 < sent < 1 << 20
    assert got == sent
    line.link.write(b"x" * (1 << 20), after(0.1))
    since_s = time.monotonic()
    line.link.close()
    assert elapsed_s(since_s) < 0.5


def test_a_hang_up_is_a_lost_link_then_an_absent_one(line: Line) -> None:
    line.link.open(after(1))
    threading.Timer(0.1, line.hang_up).start()
    with pytest.raises(LinkLost, match="the line broke"):
        line.link.read(after(5))
    with pytest.raises(LinkLost):
        line.link.write(b"x", after(1))
    line.link.close()
    with pytest.raises(Absent):
        line.link.open(after(1))
    assert not line.link.is_open()


def test_a_second_opener_finds_it_held(line: Line) -> None:
    line.link.open(after(1))
    other = make(f"serial:{line.path}")
    with pytest.raises(HeldByOther):
        other.open(after(1))
    line.link.close()
    other.open(after(1))
    other.open(after(1))  # open already
    other.close()
    other.close()


def test_closing_keeps_the_modem_lines(line: Line) -> None:
    line.link.open(after(1))
    look = os.open(line.path, os.O_RDWR | os.O_NOCTTY)  # the lock is advisory: a person can still look in
    assert not termios.tcgetattr(look)[2] & termios.HUPCL
    os.close(look)


def test_errors_of_opening(tmp_path: Path, line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Absent):
        make(f"serial:{tmp_path}/none").open(after(1))
    with pytest.raises(LinkUnusable):
        make("serial:/dev/null").open(after(1))
    for settings, parity, bits in (("7N", "N", 7), ("8E", "E", 8)):
        with pytest.raises(LinkUnusable, match=f"refuses 115200 baud, {settings}") as caught:
            SerialLink(SerialAddress(path=line.path, parity=parity, bits=bits)).open(after(1))
        assert "pseudo-terminal" in caught.value.hint

    def refuse(*_args: object, **_kwargs: object) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(NoPermission, match="Permission denied"):
        line.link.open(after(1))


def test_flock_is_what_holds_it(line: Line) -> None:
    look = os.open(line.path, os.O_RDWR | os.O_NOCTTY)
    fcntl.flock(look, fcntl.LOCK_EX | fcntl.LOCK_NB)
    with pytest.raises(HeldByOther):
        line.link.open(after(1))
    os.close(look)
    line.link.open(after(1))


def test_tcp_bytes_both_ways_and_wake(listener: socket.socket) -> None:
    link = tcp(listener)
    link.open(after(1))
    link.open(after(1))
    with listener.accept()[0] as peer:
        assert link.write(b"\x10\x04\x01", after(1)) == 3
        assert peer.recv(9) == b"\x10\x04\x01"
        peer.sendall(b"\x12")
        assert link.read(after(1)) == b"\x12"
        since_s = time.monotonic()
        assert link.read(after(0.1)) == b""
        assert elapsed_s(since_s) < 0.3
        link.wake()
        assert link.read(after(5)) == b""
    with pytest.raises(LinkLost, match="closed by the device"):
        link.read(after(1))
    link.close()
    assert not link.is_open()


def test_tcp_reset_is_a_lost_link(listener: socket.socket) -> None:
    link = tcp(listener)
    link.open(after(1))
    peer = listener.accept()[0]
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
    peer.close()
    with pytest.raises(LinkLost):
        link.read(after(1))
    with pytest.raises(LinkLost):
        link.write(b"x", after(1))
    link.close()


def test_tcp_write_to_a_peer_that_does_not_read(listener: socket.socket) -> None:
    link = tcp(listener)
    link.open(after(1))
    with listener.accept()[0]:
        since_s = time.monotonic()
        sent = link.write(b"x" * (1 << 24), after(0.3))
        assert 0 < sent < 1 << 24
        assert elapsed_s(since_s) < 0.8
    link.close()


def test_tcp_refused_and_unanswered_are_unreachable(listener: socket.socket) -> None:
    link = tcp(listener)
    listener.close()
    with pytest.raises(Unreachable, match="refused"):
        link.open(after(1))
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        fillers = [socket.socket() for _ in range(3)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(full.getsockname())
        since_s = time.monotonic()
        with pytest.raises(Unreachable, match="timed out"):
            TcpLink(TcpAddress(host="127.0.0.1", port=full.getsockname()[1])).open(after(0.3))
        assert elapsed_s(since_s) < 0.6
        for filler in fillers:
            filler.close()


def test_a_slow_resolver_does_not_stretch_the_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    release = threading.Event()
    real = socket.getaddrinfo

    def slow(host: str, port: int, **kwargs: int) -> object:
        if kwargs.get("flags"):
            return real(host, port, **kwargs)
        release.wait(5)
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", slow)
    link = TcpLink(TcpAddress(host="printer.invalid", port=9100))
    since_s = time.monotonic()
    with pytest.raises(Unreachable, match="not resolved in time"):
        link.open(after(0.2))
    assert elapsed_s(since_s) < 0.5
    with pytest.raises(Unreachable, match="not resolved in time"):
        link.open(after(0.2))
    assert [thread.name for thread in threading.enumerate()].count("resolve") == 1
    release.set()
    thread = link._resolver._lookup._thread
    assert thread is not None
    thread.join(2)
    with pytest.raises(Unreachable, match="cannot be resolved"):
        link.open(after(1))
