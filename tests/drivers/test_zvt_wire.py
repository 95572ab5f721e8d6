"""ZVT's bytes, pure: APDUs bare and framed, in pieces and broken, and what is read of them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.errors import ProtocolError
from drivers.terminal.zvt import consts, meaning
from drivers.terminal.zvt.meaning import KINDS, Answer, conditions, poi_status, read
from drivers.terminal.zvt.wire import Apdu, BadFrame, FrameAck, FrameNak, Frames, Stream, fields, frame
from tests.golden.format import Known, Received, Sent, Transcript, load_all

apdus = st.builds(
    Apdu,
    control=st.builds(
        lambda a, b: bytes((a, b)), st.sampled_from(sorted(consts.CLASSES)), st.integers(0, 255)
    ),
    data=st.binary(max_size=600),
)
PAN = bytes.fromhex("4929123456789014")
PAID = Apdu(
    consts.STATUS_INFORMATION,
    bytes.fromhex("27 00 04 00 00 00 00 12 34 22 F0 F8") + PAN + bytes.fromhex("29 12 34 56 78 19 00"),
)
TRANSCRIPTS = [t for t in load_all("zvt") if t.simulator_only is None]


def test_the_frame_is_as_an_independent_implementation_prints_it() -> None:
    asked = Apdu(consts.STATUS_ENQUIRY, bytes.fromhex("12 34 56"))
    assert frame(asked) == bytes.fromhex("10 02 05 01 03 12 34 56 10 03 E0 43")
    shown = Apdu(
        b"\x06\xe0",
        bytes.fromhex("F2 F1 F5") + b"EINGEBEN UND OK" + bytes.fromhex("F1 F1 F6") + b"FAHRERNUMMER    ",
    )
    assert frame(shown).endswith(bytes.fromhex("10 03 5A BA"))


def test_long_data_has_its_length_in_two_bytes_the_low_one_first() -> None:
    assert Apdu(b"\x04\x0f", bytes(254)).encode()[2] == 254
    long = Apdu(b"\x04\x0f", bytes(300)).encode()
    assert long[:5] == bytes.fromhex("04 0F FF 2C 01")
    assert Stream().feed(long) == [Apdu(b"\x04\x0f", bytes(300))]


@given(st.lists(apdus, max_size=4), st.integers(1, 40))
def test_a_stream_comes_out_as_it_went_in_however_it_is_cut(sent: list[Apdu], cut: int) -> None:
    data = b"".join(one.encode() for one in sent)
    stream = Stream()
    assert [one for at in range(0, len(data), cut) for one in stream.feed(data[at : at + cut])] == sent
    assert not stream.partial()


@given(st.lists(apdus, max_size=4), st.integers(1, 40))
def test_frames_come_out_as_they_went_in_however_they_are_cut(sent: list[Apdu], cut: int) -> None:
    data = b"\x06\x15" + b"".join(map(frame, sent))
    frames = Frames()
    got = [one for at in range(0, len(data), cut) for one in frames.feed(data[at : at + cut])]
    assert got == [FrameAck(), FrameNak(), *sent]
    assert not frames.partial()


@given(apdus, st.data())
def test_no_broken_frame_is_taken_for_a_whole_one(sent: Apdu, data: st.DataObject) -> None:
    good = frame(sent)
    at = data.draw(st.integers(2, len(good) - 1))
    bad = bytearray(good)
    bad[at] ^= data.draw(st.integers(1, 255))
    got = [one for one in Frames().feed(bytes(bad)) if isinstance(one, Apdu)]
    assert got == []


@given(st.binary(max_size=200))
def test_any_bytes_are_events_or_nothing(data: bytes) -> None:
    Frames().feed(data)
    for control in (consts.STATUS_INFORMATION, consts.COMPLETION, consts.ABORT, b"\x84\x6b"):
        read(Apdu(control, data))


def test_what_is_no_zvt_is_an_error_and_a_stream_keeps_no_more_than_an_apdu() -> None:
    with pytest.raises(ProtocolError):
        Stream().feed(b"HTTP/1.1 400")
    frames = Frames()
    assert frames.feed(b"\x10\x02" + bytes(70_000)) == [BadFrame()]
    assert not frames.partial()


def test_a_card_number_is_stepped_over_and_never_shown() -> None:
    said = read(PAID)
    assert said == meaning.Said((), {"terminal_id": "12345678"})
    assert "4929" not in repr(PAID) + repr(said)
    assert fields(PAID.data, frozenset((0x27,))) == {0x27: b"\x00"}
    assert fields(bytes.fromhex("77 27 E2"), frozenset((0x27,))) == {}, "of unknown length: nothing behind it"


@pytest.mark.parametrize(
    ("data", "codes", "identity"),
    [
        ("", (), {}),
        ("00", (), {}),
        ("E2", (0xE2,), {}),
        ("F0 F0 F7 32 2E 31 34 2E 31 35 00", (), {"firmware": "2.14.15"}),
        ("F0 F0 F7 32 2E 31 34 2E 31 35 C2", (0xC2,), {"firmware": "2.14.15"}),
        # E2, E0 and F1 are numbers of fields too: behind a version stands the status, and fields follow it.
        ("F0 F0 F1 37 E2 06 00", (0xE2,), {"firmware": "7"}),
        ("F0 F0 F1 37 E0 29 12 34 56 78", (0xE0,), {"firmware": "7", "terminal_id": "12345678"}),
        ("F0 F0 F0 F1 00", (0xF1,), {}),
        ("E2 06 00", (0xE2,), {}),
        ("F0 F0 F1 37", (), {"firmware": "7"}),
        ("27 B1 FF 01", (0xB1,), {}),
        ("19 00 29 12 34 56 78 49 09 78", (), {"terminal_id": "12345678"}),
        ("19 02 29 12 34 56 78", (0xC2,), {"terminal_id": "12345678"}),
        ("27 B1", (0xB1,), {}),
        ("F0 F0 F1 37 00 29 12 34 56 78", (), {"firmware": "7", "terminal_id": "12345678"}),
        ("06 03 1F 10 00 27 ED", (0xED,), {}),
    ],
)
def test_a_completion_in_each_of_its_forms(
    data: str, codes: tuple[int, ...], identity: dict[str, str]
) -> None:
    said = read(Apdu(consts.COMPLETION, bytes.fromhex(data)))
    assert (said.codes, said.identity) == (codes, identity)


@pytest.mark.parametrize(("code", "kind"), sorted(meaning.CODES.items()))
def test_each_code_says_its_own_trouble_and_nothing_of_the_others(code: int, kind: str) -> None:
    for answer in (Answer(True, (code,)), Answer(False, (code,))):
        assert conditions(answer) == {each: True if each == kind else None for each in KINDS}


def test_a_clean_completion_says_that_all_is_well_and_a_customers_mistake_says_nothing() -> None:
    well = Answer(True)
    assert set(conditions(well).values()) == {False}
    assert poi_status(well) == {
        "CardReaderOKFlag": True,
        "CommunicationOKFlag": True,
        "GlobalStatus": "OK",
        "PEDOKFlag": True,
        "PrinterStatus": "OK",
    }
    for code in (consts.CARD_UNREADABLE, consts.ABORTED_BY_USER, consts.PLEASE_WAIT):
        assert set(conditions(Answer(True, (code,))).values()) == {None}
    assert poi_status(Answer(False, (consts.PLEASE_WAIT,))) == {"GlobalStatus": "Busy"}
    assert poi_status(Answer(True, (consts.REMOTE_MAINTENANCE,))) == {"GlobalStatus": "Maintenance"}
    assert poi_status(Answer(True, (consts.PRINTER_NOT_READY,))) == {"PrinterStatus": "OutOfOrder"}
    assert poi_status(Answer(False, (consts.PIN_PAD_DEFECTIVE,))) == {"PEDOKFlag": False}


@pytest.mark.parametrize("transcript", TRANSCRIPTS, ids=lambda t: t.name)
def test_golden_codec(transcript: Transcript) -> None:
    """Each side's bytes are what our codec makes of their meaning, and mean what stands there."""
    serial = transcript.name.startswith("serial_")
    codes: list[int] = []
    completed = False
    judged = 0
    for step in transcript.steps:
        if isinstance(step, Sent) and step.data not in (b"\x06", Apdu(consts.ACK).encode()):
            codes, completed = [], False
        if isinstance(step, Known):
            known = conditions(Answer(completed, tuple(codes)))
            assert {kind: known[kind] for kind in step.conditions()} == step.conditions()
            judged += 1
        if not isinstance(step, Sent | Received):
            continue
        events = Frames().feed(step.data) if serial else Stream().feed(step.data)
        assert b"".join(_encoded(event, serial=serial) for event in events) == step.data
        for event in events:
            if isinstance(step, Received) and isinstance(event, Apdu):
                codes += read(event).codes
                completed |= event.control == consts.COMPLETION
    assert judged or transcript.name == "serial_selftest"


def _encoded(event: object, *, serial: bool) -> bytes:
    if isinstance(event, Apdu):
        return frame(event) if serial else event.encode()
    assert isinstance(event, FrameAck), event
    return b"\x06"
