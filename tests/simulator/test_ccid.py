"""The simulated card reader: what it says of itself, and that it counts each card that is powered."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from simulator.devices.reader.ccid import TAKES_BYTES, CcidReader
from simulator.devices.reader.ccid_messages import CLASS_DESCRIPTOR, MESSAGE_BYTES
from simulator.devices.usb import Control, has_usb
from tests.simulator.bench import Bench

STATUS, POWER_ON, POWER_OFF = 0x65, 0x62, 0x63


def command(code: int, seq: int = 0, *, slot: int = 0, data: bytes = b"") -> bytes:
    return bytes([code, *len(data).to_bytes(4, "little"), slot, seq, 0, 0, 0]) + data


def bench(*settings: str) -> Bench:
    return Bench(*settings, model="ccid", baud=0)


def reader(a_bench: Bench) -> CcidReader:
    assert isinstance(a_bench.device, CcidReader)
    return a_bench.device


def test_its_shape_is_a_card_reader_with_a_class_descriptor_of_54_bytes() -> None:
    device = CcidReader()
    assert has_usb(device)
    assert device.shape.interface.device_class == 0x0B
    assert [(e.address, e.kind) for e in device.shape.interface.endpoints] == [
        (0x01, "bulk"),
        (0x82, "bulk"),
        (0x83, "interrupt"),
    ]
    assert len(CLASS_DESCRIPTOR) == CLASS_DESCRIPTOR[0] == 54
    assert int.from_bytes(CLASS_DESCRIPTOR[44:48], "little") == MESSAGE_BYTES
    device.turn("model", "Another", 0.0)
    assert device.shape.product == "Another"


def test_a_card_that_comes_and_goes_is_noticed_once() -> None:
    on = bench()
    assert on.door.notice() == b""
    on.set("card=present")
    assert on.door.notice() == b"\x50\x03"
    assert on.door.notice() == b""
    on.set("card=absent")
    assert on.door.notice() == b"\x50\x02"
    # Nobody looked in between: what is true now is told, once.
    on.set("card=present")
    on.set("card=mute")
    on.set("card=absent")
    assert on.door.notice() == b"\x50\x02"


def test_too_much_current_is_noticed_when_it_happens() -> None:
    on = bench("card=present")
    on.ask(command(POWER_ON))
    on.door.notice()
    on.set("reader=over_current")
    assert on.door.notice() == b"\x51\x00\x00\x01"
    assert not on.device.facts()["card_active"]
    on.set("reader=ok", "reader=short_circuit")
    assert on.door.notice() == b""


def test_a_card_in_the_slot_is_told_after_switching_on_and_plugging_in() -> None:
    for off, back in (("power=off", "power=on"), ("fault=unplug", "fault=none")):
        on = bench("card=present")
        on.ask(command(POWER_ON))
        on.door.notice()
        on.set(off)
        assert on.door.notice() == b""
        assert on.ask(command(STATUS)) == b""
        on.set(back)
        assert on.door.notice() == b"\x50\x03"
        assert on.ask(command(STATUS, 9))[6:8] == b"\x09\x01", "the card is powered no more"


def test_cards_powered_are_counted_and_looks_at_the_slot_are_not() -> None:
    on = bench("card=present")
    for seq in range(5):
        on.ask(command(STATUS, seq))
    facts = on.device.facts()
    assert (facts["powered_on"], facts["asked"]) == (0, {"GetSlotStatus": 5})
    on.ask(command(POWER_ON))
    on.ask(command(POWER_OFF))
    on.ask(command(0x6F, data=b"\x00\xa4\x00\x00"))
    facts = on.device.facts()
    assert (facts["powered_on"], facts["card_active"]) == (1, False)
    assert facts["asked"] == {"GetSlotStatus": 5, "IccPowerOn": 1, "IccPowerOff": 1, "XfrBlock": 1}


def test_a_card_that_does_not_answer_is_not_powered() -> None:
    on = bench("card=mute")
    on.ask(command(POWER_ON))
    assert on.device.facts()["powered_on"] == 0


def test_stalled_it_tells_its_status_and_powers_no_card_until_it_goes_on() -> None:
    on = bench("card=present", "fault=stall")
    assert on.ask(command(POWER_ON, 1)) == b""
    assert on.ask(command(STATUS, 2))[6] == 2
    assert on.device.facts()["powered_on"] == 0
    on.set("fault=none")
    assert on.hear()[6] == 1
    assert on.device.facts()["powered_on"] == 1


def test_the_answer_after_a_time_extension_takes_as_long_as_told() -> None:
    on = bench("answer=time_extension", "extension=2")
    first = on.ask(command(STATUS, 3), within_s=1.9)
    assert (len(first), first[7]) == (10, 0x82)
    assert on.hear(0.2)[6:8] == b"\x03\x02"


def test_a_command_cut_in_two_is_whole_only_if_the_rest_comes_soon() -> None:
    on = bench()
    whole = command(STATUS, 7)
    assert on.ask(whole[:4]) == b""
    assert on.ask(whole[4:])[6] == 7
    on.ask(whole[:4])
    on.hear(5)
    assert on.ask(whole)[6] == 7


def test_a_length_that_cannot_be_is_refused_and_costs_no_memory() -> None:
    on = bench()
    answer = on.ask(bytes([STATUS, 0xFF, 0xFF, 0xFF, 0x7F, 0, 1, 0, 0, 0]) + bytes(50))
    assert answer[6:9] == b"\x01\x42\x01"
    assert on.ask(command(STATUS, 2))[6] == 2


def test_an_abort_by_control_is_taken_and_nothing_else_is() -> None:
    on = bench()
    assert on.door.control(Control(request_type=0x21, request=0x01, value=0x0500)) == b""
    assert on.door.control(Control(request_type=0xA1, request=0x02, length=4)) is None
    on.set("power=off")
    assert on.door.control(Control(request_type=0x21, request=0x01)) is None


@given(st.lists(st.binary(max_size=64), max_size=30))
def test_any_bytes_are_taken_and_what_is_held_is_bounded(chunks: list[bytes]) -> None:
    on = bench("card=present")
    for chunk in chunks:
        on.ask(chunk)
        assert len(reader(on)._held) <= MESSAGE_BYTES
    on.hear(5)
    assert on.device.room() == TAKES_BYTES
    assert on.ask(command(STATUS, 0x42))[:7] == b"\x81\0\0\0\0\0\x42"
