"""`tillwatch-sim`, as its user runs it."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import paho.mqtt.publish
import pytest
import serial

from simulator.control import tell
from simulator.devices import host
from simulator.devices.printer import escpos
from simulator.faults import FAULTS, parse
from tests.brokers import mosquitto_broker

pytestmark = pytest.mark.system

START_S = 15.0
SIM = (sys.executable, "-m", "simulator.cli")


@contextmanager
def running(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen([*SIM, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        yield process
        process.send_signal(signal.SIGTERM)
        assert process.wait(START_S) == 0
    finally:
        process.kill()
        process.communicate()


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*SIM, *arguments], capture_output=True, text=True, timeout=30, check=False)


def until(ready: Callable[[], bool]) -> None:
    deadline_s = time.monotonic() + START_S
    while not ready():
        assert time.monotonic() < deadline_s
        time.sleep(0.02)


def test_help_lists_every_knob_and_fault() -> None:
    said = run("serve", "-h").stdout
    for knob in (*escpos.KNOBS, *host.KNOBS):
        assert f"  {knob.name}={'|'.join(knob.choices)}\n" in said
    for form, does in FAULTS.items():
        assert form in said
        assert does in said
        if form != "none":
            assert parse(form.replace(":S", ":1").replace(":P", ":0.5"))


def test_serve_and_tell(tmp_path: Path) -> None:
    control, printed, log, transcript = (tmp_path / name for name in ("ctl", "printed", "log", "transcript"))
    files = ["--printed", str(printed), "--log", str(log), "--transcript", str(transcript)]
    door = f"tty:{tmp_path}/tty"
    with running(
        "serve", "escpos", "--at", door, "--control", str(control), "--set", "drawer=open", *files
    ) as sim:
        assert sim.stdout is not None
        assert json.loads(sim.stdout.readline())["knobs"]["drawer"] == "open"
        with serial.Serial(str(tmp_path / "tty"), 115200, timeout=2) as port:
            port.write(b"abc\n\x10\x04\x01")
            assert port.read(1) == b"\x16"
            told = run("tell", str(control), "paper=end", "fault=mute+1")
            assert json.loads(told.stdout)["faults"] == ["mute+1"]
        assert printed.read_bytes() == b"abc\n"
    changes = [json.loads(line) for line in log.read_text("utf-8").splitlines()]
    assert [(change["what"], change["value"]) for change in changes][-2:] == [
        ("paper", "end"),
        ("fault mute+1", "begun"),
    ]
    assert all(abs(change["wall_s"] - time.time()) < 60 for change in changes)
    assert re.search(r"^\d+\.\d{6} < 16$", transcript.read_text("ascii"), re.MULTILINE)
    assert {path.name for path in tmp_path.iterdir()} == {"printed", "log", "transcript"}


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["serve", "teapot", "--at", "tcp:127.0.0.1:0"], 2, "no such model"),
        (["serve", "escpos", "--at", "com:1"], 2, "write tty:PATH"),
        (["serve", "escpos", "--at", "usb:1"], 2, "write usb:unix:PATH"),
        (["serve", "host", "--at", "usb:unix:/tmp/bus"], 2, "not attached that way; serve it at file:PATH"),
        (["serve", "escpos", "--at", "usb:unix:/nowhere/bus"], 4, "choose another path"),
        (["serve", "escpos", "--at", "tcp:127.0.0.1:0", "--set", "paper=gone"], 2, "near_end"),
        (["serve", "escpos", "--at", "tcp:127.0.0.1:0", "--fault", "mutes"], 2, "no fault is called"),
        (["serve", "escpos", "--at", "tty:/nowhere/tty"], 4, "choose a folder"),
        (["tell", "/nowhere/ctl"], 4, "is the device being served"),
        (["play", "/nowhere/scenario.toml"], 2, "No such file"),
    ],
)
def test_errors_are_one_line(arguments: list[str], code: int, says: str) -> None:
    done = run(*arguments)
    assert (done.returncode, done.stdout) == (code, "")
    assert says in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_counter_writes_its_configuration_last_and_leaves_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "counter"
    config = folder / "tillwatch.toml"
    with running("counter", str(folder), "--broker", "mqtt://127.0.0.1:9"):
        until(config.exists)
        read = tomllib.loads(config.read_text("utf-8"))
        assert read["mqtt"]["url"] == "mqtt://127.0.0.1:9"
        assert read["device"][0]["link"] == f"serial:{folder}/receipt"
        assert (folder / "receipt").is_symlink()
        vitals = folder / "host.json"
        assert json.loads(vitals.read_text("utf-8"))["disk_used_pct"] == 40
        tell(folder / "host.ctl", ["disk=full"])
        assert json.loads(vitals.read_text("utf-8"))["disk_used_pct"] == 99
        assert tell(folder / "receipt.ctl", [])["model"] == "escpos"
    assert list(folder.iterdir()) == []


def test_a_counter_leaves_a_configuration_alone_that_is_not_its_own(tmp_path: Path) -> None:
    config = tmp_path / "tillwatch.toml"
    config.write_text("config_version = 1\n")
    refused = subprocess.run(
        [*SIM, "counter", str(tmp_path)], check=False, capture_output=True, text=True, timeout=START_S
    )
    assert (refused.returncode, refused.stdout) == (4, "")
    assert "choose another DIR" in refused.stderr
    assert config.read_text() == "config_version = 1\n"


def test_a_fault_in_months_is_waited_for(tmp_path: Path) -> None:
    """Longer than epoll can be told at once."""
    control = tmp_path / "ctl"
    with running("serve", "escpos", "--at", "tcp:127.0.0.1:0", "--control", str(control)):
        until(control.exists)
        for _ in range(2):  # the second one is answered after the first was waited for
            assert tell(control, ["fault=unplug@1e9"])["faults"] == ["unplug@1e+09"]


def test_a_scenario_is_played_at_a_running_counter(tmp_path: Path) -> None:
    scenario = tmp_path / "scenario.toml"
    scenario.write_text('[[step]]\nat_s = 0.1\ndevice = "receipt"\nset = "paper=end"\nsay = "out"\n', "utf-8")
    folder = tmp_path / "counter"
    with running("counter", str(folder)):
        until((folder / "tillwatch.toml").exists)
        done = run("play", str(scenario), "--dir", str(folder))
        assert (done.returncode, done.stdout.split()) == (0, ["0.1", "s", "out"])
        assert tell(folder / "receipt.ctl", [])["knobs"]["paper"] == "end"


def test_a_scenario_brings_its_own_counter_and_names_what_it_cannot_do(tmp_path: Path) -> None:
    scenario = tmp_path / "scenario.toml"
    scenario.write_text('[[step]]\nat_s = 0\ndevice = "receipt"\nset = "paper=end"\n', "utf-8")
    assert run("play", str(scenario)).returncode == 0
    scenario.write_text('[[step]]\nat_s = 0\ndevice = "receipt"\nset = "paper=gone"\n', "utf-8")
    assert run("play", str(scenario)).returncode == 2
    scenario.write_text('[[step]]\nat_s = 0\ndevice = "teapot"\nset = "paper=end"\n', "utf-8")
    assert run("play", str(scenario)).returncode == 4


EXPECTING = """\
[[step]]
at_s = 0.2
expect = {topic = "event", where = {kind = "paper_end", change = "raised"}, within_s = 2}
[[step]]
at_s = 0.3
expect = {topic = "health", where = {level = "now"}, within_s = 0.5}
"""


def test_what_a_scenario_expects_is_observed_at_the_broker(tmp_path: Path) -> None:
    scenario = tmp_path / "scenario.toml"
    scenario.write_text(EXPECTING, "utf-8")
    with mosquitto_broker(tmp_path) as broker:
        play = subprocess.Popen(
            [*SIM, "play", str(scenario), "--broker", broker.url], stderr=subprocess.PIPE, text=True
        )
        event = json.dumps({"kind": "paper_end", "change": "raised"})
        while play.poll() is None:
            paho.mqtt.publish.single("tillwatch/v1/T-1/event", event, port=broker.port)
            time.sleep(0.05)
        _, said = play.communicate()
    assert play.returncode == 1
    assert said.splitlines()[1:] == ["not observed: health with {'level': 'now'} within 0.5 s"]


def test_without_its_broker_a_scenario_that_expects_is_not_played(tmp_path: Path) -> None:
    scenario = tmp_path / "scenario.toml"
    scenario.write_text(EXPECTING, "utf-8")
    done = run("play", str(scenario), "--broker", "mqtt://127.0.0.1:9")
    assert done.returncode == 4
    assert "is the broker running?" in done.stderr
    assert run("play", str(scenario), "--broker", "nonsense").returncode == 2
