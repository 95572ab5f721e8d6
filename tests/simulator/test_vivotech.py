"""The simulated ViVOtech2 reader, against the guide's words. Its frames are in the golden transcripts."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.devices.reader.vivotech import REBOOT_S, REPORT_BYTES, REPORT_ID, WHOLE_S, VivotechReader
from simulator.devices.reader.vivotech_frame import DATA_BYTES_MOST, TAG, Frames, crc, response
from tests.simulator.bench import Bench

PING, PONG = TAG + bytes.fromhex("18010000b3cd"), TAG + bytes.fromhex("18000000fa83")


def command(code: int, sub: int, data: bytes = b"") -> bytes:
    frame = TAG + bytes((code, sub)) + len(data).to_bytes(2, "big") + data
    return frame + crc(frame).to_bytes(2, "little")


def status(answer: bytes) -> int:
    assert answer == response(answer[10], answer[11], answer[14:-2])
    return answer[11]


@pytest.fixture
def bench() -> Bench:
    return Bench(model="vivotech")


def test_the_crcs_that_the_guide_prints() -> None:
    assert command(0x18, 0x01) == PING
    assert response(0x18, 0x00) == PONG
    assert command(0x09, 0x20)[-2:] == bytes.fromhex("5611")
    assert command(0x61, 0x17)[-2:] == bytes.fromhex("728d")
    assert response(0x61, 0x00)[-2:] == bytes.fromhex("4b81")


@pytest.mark.parametrize(
    ("knob", "code", "healed"),
    [("tamper=yes", 0x1D, "tamper=no"), ("secure=failed", 0x12, "secure=ok"), ("sam=error", 0x20, "sam=ok")],
)
def test_each_trouble_is_the_status_of_every_response(
    bench: Bench, knob: str, code: int, healed: str
) -> None:
    bench.set(knob)
    for asked in (PING, command(0x29, 0x00), command(0x09, 0x20), command(0x25, 0x07)):
        assert status(bench.ask(asked)) == code
    bench.set(healed)
    assert bench.ask(PING) == PONG


def test_of_several_troubles_the_gravest_is_told(bench: Bench) -> None:
    bench.set("tamper=yes", "secure=failed", "sam=error")
    told = []
    for healed in ("tamper=no", "secure=ok", "sam=ok"):
        told.append(status(bench.ask(PING)))
        bench.set(healed)
    assert told == [0x1D, 0x12, 0x20]
    assert bench.ask(PING) == PONG


def test_a_broken_frame_is_told_even_by_a_tampered_reader(bench: Bench) -> None:
    bench.set("tamper=yes")
    assert status(bench.ask(PING[:-1] + b"\x00")) == 0x04


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        (command(0x7F, 0x01), 0x02),
        (command(0x18, 0x02), 0x03),
        (command(0x29, 0x99), 0x03),
        (command(0x25, 0x07, b"\x24\x00"), 0x05),
        (command(0x25, 0x07, b"\x02"), 0x05),
        (command(0x25, 0x07, b"\x0a\x00"), 0x05),
        (TAG + b"\x18\x01" + (DATA_BYTES_MOST + 1).to_bytes(2, "big"), 0x19),
    ],
)
def test_what_it_refuses(bench: Bench, asked: bytes, code: int) -> None:
    assert status(bench.ask(asked)) == code
    assert bench.ask(PING) == PONG


def test_reading_the_self_check_time_changes_nothing_and_setting_it_reboots(bench: Bench) -> None:
    assert bench.ask(command(0x25, 0x07))[14:-2] == b"\x02\x30"
    assert bench.served.state()["restarts"] == 0
    assert status(bench.ask(command(0x25, 0x07, b"\x18\x30"))) == 0x00
    assert not bench.door.powered()
    assert bench.ask(PING) == b""
    assert bench.hear(REBOOT_S) == b""
    assert bench.door.powered()
    assert bench.ask(PING) == PONG
    assert bench.ask(command(0x25, 0x07))[14:-2] == b"\x18\x30"
    assert bench.served.state()["restarts"] == 1


def test_led_and_buzzer_are_counted(bench: Bench) -> None:
    for code in (0x0A, 0x0B):
        assert status(bench.ask(command(code, 0x01, b"\x01"))) == 0x00
    assert bench.served.state()["signals"] == 2


def test_identity_is_its_knobs(bench: Bench) -> None:
    bench.set("firmware=NEO2-2.0", "serial=ABC")
    assert bench.ask(command(0x29, 0x00))[14:-2] == b"NEO2-2.0"
    assert b"NEO2-2.0" in bench.ask(command(0x09, 0x20))
    assert bench.ask(command(0x29, 0x17))[14:-2] == bytes(13) + b"ABC"


@pytest.mark.parametrize("knob", ["firmware=" + "F" * 32, "serial=" + "S" * 32])
def test_every_response_fits_into_one_report(bench: Bench, knob: str) -> None:
    bench.set(knob)
    for asked in (command(0x29, 0x00), command(0x09, 0x20), command(0x29, 0x17)):
        assert len(bench.ask(asked)) <= REPORT_BYTES


def test_the_rest_of_a_command_comes_in_time_or_never(bench: Bench) -> None:
    assert bench.ask(PING[:12], within_s=WHOLE_S / 2) == b""
    assert bench.ask(PING[12:]) == PONG
    assert bench.ask(PING[:12], within_s=2 * WHOLE_S) == b""
    assert bench.ask(PING[12:]) == b""
    assert bench.ask(PING) == PONG


def test_the_report_descriptor_speaks_of_one_report_of_63_bytes() -> None:
    interface = VivotechReader.shape.interface
    assert (interface.device_class, interface.report_id, interface.report_bytes) == (0x03, REPORT_ID, 63)
    items = _items(interface.report)
    assert (0x84, REPORT_ID) in items
    assert (0x94, REPORT_BYTES) in items
    assert [tag for tag, _ in items if tag == 0xB0] == [0xB0]
    assert items[-1] == (0xC0, 0)


def _items(descriptor: bytes) -> list[tuple[int, int]]:
    """HID 1.11, 6.2.2.2: short items, as tag with type, and value."""
    found, at = [], 0
    while at < len(descriptor):
        size = (0, 1, 2, 4)[descriptor[at] & 3]
        found.append((descriptor[at] & 0xFC, int.from_bytes(descriptor[at + 1 : at + 1 + size], "little")))
        at += 1 + size
    return found


@settings(deadline=None)
@given(
    st.lists(st.binary(max_size=40) | st.just(PING), max_size=8), st.lists(st.integers(0, 200), max_size=4)
)
def test_a_ping_is_found_in_anything_however_it_is_cut(parts: list[bytes], cuts: list[int]) -> None:
    stream, frames, at = b"".join(parts), Frames(), 0
    found = []
    for cut in [*sorted(cuts), len(stream)]:
        found += frames.feed(stream[at:cut])
        at = max(at, cut)
        assert frames.held() <= len(TAG) + 6 + DATA_BYTES_MOST
    whole = Frames().feed(stream)
    assert found == whole
    # Noise long enough to pass for a tag and a length does not happen by chance.
    if TAG[:2] not in b"".join(part for part in parts if part != PING):
        assert [frame.intact for frame in whole] == [True] * parts.count(PING)
