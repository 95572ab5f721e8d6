"""The printer class's requests: what is asked, what an answer means, and how often the id is asked."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.api import Deadline
from drivers.belief import NEEDED
from drivers.printer.usb_class import (
    TRIES,
    DeviceId,
    PortStatus,
    get_device_id,
    get_port_status,
    identity,
    read_device_id,
    read_port_status,
    soft_resets,
)
from drivers.usb_control import Control
from tests.clock import TurnedClock
from tests.fakes import ScriptedLink

EPSON = b"MFG:EPSON;CMD:ESC/POS;MDL:TM-T20;CLS:PRINTER;SN:X3XZ012345;"


def framed(text: bytes) -> bytes:
    return (len(text) + 2).to_bytes(2, "big") + text


class UsbLink(ScriptedLink):
    """Whose control requests are answered from a list, the last for ever."""

    def play(self, *answers: bytes | None) -> None:
        self.answers, self.asked = list(answers), 0

    def control(self, request: Control, deadline: Deadline) -> bytes | None:
        assert request == get_device_id()
        self.asked += 1
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


def test_the_requests_are_the_classs() -> None:
    # Printing Devices 1.1, 4.2.1 - 4.2.3
    shown = [
        (control.request_type, control.request)
        for control in (get_device_id(), get_port_status(), *soft_resets())
    ]
    assert shown == [(0xA1, 0), (0xA1, 1), (0x23, 2), (0x21, 2)]
    assert get_device_id().interface_high  # wIndex: the interface in the high byte


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (framed(EPSON), EPSON.decode()),
        (framed(EPSON) + b"\x00" * 100, EPSON.decode()),
        (framed(EPSON + b"\x00\x00"), EPSON.decode()),
        (framed(EPSON)[:-1], None),  # cut off
        (b"\x00\x02", None),
        (b"", None),
        (framed(b"no field"), None),
        (framed(b"MFG:\xc3\x89;"), None),
    ],
)
def test_the_id_is_what_its_length_says(answer: bytes, text: str | None) -> None:
    assert read_device_id(answer) == text


@given(st.binary(max_size=80))
def test_any_answer_can_be_read(answer: bytes) -> None:
    text = read_device_id(answer)
    assert text is None or len(text) <= len(answer) - 2
    read_port_status(answer)


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (b"\x18", PortStatus(paper_empty=False, selected=True, error=False)),
        (b"\x38", PortStatus(paper_empty=True, selected=True, error=False)),
        (b"\x20", PortStatus(paper_empty=True, selected=False, error=True)),
        (b"\x00", PortStatus(paper_empty=False, selected=False, error=True)),
        (b"\x19", None),
        (b"\x18\x18", None),
        (b"", None),
    ],
)
def test_the_port_status_is_one_byte_of_three_bits(answer: bytes, status: PortStatus | None) -> None:
    assert read_port_status(answer) == status


def test_who_it_is() -> None:
    assert identity(EPSON.decode()) == {"manufacturer": "EPSON", "model": "TM-T20", "serial": "X3XZ012345"}
    assert identity("MANUFACTURER:Star;MODEL:TSP650;COMMAND SET:STAR;SN:0000;") == {
        "manufacturer": "Star",
        "model": "TSP650",
    }
    assert identity("MFG:\x1b[2JX;") == {"manufacturer": "[2JX"}


def asks(link: UsbLink, device_id: DeviceId, times: int) -> int:
    for _ in range(times):
        device_id.ask(Deadline.after(link.clock, 1))
    return link.asked


def test_an_id_is_believed_at_the_third_equal_answer_and_asked_no_more() -> None:
    link = UsbLink(TurnedClock())
    link.play(framed(EPSON), framed(b"MFG:EPSOM;"), framed(EPSON))
    device_id = DeviceId(link)
    assert (asks(link, device_id, 4), device_id.text) == (4, None)
    assert asks(link, device_id, 9) == 2 + NEEDED
    assert device_id.text == EPSON.decode()
    device_id.opened()
    assert asks(link, device_id, 9) == 2 + 2 * NEEDED


def test_a_refusal_is_normal() -> None:
    link = UsbLink(TurnedClock())
    link.play(None)
    device_id = DeviceId(link)
    assert asks(link, device_id, 9) == TRIES
    assert (device_id.text, device_id.settled) == (None, True)


def test_a_link_without_control_requests_is_not_asked() -> None:
    device_id = DeviceId(ScriptedLink(TurnedClock()))
    assert device_id.settled
    device_id.ask(Deadline.after(TurnedClock(), 1))
    assert device_id.text is None
