"""USB links on a real kernel: libusb, usblp, usbhid and pcscd with a simulator, by USB/IP in a guest."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from tests import guest

WITHIN_S = 240.0
DEVICE_ID = b"\0\x32MFG:EPSON;CMD:ESC/POS;MDL:TM-T88III;CLS:PRINTER;"
FRESH = {"CommunicationErrorCount": 0.0, "GarbledAnswerCount": 0.0}

pytestmark = [
    pytest.mark.system,
    pytest.mark.timeout(WITHIN_S + 30),
    pytest.mark.skipif(guest.missing() is not None, reason=str(guest.missing())),
    pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed"),
]


def scenarios(folder: Path, module: str, *arguments: str, within_s: float = WITHIN_S) -> dict[str, Any]:
    """What each scenario of a program found."""
    ran = guest.run(folder, f"tests.inside.{module}", *arguments, within_s=within_s)
    found = {said["scenario"]: said for said in ran.said if "scenario" in said}
    failed = [said["failed"] for said in found.values() if "failed" in said]
    assert not failed, "\n".join(failed)
    assert found, ran.console
    return found


def test_a_printer(tmp_path: Path) -> None:
    found = scenarios(tmp_path, "printer", "5")
    _recognised(found["recognised"])
    _taken(found["taken"])
    _watched(found["watched"])
    _held(found["held"])
    _looked_at_only(found["looked_at_only"])
    _unplugged(found["unplugged"], 5)
    _with_the_till(found["with_the_till"])


def _recognised(found: dict[str, Any]) -> None:
    (device,) = found["devices"]
    assert found["kernel_driver"] == "usblp"
    assert (device["id"], device["serial"], device["node"]) == ("04b8:0202", "SIM0000001", "/dev/usb/lp0")
    assert device["ieee1284"]["CMD"] == "ESC/POS"
    assert device["recognised"]["driver"] == "escpos"
    assert 'link = "usb:04b8:0202:SIM0000001"' in device["config"]


def _taken(found: dict[str, Any]) -> None:
    assert (found["kernel_driver"], found["node_while_taken"]) == ("usbfs", False)
    assert bytes.fromhex(found["device_id"]) == DEVICE_ID
    assert (found["port_status"], found["eot_1"], found["nothing"]) == ("18", "12", "")
    assert 0.3 <= found["waited_s"] < 2
    assert found["second"]["code"] == "held_by_other"
    assert found["kernel_driver_after"] == "usblp", "it gets it back"


def _watched(found: dict[str, Any]) -> None:
    assert (found["fine"]["power"], found["fine"]["true"]) == ("online", [])
    assert found["fine"]["identity"] == {"manufacturer": "EPSON", "model": "TM-T88III"}
    assert found["fine"]["facts"]["port_status"] == {"paper_empty": False, "selected": True, "error": False}
    assert found["empty"]["true"] == ["paper_end", "paper_near_end"]
    assert (found["frozen"]["power"], found["frozen"]["true"]) == ("offline", ["frozen"])
    assert (found["well"]["power"], found["well"]["true"]) == ("online", [])


def _held(found: dict[str, Any]) -> None:
    assert found["while_open"]["code"] == "held_by_other"
    assert "/dev/usb/lp0 is open in python" in found["while_open"]["text"]
    assert f"(pid {found['pid']})" in found["while_open"]["text"]
    assert found["kernel_driver"] == "usblp", "it was not detached"
    assert found["after"] is None


def _looked_at_only(found: dict[str, Any]) -> None:
    assert found["seen"]["facts"]["present"] is True
    assert found["seen"]["identity"]["model"] == "TM-T88III"
    assert {path for path in found["opened"] if path.startswith("/dev/")} <= {"/dev/kmsg", "/dev/null"}
    assert any(path.startswith("/sys/") for path in found["opened"]), "the trace has caught nothing"
    assert found["usb_ioctls"] == []
    assert found["unnoticed"] is True
    assert found["kernel_driver"] == "usblp"


def _unplugged(found: dict[str, Any], cycles: int) -> None:
    assert (found["gone"]["power"], found["gone"]["true"]) == ("off_offline", ["unplugged"])
    assert (found["back"]["power"], found["back"]["true"]) == ("online", [])
    assert found["back_in_s"] < 3
    assert len(found["descriptors"]) == cycles
    assert max(found["descriptors"][1:]) <= found["descriptors"][0], "descriptors were left behind"
    assert set(found["children"]) == {found["children"][0]}


def _with_the_till(found: dict[str, Any]) -> None:
    assert (found["answer"], found["again"]) == ("12", "12"), "what the till asks is answered"
    assert found["unheard"] == "", "what the agent asks is not the till's to hear"
    assert found["empty"]["true"] == ["paper_end", "paper_near_end"]
    assert (found["gone"]["power"], found["gone"]["true"]) == ("off_offline", ["unplugged"])
    assert (found["back"]["power"], found["back"]["true"]) == ("online", [])
    assert found["kernel_driver"] == "usblp", "it is never taken from it"


def _hangs(found: dict[str, Any]) -> None:
    assert found["stuck"]["code"] == "driver_stuck"
    assert found["gone"]["code"] == "absent"
    assert found["healed"] is None
    before, after = found["descriptors"]
    assert after <= before


def test_card_readers(tmp_path: Path) -> None:
    found = scenarios(tmp_path, "readers")
    _swiped(found["swiped"])
    _never_read(found["never_read"])
    _vivotech(found["vivotech"])
    _by_libusb(found["by_libusb"])
    if "by_pcscd" in found:
        _by_pcscd(found["by_pcscd"])


def _swiped(found: dict[str, Any]) -> None:
    assert found["first"]["identity"] == {"serial": "B0ABCD1", "firmware": "21042812D01"}
    assert found["open_between"] == [], "nobody has it open when a card is drawn"
    assert found["second"]["statistics"] == FRESH | {"SequenceCounter": 1.0}
    assert (found["frozen"]["power"], found["frozen"]["true"]) == ("offline", ["frozen"])
    assert found["kernel_driver"] == "usbhid"


def _never_read(found: dict[str, Any]) -> None:
    calls = found["calls"]
    assert calls["openat"] == calls["close"] >= 3
    assert calls["ioctl"] >= 6
    assert "read" not in calls, "what was drawn is read by nobody"


def _vivotech(found: dict[str, Any]) -> None:
    assert found["first"]["identity"]["firmware"] == "VP5300-FW-v1.00.S"
    assert (found["first"]["power"], found["first"]["true"]) == ("online", [])
    assert (found["opened"]["power"], found["opened"]["true"]) == ("online", ["tamper"])
    assert found["kernel_driver"] == "usbhid"


def _by_libusb(found: dict[str, Any]) -> None:
    fine = found["fine"]
    assert (fine["power"], fine["true"], fine["facts"]["card"]) == ("online", [], "absent")
    assert (fine["identity"]["model"], fine["identity"]["serial"]) == ("SCR33xx", "SIM0000002")
    assert found["broken"]["true"] == ["hardware_error"]
    assert found["powered_on"] == 0, "no card is powered"


def _by_pcscd(found: dict[str, Any]) -> None:
    assert found["held"]["code"] == "held_by_other"
    assert f"held by pcscd (pid {found['pid']})" in found["held"]["text"]
    assert "pcsc:" in found["held"]["hint"]
    if found["fine"] is not None:  # with pyscard
        assert (found["fine"]["power"], found["fine"]["facts"]["card"]) == ("online", "absent")
        assert found["fine"]["identity"]["serial"] == "SIM0000002"
        assert found["card"]["facts"]["card"] == "present"
        assert found["card"]["true"] == []


@pytest.mark.soak
@pytest.mark.timeout(900)
def test_a_printer_that_hangs_and_a_hundred_times_unplugged(tmp_path: Path) -> None:
    found = scenarios(tmp_path, "printer", "100", "long", within_s=800)
    _unplugged(found["unplugged"], 100)
    _hangs(found["hangs"])
