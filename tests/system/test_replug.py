"""Under the real daemon: USB devices that hang, that come and go all day; a card drawn between two looks."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from tests.brokers import Broker
from tests.counter import HOST, TERMINAL, Seen, end, until
from tests.simulator.serving import ServedDevice, served

pytestmark = [pytest.mark.system, pytest.mark.timeout(600)]

POLL_S = 0.1
HEAD = f"""\
config_version = 1
[terminal]
id = "{TERMINAL}"
[mqtt]
url = "%s"
[agent]
state_dir = "%s/state"
[host]
vitals = "file:%s/host.json"
poll_s = 5
"""
BLOCK = f"""\
[[device]]
id = "{{id}}"
driver = "{{id}}"
link = "{{link}}"
access = "exclusive"
poll_s = {POLL_S}
reply_s = 0.3
"""
CARD = "4111111111111111=2512101"
MODELS = {"ccid": "usb:04e6:5116", "magtek": "hid:0801:0002", "escpos": "serial:"}


@dataclass
class Counter:
    """A reader on USB, one on HID, a printer on a tty, and the daemon that watches them."""

    folder: Path
    devices: dict[str, ServedDevice]
    daemon: psutil.Process
    seen: Seen

    def tell(self, *settings: str) -> None:
        for device in self.devices.values():
            device.tell(*settings)

    def hosts(self, device: str, what: str) -> int:
        """How often a host did `what`, by the device's own log."""
        log = (self.folder / device / "log").read_text().splitlines()
        return sum(json.loads(line)["what"] == what for line in log)

    def heard(self, device: str) -> int:
        """How much the device was told."""
        return (self.folder / device / "transcript").stat().st_size

    def owns(self) -> dict[str, int]:
        """What a leak would make more of."""
        return {
            "threads": self.daemon.num_threads(),
            "descriptors": self.daemon.num_fds(),
            "processes": len(self.daemon.children(recursive=True)),
        }


@pytest.fixture
def counter(short_path: Path, broker: Broker, seen: Seen) -> Iterator[Counter]:
    (short_path / "host.json").write_text(json.dumps(HOST), encoding="utf-8")
    text = HEAD % (broker.url, short_path, short_path)
    devices = {}
    with ExitStack() as stack:
        for model, link in MODELS.items():
            folder = short_path / model
            folder.mkdir()
            at = f"{folder}/at"
            usb = not link.startswith("serial")
            door = f"usb:unix:{at}" if usb else f"tty:{at}"
            devices[model] = stack.enter_context(served(folder, door, model=model))
            text += BLOCK.format(id=model, link=f"{link}?backend=unix:{at}" if usb else f"{link}{at}")
        config = short_path / "tillwatch.toml"
        config.write_text(text, encoding="utf-8")
        daemon = subprocess.Popen(
            [sys.executable, "-m", "agent.cli", "run", "--config", str(config), "--log-level", "error"],
            env=os.environ | {"RUNTIME_DIRECTORY": str(short_path / "run")},
            stdin=subprocess.DEVNULL,
        )
        try:
            seen.wait(
                lambda _m: all(
                    seen.on(f"device/{model}") and seen.on(f"device/{model}")[-1]["power"] == "online"
                    for model in MODELS
                ),
                20,
                "every device online",
            )
            yield Counter(short_path, devices, psutil.Process(daemon.pid), seen)
            assert daemon.poll() is None, "the daemon has ended"
        finally:
            end(daemon)


def test_a_device_that_hangs_is_stuck_until_it_is_plugged_in_anew(counter: Counter) -> None:
    """In a call that never returns: only the child waits there, and it is killed."""
    reader = counter.devices["ccid"]
    before = counter.owns()
    reader.tell("configured=hangs")
    counter.seen.wait_fault("ccid/driver_stuck", "raised")
    assert "hang" in counter.seen.events()[-1]["evidence"]["error"]
    assert counter.owns()["processes"] == before["processes"], "who hung was killed"
    counter.devices["escpos"].tell("paper=end")
    counter.seen.wait_fault("escpos/paper_end", "raised", 2)
    reader.tell("fault=unplug")
    reader.tell("fault=none")
    counter.seen.wait(
        lambda _m: counter.seen.on("device/ccid")[-1]["power"] == "online", 3, "it to be taken anew"
    )
    counter.seen.wait_fault("ccid/driver_stuck", "cleared")
    idle = {
        "threads": 0,
        "processes": 1,
        "descriptors": 2,
    }  # a child rests for a while
    until(
        lambda: _no_more(counter.owns(), {what: count + idle[what] for what, count in before.items()}),
        "the rest to be given back",
    )


def test_nothing_of_the_agents_is_open_when_a_card_is_drawn(counter: Counter) -> None:
    reader = counter.devices["magtek"]
    for turn in range(1, 4):
        closed = counter.hosts("magtek", "usb close")
        until(lambda was=closed: counter.hosts("magtek", "usb close") > was, "it to be let go")  # type: ignore[misc]
        reader.tell(f"swipe=;{turn}{CARD}?")
        opened = counter.hosts("magtek", "usb open")
        until(lambda was=opened: counter.hosts("magtek", "usb open") > was + 1, "the next looks")  # type: ignore[misc]
    assert reader.tell()["swipes"] == 3
    log = [json.loads(line) for line in (counter.folder / "magtek" / "log").read_text().splitlines()]
    before = [entry["what"] for entry in log]
    drawn = [place for place, what in enumerate(before) if what == "swipe"]
    assert len(drawn) == 3
    for place in drawn:
        assert before[:place].count("usb open") == before[:place].count("usb close"), "nobody has it open"
    assert CARD not in "".join(str(message.payload) for message in counter.seen.messages)


@pytest.mark.parametrize("times", [100, pytest.param(1000, marks=pytest.mark.soak)])
def test_unplugged_and_back_again_and_again(counter: Counter, times: int) -> None:
    before = {}
    for turn in range(times):
        closed = counter.hosts("ccid", "usb close")
        counter.tell("fault=unplug")
        until(lambda was=closed: counter.hosts("ccid", "usb close") > was, "it to be let go")  # type: ignore[misc]
        polled = ("magtek",) if turn % 5 == 0 else ()  # it is looked at only each poll
        opened = {usb: counter.hosts(usb, "usb open") for usb in ("ccid", *polled)}
        heard = counter.heard("escpos")
        counter.tell("fault=none")
        until(
            lambda was=opened, size=heard: (  # type: ignore[misc]
                all(counter.hosts(usb, "usb open") > count for usb, count in was.items())
                and counter.heard("escpos") > size
            ),
            "all to be taken anew",
        )
        if turn == 5:
            before = counter.owns()
    until(lambda: _no_more(counter.owns(), before), "all that was taken to be given back")
    counter.seen.wait(
        lambda _m: all(counter.seen.on(f"device/{model}")[-1]["power"] == "online" for model in MODELS),
        10,
        "every device online",
    )


def _no_more(now: dict[str, int], before: dict[str, int]) -> bool:
    return all(now[what] <= count for what, count in before.items())
