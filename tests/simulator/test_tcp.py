"""The TCP door, with plain sockets at the other end."""

from __future__ import annotations

import errno
import socket
import struct
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from simulator.doors.door import DoorError
from simulator.doors.tcp import TcpDoor
from simulator.loop import Loop
from simulator.station import Plan, Station
from tests.simulator.serving import ServedDevice, port_of, served

pytestmark = pytest.mark.system

EOT = b"\x10\x04\x01"


@pytest.fixture
def device(tmp_path: Path) -> Iterator[ServedDevice]:
    with served(tmp_path, "tcp:127.0.0.1:0") as device:
        yield device


def connect(device: ServedDevice, timeout_s: float = 2.0) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port_of(device)), timeout=timeout_s)


def ask(connection: socket.socket) -> bytes:
    connection.sendall(EOT)
    return connection.recv(16)


def test_connect_ask_close_again_and_again(device: ServedDevice) -> None:
    for _ in range(20):
        with connect(device) as connection:
            assert ask(connection) == b"\x12"


def test_one_connection_at_a_time_the_next_waits_its_turn(device: ServedDevice) -> None:
    with connect(device) as first:
        assert ask(first) == b"\x12"
        with connect(device) as second:
            second.settimeout(0.2)
            second.sendall(EOT)
            with pytest.raises(TimeoutError):
                second.recv(1)
            assert ask(first) == b"\x12"
            first.close()
            second.settimeout(2)
            assert second.recv(1) == b"\x12"


@pytest.mark.parametrize(("away", "back"), [("fault=unplug", "fault=none"), ("power=off", "power=on")])
def test_away_connections_end_and_connects_time_out(device: ServedDevice, away: str, back: str) -> None:
    with connect(device) as connection:
        assert ask(connection) == b"\x12"
        device.tell(away)
        with pytest.raises(ConnectionResetError):
            connection.recv(1)
    for _ in range(3):
        with pytest.raises(TimeoutError):
            connect(device, 0.2)
    device.tell(back)
    with connect(device) as connection:
        assert ask(connection) == b"\x12"


def test_mute_accepts_and_stays_silent(device: ServedDevice) -> None:
    device.tell("fault=mute")
    with connect(device) as connection:
        connection.settimeout(0.2)
        with pytest.raises(TimeoutError):
            ask(connection)


def test_a_client_that_resets_leaves_the_port_usable(device: ServedDevice) -> None:
    for _ in range(3):
        with connect(device) as connection:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            connection.sendall(EOT)
    with connect(device) as connection:
        assert ask(connection) == b"\x12"


def test_a_printer_takes_data_at_its_own_rate(device: ServedDevice) -> None:
    device.tell("rate=1000")
    with connect(device) as connection:
        start_s = time.monotonic()
        connection.sendall(b"x" * 397 + EOT)
        assert connection.recv(1) == b"\x12"
        assert time.monotonic() - start_s >= 0.4


def test_automatic_status_goes_to_whoever_spoke_last(tmp_path: Path) -> None:
    with served(tmp_path, "tcp:127.0.0.1:0", "tcp:127.0.0.1:0") as device, connect(device) as first:
        first.sendall(b"\x1da\x0f")
        assert first.recv(4) == bytes.fromhex("10 00 00 00")
        device.tell("cover=open")
        assert first.recv(4) == bytes.fromhex("38 00 00 00")
        doors = device.tell()["doors"]
        assert isinstance(doors, list)
        with socket.create_connection(("127.0.0.1", int(doors[1].rpartition(":")[2])), timeout=2) as second:
            assert ask(second) == b"\x1a"
            device.tell("cover=closed")
            assert second.recv(4) == bytes.fromhex("10 00 00 00")


def test_a_port_in_use_is_refused(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(DoorError, match="port 0"), served(tmp_path, f"tcp:127.0.0.1:{port}"):
            pass


class Vanished(socket.socket):
    """A peer whose machine is gone, as the kernel tells it once it has tried for long enough."""

    def recv(self, *_: object) -> bytes:
        raise TimeoutError(errno.ETIMEDOUT, "Connection timed out")

    def send(self, *_: object) -> int:
        raise TimeoutError(errno.ETIMEDOUT, "Connection timed out")


def connected(door: TcpDoor) -> bool:
    return door._peer is not None


@pytest.mark.parametrize("when", ["read", "written"])
def test_a_peer_whose_machine_is_gone_is_dropped(when: str) -> None:
    with ExitStack() as stack:
        loop = Loop()
        stack.callback(loop.close)
        station = Station(Plan(model="escpos", doors=("tcp:127.0.0.1:0",)), loop)
        stack.callback(station.close)
        station.open()
        (door,) = (entrance.door for entrance in station._entrances)
        assert isinstance(door, TcpDoor)
        port = int(door.address().rpartition(":")[2])
        till = stack.enter_context(socket.create_connection(("127.0.0.1", port)))
        while not connected(door):
            loop.once()
        assert door._peer
        door._peer = Vanished(fileno=door._peer.detach())
        if when == "written":
            door.put(b"x", time.monotonic())
        else:
            till.sendall(b"x")
            while connected(door):
                loop.once()
        assert not connected(door)
        stack.enter_context(socket.create_connection(("127.0.0.1", port)))
        while not connected(door):
            loop.once()
