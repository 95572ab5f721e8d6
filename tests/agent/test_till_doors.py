"""The doors for the till, with real sockets: who speaks, when words are withdrawn, what is refused."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import queue
import re
import resource
import shutil
import socket
import stat
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from agent.config import Agent, Config, Mqtt, Terminal, Till
from agent.diagnosis.sale import SaleWord
from agent.till import http_door, keeper, notify, shown, stream
from agent.till.doors import DOOR_FAILED, TillDoors
from agent.till.words import BUSY, LASTS_MOST_S, LASTS_S
from drivers.api import Json, SystemClock
from drivers.link.unix import short_address
from tests.agent.test_till_web import VIEW
from tests.brokers import free_port

pytestmark = pytest.mark.system

WITHIN_S = 5.0
SAY = """
import os, socket, sys, time
with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as till:
    till.sendto(sys.argv[2].encode(), sys.argv[1])
time.sleep(float(sys.argv[3]))
"""


class Judge:
    """The judging thread and what it was told; `hang` keeps it from its work."""

    def __init__(self) -> None:
        self.words: list[SaleWord] = []
        self.faults: list[tuple[bool | None, Any]] = []
        self.hang = threading.Event()
        self._inbox: queue.Queue[Callable[[], None] | None] = queue.Queue()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def post(self, work: Callable[[], None]) -> None:
        self._inbox.put(work)

    def _run(self) -> None:
        while work := self._inbox.get():
            while self.hang.is_set():
                time.sleep(0.01)
            work()

    def stop(self) -> None:
        self.hang.clear()
        self._inbox.put(None)
        self._thread.join()

    def tell_sale(self, word: SaleWord) -> None:
        self.words.append(word)

    def view(self) -> dict[str, Any]:
        return dict(VIEW)

    def judge(
        self, device: str, conditions: Mapping[str, bool | None], evidence: Mapping[str, Mapping[str, Json]]
    ) -> None:
        assert device == "agent"
        self.faults.append((conditions[DOOR_FAILED], evidence.get(DOOR_FAILED, {}).get("detail")))

    def wait(self, count: int, within_s: float = WITHIN_S) -> list[SaleWord]:
        wait_for(lambda: len(self.words) >= count, f"{count} words, not {self.words}", within_s)
        return self.words


class Shop:
    """Doors at a folder and a port, and the judge behind them."""

    def __init__(
        self, folder: Path, judge: Judge, *, port: int | None = None, host: str = "127.0.0.1"
    ) -> None:
        self.judge = judge
        self.folder = folder / "till"
        self.notify, self.state = self.folder / "notify", self.folder / "state"
        self.port = free_port() if port is None else port
        config = Config(
            source=folder / "t.toml",
            terminal=Terminal(id="T-1"),
            mqtt=Mqtt(host="127.0.0.1", port=1, tls=False),
            agent=Agent(state_dir=folder, runtime_dir=folder, till_dir=folder / "till"),
            till=Till(http=f"{host}:{self.port}", origins=("https://till.example",)),
        )
        self.doors = TillDoors(config, SystemClock(), judge, judge.post, "a-boot")

    def open(self) -> None:
        told = len(self.judge.faults)
        self.doors.start()
        wait_for(lambda: len(self.judge.faults) > told, "the doors to be open")

    def say(self, said: str) -> None:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as till, short_address(self.notify) as address:
            till.sendto(said.encode(), address)

    def somebody_says(self, said: str, lives_s: float = 60.0) -> subprocess.Popen[bytes]:
        return subprocess.Popen([sys.executable, "-c", SAY, str(self.notify), said, str(lives_s)])

    def request(
        self, method: str, path: str, body: str | None = None, headers: Mapping[str, str] | None = None
    ) -> tuple[int, Any]:
        client = http.client.HTTPConnection("127.0.0.1", self.port, timeout=WITHIN_S)
        with contextlib.closing(client):
            client.request(method, path, body, dict(headers or {}))
            answer = client.getresponse()
            said = answer.read()
            return answer.status, json.loads(said) if said else None

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=WITHIN_S + stream.TALK_S)

    def line(self, first: bytes = b"") -> Any:
        """What the state socket says."""
        with socket.socket(socket.AF_UNIX) as client, short_address(self.state) as address:
            client.settimeout(WITHIN_S)
            client.connect(address)
            client.sendall(first)
            with client.makefile("rb") as said:
                return json.loads(said.read())


def wait_for(test: Callable[[], bool], what: str, within_s: float = WITHIN_S) -> None:
    ends_s = time.monotonic() + within_s
    while not test():
        assert time.monotonic() < ends_s, f"not within {within_s} s: {what}"
        time.sleep(0.01)


@pytest.fixture
def judge() -> Iterator[Judge]:
    judge = Judge()
    yield judge
    judge.stop()


@pytest.fixture
def shop(short_path: Path, judge: Judge) -> Iterator[Shop]:
    shop = Shop(short_path, judge)
    shop.open()
    yield shop
    shop.doors.stop()
    assert not shop.notify.exists()
    assert not shop.state.exists()


# -- the notify socket -----------------------------------------------------------------------------------


def test_any_local_user_may_speak(shop: Shop) -> None:
    assert stat.S_IMODE(shop.folder.stat().st_mode) == 0o755
    assert {stat.S_IMODE(path.stat().st_mode) for path in (shop.notify, shop.state)} == {0o666}


@pytest.mark.skipif(
    os.geteuid() != 0 or shutil.which("systemd-notify") is None,
    reason="being another user needs root, and systemd-notify",
)
def test_another_user_is_another_source(shop: Shop) -> None:
    shop.folder.parent.chmod(0o711)  # as systemd makes the runtime directory
    environment = {"NOTIFY_SOCKET": str(shop.notify), "PATH": os.environ["PATH"]}
    told = ["systemd-notify", "X_TILLWATCH_BUSY=1"]
    subprocess.run(told, env=environment, user=65534, group=65534, check=True, timeout=10)
    assert [word.source for word in shop.judge.wait(1)] == ["till/65534"]


def test_busy_and_not_by_a_till_that_lives(shop: Shop) -> None:
    me = f"till/{os.getuid()}"
    shop.say("X_TILLWATCH_BUSY=1")
    shop.judge.wait(1)
    shop.say("X_TILLWATCH_BUSY=0")
    shop.judge.wait(2)
    shop.say("X_TILLWATCH_BUSY=1\nX_TILLWATCH_BUSY_S=60\nX_TILLWATCH_SOURCE=two")
    assert shop.judge.wait(3) == [
        SaleWord(me, busy=True, sees="whole", lasts_s=LASTS_S),
        SaleWord(me, busy=False, sees="whole", lasts_s=LASTS_MOST_S),
        SaleWord(f"{me}/two", busy=True, sees="whole", lasts_s=60),
    ]


@pytest.mark.parametrize("said", ["1", "0"])
def test_a_till_that_dies_withdraws_its_word(shop: Shop, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notify, "MESSENGER_S", 0.2)
    till = shop.somebody_says(f"X_TILLWATCH_BUSY={said}")
    shop.judge.wait(1)
    time.sleep(0.3)  # longer than a messenger lives
    till.kill()
    till.wait()
    assert [word.busy for word in shop.judge.wait(2)] == [said == "1", None]


def test_a_sale_goes_on_over_a_restart(short_path: Path, judge: Judge) -> None:
    before = Shop(short_path, judge)
    before.open()
    before.say(f"{BUSY}=1")
    judge.wait(1)
    before.doors.stop()
    after = Shop(short_path, judge)
    after.open()
    restored = judge.wait(2)[1]
    assert (restored.source, restored.busy) == (judge.words[0].source, True)
    assert LASTS_S - 60 < (restored.lasts_s or 0) < LASTS_S
    after.say(f"{BUSY}=0")
    judge.wait(3)
    after.doors.stop()
    again = Shop(short_path, judge)
    again.open()
    again.doors.stop()
    assert [word.busy for word in judge.words] == [True, True, False]


def test_a_messenger_may_go(shop: Shop) -> None:
    for said in ("1", "0"):
        shop.somebody_says(f"X_TILLWATCH_BUSY={said}", 0.05).wait()
    # The `no` is told twice where the messenger still lived as it was heard: for a day, then for less.
    wait_for(lambda: shop.judge.words[-1:] == [word(False, LASTS_S)], f"it to last less: {shop.judge.words}")
    assert shop.judge.words[0] == word(True, LASTS_S)
    assert None not in [said.busy for said in shop.judge.words]


def word(busy: bool, lasts_s: float) -> SaleWord:
    return SaleWord(f"till/{os.getuid()}", busy=busy, sees="whole", lasts_s=lasts_s)


def test_a_till_that_follows_another_takes_its_place(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notify, "MESSENGER_S", 0.0)
    first = shop.somebody_says("X_TILLWATCH_BUSY=1")
    shop.judge.wait(1)
    second = shop.somebody_says("X_TILLWATCH_BUSY=1\nX_TILLWATCH_BUSY_S=77")
    shop.judge.wait(2)
    first.kill()
    first.wait()
    time.sleep(0.2)
    assert len(shop.judge.words) == 2, "the first one's end says nothing about the second"
    second.kill()
    second.wait()
    assert shop.judge.wait(3)[-1].busy is None


def test_what_is_not_understood_is_counted_and_hurts_nobody(
    shop: Shop, caplog: pytest.LogCaptureFixture
) -> None:
    for said in ("X_TILLWATCH_BUSY=maybe", "\0", "x" * 5000, "X_TILLWATCH_BUSY=1\nX_TILLWATCH_SOURCE=/"):
        shop.say(said)
    shop.say("READY=1")
    shop.say("X_TILLWATCH_BUSY=1")
    shop.judge.wait(1)
    complaints = [line for line in caplog.messages if "not understood" in line]
    assert len(complaints) == 1
    assert "maybe" not in complaints[0], "what was said is not logged: it may be anything"


def test_too_many_sources(shop: Shop, caplog: pytest.LogCaptureFixture) -> None:
    before = open_descriptors()
    for number in range(12):
        shop.say(f"X_TILLWATCH_BUSY=1\nX_TILLWATCH_SOURCE=s{number}")
    wait_for(lambda: "too many sources" in caplog.text, "a complaint")
    assert open_descriptors() - before <= 8
    assert {said.source for said in shop.judge.words} <= {f"till/{os.getuid()}/s{n}" for n in range(8)}


def open_descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - a count


def test_descriptors_that_come_along_are_not_kept(shop: Shop) -> None:
    before = open_descriptors()
    reading, writing = os.pipe()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as till, short_address(shop.notify) as address:
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, struct.pack("i", writing))]
        till.sendmsg([b"X_TILLWATCH_BUSY=1"], rights, 0, address)
    os.close(writing)
    shop.judge.wait(1)
    assert os.read(reading, 1) == b"", "nobody holds its other end"
    os.close(reading)
    assert open_descriptors() <= before + 1, "but for the one that tells of the sender's end"


def test_names_that_change_all_the_time_take_no_descriptors(shop: Shop) -> None:
    before = open_descriptors()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as till, short_address(shop.notify) as address:
        for number in range(300):
            said = f"{BUSY}={number % 2}\nX_TILLWATCH_BUSY_S=0.001\nX_TILLWATCH_SOURCE=n{number}"
            till.sendto(said.encode(), address)
            time.sleep(0.002)  # a place is free again
    shop.judge.wait(100)
    wait_for(lambda: open_descriptors() <= before + 1, f"{before} descriptors, not {open_descriptors()}")


def test_a_flood_does_not_fill_the_inbox(shop: Shop) -> None:
    shop.judge.hang.set()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as till, short_address(shop.notify) as address:
        began_s = time.monotonic()
        for number in range(641):
            till.sendto(f"X_TILLWATCH_BUSY={number % 2}".encode(), address)
    assert time.monotonic() - began_s > 0.2, "who floods is made to wait"
    assert shop.judge._inbox.qsize() <= 2
    shop.say("X_TILLWATCH_BUSY=1\nX_TILLWATCH_SOURCE=last")
    shop.judge.hang.clear()
    wait_for(lambda: any(said.source.endswith("last") for said in shop.judge.words), "the last one")
    latest = {said.source: said.busy for said in shop.judge.words}
    assert latest == {f"till/{os.getuid()}": False, f"till/{os.getuid()}/last": True}


@pytest.mark.skipif(shutil.which("systemd-notify") is None, reason="systemd-notify is not installed")
def test_systemd_notify_is_a_messenger(shop: Shop) -> None:
    environment = os.environ | {"NOTIFY_SOCKET": str(shop.notify)}
    subprocess.run(["systemd-notify", "X_TILLWATCH_BUSY=1"], env=environment, check=True, timeout=10)
    assert shop.judge.wait(1) == [word(True, LASTS_S)]


# -- the state socket ------------------------------------------------------------------------------------


@pytest.mark.parametrize("first", [b"", b'{"do":"state"}\n'])
def test_a_line_of_state(shop: Shop, first: bytes) -> None:
    said = shop.line(first)
    assert said["printers"]["receipt"]["conditions"]["paper_end"]["value"] is True


def test_a_judge_that_does_not_answer(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeper, "VIEW_S", 0.1)
    shop.judge.hang.set()
    assert list(shop.line()) == ["error"]
    assert shop.request("GET", "/v1/state")[0] == 503
    shop.judge.hang.clear()
    assert shop.request("GET", "/v1/state")[0] == 200, "late answers go nowhere"


# -- HTTP --------------------------------------------------------------------------------------------------


def test_http(shop: Shop) -> None:
    assert shop.request("POST", "/v1/busy", '{"busy": true}') == (204, None)
    assert [said.source for said in shop.judge.wait(1)] == ["till/http"]
    assert shop.request("GET", "/v1/state/receipt")[1]["level"] == "now"
    assert shop.request("GET", "/v1/state", headers={"Host": "evil.example"})[0] == 403
    assert shop.request("GET", "/v1/state", headers={"Origin": "https://evil.example"})[0] == 403


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_curl(shop: Shop) -> None:
    url = f"http://localhost:{shop.port}/v1"
    curl = ["curl", "-sS", "--max-time", "5", "-4", "-w", "%{http_code}"]
    said = subprocess.check_output([*curl, "-d", '{"busy":false,"lasts_s":9}', f"{url}/busy"], text=True)
    assert said == "204"
    assert shop.judge.wait(1)[0].lasts_s == 9
    body = subprocess.check_output([*curl, f"{url}/state"], text=True)
    assert body.endswith("200")
    assert json.loads(body[:-3])["sale"] == "no"
    big = subprocess.check_output([*curl, "-d", "x" * 100_000, f"{url}/busy"], text=True)
    assert big.endswith("413"), "the answer arrives although the body was not read"


def test_over_ipv6(short_path: Path, judge: Judge) -> None:
    shop = Shop(short_path, judge, host="[::1]")
    shop.open()
    if judge.faults[0][0]:
        shop.doors.stop()
        pytest.skip(f"no IPv6 here: {judge.faults[0][1]}")
    client = http.client.HTTPConnection("::1", shop.port, timeout=WITHIN_S)
    with contextlib.closing(client):
        client.request("GET", "/v1/state")
        assert client.getresponse().status == 200
    shop.doors.stop()


def test_four_at_once_and_none_for_long(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "TALK_S", 0.5)
    with contextlib.ExitStack() as idlers:
        silent = [idlers.enter_context(shop.connect()) for _ in range(stream.CONNECTIONS_MOST)]
        began_s = time.monotonic()
        silent[0].sendall(b"GET /v1/state HTTP/1.1\r\n")  # and no more: a drop now and then buys no time
        assert shop.request("GET", "/v1/state")[0] == 200
        assert time.monotonic() - began_s >= 0.4, "it waited for a place"
        assert [each.recv(1) for each in silent] == [b""] * len(silent), "they were shown out"


def test_a_client_that_does_not_read_is_dropped(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "END_S", 0.1)
    with shop.connect() as client:
        client.sendall(b"GET /v1/state HTTP/1.1\r\nHost: localhost:%d\r\n\r\n" % shop.port)
        time.sleep(0.5)
        said = client.recv(65536)
    assert said.startswith(b"HTTP/1.1 200 OK\r\n")


def test_clients_that_hang_up_at_any_moment(shop: Shop) -> None:
    request = b"GET /v1/state HTTP/1.1\r\nHost: localhost:%d\r\n\r\n" % shop.port
    for length in (0, 5, len(request)):
        for reset in (False, True):
            with shop.connect() as client:
                if reset:
                    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                client.sendall(request[:length])
    shop.judge.hang.set()
    with shop.connect() as client:
        client.sendall(request)
        time.sleep(0.05)
    shop.judge.hang.clear()
    assert shop.request("GET", "/v1/state")[0] == 200


def test_out_of_descriptors_passes(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(stream, "ACCEPT_AGAIN_S", 0.05)
    _, hard = limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (200, hard))
    taken: list[int] = []
    with socket.socket() as client:
        try:
            with contextlib.suppress(OSError):
                while True:
                    taken.append(os.dup(0))
            client.connect(("127.0.0.1", shop.port))
            wait_for(lambda: "cannot take a connection" in caplog.text, "a line in the log")
        finally:
            for descriptor in taken:
                os.close(descriptor)
            resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    assert shop.request("GET", "/v1/state")[0] == 200


# -- doors that stay shut ------------------------------------------------------------------------------------


def test_a_port_that_is_taken_is_a_fault_until_it_is_free(
    short_path: Path, judge: Judge, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(keeper, "TRY_AGAIN_S", 0.1)
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        shop = Shop(short_path, judge, port=other.getsockname()[1])
        shop.open()
        assert judge.faults[0][0] is True
        assert re.fullmatch(r"http 127\.0\.0\.1:\d+: Address already in use", judge.faults[0][1])
        shop.say("X_TILLWATCH_BUSY=1")
        judge.wait(1)
    wait_for(lambda: judge.faults[-1] == (False, None), "the port to be taken")
    assert shop.request("GET", "/v1/state")[0] == 200
    assert len([line for line in caplog.messages if "cannot speak" in line]) == 1
    shop.doors.stop()


def test_all_open_is_said_too(shop: Shop) -> None:
    assert shop.judge.faults == [(False, None)]


def test_a_socket_that_was_left_behind_is_replaced(short_path: Path, judge: Judge) -> None:
    shop = Shop(short_path, judge)
    shop.folder.mkdir()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as dead:
        dead.bind(str(shop.notify))
    shop.open()
    shop.say("X_TILLWATCH_BUSY=1")
    judge.wait(1)
    shop.doors.stop()


def test_a_place_where_no_socket_can_be(short_path: Path, judge: Judge) -> None:
    shop = Shop(short_path, judge)
    shop.folder.write_text("a file")
    shop.open()
    assert judge.faults[0][0] is True
    assert str(shop.notify) in judge.faults[0][1]
    assert shop.request("GET", "/v1/state")[0] == 200
    shop.doors.stop()


def test_a_request_we_stumble_over_shuts_no_door(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(keeper, "STUMBLED_S", 0.05)
    monkeypatch.setattr(stream, "TALK_S", 0.3)
    with monkeypatch.context() as broken:
        broken.setattr(shown, "state", lambda view: 1 // 0)
        with pytest.raises(http.client.RemoteDisconnected):
            shop.request("GET", "/v1/state")
    assert "ZeroDivisionError" in caplog.text
    assert shop.request("GET", "/v1/state")[0] == 200


def test_stopped_before_it_was_started(short_path: Path, judge: Judge) -> None:
    Shop(short_path, judge).doors.stop()


def test_it_ends_at_once_with_connections_open_and_the_judge_gone(short_path: Path, judge: Judge) -> None:
    shop = Shop(short_path, judge)
    shop.open()
    judge.hang.set()
    with shop.connect() as waiting, shop.connect():
        waiting.sendall(b"GET /v1/state HTTP/1.1\r\nHost: localhost:%d\r\n\r\n" % shop.port)
        time.sleep(0.05)
        began_s = time.monotonic()
        shop.doors.stop()
        assert time.monotonic() - began_s < 0.5


def test_only_loopback_is_listened_on(shop: Shop) -> None:
    with http_door._listen("127.0.0.1", free_port()) as listener:
        assert listener.getsockname()[0] == "127.0.0.1"
    listening = Path("/proc/net/tcp").read_text(encoding="ascii").splitlines()[1:]
    local = [line.split()[1] for line in listening if line.split()[3] == "0A"]
    assert f"0100007F:{shop.port:04X}" in local
    assert f"00000000:{shop.port:04X}" not in local
