"""What an installed terminal gets from systemd/, judged by systemd itself."""

from __future__ import annotations

import configparser
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from agent.config.file import load

pytestmark = pytest.mark.system

SYSTEMD = Path(__file__).parents[2] / "systemd"
UNIT = SYSTEMD / "tillwatch.service"
PASS_THROUGH = SYSTEMD / "tillwatch-pass-through.service"
BOTH = pytest.mark.parametrize("unit", [UNIT, PASS_THROUGH], ids=lambda unit: unit.stem)
PROGRAM = "/opt/tillwatch/bin/tillwatch"
EXPOSURE_MOST = 2.0
RUN_S = 30

needs_analyze = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed"
)
needs_sysusers = pytest.mark.skipif(
    shutil.which("systemd-sysusers") is None, reason="systemd-sysusers is not installed"
)


def run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, timeout=RUN_S, check=False)


@needs_analyze
@BOTH
def test_the_unit_has_no_key_that_systemd_does_not_know(unit: Path, tmp_path: Path) -> None:
    # Its program is not installed here, so another stands in its place.
    copy = tmp_path / unit.name
    copy.write_text(unit.read_text().replace(PROGRAM, sys.executable))
    result = run("systemd-analyze", "verify", "--man=no", str(copy))
    about_it = [line for line in result.stderr.splitlines() if "tillwatch" in line]
    assert about_it == [], "systemd-analyze returns 0 for unknown keys, so its words count"


@needs_analyze
@BOTH
def test_the_unit_is_hardened(unit: Path) -> None:
    result = run("systemd-analyze", "security", "--offline=yes", str(unit))
    exposure = re.search(r"Overall exposure level for \S+: (\d+\.\d+)", result.stdout)
    assert exposure is not None, result.stderr
    assert float(exposure[1]) <= EXPOSURE_MOST


@needs_sysusers
def test_its_user_can_be_made() -> None:
    result = run("systemd-sysusers", "--dry-run", str(SYSTEMD / "sysusers.d/tillwatch.conf"))
    assert "tillwatch" in result.stdout + result.stderr
    assert result.returncode == 0


def test_what_the_daemon_relies_on() -> None:
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str  # type: ignore[assignment,method-assign]  # keys keep their case
    unit.read_string(UNIT.read_text())
    service = unit["Service"]
    assert service["Type"] == "notify"
    assert float(service["WatchdogSec"]) >= 10, "the daemon tells it each second"
    assert service["StateDirectory"] == service["RuntimeDirectory"] == "tillwatch"
    assert service["RuntimeDirectoryMode"] == "0751", "tills of any user reach their sockets in it"
    assert unit["Unit"]["StartLimitIntervalSec"] == "0"
    assert service["ExecStart"].startswith(f"{PROGRAM} run ")


def test_what_the_till_relies_on() -> None:
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str  # type: ignore[assignment,method-assign]  # keys keep their case
    unit.read_string(PASS_THROUGH.read_text())
    service = unit["Service"]
    assert service["ExecStart"].startswith(f"{PROGRAM} pass-through ")
    assert unit["Unit"]["StartLimitIntervalSec"] == "0"
    assert service["Restart"] == "on-failure", "it ends with 0 where nothing is shared, and must not flap"
    assert service["RestartSec"] == "100ms"
    assert service["RuntimeDirectoryPreserve"] == "restart", "what was lost is told from there"
    assert "CPUQuota" not in service
    assert int(service["OOMScoreAdjust"]) < 0
    for one in (UNIT, PASS_THROUGH):
        assert "Environment=TILLWATCH_TILL_DIR=/run/tillwatch-till" in one.read_text()


def test_the_sample_configuration_is_one() -> None:
    config = load(SYSTEMD / "tillwatch.toml", {"STATE_DIRECTORY": "/var/lib/tillwatch"})
    assert config.terminal.id == "T-0001"
    assert config.mqtt.tls


def test_all_that_it_offers_may_be_taken(tmp_path: Path) -> None:
    text = (SYSTEMD / "tillwatch.toml").read_text()
    path = tmp_path / "tillwatch.toml"
    offered = re.sub(r"(?m)^# (?=\[|\w+ = )", "", text)
    for name in re.findall(r'"/etc/tillwatch/(.+)"', offered):
        (tmp_path / name).touch()
    path.write_text(offered.replace("/etc/tillwatch/", f"{tmp_path}/"))
    config = load(path, {"STATE_DIRECTORY": "/var/lib/tillwatch"})
    assert [(d.id, d.driver, d.access) for d in config.devices] == [
        ("receipt", "escpos", "passive"),
        ("bar", "escpos", "shared"),
        ("reader", "ccid", "exclusive"),
        ("payment", "zvt", "passive"),
    ]
    assert (config.till.http, config.terminal.timezone) == ("127.0.0.1:9180", "Europe/Berlin")
    assert config.mqtt.key_file is not None
