"""The simulated payment terminal: both forms on the line, who waits for whom, and what is counted."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.devices.terminal.zvt import COMMANDS, T4_S, PaymentTerminal
from simulator.devices.terminal.zvt_line import APDU_BYTES, T1_S, T3_S, TRIES, Apdu, Ear, Garbled, crc, framed
from simulator.devices.usb import has_usb
from tests.simulator.bench import Bench

ENQUIRY, DIAGNOSIS, SELFTEST, ABORT, TAKEN = "05 01 00", "06 70 00", "06 79 00", "06 B0 00", "80 00 00"
READY = bytes.fromhex("06 0F 0B F0 F0 F7") + b"2.14.15\x00"


def bench(*settings: str) -> Bench:
    return Bench(*settings, model="zvt")


def serial(apdu: str) -> bytes:
    return framed(bytes.fromhex(apdu))


def test_it_is_not_a_usb_device() -> None:
    assert not has_usb(PaymentTerminal())


@pytest.mark.parametrize(
    ("apdu", "on_the_line"),
    [
        ("05 01 03 12 34 56", "10 02 05 01 03 12 34 56 10 03 E0 43"),
        (
            "06 0F 0B F0 F0 F7 32 2E 31 34 2E 31 35 00",
            "10 02 06 0F 0B F0 F0 F7 32 2E 31 34 2E 31 35 00 10 03 B1 11",
        ),
        (
            "06 D1 17 00 20 20 20 20 20 20 20 20 20 4B 61 73 73 65 6E 73 63 68 6E 69 74 74",
            "10 02 06 D1 17 00 20 20 20 20 20 20 20 20 20 4B 61 73 73 65 6E 73 63 68 6E 69 74 74 10 03 2F 07",
        ),
    ],
)  # fmt: skip
def test_the_serial_form_is_as_ecrterm_prints_it(apdu: str, on_the_line: str) -> None:
    assert serial(apdu) == bytes.fromhex(on_the_line)
    assert [event.encoded() for event in Ear().feed(serial(apdu), 0.0) if isinstance(event, Apdu)] == [
        bytes.fromhex(apdu)
    ]


def test_the_crc_counts_a_doubled_byte_once() -> None:
    apdu = bytes.fromhex("05 01 03 10 10 10")
    assert framed(apdu)[2:-4] == bytes.fromhex("05 01 03 10 10 10 10 10 10")
    assert framed(apdu)[-2:] == crc(apdu + b"\x03").to_bytes(2, "little")
    assert Ear().feed(framed(apdu), 0.0) == [Apdu(0x0501, b"\x10\x10\x10")]


def test_a_long_message_has_a_length_of_three_bytes_in_both_forms() -> None:
    long = Apdu(0x06D3, bytes(range(256)) * 2)
    assert long.encoded()[:5] == bytes.fromhex("06 D3 FF 00 02")
    assert Ear().feed(long.encoded(), 0.0) == [long]
    assert Ear().feed(framed(long.encoded()), 0.0) == [long]


def test_each_command_is_counted_by_name() -> None:
    on = bench()
    for code in COMMANDS:
        on.ask(bytes([code >> 8, code & 0xFF, 0]))
        for _ in range(3):
            on.ask(TAKEN)
    on.ask("06 01 00")
    assert on.device.facts()["asked"] == dict.fromkeys([*COMMANDS.values(), "other"], 1)


def test_enquiries_are_no_registration_and_no_diagnosis() -> None:
    on = bench("diagnosis=required")
    for _ in range(10):
        on.ask(ENQUIRY)
        on.ask(TAKEN)
    assert on.device.facts()["asked"] == {"status_enquiry": 10}
    assert on.device.knobs["diagnosis"] == "required"


def test_it_waits_for_the_till_before_it_goes_on() -> None:
    on = bench()
    assert on.ask(DIAGNOSIS) == bytes.fromhex("80 00 00 04 FF 01 04")
    assert on.hear(100) == b""
    assert on.device.facts()["doing"] == "diagnosis"
    assert on.ask(TAKEN) == bytes.fromhex("06 0F 00")
    assert on.ask(TAKEN) == b""
    assert on.device.facts()["doing"] == ""


def test_a_till_that_never_takes_a_report_is_given_up() -> None:
    on = bench()
    on.ask(DIAGNOSIS)
    assert on.hear(T4_S + 1) == b""
    assert (on.device.facts()["doing"], on.device.facts()["given_up"]) == ("", 1)
    assert on.ask(ENQUIRY) == bytes.fromhex(TAKEN) + READY


def test_who_asks_anew_has_dropped_the_end_of_the_last() -> None:
    on = bench()
    for _ in range(3):
        assert on.ask(ENQUIRY) == bytes.fromhex(TAKEN) + READY
    assert on.device.facts()["given_up"] == 0


@pytest.mark.parametrize(
    ("settings", "command", "end"),
    [
        ("host=unreachable", DIAGNOSIS, "06 1E 01 9B"),
        ("host=unreachable", "06 93 00", "06 1E 01 9B"),
        ("host=unreachable", SELFTEST, "06 0F 00"),
        ("reader=defective", SELFTEST, "06 1E 01 E2"),
        ("pin_pad=defective", SELFTEST, "06 1E 01 ED"),
        ("reader=defective", DIAGNOSIS, "06 0F 00"),
    ],
)
def test_how_work_ends(settings: str, command: str, end: str) -> None:
    on = bench(settings)
    on.ask(command)
    assert on.ask(TAKEN) == bytes.fromhex(end)


def test_one_thing_is_named_though_more_is_wrong() -> None:
    on = bench("printer=not_ready", "memory=full", "reader=defective")
    assert on.ask(ENQUIRY)[-1] == 0xE2
    on.ask(TAKEN)
    on.set("reader=ok")
    assert on.ask(ENQUIRY)[-1] == 0xB1


def test_a_registration_makes_it_registered_and_a_log_off_ends_that() -> None:
    on = bench("registered=no")
    for refused in (ENQUIRY, DIAGNOSIS, SELFTEST):
        assert on.ask(refused) == bytes.fromhex("84 6B 00")
    on.ask("06 00 06 00 00 00 BA 09 78")
    assert on.device.knobs["registered"] == "yes"
    on.ask(TAKEN)
    on.ask("06 02 00")
    assert on.device.knobs["registered"] == "no"


@pytest.mark.parametrize(
    ("settings", "data", "told"),
    [
        ("diagnosis=done", "BA 09 78", "19 00 29 12 34 56 78 49 09 78"),
        ("diagnosis=done", "BA", "19 00 29 12 34 56 78"),
        ("diagnosis=required", "BA 09 78 03 00", "19 02 29 12 34 56 78 49 09 78"),
    ],
)
def test_a_registration_is_told_what_is_due_and_the_currency_it_named(
    settings: str, data: str, told: str
) -> None:
    on = bench(settings)
    apdu = bytes.fromhex(f"00 00 00 {data}")
    told_bytes = bytes.fromhex(told)
    answer = on.ask(bytes((0x06, 0x00, len(apdu))) + apdu)
    assert answer == bytes.fromhex(TAKEN) + bytes((0x06, 0x0F, len(told_bytes))) + told_bytes


@pytest.mark.parametrize(("config", "progress"), [("08", "04 FF 01 04"), ("BE", "04 FF 01 04"), ("86", "")])
def test_intermediate_statuses_come_where_the_till_asked_for_them(config: str, progress: str) -> None:
    on = bench("host=unreachable")
    on.ask(f"06 00 06 00 00 00 {config} 09 78")
    on.ask(TAKEN)
    assert on.ask(DIAGNOSIS) == bytes.fromhex(TAKEN + (progress or "06 1E 01 9B"))


def test_a_terminal_id_is_eight_digits_whatever_the_knob_says() -> None:
    on = bench("terminal_id=T-42")
    assert bytes.fromhex("29 00 00 00 42 49") in on.ask("06 00 06 00 00 00 BA 09 78")


def test_stalled_it_tells_its_status_and_works_when_it_goes_on() -> None:
    on = bench("fault=stall")
    assert on.ask(ENQUIRY) == bytes.fromhex(TAKEN) + READY
    on.ask(TAKEN)
    assert on.ask(SELFTEST) == bytes.fromhex(TAKEN)
    assert on.hear(10) == b""
    on.set("fault=none")
    assert on.hear() == bytes.fromhex("04 FF 01 0E")


def test_switched_off_it_forgets_what_it_did() -> None:
    on = bench()
    on.ask(DIAGNOSIS)
    on.set("power=off")
    assert on.ask(ENQUIRY) == b""
    on.set("power=on")
    assert on.ask(ENQUIRY) == bytes.fromhex(TAKEN) + READY


def test_on_a_serial_line_it_says_again_what_nobody_took() -> None:
    on = bench()
    assert on.ask(serial(ENQUIRY)) == b"\x06" + serial(TAKEN)
    assert on.hear(T3_S * (TRIES - 1) + 1) == serial(TAKEN) * (TRIES - 1)
    assert on.hear(60) == b""
    assert (on.device.facts()["given_up"], on.device.facts()["framing"]) == (1, "serial")
    assert on.ask(serial(ENQUIRY)) == b"\x06" + serial(TAKEN)


def test_three_times_refused_is_given_up_at_once() -> None:
    on = bench()
    on.ask(serial(ENQUIRY))
    assert [on.ask("15") for _ in range(TRIES)] == [serial(TAKEN)] * (TRIES - 1) + [b""]
    assert on.device.facts()["given_up"] == 1


def test_a_frame_that_ends_in_its_middle_is_refused_after_t1() -> None:
    on = bench()
    assert on.ask(serial(ENQUIRY)[:6], within_s=T1_S - 0.05) == b""
    assert on.hear(0.1) == b"\x15"
    assert on.ask(serial(ENQUIRY)) == b"\x06" + serial(TAKEN)


def test_half_a_bare_message_is_dropped_in_silence() -> None:
    on = bench()
    on.ask("05 01")
    assert on.hear(T3_S + 0.1) == b""
    assert on.ask(ENQUIRY) == bytes.fromhex(TAKEN) + READY


def test_once_serial_it_takes_no_bare_message_until_it_was_off() -> None:
    on = bench()
    on.ask(serial(ENQUIRY))
    on.ask("06")
    on.ask("06")
    on.ask(serial(TAKEN))
    assert on.ask(ENQUIRY) == b""
    on.set("power=off", "power=on")
    assert on.ask(ENQUIRY) == bytes.fromhex(TAKEN) + READY


def test_every_byte_of_a_frame_turned_is_noticed() -> None:
    whole = serial("05 01 03 00 00 00")
    for at in range(2, len(whole)):
        turned = whole[:at] + bytes([whole[at] ^ 0x04]) + whole[at + 1 :]
        ear = Ear()
        events = [*ear.feed(turned, 0.0), *ear.due(1.0)]
        assert events, turned.hex(" ")
        assert all(isinstance(event, Garbled) for event in events), turned.hex(" ")


@given(st.lists(st.binary(max_size=300), max_size=20))
def test_any_bytes_are_taken_and_what_is_held_is_bounded(chunks: list[bytes]) -> None:
    on = bench()
    for chunk in chunks:
        on.ask(chunk)
        assert isinstance(on.device, PaymentTerminal)
        assert on.device._ear.held() <= APDU_BYTES
    on.hear(2 * T4_S)
    on.set("power=off", "power=on", "registered=yes")
    assert on.ask(ENQUIRY) == bytes.fromhex(TAKEN) + READY


@given(st.binary(max_size=400), st.lists(st.integers(0, 400), max_size=6))
def test_messages_survive_the_line_however_it_is_cut(data: bytes, cuts: list[int]) -> None:
    apdu = Apdu(0x06D3, data)
    for whole in (apdu.encoded(), framed(apdu.encoded())):
        at = sorted({0, len(whole), *(cut for cut in cuts if cut < len(whole))})
        ear = Ear()
        heard = [e for start, end in itertools.pairwise(at) for e in ear.feed(whole[start:end], 0.0)]
        assert heard == [apdu]
