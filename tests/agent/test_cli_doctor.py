"""`tillwatch doctor`, as a technician types it, on recorded terminals."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from agent.cli.doctor import doctor
from agent.control import SOCKET_NAME, Answer, ControlServer, Hear
from agent.discovery.doctor import CHECKS
from tests import terminals
from tests.sysfs import Machine

ROOT = Path(__file__).parents[2]
HEAD = 'config_version = 1\n[terminal]\nid = "T-1"\n[mqtt]\nurl = "mqtt://127.0.0.1"\n'
DEVICE = '[[device]]\nid = "scale"\ndriver = "escpos"\nlink = "{link}"\naccess = "{access}"\n'
FTDI = "serial:/dev/serial/by-id/usb-FTDI_A10K5XYZ-if00-port0"


@pytest.fixture(autouse=True)
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No daemon of this machine is asked."""
    monkeypatch.setenv("RUNTIME_DIRECTORY", str(tmp_path / "run"))
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path / "state"))


def run(machine: Machine, *arguments: str) -> Result:
    return CliRunner().invoke(doctor, ["--sysfs", str(machine.root), *arguments], catch_exceptions=False)


def installed(machine: Machine, link: str, access: str = "exclusive") -> None:
    """The configuration where the service has it."""
    machine.file("etc/tillwatch/tillwatch.toml", HEAD + DEVICE.format(link=link, access=access))


def test_what_why_and_what_to_do(tmp_path: Path) -> None:
    done = run(terminals.no_permission(tmp_path / "m"))
    assert done.exit_code == 1
    assert done.stdout.splitlines() == [
        "1 stops a device (no configuration: everything attached)",
        "",
        "STOPS   [agent] /dev/ttyUSB0: the user tillwatch may not open /dev/ttyUSB0",
        "        why  /dev/ttyUSB0 is rw-rw---- root:dialout; tillwatch is in the groups",
        "             tillwatch (of tillwatch.service)",
        "        do   $ sudo usermod -aG dialout tillwatch",
        "             $ sudo systemctl restart tillwatch",
    ]


SAID = {
    # Terminal -> exit code, and what stands in the text.
    "epson": (0, "nothing stands in the way"),
    "epson_printing_by_cups": (1, "/dev/usb/lp0 is open in usb (pid 310)"),
    "two_adapters_alike": (1, "ModemManager may ask this port whether it is a modem"),
    "reader_of_pcscd": (1, "polkit does not let tillwatch use pcscd"),
    "reader_without_pcscd": (0, "nothing stands in the way"),
    "taken_by_brltty": (1, "brltty has taken the QinHeng (CH340) serial adapter"),
    "no_permission": (1, "$ sudo usermod -aG dialout tillwatch"),
    "keyboard_wedge": (0, "is never opened: it types what it"),
    "id_tech": (0, "nothing stands in the way"),
    "two_readers_alike": (0, "nothing stands in the way"),
    "everything": (1, "polkit does not let tillwatch use pcscd"),
}


@pytest.mark.parametrize("name", SAID)
def test_recorded_terminals(tmp_path: Path, name: str) -> None:
    code, told = SAID[name]
    machine = getattr(terminals, name)(tmp_path / "m")
    done = run(machine)
    assert done.exit_code == code
    assert told in " ".join(done.stdout.split())
    wide = [line for line in done.stdout.splitlines() if len(line) > 80 and "$ " not in line]
    assert wide == []
    said = json.loads(run(machine, "--json").stdout)
    assert said["verdict"] == {0: "fine", 1: "stopped", 3: "unseen"}[code]


def test_it_reads_the_service_s_configuration(tmp_path: Path) -> None:
    machine = terminals.no_permission(tmp_path / "m")
    installed(machine, FTDI, "passive")
    done = run(machine)
    assert done.exit_code == 1
    assert "no daemon runs, so nothing is watched" in done.stdout
    assert "may not open" not in done.stdout, "a passive device is never opened"


def test_one_that_is_named_has_to_be_there(tmp_path: Path) -> None:
    done = run(Machine(tmp_path / "m"), "--config", str(tmp_path / "absent.toml"))
    assert done.exit_code == 2
    assert "is not there" in done.stderr


def test_one_that_may_not_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    machine = terminals.epson(tmp_path / "m")
    installed(machine, FTDI)
    may = os.access  # as for somebody who is not root, also where the tests run as root
    monkeypatch.setattr(
        os, "access", lambda path, mode: Path(path).name != "tillwatch.toml" and may(path, mode)
    )
    done = run(machine)
    assert done.exit_code == 3
    assert "UNSEEN  [agent] the configuration may not be read" in done.stdout
    assert "$ sudo tillwatch doctor" in done.stdout


@pytest.fixture
def daemon(short_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    """One that answers `status` with what the test puts into it."""
    monkeypatch.setenv("RUNTIME_DIRECTORY", str(short_path))
    view: dict[str, Any] = {"devices": {}}

    def status(_request: dict[str, Any], _who: str, _hear: Hear) -> Answer:
        yield view

    server = ControlServer(short_path / SOCKET_NAME, {"status": status})
    server.start()
    yield view
    server.stop()


def test_the_running_daemon_is_asked_for_what_it_has_met(tmp_path: Path, daemon: dict[str, Any]) -> None:
    machine = terminals.no_permission(tmp_path / "m")
    machine.service("dialout")
    installed(machine, f"{FTDI}?baud=19200")
    assert run(machine).exit_code == 0
    daemon["devices"] = {"scale": {"conditions": {"garbled": {"value": True}}}}
    done = run(machine)
    assert done.exit_code == 1
    assert "scale: what comes from it is not the protocol of escpos" in done.stdout
    assert "19200 baud, 8N" in done.stdout
    said = json.loads(run(machine, "--json").stdout)
    assert said["daemon"] == "running"
    assert said["config"] == str(machine.root / "etc/tillwatch/tillwatch.toml")


def test_everything_it_can_say_is_documented() -> None:
    page = (ROOT / "docs/doctor.md").read_text("utf-8")
    sources = "".join(path.read_text("utf-8") for path in (ROOT / "agent/discovery").rglob("*.py"))
    kinds = set(re.findall(r'kind="(\w+)"', sources))
    assert len(kinds) > 15
    assert {kind for kind in kinds if f"`{kind}`" not in page} == set()
    assert {check for check in CHECKS if f"`{check}`" not in page} == set()


def test_what_its_mends_name_is_shipped() -> None:
    sources = "".join(path.read_text("utf-8") for path in (ROOT / "agent/discovery").rglob("*.py"))
    named = set(re.findall(r"(?<![\w/])systemd/[\w./-]+\.\w+", sources))
    assert len(named) == 4
    assert [path for path in named if not (ROOT / path).is_file()] == []
