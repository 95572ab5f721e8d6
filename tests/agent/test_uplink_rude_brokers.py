"""The uplink against brokers that refuse, fall silent, break off or talk nonsense."""

from __future__ import annotations

import errno
import json
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from agent.uplink.retry import DAY_S
from agent.uplink.session import PROTOCOL_KEY
from tests.fake_broker import (
    DISCONNECT,
    FIVE,
    MAXIMUM_PACKET_SIZE,
    MAXIMUM_QOS,
    PINGREQ,
    PUBLISH,
    RECEIVE_MAXIMUM,
    RETAIN_AVAILABLE,
    SERVER_KEEP_ALIVE,
    FakeBroker,
    Packet,
    Peer,
)
from tests.uplink_rig import FAST, Rig, details, until

pytestmark = [pytest.mark.system, pytest.mark.alone]


def refuse_five(peer: Peer) -> None:
    peer.accept(0x84)


def answer_as_old_brokers_do(peer: Peer) -> None:
    peer.send(2, b"\x00\x01")


def hang_up(peer: Peer) -> None:
    peer.close()


def say_nothing(peer: Peer) -> None:
    for _ in peer.packets():
        pass


@pytest.mark.parametrize("how", [refuse_five, answer_as_old_brokers_do, hang_up, say_nothing])
def test_a_broker_of_the_old_protocol_is_found_and_remembered(
    tmp_path: Path, how: Callable[[Peer], None], caplog: pytest.LogCaptureFixture
) -> None:
    def behave(peer: Peer) -> None:
        if peer.version == FIVE:
            how(peer)
        else:
            peer.serve()

    caplog.set_level("INFO")
    with FakeBroker(behave) as broker:
        with Rig(tmp_path, broker.port) as rig:
            rig.put("a")
            until(rig.drained)
            assert rig.uplink.state.protocol == "3.1.1"
        with Rig(tmp_path, broker.port) as rig:
            until(rig.connected)
            remembered = rig.outbox.memory()[PROTOCOL_KEY]
        assert [peer.version for peer in broker.peers] == [5, 4, 4]
    assert isinstance(remembered, dict)
    assert remembered["broker"] == f"127.0.0.1:{broker.port}"
    assert [r.levelname for r in caplog.records] == ["INFO"] * 4  # connected, stopped; twice
    assert details(broker.published) == ["a"]


def test_after_a_day_the_new_protocol_is_tried_from_a_running_session(tmp_path: Path) -> None:
    five_works = threading.Event()

    def behave(peer: Peer) -> None:
        if peer.version == FIVE and not five_works.is_set():
            peer.accept(0x84)
        else:
            peer.serve()

    with FakeBroker(behave) as broker, Rig(tmp_path, broker.port) as rig:
        until(rig.connected)
        five_works.set()
        rig.uplink._protocols._old_since_s = time.time() - DAY_S
        rig.uplink.wake()
        until(lambda: rig.uplink.state.protocol == "5")
        assert rig.reasons() == ["connected", "upgrade", "connected"]
        assert rig.outbox.memory().get(PROTOCOL_KEY) is None


def test_a_row_refused_for_good_becomes_a_dead_letter_and_blocks_nobody(tmp_path: Path) -> None:
    def behave(peer: Peer) -> None:
        peer.accept()
        for packet in peer.packets():
            peer.answer(packet, 0x99 if b'"poison"' in packet.body else 0)

    with FakeBroker(behave) as broker, Rig(tmp_path, broker.port) as rig:
        rig.put("a", "poison", "b")
        until(lambda: "0x99" in str(details(broker.published)))
        until(rig.drained)
        assert rig.outbox.view()["dead_letters"] == 1
        assert details(broker.published)[:3] == ["a", "poison", "b"]
        (name,) = [json.loads(p.payload) for p in broker.published if b"dead_letter" in p.payload]
        assert (name["seq_of"], name["seq"]) == (2, 4)


def test_a_broker_that_refuses_every_row_does_not_start_an_endless_chain(tmp_path: Path) -> None:
    def behave(peer: Peer) -> None:
        peer.accept()
        for packet in peer.packets():
            peer.answer(packet, 0x99 if b'"seq"' in packet.body else 0)

    with FakeBroker(behave) as broker, Rig(tmp_path, broker.port) as rig:
        rig.put("a", "b")
        until(lambda: rig.outbox.view()["unnamed"] == 4)
        until(rig.drained)
        time.sleep(0.3)
        assert rig.outbox.last_seq == 4


def test_a_quota_is_no_fault_of_the_row(tmp_path: Path) -> None:
    refused: list[bytes] = []

    def behave(peer: Peer) -> None:
        peer.accept()
        for packet in peer.packets():
            busy = b'"detail":"b"' in packet.body and len(refused) < 5
            if busy:
                refused.append(packet.body)
            peer.answer(packet, 0x97 if busy else 0)

    with FakeBroker(behave) as broker, Rig(tmp_path, broker.port) as rig:
        rig.put("a", "b", "c")
        until(rig.drained)
        assert len(refused) == 5
        assert rig.outbox.view()["dead_letters"] == 0
        assert details(broker.published).count("c") == 1


def test_an_unexplained_refusal_is_believed_at_the_third_time(tmp_path: Path) -> None:
    def behave(peer: Peer) -> None:
        peer.accept()
        for packet in peer.packets():
            peer.answer(packet, 0x80 if b'"poison"' in packet.body else 0)

    with FakeBroker(behave) as broker, Rig(tmp_path, broker.port) as rig:
        rig.put("poison", "b")
        until(lambda: rig.outbox.view()["dead_letters"] == 1)
        until(rig.drained)
        assert details(broker.published).count("poison") == 3


def test_rows_of_a_forbidden_topic_wait_and_let_others_pass(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    allowed = threading.Event()

    def behave(peer: Peer) -> None:
        peer.accept()
        for packet in peer.packets():
            forbidden = b"/T-1/event" in packet.body and not allowed.is_set()
            peer.answer(packet, 0x87 if forbidden else 0)

    with FakeBroker(behave) as broker, Rig(tmp_path, broker.port) as rig:
        rig.put("a")
        rig.put("b")
        rig.put("r", topic="result/1")
        until(lambda: "r" in details(broker.published))
        until(lambda: rig.outbox.view()["waiting"] == 2)
        time.sleep(0.7)  # it is tried again, and is still one line in the log
        allowed.set()
        until(rig.drained)
        assert rig.outbox.view()["dead_letters"] == 0
        assert details(broker.published)[-2:] == ["a", "b"]
    refusals = [r.getMessage() for r in caplog.records if "refuses what we publish" in r.getMessage()]
    assert len(refusals) == 1
    assert "tillwatch/v1/T-1/event" in refusals[0]


def break_at_poison(peer: Peer) -> None:
    peer.accept()
    for packet in peer.packets():
        if b'"poison"' in packet.body:
            return
        peer.answer(packet)


def test_a_row_that_breaks_three_sessions_becomes_a_dead_letter(tmp_path: Path) -> None:
    with FakeBroker(break_at_poison) as broker, Rig(tmp_path, broker.port) as rig:
        rig.put("a", "poison", "b", "c")
        until(lambda: rig.outbox.view()["dead_letters"] == 1)
        until(rig.drained)
        sent = details(broker.published)
        assert sent.count("poison") >= 3  # more where an answer to `a` was lost with the line
        assert sent[-3:] == ["b", "c", "at the head of 3 broken sessions"]
        assert json.loads(broker.published[-1].payload)["seq_of"] == 2


def test_the_limits_of_the_broker_are_obeyed(tmp_path: Path) -> None:
    limits = {RECEIVE_MAXIMUM: 3, MAXIMUM_PACKET_SIZE: 500, SERVER_KEEP_ALIVE: 1}
    most_waiting = [0]

    def behave(peer: Peer) -> None:
        peer.accept(limits=limits)
        waiting: list[Packet] = []
        peer.sock.settimeout(0.02)
        ends_s = time.monotonic() + 8
        while time.monotonic() < ends_s:
            try:
                first = peer.sock.recv(1, 2)  # MSG_PEEK: is there more before we answer?
            except TimeoutError:
                for packet in waiting:
                    peer.answer(packet)
                waiting.clear()
                continue
            if not first:
                return
            peer.sock.settimeout(1.0)
            packet = next(peer.packets())
            peer.sock.settimeout(0.02)
            if packet.kind == PUBLISH:
                waiting.append(packet)
                most_waiting[0] = max(most_waiting[0], len(waiting))
            else:
                pings.append(packet.kind)
                peer.answer(packet)

    pings: list[int] = []
    with FakeBroker(behave) as broker, Rig(tmp_path, broker.port, keepalive_s=60) as rig:
        rig.put(*"abcdefgh", "x" * 600, "i")
        until(rig.drained)
        until(lambda: PINGREQ in pings, "a ping at the broker's keepalive", within_s=3.0)
        assert most_waiting[0] == 3
        assert "larger than the broker takes" in details(broker.published)[-1]
        assert not any(len(p.payload) > 500 for p in broker.published)


def test_without_qos_1_rows_stay_and_without_retain_nothing_is_retained(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def behave(peer: Peer) -> None:
        peer.accept(limits={MAXIMUM_QOS: 0, RETAIN_AVAILABLE: 0})
        for packet in peer.packets():
            peer.answer(packet)

    with FakeBroker(behave) as broker, Rig(tmp_path, broker.port) as rig:
        rig.put("a")
        rig.state("health", 1)
        until(lambda: any(p.topic.endswith("/health") for p in broker.published))
        assert {(p.qos, p.retain) for p in broker.published} == {(0, False)}
        assert rig.outbox.view()["waiting"] == 1
    assert "takes no QoS 1" in caplog.text


@pytest.mark.parametrize(("code", "field"), [(0x9A, "will_retain"), (0x9B, "will_qos")])
def test_a_will_that_the_broker_cannot_take_is_made_smaller(tmp_path: Path, code: int, field: str) -> None:
    def behave(peer: Peer) -> None:
        if peer.number == 1:
            peer.accept(code)
        else:
            peer.serve()

    with FakeBroker(behave) as broker, Rig(tmp_path, broker.port) as rig:
        until(rig.connected)
        assert not getattr(rig.uplink._lasting, field)


def test_a_half_open_session_is_noticed_and_rebuilt(tmp_path: Path) -> None:
    silent_since: list[float] = []

    def behave(peer: Peer) -> None:
        if peer.number == 1:
            peer.accept()
            silent_since.append(time.monotonic())
            say_nothing(peer)
        else:
            peer.serve()

    with FakeBroker(behave) as broker, Rig(tmp_path, broker.port, keepalive_s=1) as rig:
        rig.put("a")
        until(lambda: "no_reply" in rig.reasons(), within_s=3.0)
        assert time.monotonic() - silent_since[0] < 2.0
        until(rig.drained)
        replayed = json.loads(next(p.payload for p in broker.peers[1].published if b'"seq"' in p.payload))
        assert replayed["replayed"] is True


@pytest.mark.parametrize(
    "nonsense", [b"\x30\x05\xff\xffabc", b"\xf0\x00", b"\x40\x01\x00", b"\xff" * 6, b"\x20\x00"]
)
def test_nonsense_from_the_broker_ends_only_the_session(tmp_path: Path, nonsense: bytes) -> None:
    def behave(peer: Peer) -> None:
        if peer.number == 1:
            peer.accept()
            next(peer.packets())
            peer.sock.sendall(nonsense)
            say_nothing(peer)
        else:
            peer.serve()

    with FakeBroker(behave) as broker, Rig(tmp_path, broker.port) as rig:
        rig.put("a")
        until(lambda: len(broker.peers) == 2 and rig.drained())


def test_what_the_broker_says_when_it_throws_us_out_is_told(tmp_path: Path) -> None:
    def behave(peer: Peer) -> None:
        if peer.number == 1:
            peer.accept()
            next(peer.packets())
            peer.send(DISCONNECT, b"\x8b")  # server shutting down
        else:
            peer.serve()

    with FakeBroker(behave) as broker, Rig(tmp_path, broker.port) as rig:
        until(lambda: rig.reasons().count("connected") == 2)
        assert "Server shutting down" in rig.history[1].detail


def test_a_subscription_refused_is_one_line_and_no_end(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def behave(peer: Peer) -> None:
        peer.accept()
        for packet in peer.packets():
            peer.answer(packet, 0x87 if packet.kind == 8 else 0)

    with FakeBroker(behave) as broker, Rig(tmp_path, broker.port) as rig:
        rig.put("a")
        until(rig.drained)
    assert "refuses our subscription" in caplog.text


def test_a_subscription_is_tried_again_since_rules_change_without_an_end_of_the_session(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    asked = 0

    def behave(peer: Peer) -> None:
        nonlocal asked
        peer.accept()
        for packet in peer.packets():
            asked += packet.kind == 8
            peer.answer(packet, 0x87 if packet.kind == 8 and asked < 3 else 0)

    with FakeBroker(behave) as broker, Rig(tmp_path, broker.port) as rig:
        until(lambda: rig.uplink.view().refused != ())
        until(lambda: rig.uplink.view().refused == ())
        assert asked == 3
        assert rig.uplink.view().connected
    assert caplog.text.count("refuses our subscription") == 1


def test_a_broker_that_is_not_there_costs_one_line(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with FakeBroker(lambda peer: peer.serve()) as gone:
        pass
    with Rig(tmp_path, gone.port) as rig:
        rig.put("a")
        until(lambda: len(rig.history) >= 4)
        assert not rig.drained()
    (line,) = [r.getMessage() for r in caplog.records if r.levelname == "WARNING"]
    assert line == (
        f"broker 127.0.0.1:{gone.port}: nothing listens there (connection refused); "
        "check that the broker runs, and the port in mqtt.url"
    )


def test_a_name_server_that_does_not_answer_holds_up_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    release = threading.Event()

    def slow(*_args: object, **_options: object) -> list[object]:
        release.wait(10)
        raise OSError("nobody knows")

    monkeypatch.setattr("agent.uplink.dial.socket.getaddrinfo", slow)
    with Rig(tmp_path, 1, host="broker.example", timing=replace(FAST, connect_s=0.1)) as rig:
        until(lambda: rig.reasons().count("dns") >= 3)
        waiting = [t for t in threading.enumerate() if t.name == "dial"]
        assert len(waiting) == 1
        began_s = time.monotonic()
        assert rig.uplink.stop()
        assert time.monotonic() - began_s < 1.0
        release.set()


def test_an_address_the_kernel_cannot_speak_to_or_that_swallows_all_leaves_time_for_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[tuple[str, float | None]] = []

    class Socket(socket.socket):
        def __init__(self, family: int = -1, *rest: int, **options: Any) -> None:
            if family == socket.AF_INET6:
                raise OSError(errno.EAFNOSUPPORT, "Address family not supported by protocol")
            super().__init__(family, *rest, **options)

        def connect(self, address: Any) -> None:
            tried.append((address[0], self.gettimeout()))
            if address[0] == "192.0.2.1":
                raise TimeoutError
            super().connect(address)

    with FakeBroker(lambda peer: peer.serve()) as broker:
        monkeypatch.setattr(
            "agent.uplink.dial.socket.getaddrinfo",
            lambda *_args, **_options: [
                (socket.AF_INET6, socket.SOCK_STREAM, 6, "", ("::1", broker.port, 0, 0)),
                (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("192.0.2.1", broker.port)),
                (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", broker.port)),
            ],
        )
        monkeypatch.setattr("agent.uplink.dial.socket.socket", Socket)
        with Rig(tmp_path, broker.port, host="broker.example") as rig:
            until(rig.connected)
    first, second = tried[:2]
    assert (first[0], second[0]) == ("192.0.2.1", "127.0.0.1")
    assert first[1] is not None
    assert first[1] <= FAST.connect_s / 2


def test_a_mistake_on_the_way_to_the_broker_is_told_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_args: object, **_options: object) -> None:
        raise RuntimeError("a mistake")

    monkeypatch.setattr("agent.uplink.dial.socket.getaddrinfo", broken)
    with Rig(tmp_path, 1, timing=replace(FAST, connect_s=30.0)) as rig:
        until(lambda: "internal" in rig.reasons())


def test_states_that_find_no_room_cost_no_turns(tmp_path: Path) -> None:
    unanswered = threading.Event()

    def never_answer(peer: Peer) -> None:
        peer.accept(limits={RECEIVE_MAXIMUM: 2})
        for _ in peer.packets():
            unanswered.set()

    with FakeBroker(never_answer) as broker, Rig(tmp_path, broker.port) as rig:
        for number in range(4):
            rig.state(f"device/{number}", 0)
        assert unanswered.wait(5)
        before_s = time.process_time()
        time.sleep(0.5)
        assert time.process_time() - before_s < 0.2


def test_a_mistake_of_ours_is_survived(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_args: object) -> None:
        raise RuntimeError("a mistake")

    monkeypatch.setattr("agent.uplink.live.Session._judge_status", broken)
    with FakeBroker(echo_status) as broker, Rig(tmp_path, broker.port) as rig:
        until(lambda: "internal" in rig.reasons())
        monkeypatch.undo()
        rig.put("a")
        until(rig.drained)


def echo_status(peer: Peer) -> None:
    """As a broker with nobody but us subscribed."""
    peer.accept()
    for packet in peer.packets():
        peer.answer(packet)
        if packet.kind == PUBLISH and b"/status" in packet.body:
            topic = b"tillwatch/v1/T-1/status"
            peer.send(PUBLISH, len(topic).to_bytes(2, "big") + topic + b"\0" + b"{}")


def test_a_state_that_is_no_json_is_told_and_the_rest_goes_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with FakeBroker(Peer.serve) as broker, Rig(tmp_path, broker.port) as rig:
        until(rig.connected)
        rig.state("device/bad", float("nan"))
        rig.state("device/good", 1.0)
        rig.put("a")
        until(rig.drained)
        assert "device/bad is not published" in caplog.text
        assert rig.uplink.state.connected
