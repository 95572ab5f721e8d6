"""The catalogue as data: complete, consistent, and as the contract says."""

from __future__ import annotations

import pytest

from agent.diagnosis.catalogue import _CLOSING, ADVICE, CATALOGUE, Kind, with_own
from drivers.api import OwnFault
from drivers.network.judge import KINDS as NETWORK

SEVERITIES_OF_THE_CONTRACT = {
    "paper_end": "major",
    "paper_near_end": "minor",
    "cover_open": "major",
    "cutter_error": "major",
    "head_hot": "minor",
    "error_recoverable": "major",
    "error_unrecoverable": "critical",
}
GONE = {"unplugged", "unreachable", "power_off", "frozen", "silent"}
EVERY_DEVICES = GONE | {
    "stalled", "garbled", "held_by_other", "no_permission", "driver_stuck", "identity_changed",
}  # fmt: skip
PASSIVE = {
    "paper_jam", "cartridge_empty", "cartridge_near_empty", "service_requested", "printer_offline",
    "usb_over_current",
}  # fmt: skip
QUEUES = {"print_service_down", "queue_missing", "queue_stopped", "queue_rejecting", "queue_cannot_send"}
COUNTER = {
    "hardware_error", "over_current", "tamper", "sam_error", "secure_interface_failed", "wrong_text",
    "printer_error", "reader_defective", "pin_pad_defective", "not_registered", "diagnosis_required",
    "memory_full", "communication_fault", "printer_not_ready",
}  # fmt: skip
HOSTS = {"card_service_down", "disk_full", "memory_low", "overheated", "clock_unsynced"}


def test_the_kinds_are_those_of_the_contract() -> None:
    printers = set(SEVERITIES_OF_THE_CONTRACT) | PASSIVE | QUEUES
    agents = {"storage_failed", "till_door_failed", "pass_through_down"}
    assert set(CATALOGUE) == printers | COUNTER | EVERY_DEVICES | HOSTS | set(NETWORK) | agents


@pytest.mark.parametrize("kind", CATALOGUE.values(), ids=lambda kind: kind.kind)
def test_a_kind_is_complete(kind: Kind) -> None:
    assert kind.advice in ADVICE
    assert kind.meaning
    assert kind.on_s >= 0
    assert kind.off_s >= 0


def test_causes_stand_before_what_they_cause() -> None:
    order = list(CATALOGUE)
    for kind in CATALOGUE.values():
        assert all(order.index(cause) < order.index(kind.kind) for cause in kind.causes)


def test_a_printers_severities_and_delays() -> None:
    for name, severity in SEVERITIES_OF_THE_CONTRACT.items():
        kind = CATALOGUE[name]
        assert kind.severity == severity
        assert kind.on_s <= 1
        assert kind.off_s <= 1
        assert set(kind.causes) >= GONE


def test_unplugged_suppresses_all_else_of_a_device() -> None:
    for name in EVERY_DEVICES - {"unplugged"}:
        assert "unplugged" in CATALOGUE[name].causes
    assert "paper_end" in CATALOGUE["paper_near_end"].causes


def test_advice_is_there_in_both_languages() -> None:
    for code, text in ADVICE.items():
        assert text.en.isascii(), code
        assert any("\u4e00" <= char <= "\u9fff" for char in text.zh), code
        assert "," not in text.zh, code
        assert text.en[-1] == "."
        assert text.zh[-1] == "\u3002"


def test_closing_explains_what_is_switched_off_and_nothing_else() -> None:
    assert {name for name, kind in CATALOGUE.items() if kind.closing} == _CLOSING >= GONE
    for name in ("paper_end", "cover_open", "disk_full", "stalled", "storage_failed"):
        assert not CATALOGUE[name].closing


def test_a_driver_of_another_package_brings_its_own_kinds() -> None:
    own = OwnFault(kind="over_capacity", severity="minor", advice="no_such", meaning="too much on the scale")
    stolen = OwnFault(kind="paper_end", severity="warning", meaning="something else")
    grown = with_own((own, stolen))
    assert set(grown) == {*CATALOGUE, "over_capacity"}
    assert grown["paper_end"] is CATALOGUE["paper_end"]
    kind = grown["over_capacity"]
    assert (kind.severity, kind.advice, kind.layer) == ("minor", "call_support", "device")
    assert set(kind.causes) == GONE
