"""The kernel's view of the till's connection: its tables read, and what they mean, on a turned clock."""

from __future__ import annotations

import contextlib
import socket
import struct
from collections.abc import Iterator
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.api import Deadline, Memory, Setup, SystemClock
from drivers.errors import LinkUnusable, Unreachable
from drivers.link.address import TcpAddress
from drivers.link.none import NoLink
from drivers.passive import make, ping
from drivers.passive.driver import PassiveDriver
from drivers.passive.ping import PingSource
from drivers.passive.source import NETWORK_EACH_S, Findings
from drivers.passive.tcp_socket import source, wire
from drivers.passive.tcp_socket.meaning import AFTER_S, FORGOTTEN_S, STALLED_S, Host, Judge, Verdict
from drivers.passive.tcp_socket.source import TcpSocketSource, by_netlink, by_proc
from drivers.passive.tcp_socket.wire import (
    ESTABLISHED,
    SYN_SENT,
    TIMER_KEEPALIVE,
    TIMER_RETRANSMITS,
    Socket,
)
from tests.clock import TurnedClock
from tests.harness import raised, values

POLL_S = 2.0
WELL = Socket((40000, 1), ESTABLISHED, "192.0.2.9", 20007, 0, 0, 100)
HOST = Host()


def stalled(tries: int, socket: Socket = WELL, timer: int = TIMER_RETRANSMITS) -> Socket:
    return replace(socket, timer=timer, tries=tries)


class Looks:
    """A judge that is told at each poll."""

    def __init__(self, host: Host = HOST) -> None:
        self.now_s = 1000.0
        self.host = host
        self._judge = Judge()

    def at(self, *sockets: Socket, after_s: float = POLL_S) -> Verdict:
        self.now_s += after_s
        return self._judge.look(sockets, self.now_s, lambda _since_s: self.host)

    def long(self, *sockets: Socket, seconds: float) -> Verdict:
        verdict = Verdict()
        for _ in range(int(seconds / POLL_S)):
            verdict = self.at(*sockets)
        return verdict


def judged(verdict: Verdict) -> tuple[bool | None, bool | None]:
    return verdict.frozen, verdict.unreachable


def test_without_a_connection_nothing_is_known() -> None:
    looks = Looks()
    assert judged(looks.long(seconds=600)) == (None, None)


def test_a_till_that_waits_three_minutes_for_an_answer_is_no_fault() -> None:
    looks = Looks()
    looks.at(WELL)
    assert judged(looks.long(replace(WELL, moved_bytes=120), seconds=180)) == (False, False)


def test_what_is_sent_in_vain_is_judged_after_a_while_and_not_before() -> None:
    looks = Looks()
    looks.at(WELL)
    assert judged(looks.long(stalled(3), seconds=STALLED_S)) == (False, False)
    assert judged(looks.at(stalled(5))) == (False, True)
    assert judged(looks.at(replace(WELL, moved_bytes=105))) == (False, False)


@pytest.mark.parametrize("timer", [TIMER_RETRANSMITS, TIMER_KEEPALIVE])
def test_a_host_that_answers_an_echo_meanwhile_has_a_port_that_hangs(timer: int) -> None:
    looks = Looks()
    looks.at(WELL)
    looks.at(stalled(1, timer=timer))
    looks.host = Host(answered_s=looks.now_s + 3, in_vain=False)
    verdict = looks.long(stalled(4, timer=timer), seconds=STALLED_S)
    assert judged(verdict) == (False, False), "it may have come back just now, and the kernel waits"
    looks.at(stalled(5, timer=timer), after_s=AFTER_S)
    assert judged(looks.at(stalled(5, timer=timer))) == (True, False)


def test_it_waits_for_the_echo_that_is_still_to_come() -> None:
    looks = Looks(Host(in_vain=False))
    looks.at(WELL)
    assert judged(looks.long(stalled(6), seconds=60)) == (False, False)


def test_a_line_that_loses_packets_and_goes_on_is_no_fault() -> None:
    looks = Looks()
    for moved in range(100, 400, 10):
        assert looks.at(replace(stalled(1), moved_bytes=moved)).unreachable in (None, False)
    looks = Looks()
    looks.at(replace(WELL, moved_bytes=None))
    for tries in (1, 2, 1, 3, 2, 1, 2, 1, 3, 1):  # also where no bytes are counted
        assert looks.at(replace(stalled(tries), moved_bytes=None)).unreachable is False


def test_connecting_in_vain_again_and_again_is_unreachable_till_it_works() -> None:
    looks = Looks()
    for number in range(8):  # a till that gives up each connect after 4 s
        connecting = replace(WELL, key=(40000 + number, number), state=SYN_SENT, moved_bytes=0)
        looks.at(stalled(0, connecting))
        verdict = looks.at(stalled(1, connecting))
        looks.at()
    assert judged(verdict) == (False, True)
    assert judged(looks.at(WELL)) == (False, False)


def test_what_was_wrong_is_not_known_any_more_once_the_till_has_given_up() -> None:
    looks = Looks()
    looks.at(WELL)
    assert looks.long(stalled(9), seconds=20).unreachable is True
    assert looks.long(seconds=FORGOTTEN_S).unreachable is True
    assert judged(looks.long(seconds=4)) == (None, None)


def test_a_connection_that_ended_well_leaves_what_was_known() -> None:
    looks = Looks()
    looks.at(WELL)
    assert judged(looks.long(seconds=600)) == (False, False)


def test_bytes_that_move_are_a_payment_and_tries_in_vain_are_none() -> None:
    looks = Looks()
    assert looks.at(WELL).in_use is None, "it may have come at any time"
    assert looks.at(WELL).in_use is False
    assert looks.at(replace(WELL, moved_bytes=101)).in_use is True
    assert looks.at(replace(stalled(1), moved_bytes=101)).in_use is False
    assert looks.at().in_use is True, "it was closed"
    assert looks.at().in_use is False
    assert looks.at(replace(WELL, state=SYN_SENT)).in_use is False
    assert looks.at(WELL).in_use is True
    assert looks.at(replace(WELL, state=wire.TIME_WAIT)).in_use is True
    unsaid = replace(WELL, moved_bytes=None)
    looks.at(unsaid)
    assert looks.at(unsaid).in_use is None


# -- the kernel's tables ---------------------------------------------------------------------------

TABLE = """\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:4E27 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 11111 1
   1: 0A07A8C0:9C40 090200C0:4E27 01 00000005:00000000 01:00000A41 00000004     0        0 22222 2
   2: 0A07A8C0:9C42 090200C0:4E27 01 00000000:00000000 02:00000A41 00000000     0        3 33333 2
   3: 0A07A8C0:9C44 090200C0:0050 01 00000000:00000000 00:00000000 00000000     0        0 44444 1
   cut
"""
TABLE6 = (
    "  sl  local_address                         remote_address          st ...\n"
    "   0: 0000000000000000FFFF00000A07A8C0:9C40 0000000000000000FFFF0000090200C0:4E27 02 "
    "00000001:00000000 01:0000012C 00000002  1000        0 55555 2\n"
)


@pytest.mark.skipif(struct.pack("=H", 1) != b"\x01\x00", reason="the table is one of a little-endian machine")
def test_the_table_in_proc() -> None:
    assert wire.table(TABLE, 20007) == [
        Socket((40000, 22222), ESTABLISHED, "192.0.2.9", 20007, TIMER_RETRANSMITS, 4, None),
        Socket((40002, 33333), ESTABLISHED, "192.0.2.9", 20007, TIMER_KEEPALIVE, 3, None),
    ]
    assert wire.table(TABLE6, 20007) == [
        Socket((40000, 55555), SYN_SENT, "192.0.2.9", 20007, TIMER_RETRANSMITS, 2, None)
    ]


@given(st.binary(max_size=400))
def test_whatever_the_kernel_answers_is_sockets_or_a_no(data: bytes) -> None:
    with contextlib.suppress(OSError):
        wire.answer(data)


def test_a_no_of_the_kernels_is_an_error() -> None:
    refusal = struct.pack("=IHHIIi", 36, 2, 0, 1, 0, -1) + bytes(16)
    with pytest.raises(PermissionError):
        wire.answer(refusal)


@pytest.fixture
def pair() -> Iterator[tuple[int, socket.socket, socket.socket]]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)) as till:
            terminal, _ = server.accept()
            with terminal:
                yield port, till, terminal


def test_both_tables_of_this_kernel_tell_of_the_same_real_socket(
    pair: tuple[int, socket.socket, socket.socket],
) -> None:
    port, till, terminal = pair
    deadline = Deadline.after(SystemClock(), 5)
    (seen,) = by_netlink(port, deadline)
    (read,) = by_proc(port, deadline)
    assert replace(seen, moved_bytes=None) == read
    assert (seen.peer, seen.state, seen.tries) == ("127.0.0.1", ESTABLISHED, 0)
    till.sendall(b"12345")
    terminal.sendall(b"123")
    till.recv(3)
    (later,) = by_netlink(port, deadline)
    assert (later.moved_bytes or 0) - (seen.moved_bytes or 0) == 8


def test_an_ipv4_terminal_that_a_till_reaches_by_ipv6_is_found() -> None:
    if not socket.has_dualstack_ipv6():
        pytest.skip("no IPv6 on this machine")
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with socket.socket(socket.AF_INET6) as till:
            till.connect(("::ffff:127.0.0.1", port))
            (seen,) = by_netlink(port, Deadline.after(SystemClock(), 5))
    assert seen.peer == "127.0.0.1"


# -- the source and the driver ---------------------------------------------------------------------


def test_where_netlink_is_not_permitted_the_table_in_proc_is_read(
    monkeypatch: pytest.MonkeyPatch, pair: tuple[int, socket.socket, socket.socket]
) -> None:
    port, _, _ = pair
    clock = SystemClock()

    def no(_port: int, _deadline: Deadline) -> list[Socket]:
        raise PermissionError(1, "not permitted")

    monkeypatch.setattr(source, "by_netlink", no)
    looked = TcpSocketSource(TcpAddress(host="127.0.0.1", port=port), clock)
    found = looked.look(Deadline.after(clock, 1))
    assert found.conditions == {"frozen": False, "unreachable": False}
    assert f"connected to 127.0.0.1:{port}" in found.says
    monkeypatch.setattr(source, "by_proc", no)
    looked = TcpSocketSource(TcpAddress(host="127.0.0.1", port=port), clock)
    with pytest.raises(LinkUnusable):
        looked.look(Deadline.after(clock, 1))


class Shop:
    """A passive driver over both sources, with a kernel and a host that say what they are told to."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.clock = TurnedClock()
        self.sockets: list[Socket] = [WELL]
        self.echo_ms: float | None = 0.4
        self.pings = 0
        self.memory: Memory = {}
        monkeypatch.setattr(source, "by_netlink", lambda _port, _deadline: list(self.sockets))
        monkeypatch.setattr(ping, "echo", self._echo)
        setup = Setup(device="card", link=NoLink(), clock=self.clock, memory=self.memory)
        self.driver: PassiveDriver = make(setup, "tcp:192.0.2.9:20007", ("tcp-socket", "ping"))

    def _echo(self, _address: str, _patience: object) -> float | None:
        self.pings += 1
        return self.echo_ms

    def run(self, seconds: float) -> set[str]:
        end_s = self.clock.monotonic_s() + seconds
        while self.clock.monotonic_s() < end_s:
            self.seen = self.driver.poll(Deadline.after(self.clock, 2))
            self.clock.advance(POLL_S)
        return raised(self.seen)

    def retransmit(self, seconds: float) -> set[str]:
        """As the kernel does: again and again, each time after twice the time."""
        found: set[str] = set()
        began_s = self.clock.monotonic_s()
        while (past_s := self.clock.monotonic_s() - began_s) < seconds:
            tries = next(n for n in range(20) if 0.2 * (2 ** (n + 1) - 1) > past_s)
            self.sockets = [stalled(tries, replace(WELL, moved_bytes=150))]
            found = self.run(POLL_S)
        return found


def test_a_terminal_that_is_dead_is_unreachable_and_one_whose_port_hangs_is_frozen(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shop = Shop(monkeypatch)
    assert shop.run(30) == set()
    assert values(shop.seen) == {"unreachable": False, "frozen": False, "identity_changed": None}
    assert shop.pings == 3
    assert shop.retransmit(40) == {"frozen"}
    assert shop.seen.power == "offline"
    assert shop.seen.evidence["frozen"]["tcp-socket"] == {"connections": 1, "sent_in_vain": 7}
    shop.sockets = [replace(WELL, moved_bytes=300)]
    assert shop.run(4) == set()
    shop.echo_ms = None
    assert shop.retransmit(3 * NETWORK_EACH_S + 4) == {"unreachable"}
    assert shop.seen.power == "off_offline"
    shop.echo_ms = 0.4
    shop.sockets = [replace(WELL, moved_bytes=400)]
    assert shop.run(2 * NETWORK_EACH_S) == set()


def test_a_port_that_hangs_and_then_the_terminal_dies_is_one_trouble_at_a_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shop = Shop(monkeypatch)
    shop.run(30)
    assert shop.retransmit(40) == {"frozen"}
    shop.echo_ms = None
    assert shop.run(3 * NETWORK_EACH_S + 4) == {"unreachable"}
    assert shop.seen.conditions["frozen"].value is False


def test_one_that_never_answered_an_echo_is_judged_by_its_connection_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shop = Shop(monkeypatch)
    shop.echo_ms = None
    assert shop.run(600) == set()
    assert shop.seen.facts["looked"] == {"ping": "unknown", "tcp-socket": "answers"}
    assert shop.retransmit(20) == {"unreachable"}


def test_payment_traffic_is_a_sale(monkeypatch: pytest.MonkeyPatch) -> None:
    shop = Shop(monkeypatch)
    shop.run(10)
    assert shop.seen.in_use is False
    shop.sockets = [replace(WELL, moved_bytes=130)]
    shop.run(2)
    assert shop.seen.in_use is True


def test_a_ping_that_is_not_answered_is_unreachable_and_one_that_is_says_how_fast(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = SystemClock()
    looked = PingSource("127.0.0.1", {})
    try:
        found: Findings = looked.look(Deadline.after(clock, 5))
    except Unreachable:
        pytest.skip("this machine permits no echo requests")
    assert "127.0.0.1 answers an echo request" in found.says
    monkeypatch.setattr(ping, "echo", lambda _address, _patience: None)
    with pytest.raises(Unreachable, match="no answer to an echo"):
        looked.look(Deadline.after(clock, 5))
