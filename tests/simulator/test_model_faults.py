"""Each fault on the Star printer, the card reader and the payment terminal: seen, and gone when it ends."""

from __future__ import annotations

from typing import NamedTuple

import pytest

from simulator.devices.terminal.zvt_line import framed
from tests.simulator.bench import Bench


class Asked(NamedTuple):
    """A model, the line it is on, what it is asked, and how a healthy one answers."""

    model: str
    baud: int
    question: bytes
    answer: bytes


STAR_REQUEST, STAR_READY = b"\x1b\x06\x01", bytes.fromhex("23 06 00 00 00 00 00 00 00")
ZVT_READY = bytes.fromhex("06 0F 0B F0 F0 F7") + b"2.14.15\x00"
MODELS = {
    "star": Asked("star", 115200, STAR_REQUEST, STAR_READY),
    "star-usb": Asked("star", 0, STAR_REQUEST, STAR_READY),
    "ccid": Asked("ccid", 0, b"\x65\0\0\0\0\0\x2a\0\0\0", b"\x81\0\0\0\0\0\x2a\x02\0\x01"),
    "zvt": Asked("zvt", 115200, b"\x05\x01\x00", b"\x80\x00\x00" + ZVT_READY),
    "zvt-serial": Asked("zvt", 9600, framed(b"\x05\x01\x00"), b"\x06" + framed(b"\x80\x00\x00")),
}


@pytest.fixture(params=MODELS)
def asked(request: pytest.FixtureRequest) -> Asked:
    return MODELS[request.param]


def bench(asked: Asked, *settings: str, seed: int = 0) -> Bench:
    return Bench(*settings, model=asked.model, baud=asked.baud, seed=seed)


def recovers(on: Bench, asked: Asked) -> None:
    """After the fault has ended and the device was switched off and on it is as it was."""
    on.set("fault=none")
    on.hear(30)
    on.set("power=off")
    on.set("power=on")
    assert on.ask(asked.question, within_s=1) == asked.answer


def test_healthy_it_answers(asked: Asked) -> None:
    assert bench(asked).ask(asked.question, within_s=1) == asked.answer


@pytest.mark.parametrize("fault", ["mute", "unplug", "drop:1"])
def test_nothing_comes(asked: Asked, fault: str) -> None:
    on = bench(asked, f"fault={fault}")
    assert on.ask(asked.question, within_s=1) == b""
    recovers(on, asked)


def test_half_of_an_answer_comes(asked: Asked) -> None:
    on = bench(asked, "fault=die_mid_frame")
    heard = on.ask(asked.question, within_s=1)
    assert asked.answer.startswith(heard)
    assert len(heard) < len(asked.answer)
    recovers(on, asked)


def test_an_answer_comes_late(asked: Asked) -> None:
    on = bench(asked, "fault=slow:3")
    assert on.ask(asked.question, within_s=2.9) == b""
    assert on.hear(0.5).startswith(asked.answer)
    recovers(on, asked)


def test_an_answer_comes_byte_by_byte(asked: Asked) -> None:
    on = bench(asked, "fault=drip:0.3")
    assert len(on.ask(asked.question, within_s=1)) == 3
    assert on.hear(30).startswith(asked.answer[3:])
    recovers(on, asked)


def test_noise_comes_unasked(asked: Asked) -> None:
    on = bench(asked, "fault=babble")
    assert on.hear(1)
    recovers(on, asked)


def test_answers_are_corrupted(asked: Asked) -> None:
    on = bench(asked, "fault=corrupt:0.2", seed=3)
    assert any(on.ask(asked.question, within_s=1) != asked.answer for _ in range(10))
    recovers(on, asked)


def test_the_plug_flaps(asked: Asked) -> None:
    on = bench(asked, "fault=flap:2")
    plugged = []
    for _ in range(8):
        on.hear(1)
        plugged.append(on.door.plugged())
    assert {True, False} == set(plugged)
    recovers(on, asked)


def test_stalled_it_still_tells_its_status(asked: Asked) -> None:
    on = bench(asked, "fault=stall")
    assert on.ask(asked.question, within_s=1) == asked.answer
    recovers(on, asked)


@pytest.mark.slow
def test_an_hour_of_corruption_ends_in_health(asked: Asked) -> None:
    on = bench(asked, "fault=corrupt:0.01", seed=5)
    for _ in range(1800):
        on.ask(asked.question, within_s=2)
    recovers(on, asked)
