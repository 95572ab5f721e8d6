"""Input at the main screen, told by a real X server's idle counter."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import struct
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agent.control import SOCKET_NAME, ask
from agent.diagnosis.sale import SaleState, SaleWord
from agent.till import idle
from agent.till.idle import ANSWER_S, ASK_EACH_S, IdleWatch
from drivers.api import Deadline, SystemClock
from drivers.errors import Absent, LinkLost, LinkUnusable, NoPermission, Unreachable
from drivers.screen import consts
from drivers.screen.x11 import IdleCounter
from tests.counter import Counter, end, until

pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif(
        not all(map(shutil.which, ("Xvfb", "xdotool", "xprintidle"))),
        reason="Xvfb, xdotool or xprintidle is not installed",
    ),
]
QUIET_S = 1.0
CLOCK = SystemClock()


class Screen:
    """An X server of the test's own."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        self._folder = folder
        self._arguments = arguments
        self.number = self._start(("-displayfd", "1"))

    def _start(self, which: tuple[str, ...]) -> int:
        with (self._folder / "display").open("w+b") as told:
            self.server = subprocess.Popen(
                [
                    "Xvfb",
                    *which,
                    "-screen",
                    "0",
                    "320x240x24",
                    "-noreset",
                    "-nolisten",
                    "tcp",
                    *self._arguments,
                ],
                stdin=subprocess.DEVNULL,
                stdout=told,
                stderr=subprocess.DEVNULL,
            )
            until(lambda: (self._folder / "display").read_bytes().endswith(b"\n"), "Xvfb", self.server)
        return int((self._folder / "display").read_bytes())

    def again(self) -> None:
        """Another server in its place."""
        assert self._start((f":{self.number}", "-displayfd", "1")) == self.number

    def input(self) -> None:
        self.run("xdotool", "key", "a")

    def run(self, *command: str) -> str:
        environment = os.environ | {"DISPLAY": f":{self.number}"}
        return subprocess.run(
            command, env=environment, check=True, capture_output=True, text=True, timeout=10
        ).stdout


@pytest.fixture
def screen(tmp_path: Path) -> Iterator[Screen]:
    screen = Screen(tmp_path)
    yield screen
    end(screen.server)


def soon(seconds: float = 2.0) -> Deadline:
    return Deadline.after(CLOCK, seconds)


# -- the counter -----------------------------------------------------------------------------------------


def test_it_agrees_with_another_program(screen: Screen) -> None:
    counter = IdleCounter(screen.number)
    screen.input()
    time.sleep(0.3)
    low = counter.idle_s(soon())
    theirs = int(screen.run("xprintidle")) / 1000
    high = counter.idle_s(soon())
    counter.close()
    assert 0.3 <= low <= theirs <= high < 2.0


def test_no_server(screen: Screen) -> None:
    end(screen.server)
    with pytest.raises(Absent, match=rf"display :{screen.number}: no X server"):
        IdleCounter(screen.number).idle_s(soon())


def test_a_server_without_an_idle_counter(tmp_path: Path) -> None:
    screen = Screen(tmp_path, "-extension", "MIT-SCREEN-SAVER")
    try:
        with pytest.raises(LinkUnusable, match="no idle counter"):
            IdleCounter(screen.number).idle_s(soon())
    finally:
        end(screen.server)


def test_a_cookie_is_asked_for_and_found(tmp_path: Path) -> None:
    def authority(cookie: bytes) -> bytes:
        parts = (os.uname().nodename.encode(), b"", consts.COOKIE, cookie)
        packed = b"".join(struct.pack(">H", len(part)) + part for part in parts)
        return struct.pack(">H", consts.FAMILY_LOCAL) + packed

    right, wrong = tmp_path / "right", tmp_path / "wrong"
    right.write_bytes(authority(b"0123456789abcdef"))
    wrong.write_bytes(authority(b"f" * 16))
    screen = Screen(tmp_path, "-auth", str(right))
    try:
        counter = IdleCounter(screen.number, {"XAUTHORITY": str(right)})
        assert counter.idle_s(soon()) >= 0
        counter.close()
        for environment in ({"XAUTHORITY": str(wrong)}, {"HOME": str(tmp_path)}):
            with pytest.raises(NoPermission) as refused:
                IdleCounter(screen.number, environment).idle_s(soon())
            assert "xhost" in refused.value.hint
    finally:
        end(screen.server)


def test_a_server_that_hangs_or_goes(screen: Screen) -> None:
    counter, later = IdleCounter(screen.number), IdleCounter(screen.number)
    counter.idle_s(soon())
    screen.server.send_signal(signal.SIGSTOP)
    for each in (counter, later):
        began_s = time.monotonic()
        with pytest.raises(Unreachable, match="does not answer"):
            each.idle_s(soon(0.2))
        assert time.monotonic() - began_s < 0.5
    screen.server.send_signal(signal.SIGCONT)
    counter.idle_s(soon())
    screen.server.kill()
    screen.server.wait()
    with pytest.raises(LinkLost):
        counter.idle_s(soon())


# -- the source ------------------------------------------------------------------------------------------


def test_a_hanging_server_is_known_within_five_seconds() -> None:
    assert ASK_EACH_S + ANSWER_S < 5


class Watch:
    """The source, and the state it makes; asked by the test's thread alone, as its own."""

    def __init__(self, display: int) -> None:
        self.words: list[SaleWord] = []
        self.sale = SaleState(CLOCK, QUIET_S)
        self.watch = IdleWatch(f":{display}.0", CLOCK, self.words.append)
        self._taken = 0

    def state(self) -> str:
        while self._taken < len(self.words):
            self.sale.tell(self.words[self._taken])
            self._taken += 1
        return self.sale.state()

    def becomes(self, state: str, within_s: float = 5.0) -> None:
        until(lambda: self.state() == state, f"the sale to be {state}; {self.words[-3:]}", None, within_s)


def test_input_is_a_sale_quiet_is_none_and_no_server_is_unknown(
    screen: Screen, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(idle, "ASK_EACH_S", 0.2)
    monkeypatch.setattr(idle, "ANSWER_S", 0.2)
    watch = Watch(screen.number)
    watch.watch.start()
    try:
        watch.becomes("no")
        screen.input()
        watch.becomes("yes", 0.5)
        watch.becomes("no", QUIET_S + 0.3)
        count = len(watch.words)
        time.sleep(0.6)
        assert len(watch.words) == count, "what has not changed is not told again"
        screen.server.send_signal(signal.SIGSTOP)
        watch.becomes("unknown", 1.0)
        screen.server.send_signal(signal.SIGCONT)
        watch.becomes("no")
        screen.server.kill()
        screen.server.wait()
        watch.becomes("unknown", 1.0)
        screen.again()
        screen.input()
        watch.becomes("yes")
        watch.becomes("no")
    finally:
        watch.watch.stop()
    lines = [line for line in caplog.messages if "input cannot be told" in line]
    assert 2 <= len(lines) <= 6, "a line for each new trouble, not for each look"
    assert re.match(r"input cannot be told: display :\d+: the X server does not answer", lines[0])


@pytest.mark.parametrize("stopped", [True, False])
def test_its_end_waits_for_no_server(screen: Screen, stopped: bool) -> None:
    watch = Watch(screen.number)
    if stopped:
        screen.server.send_signal(signal.SIGSTOP)
    watch.watch.start()
    time.sleep(0.2)
    began_s = time.monotonic()
    watch.watch.stop()
    assert time.monotonic() - began_s < 0.5
    if stopped:
        assert not watch.words


# -- in the daemon ---------------------------------------------------------------------------------------


def test_the_daemon_hears_input_and_says_which_door_stays_shut(screen: Screen, tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = f"127.0.0.1:{other.getsockname()[1]}"
        till = f'[sale]\nquiet_s = 1\ndisplay = ":{screen.number}"\n[till]\nhttp = "{taken}"'
        counter = Counter(tmp_path, "mqtt://127.0.0.1:1", agent=till, poll_s=0.2)
        try:
            counter.start_printer()
            counter.start_daemon()
            until((tmp_path / "run/till/state").exists, "the doors", counter.daemon)

            def status() -> dict[str, Any]:
                first: dict[str, Any] = next(ask(tmp_path / "run" / SOCKET_NAME, {"do": "status"}))
                return first

            def sale() -> tuple[str, str]:
                (why,) = [why for why in status()["sale"]["why"] if why["source"] == "input"]
                return why["word"], status()["sale"]["state"]

            until(lambda: any(why["source"] == "input" for why in status()["sale"]["why"]), "the input")
            screen.input()
            until(lambda: sale() == ("yes", "yes"), "a sale", None, ASK_EACH_S + 1)
            until(lambda: sale() == ("no", "no"), "its end", None, 1 + 1)
            until(
                lambda: any(
                    fault["fault"] == "agent/till_door_failed"
                    for fault in (status()["health"] or {})["faults"]
                ),
                "the fault",
                None,
                10,
            )
            screen.server.send_signal(signal.SIGSTOP)
            assert counter.stop_daemon() == 0
        finally:
            counter.close()
