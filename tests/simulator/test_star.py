"""The simulated Star printer: real time and the queue, ETB, automatic status, lengths of commands."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.devices.printer.printing import BUFFER_BYTES, ROOM_BYTES
from simulator.devices.printer.star import StarPrinter
from simulator.devices.printer.star_commands import COMMANDS
from simulator.devices.printer.star_stream import RequestScanner, StarStream
from simulator.devices.printer.stream import HELD_BYTES
from simulator.devices.usb import Control, has_usb
from tests.simulator.bench import Bench

REQUEST, ON, OFF, ETB = "1B 06 01", "1B 1E 61 01", "1B 1E 61 00", "17"
READY = bytes.fromhex("23 06 00 00 00 00 00 00 00")


def bench(*settings: str) -> Bench:
    return Bench(*settings, model="star")


def printer(a_bench: Bench) -> StarPrinter:
    assert isinstance(a_bench.device, StarPrinter)
    return a_bench.device


def text(a_bench: Bench) -> str:
    return printer(a_bench).paper.text()


@pytest.mark.parametrize(
    ("settings", "third_to_sixth"),
    [
        ("paper=near_end", "00 00 00 04"),
        ("paper=end", "08 00 00 0C"),
        ("cover=open", "28 00 00 00"),
        ("cutter=jam", "08 08 00 00"),
        ("cutter=freed", "08 08 00 00"),
        ("head=hot", "08 40 00 00"),
        ("error=recoverable", "08 04 00 00"),
        ("error=unrecoverable", "08 20 00 00"),
        ("presenter=jam", "08 00 04 00"),
        ("switch=offline", "48 00 00 00"),
        ("drawer=open", "04 00 00 00"),
    ],
)
def test_each_knob_has_its_bits_and_they_go_with_it(settings: str, third_to_sixth: str) -> None:
    on = bench(settings)
    assert on.ask(REQUEST) == bytes.fromhex("23 06") + bytes.fromhex(third_to_sixth) + bytes(3)
    knob = settings.partition("=")[0]
    on.set(f"{knob}={on.device.knobs._knobs[knob].default}")
    assert on.ask(REQUEST) == READY


def test_header_one_and_the_other_bytes_are_told_apart_by_their_fixed_bits() -> None:
    on = bench()
    on.set("paper=end", "cover=open", "cutter=jam", "head=hot", "error=unrecoverable")
    on.set("presenter=jam", "switch=offline", "drawer=open")
    frame = on.ask(REQUEST)
    assert frame[0] & 0x91 == 0x01
    assert all(byte & 0x91 == 0 for byte in frame[1:])
    assert on.ask("05")[0] & 0x10 == 0
    assert on.ask("04")[0] & 0x11 == 0x10


@pytest.mark.parametrize("count", [1, 7, 8, 31, 32, 33])
def test_the_etb_counter_counts_to_31(count: int) -> None:
    on = bench()
    on.ask(ETB * count)
    eighth = on.ask(REQUEST)[7]
    assert sum(((eighth >> bit) & 1) << n for n, bit in enumerate((1, 2, 3, 5, 6))) == count % 32


@pytest.mark.parametrize(
    "hindrance", ["cover=open", "paper=end", "cutter=jam", "switch=offline", "fault=stall"]
)
def test_etb_waits_behind_what_cannot_be_printed(hindrance: str) -> None:
    on = bench(hindrance)
    on.ask(b"Hello\n\x17")
    assert (text(on), on.ask(REQUEST)[7]) == ("", 0)
    knob = hindrance.partition("=")[0]
    on.set("fault=none" if knob == "fault" else f"{knob}={on.device.knobs._knobs[knob].default}")
    assert (text(on), on.ask(REQUEST)[7]) == ("Hello\n", 2)


def test_a_request_inside_an_image_is_answered_and_stays_part_of_it() -> None:
    on = bench()
    assert on.ask(b"\x1bX\x02\x00\x1b\x06") == b""
    assert on.ask(b"\x01\x00\x00\x00after\n") == READY
    assert text(on) == "[image]\nafter\n"


def test_enq_and_eot_inside_an_image_are_dots() -> None:
    on = bench()
    assert on.ask(b"\x1bK\x04\x00\x05\x04\x05\x04") == b""
    assert on.ask(b"\x05\x04") == b"\x20\x10"


def test_status_is_answered_while_the_buffer_is_full() -> None:
    on = bench("cover=open")
    on.ask(b"x" * (BUFFER_BYTES - 4) + b"\n", within_s=1)
    assert on.device.room() == 3
    assert on.ask(REQUEST)[2] == 0x28
    assert on.device.room() == 3, "a request takes no room"


def test_raster_lines_are_swallowed_by_their_length() -> None:
    on = bench()
    on.ask(b"\x1b*rA\x1b*rP0\x00b\x03\x00abck\x02\x00\x17\x17\x00\x1b\x0c\x00\x1b*rBbk done\n")
    assert text(on) == "[image]\n[image]\n\nbk done\n"
    assert on.ask(REQUEST)[7] == 0


@pytest.mark.parametrize(
    ("data", "looks"),
    [
        (b"A\nB\n\x1bd\x02", "A\nB\n-------- cut --------\n"),
        (b"\x1bb\x04\x01\x02\x5012345\x1eafter", "[barcode 12345]\nafter"),
        (b"\x1b\x1dyS0\x02\x1b\x1dyD1\x00\x03\x00a\x17c\x1b\x1dyP", "[QR]\n"),
        (b"\x1bD\x08\x10\x00x", "x"),
        (b"\x1b\x1da\x01mid\x1ba\x03", "mid\n\n\n"),
        (b"\x1b#0,1234\n\x00x", "x"),
        (b"\x1bC\x00\x05y\x1bC\x42z", "yz"),
    ],
)
def test_what_prints_and_how_long_commands_are(data: bytes, looks: str) -> None:
    on = bench()
    assert on.ask(data) == b""
    assert text(on) == looks


def test_no_command_hides_behind_a_shorter_one() -> None:
    assert len({command.prefix for command in COMMANDS}) == len(COMMANDS)
    assert len({command.name for command in COMMANDS}) == len(COMMANDS)


def test_a_reset_ends_automatic_status_prints_and_forgets_what_waited() -> None:
    on = bench()
    on.ask(ON)
    on.ask(ETB)
    assert on.ask(b"\x1b?\n\x00lost?\n") == b""
    assert text(on).startswith("[self print]\n")
    on.set("cover=open")
    assert on.hear() == b""
    assert on.ask(REQUEST)[7] == 0


def test_a_power_cycle_ends_automatic_status_and_forgets_what_waited() -> None:
    on = bench()
    on.ask(ON)
    on.set("cover=open")
    assert on.hear() == bytes.fromhex("23 06 28 00 00 00 00 00 00")
    on.ask(b"never printed\n")
    on.set("power=off")
    assert on.ask(REQUEST) == b""
    on.set("power=on", "cover=closed")
    assert on.hear() == b""
    assert text(on) == ""


@pytest.mark.parametrize(
    ("answers", "answered"),
    [("all", {REQUEST, ON, "05", "04", "1B 23 2A 0A 00"}), ("asb", {REQUEST, ON}), ("none", set())],
)
def test_what_each_kind_of_printer_answers(answers: str, answered: set[str]) -> None:
    for question in (REQUEST, ON, "05", "04", "1B 23 2A 0A 00"):
        on = bench(f"answers={answers}")
        assert bool(on.ask(question)) == (question in answered), question
        assert text(on) == ""


def test_a_jam_taken_out_goes_when_the_cover_was_opened_and_closed() -> None:
    on = bench("cutter=jam", "error=recoverable")
    on.set("cutter=freed")
    assert on.ask(REQUEST)[3] == 0x0C
    on.set("cover=open", "cover=closed")
    assert on.ask(REQUEST) == READY
    on.set("error=unrecoverable", "cover=open", "cover=closed")
    assert on.ask(REQUEST)[3] == 0x20


@pytest.mark.parametrize(("kick", "waits"), [("07", True), ("1C", False)])
def test_the_drawer_opens_by_bel_in_its_turn_and_by_fs_at_once(kick: str, waits: bool) -> None:
    on = bench("paper=end")
    on.ask(kick)
    assert on.device.facts()["drawer_pulses"] == (0 if waits else 1)
    on.set("paper=ok")
    assert on.device.facts()["drawer_pulses"] == 1
    assert on.ask(REQUEST)[2] == 0x04


def test_over_usb_it_is_a_printer_of_class_7_that_says_star() -> None:
    on = Bench(model="star", baud=0)
    assert has_usb(on.device)
    assert on.device.shape.interface.device_class == 7
    device_id = Control(request_type=0xA1, request=0, length=1024)
    answer = on.door.control(device_id)
    assert answer is not None
    assert int.from_bytes(answer[:2], "big") == len(answer)
    assert b"CMD:STAR;" in answer
    status = Control(request_type=0xA1, request=1, length=1)
    assert on.door.control(status) == b"\x18"
    on.set("paper=end")
    assert on.door.control(status) == b"\x28"
    on.set("paper=ok", "cutter=jam")
    assert on.door.control(status) == b"\x00"
    on.set("power=off")
    assert on.door.control(status) is None


def test_a_soft_reset_empties_the_buffer_and_keeps_automatic_status() -> None:
    on = Bench("cover=open", model="star", baud=0)
    on.ask(ON)
    on.ask(b"never printed\n")
    assert on.door.control(Control(request_type=0x21, request=2)) == b""
    on.set("cover=closed")
    assert on.hear() == READY
    assert text(on) == ""


def test_a_cable_that_feeds_it_takes_its_power_along() -> None:
    for supply, armed in (("mains", True), ("bus", False)):
        on = Bench(f"supply={supply}", model="star", baud=0)
        on.ask(ON)
        on.set("fault=unplug")
        on.set("fault=none")
        on.set("paper=near_end")
        assert bool(on.hear()) == armed


@given(st.lists(st.binary(max_size=200), max_size=30))
def test_any_bytes_are_taken_and_what_waits_is_bounded(chunks: list[bytes]) -> None:
    on = bench()
    for chunk in chunks:
        on.ask(chunk)
    assert on.device.room() == ROOM_BYTES
    assert printer(on)._stream.held() <= HELD_BYTES
    assert on.ask(REQUEST)[-9:-7] == READY[:2], "the request is heard whatever came before"


@given(st.binary(max_size=60), st.lists(st.integers(0, 60), max_size=6))
def test_how_the_stream_is_cut_changes_nothing(data: bytes, cuts: list[int]) -> None:
    data = b"\x1b\x06\x01A\n" + data + b"\x1b\x06\x01"
    at = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
    whole, pieces = (StarStream(), RequestScanner()), (StarStream(), RequestScanner())
    parts = [data[start:end] for start, end in itertools.pairwise(at)]
    tokens = [token.data for part in parts for token in pieces[0].feed(part)]
    assert b"".join(tokens) == b"".join(token.data for token in whole[0].feed(data))
    requests = [asked for part in parts for _, asked in pieces[1].split(part) if asked]
    assert len(requests) == data.count(b"\x1b\x06\x01") == sum(asked for _, asked in whole[1].split(data))


def test_a_gigantic_image_is_held_in_pieces() -> None:
    stream = StarStream()
    stream.feed(b"\x1bk\xff\xff")
    for _ in range(30):
        stream.feed(bytes(1 << 16))
        assert stream.held() <= HELD_BYTES
