"""Faults, on a turned clock."""

from __future__ import annotations

import pytest

from simulator.devices.device import BadSetting
from simulator.faults import BABBLE_BYTES, Faults, parse
from tests.simulator.bench import Bench

EOT = "10 04 01"
OK = b"\x12"


BAD_SPECS = (
    *("", "silence", "slow", "mute:1", "slow:fast", "slow:0", "drop:1.5", "drop:-1", "mute@x", "mute+0"),
    *("mute@1@2", "mute,", "flap:inf", "flap:1e-9", "none,mute"),
)


@pytest.mark.parametrize("text", BAD_SPECS)
def test_a_bad_spec_is_refused_in_one_line(text: str) -> None:
    with pytest.raises(BadSetting, match=r"^fault=[^\n]+$"):
        parse(text)


def test_mute_begins_and_ends_by_itself() -> None:
    bench = Bench("fault=mute@3+5")
    assert bench.ask(EOT, 2.9) == OK
    assert bench.ask(EOT, 0.05) == OK
    bench.hear(0.1)
    assert bench.ask(EOT, 4) == b""
    bench.hear(1)
    assert bench.ask(EOT) == OK
    assert [(change.what, change.value) for change in bench.served.log] == [
        ("fault mute@3+5", "begun"),
        ("fault mute@3+5", "ended"),
    ]


def test_a_mute_printer_goes_on_printing() -> None:
    bench = Bench("fault=mute")
    bench.ask(b"still here\n")
    assert bench.text == "still here\n"


def test_a_stalled_printer_answers_and_does_no_work() -> None:
    bench = Bench("fault=stall+10")
    bench.ask(b"later\n")
    assert bench.ask(EOT) == OK
    assert bench.text == ""
    bench.hear(10)
    assert bench.text == "later\n"


def test_slow_answers_come_late_and_in_order() -> None:
    bench = Bench("fault=slow:2")
    assert bench.ask("10 04 01 10 04 04", 1.9) == b""
    assert bench.hear(0.2) == OK * 2


def test_drip_is_one_byte_at_a_time() -> None:
    bench = Bench("fault=drip:1")
    bench.ask("1d 61 0f", 0.5)
    assert [len(bench.hear(1)) for _ in range(6)] == [1, 1, 1, 1, 0, 0]


def test_what_still_drips_comes_when_the_drip_ends() -> None:
    bench = Bench("fault=drip:100")
    bench.ask("1d 61 0f", 0.5)
    bench.set("fault=none")
    assert bench.hear() == bytes.fromhex("10 00 00 00")


def test_babble_comes_unasked_and_repeats_with_its_seed() -> None:
    noise = [Bench("fault=babble+1", seed=seed).hear(2) for seed in (1, 1, 2)]
    assert noise[0] == noise[1] != noise[2]
    assert len(noise[0]) == 20 * BABBLE_BYTES


def test_die_mid_frame_sends_half_and_then_nothing() -> None:
    bench = Bench("fault=die_mid_frame")
    assert bench.ask("1d 61 0f") == bytes.fromhex("10 00")
    assert bench.ask(EOT) == b""
    bench.ask(b"dead\n")
    bench.set("fault=none")
    assert bench.ask(EOT) == OK
    assert bench.text == ""


@pytest.mark.parametrize(("fault", "share"), [("drop:0.3", 0.7), ("corrupt:0.3", 1.0)])
def test_bytes_are_spoiled_both_ways_at_the_rate_asked_for(fault: str, share: float) -> None:
    specs = parse(fault)
    faults = Faults(seed=3)
    faults.apply(specs, 0.0)
    sent = bytes(20_000)
    inward = faults.to_device(sent)
    faults.from_device([sent], 0.0)
    outward = b"".join(faults.due(0.0))
    for heard in (inward, outward):
        assert len(heard) == pytest.approx(share * len(sent), rel=0.02)
        spoiled = [byte for byte in heard if byte]
        assert all(byte.bit_count() == 1 for byte in spoiled)
        assert len(spoiled) == pytest.approx(0.3 * len(sent) if fault.startswith("corrupt") else 0, rel=0.05)


def test_a_run_repeats_with_its_seed() -> None:
    def run(seed: int) -> bytes:
        bench = Bench("fault=corrupt:0.2,drop:0.2", seed=seed)
        return b"".join(bench.ask(EOT) for _ in range(50))

    assert run(1) == run(1) != run(2)


def test_unplugged_nothing_passes_and_what_was_under_way_is_lost() -> None:
    bench = Bench("fault=slow:5")
    bench.ask(EOT)
    bench.set("fault=unplug")
    assert not bench.door.plugged()
    assert bench.ask(b"lost\n") == b""
    bench.set("fault=none")
    assert bench.door.plugged()
    assert bench.hear(10) == b""
    assert bench.text == ""


def test_flap_pulls_and_plugs_in_turn() -> None:
    bench = Bench("fault=flap:0.5+3")
    seen = []
    for _ in range(8):
        seen.append(bench.door.plugged())
        bench.hear(0.5)
    assert seen == [False, True, False, True, False, True, True, True]
    flips = [(change.at_s - 1000, change.value) for change in bench.served.log if change.what == "plugged"]
    assert flips == [(0, "false"), (0.5, "true"), (1, "false"), (1.5, "true"), (2, "false"), (2.5, "true")]


def test_faults_compose_and_none_ends_them_all() -> None:
    bench = Bench("fault=slow:1", "fault=mute+2")
    assert bench.served.state()["faults"] == ["slow:1", "mute+2"]
    assert bench.ask(EOT, 1.5) == b""
    bench.hear(1)
    assert bench.ask(EOT, 1.5) == OK
    bench.set("fault=none")
    assert bench.served.state()["faults"] == []


def test_the_newest_of_a_name_stands() -> None:
    bench = Bench("fault=slow:1", "fault=slow:3")
    assert bench.served.state()["faults"] == ["slow:3"]
