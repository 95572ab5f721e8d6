"""The uplink's pure parts, each alone."""

from __future__ import annotations

import socket
import ssl
import threading
from pathlib import Path

import pytest

from agent.config import Mqtt
from agent.messages import Metric, Stamper, plain
from agent.outbox.outbox import Outbox, Stored
from agent.uplink import dial
from agent.uplink.reasons import CONNACK_WORDS, REASONS, Trouble, Troubled
from agent.uplink.retained import Retained
from agent.uplink.retry import DAY_S, Backoff, Namesake, Protocols, Timing
from agent.uplink.states import States
from agent.uplink.topics import Topics
from agent.uplink.traffic import Suspects
from agent.uplink.watcher import broker_from_url
from tests.clock import TurnedClock

NOW_S = 1_790_000_000.0


def top(_low: float, high: float) -> float:
    return high


def test_backoff_doubles_to_its_cap_and_only_a_stable_session_resets_it() -> None:
    backoff = Backoff(Timing(first_retry_s=1.0, cap_s=10.0, stable_s=20.0), top)
    delays = []
    for _ in range(6):
        backoff.ended(19.0)
        delays.append(backoff.delay_s())
    assert delays == [1.0, 2.0, 4.0, 8.0, 10.0, 10.0]
    backoff.ended(20.0)
    assert backoff.delay_s(at_least_s=5.0) == 6.0


def test_backoff_is_full_jitter() -> None:
    asked: list[tuple[float, float]] = []

    def note(low: float, high: float) -> float:
        asked.append((low, high))
        return low

    backoff = Backoff(Timing(), note)
    backoff.ended(0.0)
    assert backoff.delay_s() == 0.0
    assert asked == [(0.0, 1.0)]


def test_the_old_protocol_is_remembered_only_once_it_worked_and_for_a_day() -> None:
    protocols = Protocols(None, "b:1")
    assert protocols.next(NOW_S) == "5"
    assert protocols.failed(explicit=False)
    assert protocols.next(NOW_S) == "3.1.1"
    remembered = protocols.worked(NOW_S)
    assert remembered == {"broker": "b:1", "at_s": NOW_S}
    again = Protocols(remembered, "b:1")
    assert again.next(NOW_S + DAY_S - 1) == "3.1.1"
    assert again.due(NOW_S + DAY_S)
    assert again.next(NOW_S + DAY_S) == "3.1.1"
    fresh = Protocols(remembered, "b:1")
    assert fresh.next(NOW_S + DAY_S) == "5"
    assert fresh.worked(NOW_S + DAY_S) is None
    assert Protocols(remembered, "other:1").next(NOW_S) == "5"
    assert Protocols({"broker": "b:1", "at_s": "?"}, "b:1").next(NOW_S) == "5"


def test_a_working_old_session_tries_the_new_one_after_a_day() -> None:
    protocols = Protocols({"broker": "b:1", "at_s": NOW_S}, "b:1")
    protocols.next(NOW_S)
    assert protocols.worked(NOW_S) == {"broker": "b:1", "at_s": NOW_S}
    assert protocols.next(NOW_S + DAY_S) == "5"
    assert protocols.failed(explicit=True)
    assert protocols.next(NOW_S + DAY_S) == "3.1.1"
    assert protocols.worked(NOW_S + DAY_S) == {"broker": "b:1", "at_s": NOW_S + DAY_S}


def test_once_the_new_protocol_worked_only_a_plain_refusal_counts_against_it() -> None:
    protocols = Protocols(None, "b:1")
    protocols.next(NOW_S)
    protocols.worked(NOW_S)
    assert not protocols.failed(explicit=False)
    assert protocols.next(NOW_S) == "5"
    assert protocols.failed(explicit=True)
    assert protocols.next(NOW_S) == "3.1.1"


def test_an_old_protocol_that_no_longer_works_gives_way() -> None:
    protocols = Protocols({"broker": "b:1", "at_s": NOW_S}, "b:1")
    assert protocols.next(NOW_S) == "3.1.1"
    assert not protocols.failed(explicit=False)
    assert protocols.next(NOW_S) == "5"


def test_a_namesake_is_known_at_the_second_takeover_and_forgotten_in_calm() -> None:
    namesake = Namesake(Timing(duplicate_s=30.0, cap_s=100.0, calm_s=600.0))
    seen: list[tuple[bool, float]] = []
    for happens in (
        namesake.thrown_out,
        namesake.seen,  # the same takeover, seen from the other side
        namesake.seen,
        namesake.thrown_out,
        namesake.thrown_out,
        lambda: namesake.ended(599.0),
        lambda: namesake.ended(600.0),
    ):
        happens()
        seen.append((namesake.known, namesake.pause_s()))
    assert seen == [
        (False, 0.0),
        (False, 0.0),
        (True, 30.0),
        (True, 60.0),
        (True, 100.0),
        (True, 100.0),
        (False, 0.0),
    ]


def test_states_coalesce_to_ten_a_second_and_the_last_one_goes() -> None:
    states = States()
    sent: list[tuple[float, object]] = []

    def take(now_s: float) -> None:
        sent.extend((now_s, plain(body)["values"]["n"]["n"]) for _topic, body in states.take(now_s, 5))

    for n in range(100):
        states.put("device/a", Metric(values={"n": {"n": n}}))
        take(n * 0.01)
    due_s = states.next_due_s()
    assert due_s is not None
    take(due_s)
    assert sent[0] == (0.0, 0)
    assert sent[-1][1] == 99
    times_s = [at_s for at_s, _ in sent]
    assert times_s[:10] == [n * 0.01 for n in range(10)]  # a burst passes at once
    assert all(sum(at_s <= later_s < at_s + 1.0 for later_s in times_s) <= 10 for at_s in times_s)
    assert states.next_due_s() is None


def test_states_keep_to_the_room_there_is_and_go_anew() -> None:
    states = States()
    for topic in ("a", "b", "c"):
        states.put(topic, Metric(values={}))
    assert [t for t, _ in states.take(0.0, 2)] == ["a", "b"]
    assert [t for t, _ in states.take(0.0, 2)] == ["c"]
    states.anew()
    assert [t for t, _ in states.take(1.0, 9)] == ["a", "b", "c"]


def test_where_only_one_may_go_each_has_its_turn() -> None:
    states = States()
    taken = []
    for turn in range(6):
        for topic in "abc":
            states.put(topic, Metric(values={}))
        taken += [topic for topic, _body in states.take(float(turn), 1)]
    assert taken == [*"abcabc"]


def test_a_suspect_gets_three_chances_the_last_one_alone() -> None:
    suspects = Suspects(most=2)
    row, other = Stored("s", 1, "event", ""), Stored("s", 2, "event", "")
    assert not suspects.strike(row)
    assert not suspects.doubtful(row)
    assert not suspects.strike(row)
    assert suspects.doubtful(row)
    assert suspects.strike(row)
    suspects.forget(row)
    assert not suspects.strike(row)
    suspects.strike(other)
    suspects.strike(Stored("s", 3, "event", ""))
    assert not suspects.strike(row)  # the oldest mark made room


def test_retained_topics_are_remembered_and_orphans_cleared_once_confirmed(tmp_path: Path) -> None:
    stamper = Stamper(site="", boot="", clock=TurnedClock(), up_s=lambda: 0.0, synced=lambda: True)
    outbox = Outbox(tmp_path / "o", stamper=stamper)
    try:
        old = Retained(outbox, Topics("base", "OLD"))
        old.remember(["device/receipt"])
        new = Retained(outbox, Topics("base", "NEW"))
        assert new.take_orphans() == []  # not before it was said what is there
        new.keep(["device/reader"])
        orphans = ["base/OLD/device/receipt", "base/OLD/health", "base/OLD/status"]
        assert new.take_orphans() == orphans
        assert new.take_orphans() == []
        new.cleared(orphans[0])
        new.cleared("base/NEW/status")
        new.anew()
        assert new.take_orphans() == orphans[1:]
        assert outbox.memory()["uplink/retained"] == [
            "base/NEW/device/reader",
            "base/NEW/health",
            "base/NEW/status",
            *orphans[1:],
        ]
    finally:
        outbox.close()


def test_every_reason_says_what_and_what_to_do_in_one_line() -> None:
    assert set(CONNACK_WORDS.values()) <= set(REASONS)
    for word, (meaning, _remedy) in REASONS.items():
        line = Trouble(word, "seen").line("host:1")
        assert line.startswith(f"broker host:1: {meaning} (seen)")
        assert "\n" not in line
    assert Trouble("connected").line("h:1") == "broker h:1: connected"


@pytest.mark.parametrize(
    ("text", "detail"),
    [
        ("failed to receive on socket: [SSL: TLSV13_ALERT_CERTIFICATE_REQUIRED]", "certificate required"),
        ("[SSL: SSLV3_ALERT_CERTIFICATE_EXPIRED] sslv3 alert certificate expired", "certificate expired"),
        ("[SSL: TLSV1_ALERT_UNKNOWN_CA] tlsv1 alert unknown ca", "unknown ca"),
    ],
)  # fmt: skip
def test_the_brokers_word_against_our_certificate(text: str, detail: str) -> None:
    assert dial.alert_trouble(text) == Trouble("tls_refused", detail)
    assert dial.alert_trouble("connection reset") is None


@pytest.mark.parametrize(("keepalive_s", "idle_s"), [(2, 31), (60, 31), (600, 301)])
def test_one_sign_of_life_is_asked_for_between_two_pings(keepalive_s: int, idle_s: int) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        broker = Mqtt(host="127.0.0.1", port=server.getsockname()[1], tls=False, keepalive_s=keepalive_s)
        done = threading.Event()
        dialling = dial.Dialling(broker, 2.0, done.set)
        assert done.wait(5)
        sock = dialling.take()
        assert sock is not None
        with sock:
            assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == idle_s


def test_handshake_failures_have_words_of_their_own() -> None:
    assert dial.tls_trouble(TimeoutError()).word == "timeout"
    assert dial.tls_trouble(ssl.SSLError("wrong version number")).word == "tls_failed"


def test_files_that_cannot_be_used_are_named(tmp_path: Path) -> None:
    broker = Mqtt(host="h", port=1, tls=True, ca_file=tmp_path / "ca.pem", password_file=tmp_path / "pw")
    for attempt in (dial.tls_context, dial.password):
        with pytest.raises(Troubled) as caught:
            attempt(broker)
        assert caught.value.trouble.word == "files"
        assert str(tmp_path) in caught.value.trouble.detail
    (tmp_path / "pw").write_text("secret\n")
    assert dial.password(broker) == "secret"
    assert dial.password(Mqtt(host="h", port=1, tls=False)) is None


def test_broker_addresses() -> None:
    assert (broker_from_url("mqtt://h").port, broker_from_url("mqtts://h:7").tls) == (1883, True)
    for bad in ("h:1883", "http://h", "mqtt://"):
        with pytest.raises(ValueError, match="mqtt://host:1883"):
            broker_from_url(bad)
