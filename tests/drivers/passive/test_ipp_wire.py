"""IPP over HTTP: an answer of CUPS, cut in any way, and anything at all; what the reasons mean."""

from __future__ import annotations

import contextlib
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.api import Power
from drivers.errors import ProtocolError
from drivers.passive.ipp import http, meaning, wire


def attribute(tag: int, name: str, *values: bytes) -> bytes:
    raw = b""
    for place, value in enumerate(values):
        own = b"" if place else name.encode()
        raw += bytes((tag,)) + len(own).to_bytes(2) + own + len(value).to_bytes(2) + value
    return raw


def answer(*attributes: bytes, status: int = 0) -> bytes:
    head = b"\x01\x01" + status.to_bytes(2) + b"\0\0\0\x01\x01"
    charset = attribute(0x47, "attributes-charset", b"utf-8")
    return head + charset + b"\x04" + b"".join(attributes) + b"\x03"


def printer(state: int, *reasons: str, **more: bytes) -> wire.Answer:
    texts = (attribute(0x41, name.replace("_", "-"), value) for name, value in more.items())
    told = attribute(0x44, "printer-state-reasons", *(reason.encode() for reason in reasons))
    return wire.read(answer(attribute(0x23, "printer-state", state.to_bytes(4)), told, *texts))


def values(answered: wire.Answer) -> set[str]:
    return {kind for kind, value in meaning.of_device(answered).conditions.items() if value}


def test_the_question_is_rfc_8010s() -> None:
    asked = wire.ask("ipp://p/ipp/print", ["printer-state", "queued-job-count"])
    assert asked == (
        b"\x01\x01\x00\x0b\x00\x00\x00\x01\x01"
        b"\x47\x00\x12attributes-charset\x00\x05utf-8"
        b"\x48\x00\x1battributes-natural-language\x00\x02en"
        b"\x45\x00\x0bprinter-uri\x00\x11ipp://p/ipp/print"
        b"\x44\x00\x14requested-attributes\x00\x0dprinter-state"
        b"\x44\x00\x00\x00\x10queued-job-count\x03"
    )


def test_every_kind_of_value() -> None:
    said = wire.read(
        answer(
            attribute(0x21, "whole", (7).to_bytes(4), (-1).to_bytes(4, signed=True)),
            attribute(0x22, "yes", b"\x01"),
            attribute(0x22, "no", b"\x00"),
            attribute(0x35, "spoken", b"\x00\x02de\x00\x03Rot"),
            attribute(0x31, "date", b"\x07" * 11),
            attribute(0x13, "unasked", b""),
        )
    )
    assert said.printer == {
        "whole": [7, -1], "yes": [True], "no": [False], "spoken": ["Rot"], "date": [None], "unasked": [None],
    }  # fmt: skip


@given(st.binary(max_size=300))
def test_anything_is_an_answer_or_a_protocol_error(data: bytes) -> None:
    for whole in (data, b"\x01\x01\0\0\0\0\0\x01" + data):
        with contextlib.suppress(ProtocolError):
            wire.read(whole)


CHUNKED = (
    b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"4\r\nab\r\n\r\n2;x=1\r\ncd\r\n0\r\n\r\n"
)
COUNTED = b"HTTP/1.0 404 Not Found\r\ncontent-length: 2\r\n\r\nno"


@given(st.lists(st.integers(0, len(CHUNKED)), max_size=8))
def test_an_answer_is_the_same_however_it_is_cut(cuts: list[int]) -> None:
    places = [0, *sorted(cuts), len(CHUNKED)]
    said = http.Answer()
    done = [said.feed(CHUNKED[a:b]) for a, b in itertools.pairwise(places)]
    assert done[-1]
    assert (said.status, said.body) == (200, b"ab\r\ncd")


def test_a_counted_answer_and_one_that_ends_with_the_connection() -> None:
    said = http.Answer()
    assert said.feed(COUNTED)
    assert (said.status, said.body) == (404, b"no")
    open_ended = http.Answer()
    assert not open_ended.feed(b"HTTP/1.0 200 OK\r\n\r\nall of it")
    open_ended.ended()
    assert open_ended.body == b"all of it"


@pytest.mark.parametrize(
    "data",
    [
        b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
        b"HTTP/1.1 ok\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nnone\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * 20_000,
        b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * (http.ANSWER_MOST + 1),
    ],
)
def test_what_is_no_answer(data: bytes) -> None:
    with pytest.raises(ProtocolError):
        http.Answer().feed(data)


def test_an_answer_that_ends_too_early() -> None:
    said = http.Answer()
    said.feed(COUNTED[:-1])
    with pytest.raises(ProtocolError, match="too early"):
        said.ended()


@given(st.binary(max_size=100))
def test_anything_over_http_is_waited_for_or_refused(data: bytes) -> None:
    said = http.Answer()
    try:
        said.feed(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + data)
        said.ended()
    except ProtocolError:
        pass


# -- what it means -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reasons", "kinds"),
    [
        (("none",), set()),
        (("media-empty-error",), {"paper_end"}),
        (("media-needed",), {"paper_end"}),
        (("media-low-report", "cover-open-error"), {"paper_near_end", "cover_open"}),
        (("media-jam-warning",), {"paper_jam"}),
        (("marker-supply-low-warning",), {"cartridge_near_empty"}),
        (("toner-empty",), {"cartridge_empty"}),
        (("com.example-hiccup-warning",), set()),
    ],
)
def test_reasons_with_any_suffix(reasons: tuple[str, ...], kinds: set[str]) -> None:
    assert values(printer(3, *reasons)) == kinds


def test_stopped_without_a_known_reason_is_off_line_and_with_one_it_is_not() -> None:
    assert values(printer(5, "paused")) == {"printer_offline"}
    assert values(printer(5, "media-empty-error")) == {"paper_end"}


def test_what_was_not_said_is_unknown() -> None:
    found = meaning.of_device(wire.read(answer()))
    assert set(found.conditions.values()) == {None}
    assert (found.power, found.in_use, found.identity) == (Power.UNKNOWN, None, {})


def test_identity() -> None:
    known = printer(
        3, "none",
        printer_device_id=b"MFG:EPSON;MDL:TM-m30III;SN:X9Z;CMD:ESCPR;",
        printer_make_and_model=b"EPSON TM-m30III Series",
    )  # fmt: skip
    assert meaning.of_device(known).identity == {
        "manufacturer": "EPSON",
        "model": "TM-m30III",
        "serial": "X9Z",
    }


def test_a_queue_says_of_the_paper_only_what_its_backend_can() -> None:
    fine = meaning.of_queue(printer(3, "none"), ()).conditions
    assert fine["paper_end"] is None
    assert fine["queue_stopped"] is False
    assert meaning.of_queue(printer(4, "media-empty-warning"), ()).conditions["paper_end"] is True
    assert meaning.of_queue(printer(3, "none"), {"paper_end"}).conditions["paper_end"] is False


@pytest.mark.parametrize("reason", ["connecting-to-device", "offline-report", "timed-out"])
def test_a_queue_that_does_not_get_through(reason: str) -> None:
    assert meaning.of_queue(printer(4, reason), ()).conditions["queue_cannot_send"] is True


def test_a_job_that_does_not_get_through_is_no_print_data_on_its_way() -> None:
    assert meaning.of_queue(printer(4, "none"), ()).in_use is True
    assert meaning.of_queue(printer(3, "none"), ()).in_use is False
    assert meaning.of_queue(printer(4, "connecting-to-device"), ()).in_use is None


def test_what_a_printer_says_of_itself_is_shown_without_control_characters() -> None:
    found = meaning.of_device(
        printer(
            3, "odd\x1b[2J-report",
            printer_device_id=b"MFG:EP\x1b[2JSON;MDL:TM\r\n-m30;SN:X9\0Z;",
            printer_state_message=b"\x07ready",
        )
    )  # fmt: skip
    assert found.identity == {"manufacturer": "EP[2JSON", "model": "TM-m30", "serial": "X9Z"}
    assert found.says.isprintable()
    assert str(found.evidence).isprintable()
    assert "\\x" not in str(found.evidence)
