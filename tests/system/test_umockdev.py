"""The real libusb on a mocked bus: what usbfs answers comes from `tests.umock_bus`, by umockdev."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys

import pytest

from tests.guest import ROOT

DEBIANS_PYTHON = "/usr/bin/python3"
WRAPPER = "umockdev-wrapper"
WITHIN_S = 30.0
BINDINGS = "import gi; gi.require_version('UMockdev', '1.0'); from gi.repository import UMockdev"


def missing() -> str | None:
    """Why it cannot be run here."""
    if shutil.which(WRAPPER) is None:
        return "umockdev is not installed: apt-get install umockdev"
    tried = subprocess.run([DEBIANS_PYTHON, "-c", BINDINGS], check=False, capture_output=True)
    return "apt-get install gir1.2-umockdev-1.0 python3-gi" if tried.returncode else None


pytestmark = [pytest.mark.system, pytest.mark.skipif(missing() is not None, reason=str(missing()))]


def test_the_real_libusb() -> None:
    program = [WRAPPER, DEBIANS_PYTHON, "tests/umock_bus.py", sys.executable, "-m", "tests.umock_child"]
    done = subprocess.run(program, check=False, capture_output=True, text=True, timeout=WITHIN_S, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["busy"]["code"] == "held_by_other"
    assert found["device_id"] == "\0\x2fMFG:EPSON;CMD:ESC/POS;MDL:TM-T20;CLS:PRINTER;"
    assert (found["port_status"], found["unknown"]) == ("18", None)
    assert (found["eot_1"], found["mute"], found["eot_1_again"]) == ("12", "", "12")
    assert 0.4 <= found["waited_s"] < 2
    assert found["just_plugged_in"]["code"] == "absent"
    assert found["denied"]["code"] == "no_permission"
    assert "/dev/bus/usb/001/002: Permission denied" in found["denied"]["text"]
    assert found["unplugged"] == "link_lost"
    assert found["gone"]["code"] == "absent"
