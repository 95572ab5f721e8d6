"""A payment terminal seen from beside its till: real sockets, real silence, and nothing opened by us.

A till in one network namespace, a terminal in another. What a kernel can tell: that nobody acknowledges. What
it cannot: that the program behind an acknowledging kernel hangs.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from drivers.api import Deadline, Memory, Observation, Setup, SystemClock
from drivers.link.none import NoLink
from drivers.passive import make
from drivers.passive.ping import PingSource
from drivers.passive.tcp_socket import meaning
from drivers.terminal.zvt.driver import SPEC
from tests.brokers import Broker
from tests.counter import Counter as DaemonCounter
from tests.counter import subscriber
from tests.harness import raised, values
from tests.network_lab import Lab, inside, ip, why_not
from tests.simulator.serving import ServedDevice, served

pytestmark = pytest.mark.system

TILL, TERMINAL, PORT = "192.168.9.1", "192.168.9.2", 20007
ENQUIRY = bytes.fromhex("05 01 00")
SERVER = """\
import socket
with socket.create_server(("192.168.9.2", 20007)) as server:
    print("listening", flush=True)
    held = [server.accept() for _ in range(9)]
"""


class Counter:
    """Till and terminal on one cable."""

    def __init__(self, stack: contextlib.ExitStack) -> None:
        name = f"tw{os.getpid()}z"
        self.till, self.terminal = f"{name}t", f"{name}p"
        for namespace in (self.till, self.terminal):
            ip("netns", "add", namespace)
            stack.callback(ip, "netns", "del", namespace)
        Lab.cable(self.till, "eth0", self.terminal, "eth0")
        for namespace, address in ((self.till, TILL), (self.terminal, TERMINAL)):
            ip("-n", namespace, "address", "add", f"{address}/24", "dev", "eth0")
            ip("-n", namespace, "link", "set", "lo", "up")
        with inside(self.till):
            Path("/proc/sys/net/ipv4/ping_group_range").write_text("0 2147483647")
        # Rules come before the table of own addresses, so that a rule can drop what would be delivered here.
        ip("-n", self.terminal, "rule", "add", "pref", "100", "lookup", "local")
        ip("-n", self.terminal, "rule", "del", "pref", "0")
        memory: Memory = {"looked.ping": True, "answered": True}  # it has answered echoes before
        setup = Setup(device="card", link=NoLink(), clock=SystemClock(), memory=memory)
        self._driver = make(setup, f"tcp:{TERMINAL}:{PORT}", SPEC.look["tcp"])
        stack.callback(self._driver.close)

    def drop(self, *what: str, on: bool = True) -> None:
        """The terminal takes none of these packets any more: not acknowledged, not refused."""
        change = "add" if on else "del"
        ip("-n", self.terminal, "rule", change, "pref", "10", "iif", "eth0", *what, "blackhole")

    def connect(self) -> socket.socket:
        with inside(self.till):
            return socket.create_connection((TERMINAL, PORT), 5)

    def look(self) -> Observation:
        with inside(self.till):
            return self._driver.poll(Deadline.after(SystemClock(), 2))

    def until(self, kinds: set[str], within_s: float) -> Observation:
        return self.wait(lambda seen: raised(seen) == kinds, within_s)

    def wait(self, wanted: Callable[[Observation], bool], within_s: float) -> Observation:
        ends_s = time.monotonic() + within_s
        while not wanted(seen := self.look()):
            assert time.monotonic() < ends_s, (values(seen), seen.facts, seen.evidence)
            time.sleep(0.1)
        return seen


@pytest.fixture
def counter() -> Iterator[Counter]:
    if why := why_not():
        pytest.skip(why)
    with contextlib.ExitStack() as stack:
        yield Counter(stack)


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same with a tenth of the patience."""
    monkeypatch.setattr(meaning, "STALLED_S", 1.0)
    monkeypatch.setattr(meaning, "AFTER_S", 0.5)
    monkeypatch.setattr(meaning, "FORGOTTEN_S", 6.0)
    monkeypatch.setattr(PingSource, "each_s", 0.5)


def hang_and_die(counter: Counter, within_s: float) -> None:
    with inside(counter.terminal):
        server = socket.create_server((TERMINAL, PORT))
    port_alone = ("ipproto", "tcp", "dport", str(PORT))
    with server, counter.connect() as till:
        assert counter.until(set(), within_s).facts["looked"] == {"ping": "answers", "tcp-socket": "answers"}
        counter.drop(*port_alone)
        till.sendall(ENQUIRY)
        seen = counter.until({"frozen"}, within_s)
        assert (seen.power, values(seen)["unreachable"]) == ("offline", False)
        counter.drop(*port_alone, on=False)
        assert counter.until(set(), within_s).conditions["frozen"].value is False
        counter.drop()
        till.sendall(ENQUIRY)
        seen = counter.until({"unreachable"}, within_s)
        assert seen.power == "off_offline"
        counter.drop(on=False)
        counter.until(set(), within_s)


@pytest.mark.usefixtures("hurried")
def test_a_port_that_hangs_is_frozen_and_a_dead_terminal_unreachable(counter: Counter) -> None:
    hang_and_die(counter, 12)


@pytest.mark.soak
def test_the_same_with_all_patience(counter: Counter) -> None:
    hang_and_die(counter, 120)


@pytest.mark.usefixtures("hurried")
def test_a_till_that_connects_in_vain_says_so_too(counter: Counter) -> None:
    counter.look()
    counter.drop("ipproto", "tcp")
    with inside(counter.till):
        till = socket.socket()
    with till:
        till.setblocking(False)
        till.connect_ex((TERMINAL, PORT))
        seen = counter.until({"frozen"}, 12)
        assert seen.in_use is False, "tries in vain are no payment"


@pytest.mark.usefixtures("hurried")
def test_a_stopped_program_behind_a_living_kernel_cannot_be_told_from_a_slow_customer(
    counter: Counter,
) -> None:
    command = ["ip", "netns", "exec", counter.terminal, sys.executable, "-c", SERVER]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as server:
        try:
            assert server.stdout
            assert server.stdout.readline() == b"listening\n"
            with counter.connect() as till:
                counter.look()
                server.send_signal(signal.SIGSTOP)
                till.sendall(ENQUIRY)
                counter.wait(lambda seen: seen.in_use is True, 5)
                ends_s = time.monotonic() + 1.5
                while time.monotonic() < ends_s:
                    assert raised(counter.look()) == set()
                    time.sleep(0.1)
        finally:
            server.kill()


@pytest.mark.usefixtures("hurried")
def test_a_whole_enquiry_of_the_tills_is_payment_traffic_and_no_fault(
    counter: Counter, short_path: Path
) -> None:
    with inside(counter.terminal):
        simulated = served(short_path, f"tcp:{TERMINAL}:{PORT}", model="zvt")
        simulated.__enter__()
    try:
        counter.look()
        with counter.connect() as till:
            till.settimeout(5)
            till.sendall(ENQUIRY)
            heard = b""
            while b"\x06\x0f" not in heard:
                heard += till.recv(100)
            assert counter.look().in_use is True
            seen = counter.look()
            assert (seen.in_use, raised(seen)) == (False, set())
    finally:
        simulated.__exit__(None, None, None)


class Paying(DaemonCounter):
    """A counter with one payment terminal that the agent asks, and one that is the till's."""

    asked, tills = "", ""

    def write_config(self, link: str | None = None, device: str = "receipt") -> None:
        super().write_config(link, device)
        head = self.config.read_text("utf-8").partition("[[device]]")[0]
        tables = (
            '[sale]\nquiet_s = 1\n[[device]]\nid = "card"\ndriver = "zvt"\naccess = "exclusive"\n'
            f'link = "{self.asked}"\nstatus_enquiry_s = 60\n'
            f'[[device]]\nid = "card-2"\ndriver = "zvt"\nlink = "{self.tills}"\npoll_s = 0.2\n'
        )
        self.config.write_text(head + tables, "utf-8")


def test_what_both_kinds_of_access_tell_reaches_the_broker(short_path: Path, broker: Broker) -> None:
    one, two = short_path / "1", short_path / "2"
    for folder in (one, two):
        folder.mkdir()
    with (
        served(one, "tcp:127.0.0.1:0", model="zvt", settings=("memory=full",)) as asked,
        served(two, "tcp:127.0.0.1:0", model="zvt") as tills,
        subscriber(broker.url) as seen,
    ):
        counter = Paying(short_path, broker.url, terminal='maintenance = "24/7"')
        counter.asked, counter.tills = (str(_door(each)) for each in (asked, tills))
        try:
            counter.start_daemon()
            seen.wait_fault("card/memory_full", "raised", 20)
            report = seen.on("device/card")[-1]
            assert (report["power"], report["identity"]["firmware"]) == ("online", "2.14.15")
            assert report["categories"] == ["CAT", "PINPad"]
            assert report["conditions"]["memory_full"]["verified_by"] == "readback"
            port = int(counter.tills.rpartition(":")[2])
            with socket.create_connection(("127.0.0.1", port)) as till:
                till.sendall(ENQUIRY)
                seen.wait(lambda _m: seen.on("health")[-1]["sale"] == "yes", 10, "a sale")
            beside = seen.on("device/card-2")[-1]
            assert beside["facts"]["looked"]["tcp-socket"] == "answers"
            assert beside["conditions"]["frozen"]["value"] in (None, False)
            seen.wait(lambda _m: seen.on("health")[-1]["sale"] == "no", 10, "its end")
            counter.stop_daemon()
        finally:
            counter.close()


def _door(terminal: ServedDevice) -> str:
    doors = terminal.tell()["doors"]
    assert isinstance(doors, list)
    return str(doors[0])


def test_passive_opens_no_connection_to_the_terminal(short_path: Path) -> None:
    """By the system calls of a whole run of the daemon."""
    strace = shutil.which("strace")
    if strace is None:
        pytest.skip("no strace: apt-get install strace")
    with socket.create_server(("127.0.0.1", 0)) as terminal:
        port = terminal.getsockname()[1]
        config = short_path / "tillwatch.toml"
        config.write_text(
            f'config_version = 1\n[terminal]\nid = "T-0001"\n[mqtt]\nurl = "mqtt://127.0.0.1:1"\n'
            f'[agent]\nstate_dir = "{short_path}/state"\n'
            f'[[device]]\nid = "card"\ndriver = "zvt"\nlink = "tcp:127.0.0.1:{port}"\npoll_s = 0.5\n'
            "status_enquiry_s = 60\n"
        )
        trace = short_path / "trace"
        program = [sys.executable, "-m", "agent.cli", "run", "--config", str(config)]
        environment = os.environ | {"RUNTIME_DIRECTORY": str(short_path)}
        with (
            socket.create_connection(("127.0.0.1", port)),
            subprocess.Popen(
                [strace, "-f", "-qq", "-e", "trace=%network", "-o", str(trace), *program],
                env=environment,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            ) as daemon,
        ):
            till, _ = terminal.accept()
            with till:
                try:
                    _await(lambda: len(_enquiries(trace)) >= 6, 20)
                finally:
                    daemon.send_signal(signal.SIGINT)
                    _stop_child(daemon)
            terminal.settimeout(0)
            with pytest.raises(BlockingIOError):
                terminal.accept()
        traced = trace.read_text()
        assert re.search(r"sin_port=htons\(1\)", traced), (
            "what it does open, the broker's port, is in the trace"
        )
        assert not re.search(rf"sin6?_port=htons\({port}\)", traced)


def _enquiries(trace: Path) -> list[str]:
    """Questions to the kernel for its sockets."""
    try:
        return re.findall(r"NETLINK_SOCK_DIAG", trace.read_text(errors="replace"))
    except OSError:
        return []


def _stop_child(tracer: subprocess.Popen[bytes]) -> None:
    """strace passes no signal on: its child is ended, and it with that."""
    children = Path(f"/proc/{tracer.pid}/task/{tracer.pid}/children").read_text().split()
    for child in children:
        os.kill(int(child), signal.SIGTERM)
    tracer.wait(15)


def _await(wanted: Callable[[], bool], within_s: float) -> None:
    ends_s = time.monotonic() + within_s
    while not wanted():
        assert time.monotonic() < ends_s, "the daemon does not ask the kernel"
        time.sleep(0.1)
