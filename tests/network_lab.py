"""A shop's network in network namespaces: a terminal, a router with a name server and a portal, a broker.

    terminal 192.168.7.10 -- 192.168.7.1 router 203.0.113.1 -- 203.0.113.2 broker

Name server and portal are a thread of this process whose sockets live in the router's namespace. Needs root
and iproute2. The line between router and broker may be led through a relay that delays and loses packets.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import heapq
import os
import random
import select
import shutil
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Self

from tests.brokers import find_mosquitto
from tests.certificates import DAY, Authority

HOST = "broker.shop.test"
TERMINAL, GATEWAY, WAN, BROKER = "192.168.7.10", "192.168.7.1", "203.0.113.1", "203.0.113.2"
PORT, PLAIN = 8883, 1883
LOG_IN = b"HTTP/1.1 302 Found\r\nLocation: http://login.portal.example/?from=x\r\nContent-Length: 0\r\n\r\n"
WELCOME = b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\nWelcome"
_CLONE_NEWNET = 0x40000000
_ENDS_S = 8.0
_numbers = iter(range(10_000))


def why_not() -> str:
    """Why there can be no lab here; empty if there can."""
    if os.geteuid() != 0:
        return "network namespaces need root"
    if shutil.which("ip") is None:
        return "no ip: apt-get install iproute2"
    done = subprocess.run(
        ["ip", "netns", "add", name := f"tw{os.getpid()}probe"], capture_output=True, check=False
    )
    if done.returncode:
        return f"no network namespaces: {done.stderr.decode().strip()}"
    subprocess.run(["ip", "netns", "del", name], check=True)
    return ""


class Lab:
    """Set up by `with`; `terminal`, `router`, `broker` are names of namespaces."""

    def __init__(self, folder: Path, *, relayed: bool = False) -> None:
        name = f"tw{os.getpid()}x{next(_numbers)}"
        self.folder = folder
        self.terminal, self.router, self.broker = (f"{name}{each}" for each in "trb")
        self.dns = "honest"  #: honest, silent, lying, failing
        self.page = LOG_IN  #: what the portal answers
        self.relay: Relay | None = None
        self._relayed = relayed
        self._stopping = threading.Event()
        self._process: subprocess.Popen[bytes] | None = None
        self._stack = contextlib.ExitStack()
        self.authority = Authority(folder, ends=400 * DAY)
        self.listener = "allow_anonymous true"
        self.good_certificate()

    def __enter__(self) -> Self:
        try:
            self._build()
            self._serve()
            self.start_broker()
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    # -- the wires ----------------------------------------------------------------------------------

    def _build(self) -> None:
        for name in (self.terminal, self.router, self.broker):
            ip("netns", "add", name)
            self._stack.callback(ip, "netns", "del", name)
        resolver = Path("/etc/netns", self.terminal)
        resolver.mkdir(parents=True)
        self._stack.callback(shutil.rmtree, resolver)
        (resolver / "resolv.conf").write_text(f"nameserver {GATEWAY}\noptions timeout:1 attempts:2\n")
        self.cable(self.terminal, "eth0", self.router, "lan")
        if self._relayed:
            self.cable(self.router, "wan", self.router, "relay0")
            self.cable(self.router, "relay1", self.broker, "eth0")
        else:
            self.cable(self.router, "wan", self.broker, "eth0")
        for name, interface, address in (
            (self.terminal, "eth0", TERMINAL),
            (self.router, "lan", GATEWAY),
            (self.router, "wan", WAN),
            (self.broker, "eth0", BROKER),
        ):
            ip("-n", name, "address", "add", f"{address}/24", "dev", interface)
        for name in (self.terminal, self.router, self.broker):
            ip("-n", name, "link", "set", "lo", "up")
        ip("-n", self.terminal, "route", "add", "default", "via", GATEWAY)
        ip("-n", self.broker, "route", "add", "default", "via", WAN)
        with inside(self.router):
            Path("/proc/sys/net/ipv4/ip_forward").write_text("1")

    @staticmethod
    def cable(one: str, name: str, other: str, end: str) -> None:
        ip("-n", one, "link", "add", "name", name, "type", "veth", "peer", "name", end, "netns", other)
        for namespace, interface in ((one, name), (other, end)):
            with inside(namespace):
                _no_offload(interface)
            ip("-n", namespace, "link", "set", interface, "up")

    # -- the router ---------------------------------------------------------------------------------

    def _serve(self) -> None:
        with inside(self.router):
            names = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            names.bind((GATEWAY, 53))
            pages = socket.create_server(("0.0.0.0", 80))
            pages.setsockopt(socket.SOL_IP, 19, 1)  # IP_TRANSPARENT: it answers from any address
            if self._relayed:
                self.relay = Relay("relay0", "relay1")
        for sock in (names, pages):
            self._stack.callback(sock.close)
        if self.relay:
            self._stack.callback(self.relay.stop)
        thread = threading.Thread(target=self._answer, args=(names, pages), name="router")
        thread.start()
        self._stack.callback(thread.join)
        self._stack.callback(self._stopping.set)

    def _answer(self, names: socket.socket, pages: socket.socket) -> None:
        while not self._stopping.is_set():
            ready = select.select([names, pages], [], [], 0.1)[0]
            if names in ready:
                question, asker = names.recvfrom(512)
                if self.dns != "silent":
                    names.sendto(answer(question, self.dns), asker)
            if pages in ready:
                with contextlib.suppress(OSError):
                    browser, _ = pages.accept()
                    with browser:
                        browser.settimeout(1)
                        browser.recv(2048)
                        browser.sendall(self.page)

    def intercept(self, port: int, *, on: bool = True) -> None:
        """Connections through the router to `port` end at the router itself."""
        change = "add" if on else "del"
        ip(
            "-n",
            self.router,
            "rule",
            change,
            "pref",
            "10",
            "iif",
            "lan",
            "ipproto",
            "tcp",
            "dport",
            str(port),
            "lookup",
            "77",
        )
        ip("-n", self.router, "route", change, "local", "default", "dev", "lo", "table", "77")

    def block(self, port: int, *, on: bool = True) -> None:
        """What goes through the router to `port` is dropped without a word."""
        ip(
            "-n",
            self.router,
            "rule",
            "add" if on else "del",
            "pref",
            "11",
            "iif",
            "lan",
            "ipproto",
            "tcp",
            "dport",
            str(port),
            "blackhole",
        )

    # -- the broker ---------------------------------------------------------------------------------

    def good_certificate(self) -> None:
        self.certificate(self.authority.sign(HOST, host=HOST, ends=200 * DAY))

    def certificate(self, files: tuple[Path, Path]) -> None:
        for source, name in zip(files, ("server.crt", "server.key"), strict=True):
            shutil.copy(source, self.folder / name)
            (self.folder / name).chmod(0o644)

    def start_broker(self) -> None:
        program = find_mosquitto()
        assert program, "no mosquitto here; install it: apt-get install mosquitto"
        config = self.folder / "mosquitto.conf"
        config.write_text(
            f"per_listener_settings true\npersistence false\n"
            f"listener {PLAIN} 127.0.0.1\nallow_anonymous true\n"
            f"listener {PORT} {BROKER}\n{self.listener}\n"
            f"certfile {self.folder}/server.crt\nkeyfile {self.folder}/server.key\n"
        )
        with (self.folder / "mosquitto.log").open("ab") as log, inside(self.broker):
            self._process = subprocess.Popen([program, "-c", str(config)], stdout=log, stderr=log)
        self._stack.callback(self.stop_broker)
        ends_s = time.monotonic() + _ENDS_S
        while time.monotonic() < ends_s:
            with inside(self.broker), contextlib.suppress(OSError):
                socket.create_connection((BROKER, PORT), 1.0).close()
                return
            time.sleep(0.02)
        raise RuntimeError(f"mosquitto does not start: {(self.folder / 'mosquitto.log').read_text()}")

    def stop_broker(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.terminate()
            process.wait(_ENDS_S)

    def restart_broker(self) -> None:
        self.stop_broker()
        self.start_broker()

    # -- the terminal -------------------------------------------------------------------------------

    def command(self, *arguments: str) -> list[str]:
        """`python -m ...` in the terminal's namespace, with its own resolv.conf and sysfs."""
        return ["ip", "netns", "exec", self.terminal, sys.executable, "-m", *arguments]

    def traffic(self) -> int:
        """Bytes that passed the terminal's interface, Ethernet headers included."""
        with inside(self.terminal):
            text = Path("/proc/thread-self/net/dev").read_text()
        (line,) = [line for line in text.splitlines() if line.strip().startswith("eth0:")]
        numbers = [int(number) for number in line.split(":")[1].split()]
        return numbers[0] + numbers[8]


class Relay:
    """Frames from one interface to the other, late and with losses; made in the namespace of both."""

    def __init__(self, *interfaces: str) -> None:
        self.delay_s = 0.0
        self.loss = 0.0
        self._random = random.Random(7)
        self._sockets = []
        for interface in interfaces:
            sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
            sock.bind((interface, 3))
            sock.setblocking(False)
            self._sockets.append(sock)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="relay")
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        self._thread.join()
        for sock in self._sockets:
            sock.close()

    def _run(self) -> None:
        waiting: list[tuple[float, int, int, bytes]] = []
        count = 0
        while not self._stopping.is_set():
            left_s = max(0.0, waiting[0][0] - time.monotonic()) if waiting else 0.1
            for sock in select.select(self._sockets, [], [], min(0.1, left_s))[0]:
                frame, place = sock.recvfrom(65536)
                if place[2] == socket.PACKET_OUTGOING:
                    continue
                if frame[12:14] == b"\x08\x00" and self._random.random() < self.loss:
                    continue
                count += 1
                other = 1 - self._sockets.index(sock)
                heapq.heappush(waiting, (time.monotonic() + self.delay_s, count, other, frame))
            while waiting and waiting[0][0] <= time.monotonic():
                _, _, other, frame = heapq.heappop(waiting)
                with contextlib.suppress(OSError):
                    self._sockets[other].send(frame)


def ip(*arguments: str) -> None:
    done = subprocess.run(["ip", *arguments], capture_output=True, text=True, timeout=20, check=False)
    assert done.returncode == 0, f"ip {' '.join(arguments)}: {done.stderr}"


@contextlib.contextmanager
def inside(namespace: str) -> Iterator[None]:
    """This thread, and what it starts or opens, in another network namespace."""
    libc = ctypes.CDLL(None, use_errno=True)
    back = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    try:
        there = os.open(f"/run/netns/{namespace}", os.O_RDONLY)
        try:
            assert libc.setns(there, _CLONE_NEWNET) == 0, os.strerror(ctypes.get_errno())
        finally:
            os.close(there)
        try:
            yield
        finally:
            assert libc.setns(back, _CLONE_NEWNET) == 0
    finally:
        os.close(back)


def _no_offload(interface: str) -> None:
    """Checksums are computed by the sender, so that a relayed frame is whole (ETHTOOL_STXCSUM)."""
    value = ctypes.create_string_buffer(struct.pack("=II", 0x17, 0))
    request = struct.pack("16sP16x", interface.encode(), ctypes.addressof(value))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        fcntl.ioctl(sock, 0x8946, request)  # SIOCETHTOOL


def answer(question: bytes, mode: str) -> bytes:
    """A DNS answer (RFC 1035): the broker's address, nothing for other types, no such name for the rest."""
    end = question.index(b"\0", 12) + 5
    asked = question[12:end]
    name, labels = "", asked[:-5]
    while labels:
        name += labels[1 : 1 + labels[0]].decode().lower() + "."
        labels = labels[1 + labels[0] :]
    kind = struct.unpack(">H", asked[-4:-2])[0]
    known = {f"{HOST}.": BROKER, "localhost.": "127.0.0.1"}
    address = GATEWAY if mode == "lying" else known.get(name)
    code = 2 if mode == "failing" else 0 if address else 3
    records = b""
    if code == 0 and kind == 1 and address:
        records = b"\xc0\x0c" + struct.pack(">HHIH", 1, 1, 1, 4) + socket.inet_aton(address)
    flags = 0x8180 | code
    return question[:2] + struct.pack(">5H", flags, 1, 1 if records else 0, 0, 0) + asked + records
