"""The simulated payment terminal, against a ZVT till that shares no line with it (tests/zvt_client.py).

What is right here is what the published protocol says, and frames that public implementations recorded.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from simulator.control import tell
from tests import zvt_client as zvt
from tests.brokers import free_port
from tests.counter import end, start, until
from tests.zvt_client import RECEIVED, Link, SerialLink, TcpLink, ask, condition

pytestmark = pytest.mark.system
DOORS = ("tcp", "serial")
AT_ONCE_S = 0.2
# Published frames of real terminals and tills (ecrterm's tests), CRC and all.
RECORDED = (
    "10 02 80 00 00 10 03 f5 1f",
    "10 02 05 01 03 12 34 56 10 03 e0 43",
    "10 02 06 70 00 10 03 d9 f9",
    "10 02 84 9c 00 10 03 c3 41",
    "10 02 06 00 06 12 34 56 ba 09 78 10 03 24 c3",
    "10 02 06 01 0a 04 00 00 00 01 10 10 00 49 09 78 10 03 f2 ff",
)
VERSION_FRAME = "10 02 06 0f 0b f0 f0 f7 32 2e 31 34 2e 31 35 00 10 03 b1 11"
HEALTHY = (
    "reader=ok",
    "pin_pad=ok",
    "registered=yes",
    "diagnosis=done",
    "host=reachable",
    "version=2.14.15",
    "terminal_id=12345678",
)


class Terminal:
    """One served terminal; `link` opens a connection to it, of which it takes one at a time."""

    def __init__(self, folder: Path, kind: str) -> None:
        self._kind, self._path, self._port = kind, folder / "terminal", free_port()
        self._control = folder / "ctl"
        door = f"tcp:127.0.0.1:{self._port}" if kind == "tcp" else f"tty:{self._path}?baud=9600"
        self.process = start("simulator.cli", "serve", "zvt", "--at", door, "--control", str(self._control))

    def set(self, *knobs: str) -> None:
        tell(self._control, knobs)

    def knob(self, name: str) -> str:
        return str(tell(self._control, [])["knobs"][name])

    def wait(self) -> None:
        until(self._control.exists, "the terminal to be served", self.process)

    def link(self) -> Link:
        return TcpLink(self._port) if self._kind == "tcp" else SerialLink(self._path)


@pytest.fixture(scope="module")
def served() -> Iterator[Callable[[str], Terminal]]:
    """Both doors, each served once: a start costs more than all that is asked."""
    folder = Path(tempfile.mkdtemp(prefix="tw-"))
    running: dict[str, Terminal] = {}
    try:
        for kind in DOORS:
            (folder / kind).mkdir()
            running[kind] = Terminal(folder / kind, kind)
        for terminal in running.values():
            terminal.wait()
        yield running.__getitem__
    finally:
        for terminal in running.values():
            end(terminal.process)
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(params=DOORS)
def at_door(
    request: pytest.FixtureRequest, served: Callable[[str], Terminal]
) -> Iterator[tuple[Terminal, Link]]:
    """A healthy terminal and an open link, over each door."""
    terminal = served(request.param)
    terminal.set(*HEALTHY)
    link = terminal.link()
    yield terminal, link
    link.close()


@pytest.fixture
def line(served: Callable[[str], Terminal]) -> Iterator[tuple[Terminal, SerialLink]]:
    """The same over the serial line alone, for its frames."""
    terminal = served("serial")
    terminal.set(*HEALTHY)
    link = terminal.link()
    assert isinstance(link, SerialLink)
    yield terminal, link
    link.close()


@pytest.mark.parametrize("frame", RECORDED)
def test_the_client_frames_as_real_tills_do(frame: str) -> None:
    """The yardstick first: a client that is wrong in the terminal's own way would prove nothing."""
    bare = bytes.fromhex(frame)[2:-4].replace(b"\x10\x10", b"\x10")
    assert zvt.framed(bare) == bytes.fromhex(frame)


@pytest.mark.parametrize(
    ("knob", "status"),
    [
        ("reader=ok", 0x00),
        ("reader=defective", 0xE2),
        ("pin_pad=defective", 0xED),
        ("diagnosis=required", 0xC2),
    ],
)
def test_status_enquiry_tells_the_terminal_s_condition(
    at_door: tuple[Terminal, Link], knob: str, status: int
) -> None:
    terminal, link = at_door
    terminal.set(knob)
    plain = ask(link, zvt.enquiry())
    assert plain.receipt == RECEIVED
    assert condition(plain.end) == zvt.Condition("2.14.15", status)
    assert [message[:2] for message in plain.messages] == [zvt.COMPLETION]
    served = ask(link, zvt.enquiry(service=0x02))
    assert served.receipt == RECEIVED
    assert condition(served.end).status == status


def test_a_terminal_that_knows_no_till_refuses_until_it_is_registered(at_door: tuple[Terminal, Link]) -> None:
    terminal, link = at_door
    terminal.set("registered=no")
    refused = bytes.fromhex("84 6b 00")
    for apdu in (zvt.enquiry(), zvt.enquiry(service=0x02), zvt.DIAGNOSIS):
        assert ask(link, apdu).receipt == refused
    assert ask(link, zvt.registration()).end[:2] == zvt.COMPLETION
    assert condition(ask(link, zvt.enquiry()).end).status == 0x00


def test_registration_as_a_till_does_it(at_door: tuple[Terminal, Link]) -> None:
    """Password, config byte, euro; then as tills with a service byte and permitted commands (TLV 26) do."""
    terminal, link = at_door
    terminal.set("registered=no")
    for tail in (b"", bytes.fromhex("03 00"), bytes.fromhex("03 00 06 06 26 04 0a 02 06 d3")):
        done = ask(link, zvt.registration(config=0xBE, tail=tail))
        assert done.receipt == RECEIVED
        assert [message[:2] for message in done.messages] == [zvt.COMPLETION]
        fields = zvt.bitmaps(zvt.body(done.end))
        assert (fields[0x29].hex(), fields[0x49].hex()) == ("12345678", "0978")
        assert terminal.knob("registered") == "yes"


def test_diagnosis_runs_by_intermediate_status_to_its_completion(at_door: tuple[Terminal, Link]) -> None:
    terminal, link = at_door
    terminal.set("diagnosis=required")
    registered = ask(link, zvt.registration(config=0x08)).end
    assert registered[:2] == zvt.COMPLETION
    assert zvt.bitmaps(zvt.body(registered))[0x19] == b"\x02", "it says that a diagnosis is due"
    run = ask(link, zvt.DIAGNOSIS)
    assert run.receipt == RECEIVED
    assert run.end[:2] == zvt.COMPLETION
    assert [message[:2] for message in run.messages[:-1]] == [zvt.INTERMEDIATE] * (len(run.messages) - 1)
    assert all(len(data) >= 1 for data in run.of(zvt.INTERMEDIATE))
    assert run.of(zvt.INTERMEDIATE), "a till that asked for them gets them"
    assert condition(ask(link, zvt.enquiry()).end).status == 0x00, "it was diagnosed"


def test_a_diagnosis_without_the_host_is_aborted(at_door: tuple[Terminal, Link]) -> None:
    terminal, link = at_door
    terminal.set("host=unreachable", "diagnosis=required")
    run = ask(link, zvt.DIAGNOSIS)
    assert run.receipt == RECEIVED
    assert (run.end[:2], zvt.body(run.end)) == (zvt.ABORT, b"\x9b")
    assert terminal.knob("diagnosis") == "required"


def test_the_terminal_waits_for_each_acknowledgement(at_door: tuple[Terminal, Link]) -> None:
    """80 00 00 of the till: nothing more comes before it, and all of the rest after."""
    _, link = at_door
    link.send(zvt.DIAGNOSIS)
    assert link.receive() == RECEIVED
    assert link.receive()[:2] == zvt.INTERMEDIATE
    with pytest.raises(zvt.Silent):
        link.receive(AT_ONCE_S)
    link.send(RECEIVED)
    assert link.receive()[:2] == zvt.COMPLETION
    link.send(RECEIVED)
    assert condition(ask(link, zvt.enquiry()).end).status == 0x00  # nothing else came in between


def test_an_unknown_command_and_one_too_short_are_refused(at_door: tuple[Terminal, Link]) -> None:
    _, link = at_door
    for apdu in (zvt.command("06 44"), zvt.command("06 00", bytes(2))):
        receipt = ask(link, apdu).receipt
        assert (receipt[0], receipt[2]) == (0x84, 0x00)
        assert receipt[1] != 0x00
    assert condition(ask(link, zvt.enquiry()).end).status == 0x00


def test_tcp_takes_an_apdu_in_pieces_and_a_long_length(served: Callable[[str], Terminal]) -> None:
    terminal = served("tcp")
    terminal.set(*HEALTHY)
    link = terminal.link()
    try:
        whole = zvt.enquiry()
        for at in range(len(whole)):
            link.send(whole[at : at + 1])
        assert link.receive() == RECEIVED
        assert condition(link.receive()).status == 0x00
        link.send(RECEIVED)
        assert condition(ask(link, bytes.fromhex("05 01 ff 03 00 00 00 00")).end).status == 0x00
    finally:
        link.close()


def test_serial_frames_pass_as_a_real_terminal_s(line: tuple[Terminal, SerialLink]) -> None:
    """Each frame gets its ACK, both ways, and the completion is the published one, byte for byte."""
    _, link = line
    ask(link, zvt.enquiry())
    assert link.said == [zvt.framed(zvt.enquiry()), b"\x06", b"\x06", zvt.framed(RECEIVED)]
    assert link.heard == [b"\x06", bytes.fromhex(RECORDED[0]), bytes.fromhex(VERSION_FRAME), b"\x06"]


def test_a_damaged_serial_frame_is_refused_and_then_taken(line: tuple[Terminal, SerialLink]) -> None:
    _, link = line
    sound = zvt.framed(zvt.enquiry())
    for at in (2, 5, len(sound) - 1):
        damaged = bytearray(sound)
        damaged[at] ^= 0x40
        link.write(bytes(damaged))
        assert link.answer() == zvt.NAK
        with pytest.raises(zvt.Silent):  # no answer to what was refused
            link.take(0.1)
        assert condition(ask(link, zvt.enquiry()).end).status == 0x00  # the repetition is taken


def test_a_serial_frame_that_stops_midway_is_refused(line: tuple[Terminal, SerialLink]) -> None:
    """T1, 0.2 s between characters."""
    _, link = line
    link.write(zvt.framed(zvt.enquiry())[:6])
    assert link.answer() == zvt.NAK
    assert condition(ask(link, zvt.enquiry()).end).status == 0x00


def test_the_terminal_repeats_what_the_till_refuses(line: tuple[Terminal, SerialLink]) -> None:
    """A NAK brings the same frame again: the acknowledgement's, and the completion's."""
    _, link = line
    link.send(zvt.enquiry())
    for expected in (RECEIVED, bytes.fromhex(VERSION_FRAME)[2:-4]):
        assert link.take() == (expected, True)
        link.write(bytes((zvt.NAK,)))
        assert link.receive() == expected
    link.send(RECEIVED)
    assert condition(ask(link, zvt.enquiry()).end).status == 0x00


def test_the_terminal_gives_up_and_lives_on(line: tuple[Terminal, SerialLink]) -> None:
    """Sent and repeated twice, then no more; the next command finds it as before."""
    _, link = line
    link.send(zvt.enquiry())
    for _ in range(3):
        assert link.take() == (RECEIVED, True)
        link.write(bytes((zvt.NAK,)))
    with pytest.raises(zvt.Silent):
        link.take(AT_ONCE_S)
    assert condition(ask(link, zvt.enquiry()).end).status == 0x00


def test_dle_is_doubled_in_data_and_length_and_never_in_the_crc(line: tuple[Terminal, SerialLink]) -> None:
    terminal, link = line
    terminal.set("terminal_id=10100210", "version=123456789012")  # the version makes its length byte 10
    registered = zvt.bitmaps(zvt.body(ask(link, zvt.registration()).end))
    assert registered[0x29].hex() == "10100210"
    assert bytes.fromhex("29 10 10 10 10 02 10 10") in link.heard[-2]
    assert condition(ask(link, zvt.enquiry()).end).version == "123456789012"
    assert link.heard[-2].startswith(bytes.fromhex("10 02 06 0f 10 10 f0 f1 f2"))
    asked = next(
        apdu
        for apdu in (zvt.enquiry(password=bytes.fromhex(f"{number:06d}")) for number in range(10_000))
        if zvt.framed(apdu)[-2] == zvt.DLE
    )
    assert ask(link, asked).receipt == RECEIVED  # 10 in the till's CRC
    terminal.set("version=74")
    assert condition(ask(link, zvt.enquiry()).end).version == "74"
    assert link.heard[-2][-2:] == bytes.fromhex("10 71")  # 10 in the terminal's CRC


def test_noise_before_a_serial_frame_is_passed_over(line: tuple[Terminal, SerialLink]) -> None:
    _, link = line
    link.write(bytes.fromhex("00 ff 41"))
    assert condition(ask(link, zvt.enquiry()).end).status == 0x00
