"""From the printer's knobs to its faults: device model, driver and judge on one turned clock."""

from __future__ import annotations

import pytest

from agent.diagnosis.catalogue import CATALOGUE
from agent.diagnosis.faults import Diagnosis
from drivers.api import Power
from tests.harness import Bench, Flavour, values

STEP_S = 0.1
POLLS_S = 12.0
"""Long enough for every change to be seen, believed, and to outlast its delay."""


class Counter:
    """A printer under watch, and what was told of it."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.diagnosis = Diagnosis(CATALOGUE, bench.clock)
        self.told: list[tuple[str, str, str]] = []
        self.power = Power.UNKNOWN

    def run(self, seconds: float) -> list[str]:
        """Let time pass; what was told meanwhile, as `change kind`."""
        before = len(self.told)
        end_s = self.bench.clock.monotonic_s() + seconds
        while self.bench.clock.monotonic_s() < end_s:
            for seen in self.bench.run(STEP_S):
                self.power = seen.power
                self.diagnosis.observe("receipt", values(seen), seen.evidence)
            for change in self.diagnosis.advance():
                event = change.event
                self.told.append((event.change, event.kind, event.occurrence))
        return [f"{change} {kind}" for change, kind, _ in self.told[before:]]

    def open(self) -> dict[str, str]:
        return {fault.kind: fault.severity for fault in self.diagnosis.open_faults()}


KNOBS = {
    "paper=near_end": {"paper_near_end": "minor"},
    "paper=end": {"paper_end": "major"},
    "cover=open": {"cover_open": "major"},
    "cutter=jam": {"cutter_error": "major"},
    "head=hot": {"head_hot": "minor"},
    "error=recoverable": {"error_recoverable": "major"},
    "error=unrecoverable": {"error_unrecoverable": "critical"},
    "drawer=open": {},
    "paper=end cover=open": {"cover_open": "major"},
    "head=hot cover=open": {"cover_open": "major"},
    "paper=end cutter=jam": {"paper_end": "major", "cutter_error": "major"},
    "paper=near_end drawer=open": {"paper_near_end": "minor"},
    "error=unrecoverable paper=near_end": {"error_unrecoverable": "critical", "paper_near_end": "minor"},
}
WELL = ("paper=ok", "cover=closed", "cutter=ok", "head=ok", "error=none", "drawer=closed")


@pytest.mark.parametrize("profile", ["plain", "epson-tm"])
@pytest.mark.parametrize(("knobs", "faults"), KNOBS.items(), ids=KNOBS)
def test_a_knob_raises_exactly_its_fault_and_clears_it(
    profile: str, knobs: str, faults: dict[str, str]
) -> None:
    counter = Counter(Bench(profile=profile))
    assert counter.run(POLLS_S) == []
    counter.bench.tell(*knobs.split())
    assert sorted(counter.run(POLLS_S)) == sorted(f"raised {kind}" for kind in faults)
    assert counter.open() == faults
    assert counter.power is Power.ONLINE
    counter.bench.tell(*WELL)
    assert sorted(counter.run(POLLS_S)) == sorted(f"cleared {kind}" for kind in faults)


SILENCE: dict[str, tuple[Flavour, tuple[str, ...], str, str, Power]] = {
    "unplugged": ("serial", (), "fault=unplug", "unplugged", Power.OFF_OFFLINE),
    "unreachable": ("tcp", (), "fault=unplug", "unreachable", Power.OFF_OFFLINE),
    "unreachable, switched off": ("tcp", (), "power=off", "unreachable", Power.OFF_OFFLINE),
    "power off, DSR wired": ("serial", ("dsr=wired",), "power=off", "power_off", Power.OFF),
    "frozen, DSR wired": ("serial", ("dsr=wired",), "fault=mute", "frozen", Power.OFFLINE),
    "frozen, TCP": ("tcp", (), "fault=mute", "frozen", Power.OFFLINE),
    "silent, mute": ("serial", ("dsr=none",), "fault=mute", "silent", Power.OFF_OFFLINE),
    "silent, off": ("serial", ("dsr=none",), "power=off", "silent", Power.OFF_OFFLINE),
}


@pytest.mark.parametrize(("flavour", "settings", "trouble", "kind", "power"), SILENCE.values(), ids=SILENCE)
def test_what_silence_means_becomes_one_fault(
    flavour: Flavour, settings: tuple[str, ...], trouble: str, kind: str, power: Power
) -> None:
    counter = Counter(Bench(flavour=flavour, settings=settings))
    counter.bench.tell("paper=near_end")
    assert counter.run(POLLS_S) == ["raised paper_near_end"]
    counter.bench.tell(trouble)
    assert counter.run(40) == [f"raised {kind}"]
    assert counter.power is power
    faults = {fault.kind: fault for fault in counter.diagnosis.open_faults()}
    assert faults["paper_near_end"].suppressed_by == faults[kind].occurrence
    counter.bench.tell("fault=none", "power=on")
    assert counter.run(40) == [f"cleared {kind}"]
    assert counter.power is Power.ONLINE


@pytest.mark.parametrize("seconds", ["0.3", "0.7", "1.3", "2.5"])
def test_a_flapping_plug_is_one_raise_one_mark_one_clear(seconds: str) -> None:
    counter = Counter(Bench())
    counter.run(POLLS_S)
    counter.bench.tell(f"fault=flap:{seconds}")
    assert counter.run(40) == ["raised unplugged", "chattering unplugged"]
    counter.bench.tell("fault=none")
    assert counter.run(40) == ["cleared unplugged"]
    assert len({occurrence for _, _, occurrence in counter.told}) == 1
