"""What all small devices do alike: power, plug, faults, and any bytes that come."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.devices.models import make_model
from simulator.devices.small import ANSWERS_KEPT
from simulator.devices.usb import has_usb
from tests.simulator.bench import Bench

READERS = ("vivotech", "magtek")
DISPLAYS = ("dmd", "cd5220", "aedex", "logic_controls", "ncr597x")
ON_USB = ("vivotech", "magtek", "dmd")
ASKED = {
    "vivotech": bytes.fromhex("5669564f746563683200 18010000b3cd"),
    "magtek": b"\x00\x01\x00",
    "dmd": bytes.fromhex("1f284202003043"),
    "ncr597x": b"\x1b\x18",
}
"""A question to each that answers any."""
SHOWN = {
    "cd5220": b"\x1bQAx\r",
    "aedex": b"!#1x\r",
    "logic_controls": b"x",
    "dmd": b"x",
    "ncr597x": b"\x1b\x05x",
}


@pytest.mark.parametrize("model", READERS + DISPLAYS)
def test_which_have_a_usb_side(model: str) -> None:
    device = make_model(model)
    assert has_usb(device) == (model in ON_USB)
    assert ("supply" in device.knobs) == ("configured" in device.knobs) == (model in ON_USB)


@pytest.mark.parametrize("model", ASKED)
def test_without_power_nothing_is_answered(model: str) -> None:
    bench = Bench(model=model)
    assert bench.ask(ASKED[model])
    bench.set("power=off")
    assert bench.ask(ASKED[model]) == b""
    assert not bench.door.powered()
    bench.set("power=on")
    assert bench.ask(ASKED[model])


@pytest.mark.parametrize("model", ON_USB)
def test_one_fed_through_its_cable_is_off_without_it(model: str) -> None:
    bench = Bench("supply=bus", "fault=unplug", model=model)
    assert not bench.served.powered()
    bench.set("fault=none")
    assert bench.served.powered()
    assert bench.ask(ASKED[model])
    assert Bench("fault=unplug", model=model).served.powered()


@pytest.mark.parametrize("model", DISPLAYS)
def test_a_display_without_power_shows_nothing_and_has_forgotten(model: str) -> None:
    bench = Bench(model=model)
    bench.ask(SHOWN[model])
    assert "x" in str(bench.served.state()["shown"])
    bench.set("power=off")
    assert bench.served.state()["shown"] == []
    bench.set("power=on")
    assert "x" not in str(bench.served.state()["shown"])


@pytest.mark.parametrize("model", DISPLAYS)
def test_the_power_line_of_a_display_follows_its_power(model: str) -> None:
    bench = Bench(model=model)
    assert bench.door.power_line() is True
    bench.set("power=off")
    assert bench.door.power_line() is False
    bench.set("dsr=none")
    assert bench.door.power_line() is None


@pytest.mark.parametrize("model", READERS)
def test_a_reader_has_no_power_line(model: str) -> None:
    assert Bench(model=model).door.power_line() is None


@pytest.mark.parametrize("model", DISPLAYS)
def test_what_is_shown_reaches_the_sink(model: str) -> None:
    bench, got = Bench(model=model), list[bytes]()
    bench.device.print_to(got.append)
    bench.ask(SHOWN[model])
    assert b"".join(got) == b"x"


@pytest.mark.parametrize("model", ASKED)
def test_each_fault_is_heard_in_its_answers(model: str) -> None:
    def asked(*faults: str, within_s: float = 0.1) -> bytes:
        bench = Bench(*(f"fault={fault}" for fault in faults), model=model)
        return bench.ask(ASKED[model], within_s=within_s)

    whole = asked()
    assert asked("mute") == b""
    assert asked("slow:1") == b""
    assert asked("slow:1", within_s=1.2) == whole
    assert len(asked("drip:0.06")) == 1
    assert asked("die_mid_frame") == whole[: len(whole) // 2]
    assert asked("drop:1") == b""
    assert asked("corrupt:1") != whole
    assert asked("unplug") == b""
    assert asked("flap:5") == b""
    assert len(asked("babble")) > len(whole)
    assert asked("stall") == whole


@pytest.mark.parametrize("model", [*READERS, *DISPLAYS])
@settings(deadline=None, max_examples=40)
@given(
    pieces=st.lists(
        st.binary(max_size=80) | st.sampled_from([*ASKED.values(), *SHOWN.values(), b"\x1f@", b"\x02\x00"]),
        max_size=12,
    ),
    knobs=st.lists(
        st.sampled_from(
            ["power=off", "power=on", "fault=stall", "fault=unplug", "fault=none", "fault=corrupt:0.1"]
        ),
        max_size=6,
    ),
)
def test_any_bytes_at_any_time(model: str, pieces: list[bytes], knobs: list[str]) -> None:
    bench = Bench(model=model)
    for number, piece in enumerate(pieces):
        if number < len(knobs):
            bench.set(knobs[number])
        bench.ask(piece, within_s=0.3)
        assert bench.device.room() >= 0
        assert len(bench.device._answers) <= ANSWERS_KEPT  # type: ignore[attr-defined]
        state = bench.served.state()
        rows = state.get("shown")
        assert rows is None or all(len(row) == 20 for row in rows)  # type: ignore[attr-defined]
    bench.set("fault=none", "power=on")
    bench.hear(10.0)
    for _ in range(3):  # what was cut off before takes no more than two questions with it
        answered = bench.ask(ASKED.get(model, b""), within_s=1.0)
    assert bool(answered) == (model in ASKED) or model == "dmd"
