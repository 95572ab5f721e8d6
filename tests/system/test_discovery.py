"""`devices` and `doctor` seen by the kernel's eyes: no device node is opened, and no device is asked."""

from __future__ import annotations

import os
import pty
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests import guest, terminals

pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif(not shutil.which("strace"), reason="strace is missing: make packages"),
]

ROOT = Path(__file__).parents[2]
RUN_S = 60
HEAD = 'config_version = 1\n[terminal]\nid = "T-1"\n[mqtt]\nurl = "mqtt://127.0.0.1"\n'
DEVICE = '[[device]]\nid = "{name}"\ndriver = "escpos"\nlink = "{link}"\naccess = "exclusive"\n'
_OPENED = re.compile(r'open(?:at|at2)?\((?:[A-Z_]+, |\d+, )?"((?:/dev|[^"]*/m/dev)/[^"]+)"')
_ASKED = ("USBDEVFS", "TCSETS", "TIOCM", "HIDIOC", "LPIOC")
_HARMLESS = ("/dev/null", "/dev/urandom", "/dev/serial/by-id", "/dev/serial/by-path")
"""The folders of udev's links are listed, never followed."""


def traced(tmp_path: Path, *arguments: str) -> tuple[int, str, str]:
    """Exit code, output, and the trace of it and of all that it starts."""
    trace = tmp_path / "trace"
    strace = ["strace", "-f", "-qq", "-e", "trace=open,openat,openat2,ioctl,connect", "-o", str(trace)]
    done = subprocess.run(
        [*strace, sys.executable, "-m", "agent.cli", *arguments],
        capture_output=True,
        text=True,
        timeout=RUN_S,
        check=False,
        cwd=ROOT,
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode, done.stdout, trace.read_text("utf-8", "replace")


def opened(trace: str) -> set[str]:
    found = {path for path in _OPENED.findall(trace) if not path.endswith(_HARMLESS)}
    return found | {word for word in _ASKED if word in trace}


@pytest.mark.parametrize("command", ["devices", "doctor"])
def test_nothing_is_opened_on_a_recorded_terminal(tmp_path: Path, command: str) -> None:
    machine = terminals.everything(tmp_path / "m")
    for node in ("ttyUSB0", "ttyUSB1", "ttyS0", "hidraw0", "hidraw1"):
        machine.file(f"dev/{node}", "")
    machine.file("dev/usb/lp0", "")
    _code, said, trace = traced(tmp_path, command, "--sysfs", str(machine.root), "--json")
    assert "08e6:3437" in said or "USB 1-" in said or "pcsc:" in said, "it did look"
    assert opened(trace) == set()


def test_nothing_is_opened_on_this_machine(tmp_path: Path) -> None:
    master, slave = pty.openpty()
    try:
        config = tmp_path / "tillwatch.toml"
        links = (f"serial:{os.ttyname(slave)}", "usb:04b8:0e15", "tcp:192.0.2.7:9100")
        config.write_text(
            HEAD
            + "".join(DEVICE.format(name=name, link=link) for name, link in zip("abc", links, strict=True))
        )
        _code, said, trace = traced(tmp_path, "devices", "--json")
        assert opened(trace) == set()
        code, said, trace = traced(tmp_path, "doctor", "--config", str(config))
    finally:
        os.close(master)
        os.close(slave)
    assert code == 1
    assert "b: usb:04b8:0e15 is not there" in said
    assert opened(trace) == set()
    assert "192.0.2.7" not in trace, "nothing on the network is asked either"


def test_what_is_looked_for_is_seen(tmp_path: Path) -> None:
    node = tmp_path / "m/dev/ttyUSB0"
    lines = f"""9 openat(AT_FDCWD, "{node}", O_RDWR|O_NOCTTY) = 3
9 openat(AT_FDCWD, "/dev/hidraw0", O_RDWR) = 3
9 open("/dev/bus/usb/001/002", O_RDWR) = 3
9 openat(AT_FDCWD, "/dev/null", O_RDONLY) = 3
9 openat(AT_FDCWD, "/sys/devices/x", O_RDONLY) = 3
9 ioctl(3, USBDEVFS_RESET) = 0
"""
    assert opened(lines) == {str(node), "/dev/hidraw0", "/dev/bus/usb/001/002", "USBDEVFS"}


RECOGNISED = {
    # Model, and its driver here -> its link but for the serial number, and the kernel's driver.
    "escpos": ("usb:04b8:0202", ["usblp"]),
    "ccid": ("usb:04e6:5116", []),
    "magtek": ("hid:0801:0002", ["usbhid"]),
    "vivotech": ("hid:0acd:4450", ["usbhid"]),
}


@pytest.mark.soak  # it boots for a minute where others work beside it
@pytest.mark.skipif(guest.missing() is not None, reason=str(guest.missing()))
@pytest.mark.timeout(180)
def test_devices_of_a_real_kernel(tmp_path: Path) -> None:
    ran = guest.run(tmp_path, "tests.inside.discovery", *RECOGNISED, within_s=150)
    found = {said.get("model", "failed"): said for said in ran.said if "scenario" in said}
    assert set(found) == set(RECOGNISED), found.get("failed", ran.console)
    for model, (ids, kernel) in RECOGNISED.items():
        said = found[model]
        device = said["device"]
        assert device["recognised"]["driver"] == model
        assert device["kernel_drivers"] == kernel
        link = f"{ids}:{device['serial']}"
        assert device["stable"]["link"] == link
        assert device["never_opened"] is None
        assert device["bus_node"].startswith("/dev/bus/usb/001/")
        looked = said["doctor"]["looked_at"]
        assert [target["link"] for target in looked] == [link], "found by the link that it gave"
        assert [one["kind"] for one in said["doctor"]["findings"]] == ["watchdog_off"]
        held = [one for one in said["held"]["findings"] if one["kind"] == "held_by_other"]
        if link.startswith("hid:"):
            assert held == [], "hidraw lets in as many as like"
        else:
            assert f"(pid {said['pid']})" in held[0]["what"]
