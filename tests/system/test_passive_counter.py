"""The whole counter with `access` as it is by default: nothing of ours goes to any device.

Seen from both ends: by the system calls of a run of the daemon, and by what the devices noticed.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from simulator.counter import PLACES
from tests.brokers import Broker
from tests.counter import HOST, TERMINAL, Seen, until
from tests.simulator.serving import served

pytestmark = [pytest.mark.system, pytest.mark.timeout(90)]

LOOKS = 8  # by the host's polls: as often as each device is looked at
SET_UP = ("dsr", "answers", "usb")  # what a log says before any host has come
IDS = {"escpos": "04b8:0202", "ccid": "04e6:5116", "magtek": "0801:0002"}
HEAD = f"""\
config_version = 1
[terminal]
id = "{TERMINAL}"
maintenance = "Mo-Su 00:00-24:00"
[mqtt]
url = "%s"
[agent]
state_dir = "%s/state"
clock = "trusted"
[host]
vitals = "file:%s/host.json"
poll_s = 0.3
[sale]
quiet_s = 1
"""
BLOCK = '[[device]]\nid = "{id}"\ndriver = "{driver}"\nlink = "{link}"\npoll_s = 0.3\n'


@dataclass
class Shop:
    """Every device of the counter, each with a record of what it heard and what USB hosts did to it."""

    folder: Path
    url: str
    links: dict[str, str]

    def config(self, access: str) -> Path:
        """`access`: a line for each device; none is the default, passive."""
        text = HEAD % (self.url, self.folder, self.folder)
        for place in PLACES:
            driver = place.driver or place.model
            text += BLOCK.format(id=place.id, driver=driver, link=self.links[place.id])
            text += access and f"{access}\n{'status_enquiry_s = 60' if driver == 'zvt' else ''}\n"
        path = self.folder / "tillwatch.toml"
        path.write_text(text, encoding="utf-8")
        return path

    def noticed(self, device: str) -> str:
        """What it heard, and what hosts did to its USB side."""
        log = [json.loads(line) for line in (self.folder / device / "log").read_text().splitlines()]
        done = [entry for entry in log if entry["what"] not in SET_UP]
        return (self.folder / device / "transcript").read_text() + " ".join(map(str, done))

    def run(self, config: Path, *tracer: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [*tracer, sys.executable, "-m", "agent.cli", "run", "--config", str(config)],
            env=os.environ | {"RUNTIME_DIRECTORY": str(self.folder / "run")},
            stdin=subprocess.DEVNULL,
        )


@pytest.fixture
def shop(short_path: Path, broker: Broker) -> Iterator[Shop]:
    (short_path / "host.json").write_text(json.dumps(HOST), encoding="utf-8")
    links = {}
    with ExitStack() as stack:
        for place in PLACES:
            folder = short_path / place.id
            folder.mkdir()
            usb = f"unix:{folder}/usb"
            door = {"tty": f"tty:{folder}/tty", "tcp": "tcp:127.0.0.1:0"}.get(place.door, f"usb:{usb}")
            device = stack.enter_context(served(folder, door, settings=place.settings, model=place.model))
            links[place.id] = {
                "tty": f"serial:{folder}/tty",
                "tcp": str(device.tell()["doors"][0]),  # type: ignore[index]
            }.get(place.door, f"{place.door}:{IDS.get(place.model)}?backend={usb}")
        yield Shop(short_path, broker.url, links)


@pytest.mark.skipif(not shutil.which("strace"), reason="strace is missing: make packages")
def test_passive_opens_claims_detaches_and_resets_nothing(shop: Shop, seen: Seen) -> None:
    trace = shop.folder / "trace"
    what = "trace=open,openat,connect,sendto,sendmsg,ioctl"
    ttys = {os.path.realpath(shop.folder / place.id / "tty") for place in PLACES if place.door == "tty"}
    tracer = shop.run(shop.config(""), "strace", "-f", "--seccomp-bpf", "-qq", "-e", what, "-o", str(trace))
    try:
        _wait_for_health(seen)
        looked = _looks(trace)
        until(lambda: _looks(trace) >= looked + LOOKS, "some more looks", tracer)
    finally:
        _stop_child(tracer)
    calls = trace.read_text(errors="replace")
    reports = {place.id: seen.on(f"device/{place.id}")[-1] for place in PLACES}
    assert {report["facts"].get("access") for report in reports.values()} == {"passive"}
    assert {report["power"] for report in reports.values()} == {"unknown"}
    assert not seen.faults()
    for place in PLACES:
        assert shop.noticed(place.id) == "", place.id
        if place.door == "tcp":
            port = shop.links[place.id].rpartition(":")[2]
            assert not re.search(rf"sin6?_port=htons\({port}\)", calls), place.id
        else:
            assert f"{shop.folder}/{place.id}/" not in calls, "neither its node nor its socket"
    assert not [tty for tty in ttys if f'"{tty}"' in calls]
    assert "host.json" in calls, "what is opened is in the trace"
    assert re.search(r"connect\(\d+, \{sa_family=AF_INET, sin_port=htons\(631\)", calls), "and who is asked"
    nodes = re.findall(r'open(?:at)?\([^"]*"(/dev/[^"]+)"', calls)
    assert not [node for node in nodes if re.match(r"/dev/(bus|usb|hidraw|tty|pts|serial|input)", node)]
    assert "USBDEVFS" not in calls
    assert "HIDIOC" not in calls


def test_a_device_that_is_opened_notices_it(shop: Shop, seen: Seen) -> None:
    """So what the test above did not find could have been found."""
    daemon = shop.run(shop.config('access = "exclusive"'))
    write_only = {"aedex", "cd5220", "logic_controls"}  # nothing is sent to them without a text
    try:
        _wait_for_health(seen)
        for place in PLACES:
            if place.model not in write_only:
                until(lambda name=place.id: shop.noticed(name) != "", place.id, daemon)  # type: ignore[misc]
    finally:
        daemon.terminate()
        daemon.wait(15)


def _wait_for_health(seen: Seen) -> None:
    devices = {place.id for place in PLACES}
    seen.wait(
        lambda _m: bool(seen.on("health")) and devices <= set(seen.on("health")[-1]["devices"]),
        20,
        "every device in the health",
    )


def _looks(trace: Path) -> int:
    return trace.read_text(errors="replace").count("/host.json") if trace.exists() else 0


def _stop_child(tracer: subprocess.Popen[bytes]) -> None:
    """strace passes no signal on: its child is ended, and it with that."""
    for child in Path(f"/proc/{tracer.pid}/task/{tracer.pid}/children").read_text().split():
        os.kill(int(child), signal.SIGTERM)
    tracer.wait(15)
