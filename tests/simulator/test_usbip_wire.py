"""The codec of USB/IP, against the captured bytes of its documentation, and against anything at all."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.doors.usb import ip_wire as wire
from tests.golden.format import Sent, load_all

# Linux, Documentation/usb/usbip_protocol.rst, EXAMPLE: "captured from wire with HID payload".
DATA_OUT = "ffffffff860008a784ce5ae212376300000000000000000000000000000000000000" + "00" * 30
DATA_IN = "ffffffff860011a784ce5ae2123763612891b1020100000400000000000000000000" + "00" * 30
CMD_INTR_IN = bytes.fromhex(
    "00000001 00000d05 0001000f 00000001 00000001"
    "00000200 00000040 ffffffff 00000000 00000004 00000000 00000000"
)
CMD_INTR_OUT = bytes.fromhex(
    "00000001 00000d06 0001000f 00000000 00000001"
    "00000000 00000040 ffffffff 00000000 00000004 00000000 00000000" + DATA_OUT
)


def read_all(data: bytes, *, imported: bool, cut: int = 1 << 20) -> list[wire.Request]:
    decoder = wire.Decoder()
    decoder.imported = imported
    requests: list[wire.Request] = []
    for at in range(0, len(data), cut):
        decoder.feed(data[at : at + cut])
        while request := decoder.next():
            requests.append(request)
    return requests


@pytest.mark.parametrize("cut", [1, 7, 48, 1000])
def test_the_captured_requests(cut: int) -> None:
    wanted, sent = read_all(CMD_INTR_IN + CMD_INTR_OUT, imported=True, cut=cut)
    nothing = bytes(8)
    assert wanted == wire.Submit(seqnum=0xD05, endpoint=0x81, flags=0x200, length=64, setup=nothing, data=b"")
    assert sent == wire.Submit(
        seqnum=0xD06, endpoint=1, flags=0, length=64, setup=nothing, data=bytes.fromhex(DATA_OUT)
    )


def test_the_captured_replies() -> None:
    out = wire.submitted(0xD06, 0, 64, b"")
    came = wire.submitted(0xD05, 0, 64, bytes.fromhex(DATA_IN))
    assert out[:28].hex() == "00000003" + "00000d06" + "00" * 12 + "00000000" + "00000040"
    assert came[:28].hex() == "00000003" + "00000d05" + "00" * 12 + "00000000" + "00000040"
    assert (len(out), len(came), came[48:].hex()) == (48, 112, DATA_IN)


@pytest.mark.parametrize("cut", [1, 5, 1000])
def test_requests_of_the_golden_transcripts_are_read_however_they_are_cut(cut: int) -> None:
    for transcript in load_all("usbip"):
        sent = b"".join(step.data for step in transcript.steps if isinstance(step, Sent))
        whole = read_all(sent, imported=transcript.name in ("submit", "unlink"))
        assert whole
        assert read_all(sent, imported=transcript.name in ("submit", "unlink"), cut=cut) == whole


@given(st.binary(max_size=300), st.booleans())
def test_any_bytes_are_read_or_refused(data: bytes, imported: bool) -> None:
    try:
        read_all(data, imported=imported)
    except wire.BadMessageError:
        return


@given(st.binary(max_size=200), st.sampled_from([CMD_INTR_IN[:28], CMD_INTR_OUT[:20]]))
def test_no_transfer_is_waited_for_that_is_too_long(more: bytes, head: bytes) -> None:
    decoder = wire.Decoder()
    decoder.imported = True
    decoder.feed(head + more)
    try:
        while request := decoder.next():
            assert not isinstance(request, wire.Submit) or request.length <= wire.MOST_BYTES
    except wire.BadMessageError:
        return
