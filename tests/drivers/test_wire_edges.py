"""Bytes that no healthy device sends, one test for each way a codec has of saying no."""

from __future__ import annotations

import struct

import pytest

from drivers.display.ncr597x import wire as ncr
from drivers.errors import ProtocolError
from drivers.passive.ipp import wire as ipp
from drivers.passive.ipp.consts import Group
from drivers.passive.ipp.consts import Tag as IppTag
from drivers.passive.snmp import wire as snmp
from drivers.passive.snmp.consts import Pdu, Tag, Version
from drivers.passive.tcp_socket import wire as sockets
from drivers.terminal.zvt import wire as zvt

TLV_FIELD = 0x06


def snmp_response(*bindings: bytes) -> bytes:
    body = b"".join(snmp._integer(number) for number in (1, 0, 0))
    body += snmp._tlv(Tag.SEQUENCE, b"".join(bindings))
    return snmp._tlv(
        Tag.SEQUENCE,
        snmp._integer(Version.V2C) + snmp._tlv(Tag.OCTETS, b"public") + snmp._tlv(Pdu.RESPONSE, body),
    )


def binding(oid: bytes) -> bytes:
    return snmp._tlv(Tag.SEQUENCE, snmp._tlv(Tag.OID, oid) + snmp._tlv(Tag.NULL, b""))


def test_a_display_that_sends_nul_in_place_of_an_answer_is_noise() -> None:
    parser = ncr.Parser()
    assert parser.feed(b"\x00") == []
    assert parser.noise


def test_ipp_with_more_values_than_anybody_asked_for() -> None:
    value = bytes((IppTag.KEYWORD, 0, 1)) + b"x" + b"\x00\x01y"
    data = b"\x01\x01\x00\x00\x00\x00\x00\x01" + bytes((Group.PRINTER,)) + value * (ipp.VALUES_MOST + 1)
    with pytest.raises(ProtocolError, match="more values"):
        ipp.read(data + bytes((Group.END,)))


@pytest.mark.parametrize(
    ("oid", "says"),
    [
        (b"\x2b\x90\x80\x80\x80\x00", "beyond all bounds"),
        (b"\x01" * (snmp.OID_MOST + 1), "beyond all bounds"),
        (b"\x2b\x86", "ends too early"),
    ],
)
def test_an_snmp_object_name_that_cannot_be(oid: bytes, says: str) -> None:
    with pytest.raises(ProtocolError, match=says):
        snmp.read(snmp_response(binding(oid)))


def test_an_empty_snmp_object_name_is_one() -> None:
    assert snmp.read(snmp_response(binding(b""))).values == (((), None),)


def test_snmp_with_more_values_than_anybody_asked_for() -> None:
    many = [binding(b"\x2b\x06")] * (snmp.VALUES_MOST + 1)
    with pytest.raises(ProtocolError, match="more values"):
        snmp.read(snmp_response(*many))


def test_a_long_snmp_question_says_its_length_in_the_long_form() -> None:
    asked = snmp.ask(Version.V2C, b"c" * 200, Pdu.GET, 1, [(1, 3, 6)])
    assert asked[:2] == b"\x30\x81"
    assert asked[2] == len(asked) - 3


def test_a_netlink_message_shorter_than_its_own_head_ends_the_datagram() -> None:
    assert sockets.answer(struct.pack("=IHHII", 4, 20, 0, 1, 0) + bytes(40)) == ([], False)


@pytest.mark.parametrize("attributes", [b"", struct.pack("=HH", 2, 2), struct.pack("=HH", 12, 2) + bytes(8)])
def test_a_socket_of_which_the_kernel_tells_no_bytes(attributes: bytes) -> None:
    body = bytes((sockets.IPV4, sockets.ESTABLISHED, 0, 0)) + bytes(68) + attributes
    data = struct.pack("=IHHII", 16 + len(body), 20, 0, 1, 0) + body
    found, last = sockets.answer(data)
    assert not last
    assert [one.moved_bytes for one in found] == [None]


def test_a_zvt_frame_begins_only_behind_dle_stx() -> None:
    assert zvt.Frames().feed(b"\x10\x03\x10\x41") == []


@pytest.mark.parametrize(
    ("length", "whole"),
    [
        (b"", False),
        (b"\x81\x02\x1f\x40", True),
        (b"\x82\x00\x01\x1f", True),
        (b"\x83\x00\x00\x01", False),
        (b"\x81", False),
    ],
)
def test_the_length_of_a_zvt_tlv_has_one_two_or_three_bytes(length: bytes, whole: bool) -> None:
    assert zvt.begins_with_field(bytes((TLV_FIELD,)) + length) is whole


def test_a_zvt_message_whose_long_length_is_not_whole_is_waited_for() -> None:
    stream = zvt.Stream()
    assert stream.feed(b"\x04\x0f\xff\x01") == []
    assert stream.partial()
    (apdu,) = stream.feed(b"\x00\x27")
    assert apdu.data == b"\x27"
