"""SNMP's codec and the printer MIB: published examples, recorded answers, and anything at all."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.api import Power
from drivers.errors import ProtocolError
from drivers.passive.snmp import mib, wire
from drivers.passive.snmp.consts import (
    DETECTED_ERRORS,
    INPUT_LEVEL,
    INPUT_MAX,
    MARKER_LIFE,
    MARKER_UNIT,
    PRINTER_STATUS,
    SERIAL,
    SYS_DESCR,
    Oid,
    Pdu,
    Version,
)

ASKED = bytes.fromhex("302602010004067075626c6963a019020139020100020100300e300c06082b060102010101000500")
"""`snmpget -v1 -c public HOST 1.3.6.1.2.1.1.1.0` of net-snmp 5.9.3, request id 57, as it left the socket."""


def answer(*values: bytes, request: int = 57, error: int = 0, index: int = 0) -> bytes:
    """A response of v2c, built by hand; lengths below 128."""
    bound = b"".join(values)
    body = bytes((2, 1, request, 2, 1, error, 2, 1, index, 0x30, len(bound))) + bound
    message = b"\x02\x01\x01\x04\x06public" + bytes((0xA2, len(body))) + body
    return bytes((0x30, len(message))) + message


def bound(value: bytes) -> bytes:
    """sysDescr.0 with this value."""
    content = bytes.fromhex("06082b06010201010100") + value
    return bytes((0x30, len(content))) + content


def test_asks_as_net_snmp_does() -> None:
    assert wire.ask(Version.V1, b"public", Pdu.GET, 57, [SYS_DESCR]) == ASKED


@pytest.mark.parametrize(
    ("value", "read"),
    [
        ("020103", 3),
        ("0201ff", -1),
        ("4104ffffffff", 0xFFFFFFFF),
        ("410500ffffffff", 0xFFFFFFFF),
        ("430164", 100),
        ("4609" + "00" + "ff" * 8, (1 << 64) - 1),
        ("040102", b"\x02"),
        ("0400", b""),
        ("06032b0601", (1, 3, 6, 1)),
        ("0500", None),
        ("8000", None),
        ("8100", None),
        ("8200", None),
    ],
)
def test_reads_every_kind_of_value(value: str, read: wire.Value) -> None:
    assert wire.read(answer(bound(bytes.fromhex(value)))).values == ((SYS_DESCR, read),)


def test_an_error_names_its_object() -> None:
    said = wire.read(answer(bound(b"\x05\0"), error=2, index=1))
    assert (said.request, said.error, said.index) == (57, 2, 1)


@given(st.binary(max_size=200))
def test_anything_is_an_answer_or_a_protocol_error(data: bytes) -> None:
    with contextlib.suppress(ProtocolError):
        wire.read(data)


@given(st.integers(0, 200), st.integers(0, 255))
def test_an_answer_with_a_wrong_byte_never_breaks_the_reader(place: int, byte: int) -> None:
    whole = bytearray(answer(bound(b"\x04\x02\x40\x00"), bound(b"\x41\x05\x00\xff\xff\xff\xff")))
    whole[place % len(whole)] = byte
    with contextlib.suppress(ProtocolError):
        wire.read(bytes(whole))


@given(st.lists(st.integers(0, 0xFFFFFFFF), max_size=20), st.integers(-(1 << 31), (1 << 31) - 1))
def test_what_is_asked_reads_back(tail: list[int], request: int) -> None:
    oid: Oid = (1, 3, *tail)
    asked = wire.ask(Version.V2C, b"public", Pdu.GET, request, [oid])
    said = wire.read(asked.replace(b"public\xa0", b"public\xa2", 1))
    assert (said.request, said.values) == (request, ((oid, None),))


# -- what it means -----------------------------------------------------------------------------------

IDLE: dict[Oid, wire.Value] = {(*PRINTER_STATUS, 1): 3}


def told(raw: wire.Value, status: int = 3) -> dict[str, bool | None]:
    return dict(mib.findings(1, {(*PRINTER_STATUS, 1): status, (*DETECTED_ERRORS, 1): raw}).conditions)


# Sources: RFC 2790 hrPrinterDetectedErrorState for the bits; one byte, two bytes and none, and what is not
# reliable of them, as CUPS's backend/snmp-supplies.c takes them.
@pytest.mark.parametrize(
    ("raw", "status", "kinds"),
    [
        (b"\x00", 3, set()),
        (b"\x00\x00", 4, set()),
        (b"", 3, set()),
        (b"\x80", 3, {"paper_near_end"}),
        (b"\x40", 1, {"paper_end"}),
        (b"\x40\x00", 1, {"paper_end"}),
        (b"\x42\x04", 1, {"paper_end", "printer_offline"}),
        (b"\x08", 1, {"cover_open"}),
        (b"\x04\x00", 1, {"paper_jam"}),
        (b"\x01\x00", 3, set()),
        (b"\x02\x04", 3, set()),
        (b"\x00\x04", 1, {"paper_end"}),
        (b"\x10\x80", 1, {"cartridge_empty"}),
        (b"\x00\x20", 1, {"cartridge_empty"}),
        (b"\x00\x80\x00\x00", 3, set()),
        (b"\x20", 3, {"cartridge_near_empty"}),
    ],
)
def test_detected_errors_of_any_length(raw: bytes, status: int, kinds: set[str]) -> None:
    values = told(raw, status)
    assert {kind for kind, value in values.items() if value} == kinds
    assert None not in values.values()


@pytest.mark.parametrize(("raw", "status"), [(None, 3), (7, 3), (b"", 1), (b"", 2)])
def test_what_was_not_said_is_unknown(raw: wire.Value, status: int) -> None:
    assert set(told(raw, status).values()) == {None}


def test_power_is_known_only_of_what_says_it_is_a_printer() -> None:
    assert mib.findings(1, IDLE).power is Power.ONLINE
    assert mib.findings(1, {SYS_DESCR: b"a print server"}).power is Power.UNKNOWN
    assert mib.findings(1, {(*PRINTER_STATUS, 1): 4}).in_use is True
    assert mib.findings(1, IDLE).in_use is False
    assert mib.findings(1, {(*PRINTER_STATUS, 1): 2}).in_use is None


def test_identity_level_and_counter() -> None:
    found = mib.findings(
        1,
        IDLE
        | {
            SYS_DESCR: b"EPSON UB-E04\0",
            (*SERIAL, 1): b" X4ZK012345 ",
            (*MARKER_LIFE, 1, 1): 1234,
            (*MARKER_UNIT, 1, 1): 6,
            (*INPUT_LEVEL, 1, 1): 20,
            (*INPUT_MAX, 1, 1): 80,
        },
    )
    assert found.identity == {"model": "EPSON UB-E04", "serial": "X4ZK012345"}
    assert found.statistics == {"ReceiptLinePrintedCount": 1234.0}
    assert found.facts == {"paper_level_pct": 25}


@pytest.mark.parametrize(("level", "most"), [(-3, 250), (-2, 250), (5, -2), (300, 250), (None, 250), (5, 0)])
def test_a_level_that_is_a_word_is_no_number(level: int | None, most: int) -> None:
    found = mib.findings(1, IDLE | {(*INPUT_LEVEL, 1, 1): level, (*INPUT_MAX, 1, 1): most})
    assert found.facts == {}
