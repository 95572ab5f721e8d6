"""The USB/IP door, by a host written from the kernel's document."""

from __future__ import annotations

import errno
import random
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.golden.format import Received, Sent, Transcript, load_all
from tests.simulator.serving import ServedDevice, served
from tests.usbip_host import Ended, UsbIpHost, host

pytestmark = pytest.mark.system

EOT_1 = b"\x10\x04\x01"


@pytest.fixture
def printer(tmp_path: Path) -> Iterator[ServedDevice]:
    with served(tmp_path, "usbip:127.0.0.1:0") as device:
        yield device


@pytest.fixture
def port(printer: ServedDevice) -> int:
    return port_of(printer)


def port_of(device: ServedDevice) -> int:
    doors = device.tell()["doors"]
    assert isinstance(doors, list)
    return int(doors[0].rpartition(":")[2])


@pytest.mark.parametrize("transcript", load_all("usbip"), ids=lambda transcript: transcript.name)
def test_golden(transcript: Transcript, port: int) -> None:
    with host(port) as client:
        if transcript.name in ("submit", "unlink"):
            assert client.attach("1-1") is not None
        for step in transcript.steps:
            if isinstance(step, Sent):
                client.socket.sendall(step.data)
            elif isinstance(step, Received):
                assert client.receive(len(step.data)).hex(" ") == step.data.hex(" ")
        client.socket.settimeout(0.05)
        with pytest.raises(TimeoutError):
            client.socket.recv(1)


def test_a_kernel_attaches_it_and_asks(port: int) -> None:
    """The requests of enumeration as a Linux host sends them, then usblp's and the printer's own."""
    with host(port) as client:
        (exported,) = client.devlist()
        assert (exported.vid, exported.pid, exported.interfaces) == (0x04B8, 0x0202, ((7, 1, 2),))
    with host(port) as client:
        assert client.attach(exported.busid) is not None
        assert client.control(0x80, 6, 0x0100, 0, 64).data[:2] == b"\x12\x01"
        assert client.control(0x80, 6, 0x0200, 0, 9).length == 9
        assert client.control(0x80, 6, 0x0200, 0, 32).length == 32
        assert client.control(0x80, 6, 0x0600, 0, 10).status == -errno.EPIPE
        assert client.control(0x80, 6, 0x0303, 0x409, 255).data[2:].decode("utf-16-le") == "SIM0000001"
        assert client.control(0x00, 9, 1, 0, 0) == Ended(3, 6, 0)
        assert b"MDL:TM-T88III;" in client.control(0xA1, 0, 0, 0, 1023).data
        reading = client.submit(2, wanted=1024)
        writing = client.submit(1, data=EOT_1)
        assert client.ended() == Ended(3, writing, 0, 3)
        assert client.ended() == Ended(3, reading, 0, 1, b"\x12")


def test_one_host_at_a_time(port: int) -> None:
    with host(port) as first, host(port) as second:
        assert first.attach("1-1") is not None
        assert second.attach("1-1") is None
        assert len(second.devlist()) == 1
        first.socket.close()
        while second.attach("1-1") is None:
            pass
        assert second.control(0x80, 8, 0, 0, 1).data == b"\1"


@pytest.mark.parametrize(("away", "back"), [("fault=unplug", "fault=none"), ("power=off", "power=on")])
def test_the_host_sees_it_go_and_may_attach_it_again(printer: ServedDevice, away: str, back: str) -> None:
    port = port_of(printer)
    with host(port) as client:
        before = client.attach("1-1")
        client.submit(2, wanted=64)
        printer.tell(away)
        assert client.ended().status == -errno.ENODEV
        with pytest.raises(ConnectionError):
            client.ended()
    with host(port) as client:
        assert client.devlist() == []
        assert client.attach("1-1") is None
        printer.tell(back)
        after = client.attach("1-1")
        assert before is not None
        assert after is not None
        assert after.devnum != before.devnum
        client.submit(1, data=EOT_1)
        client.submit(2, wanted=64)
        assert [client.ended().status, client.ended().data] == [0, b"\x12"]


def test_a_busy_printer_keeps_a_write_waiting_until_it_is_given_up(printer: ServedDevice) -> None:
    printer.tell("paper=end")
    with host(port_of(printer)) as client:
        client.attach("1-1")
        first = client.submit(1, data=b"x" * 4096)
        assert client.ended() == Ended(3, first, 0, 4096)
        second = client.submit(1, data=b"y" * 10)
        with pytest.raises(TimeoutError):
            client.ended(0.1)
        unlink = client.unlink(second)
        assert client.ended() == Ended(4, unlink, -errno.ECONNRESET)
        printer.tell("paper=ok")
        status = client.control(0xA1, 1, 0, 0, 1)
        assert status.data == b"\x18"
    assert printer.tell()["printed_bytes"] == 4096


def test_mute(printer: ServedDevice) -> None:
    printer.tell("fault=mute")
    with host(port_of(printer)) as client:
        client.attach("1-1")
        reading = client.submit(2, wanted=64)
        assert client.control(0x80, 6, 0x0100, 0, 18).length == 18
        client.submit(1, data=EOT_1)
        assert client.ended().status == 0
        with pytest.raises(TimeoutError):
            client.ended(0.1)
        client.unlink(reading)
        assert client.ended().status == -errno.ECONNRESET


def test_too_short_where_that_is_an_error(port: int) -> None:
    with host(port) as client:
        client.attach("1-1")
        client.submit(1, data=EOT_1)
        assert client.ended().status == 0
        client.submit(2, wanted=64, flags=1)
        assert client.ended().status == -errno.EREMOTEIO


def test_a_card_reader_and_its_notices(tmp_path: Path) -> None:
    with served(tmp_path, "usbip:127.0.0.1:0", model="ccid") as reader, host(port_of(reader)) as client:
        client.attach("1-1")
        notice = client.submit(3, wanted=16)
        reader.tell("card=present")
        ended = client.ended()
        assert (ended.seqnum, ended.data[:1]) == (notice, b"\x50")


def test_whoever_does_not_speak_the_protocol_is_hung_up_on(printer: ServedDevice) -> None:
    noise, port = random.Random(7), port_of(printer)
    with host(port) as good:
        good.attach("1-1")
        for _ in range(40):
            bad = noise.choice([
                b"",
                bytes.fromhex("0110800500000000"),
                bytes.fromhex("0111800300000000"),
                bytes.fromhex("0111800500000000") * 3,
            ])  # fmt: skip
            with socket.create_connection(("127.0.0.1", port), 5.0) as client:
                try:
                    client.sendall(bad + noise.randbytes(noise.randrange(200)))
                    client.shutdown(socket.SHUT_WR)
                    while client.recv(1 << 16):
                        pass
                except ConnectionError:
                    pass
        assert good.control(0xA1, 1, 0, 0, 1).data == b"\x18"


def flood(client: UsbIpHost) -> None:
    for _ in range(2000):
        client.submit(2, wanted=64)
    client.ended()


def test_no_end_of_transfers_ends_the_host(port: int) -> None:
    with host(port) as client:
        client.attach("1-1")
        with pytest.raises(ConnectionError):
            flood(client)
    with host(port) as client:
        while client.attach("1-1") is None:
            pass


def test_a_port_that_is_taken(printer: ServedDevice, tmp_path: Path) -> None:
    folder = tmp_path / "second"
    folder.mkdir()
    with (
        pytest.raises(Exception, match="port 0 chooses a free one"),
        served(folder, f"usbip:127.0.0.1:{port_of(printer)}"),
    ):
        pass
