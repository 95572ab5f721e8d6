"""The uplink against a real mosquitto: restarts, refusals, certificates, namesakes, crashes."""

from __future__ import annotations

import json
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from paho.mqtt import publish as paho_publish

from agent.messages import Metric
from agent.uplink.watcher import Message, Watcher
from tests.brokers import Broker, free_port, mosquitto_broker
from tests.certificates import Authority
from tests.recording_proxy import RecordingProxy
from tests.uplink_rig import Rig, until

pytestmark = pytest.mark.system

STATUS = "tillwatch/v1/T-1/status"


class Seen:
    """All that a subscriber of everything gets."""

    def __init__(self) -> None:
        self.messages: list[Message] = []

    def of(self, topic: str) -> list[Message]:
        return [m for m in list(self.messages) if m.topic.endswith("/" + topic)]

    def states(self) -> list[tuple[str, str]]:
        return [(m.payload["state"], m.payload["reason"]) for m in self.of("status") if m.payload]

    def details(self) -> list[str]:
        return [m.payload["detail"] for m in self.of("event")]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """One that a broker which drops root may read."""
    for path in (tmp_path, *tmp_path.parents):
        if path == Path(tempfile.gettempdir()):
            break
        path.chmod(0o755)
    return tmp_path


@pytest.fixture
def broker(folder: Path) -> Iterator[Broker]:
    with mosquitto_broker(folder) as broker:
        yield broker


@pytest.fixture
def watch() -> Iterator[Callable[..., Seen]]:
    watchers: list[Watcher] = []

    def start(broker: Broker) -> Seen:
        seen = Seen()
        watcher = Watcher(broker.url, ["tillwatch/#"], seen.messages.append)
        watchers.append(watcher)
        assert watcher.start()
        return seen

    yield start
    for watcher in watchers:
        assert watcher.stop()


def test_states_and_events_arrive(folder: Path, broker: Broker, watch: Callable[..., Seen]) -> None:
    seen = watch(broker)
    with Rig(folder / "a", broker.port) as rig:
        until(rig.connected)
        rig.put("a", "b")
        rig.state("device/receipt", 1)
        until(lambda: seen.details() == ["a", "b"] and bool(seen.of("device/receipt")))
        (message,) = seen.of("device/receipt")
        assert message.payload["as_of"] in (0, 2)
        assert "replayed" not in seen.of("event")[0].payload
        until(rig.drained)
    until(lambda: seen.states() == [("online", "started"), ("offline", "stopping")])
    assert [m.payload["seq"] for m in seen.of("event")] == [1, 2]


def test_what_happened_offline_is_sent_later_and_marked(
    folder: Path, broker: Broker, watch: Callable[..., Seen]
) -> None:
    metric = Metric(values={"host": {"load": 1.0}})
    with Rig(folder / "a", free_port()) as rig:
        rig.put("offline")
        rig.uplink.publish_metric(metric)  # dropped: nobody is there
        until(lambda: rig.outbox.last_seq == 1)
    seen = watch(broker)
    with Rig(folder / "a", broker.port) as rig:
        until(rig.connected)
        rig.put("online")
        until(lambda: seen.details() == ["offline", "online"])
        assert [m.payload.get("replayed") for m in seen.of("event")] == [True, None]
        assert seen.of("metric") == []
        rig.uplink.publish_metric(metric)
        until(lambda: len(seen.of("metric")) == 1)
        assert seen.of("metric")[0].qos == 0


def test_a_restarted_broker_gets_all_states_anew_within_seconds(
    folder: Path, broker: Broker, watch: Callable[..., Seen]
) -> None:
    with Rig(folder / "a", broker.port) as rig:
        rig.state("device/receipt", 1)
        rig.state("health", 2)
        until(rig.connected)
        broker.restart()
        began_s = time.monotonic()
        until(lambda: rig.reasons().count("connected") == 2)
        assert time.monotonic() - began_s < 3.0
        seen = watch(broker)
        until(lambda: all(seen.of(t) for t in ("status", "health", "device/receipt")))
        assert all(m.retain for m in seen.messages[:3])


def test_a_watcher_survives_a_restart_and_subscribes_anew(folder: Path, broker: Broker) -> None:
    seen = Seen()
    watcher = Watcher(broker.url, ["tillwatch/#"], seen.messages.append)
    assert watcher.start()
    with Rig(folder / "a", broker.port) as rig:
        until(lambda: len(seen.of("status")) == 1)
        broker.restart()
        until(lambda: len(seen.of("status")) >= 2)
        until(rig.connected)
        before = len(seen.messages)
        assert watcher.resubscribe()
        until(lambda: len(seen.messages) > before)
        assert seen.messages[-1].retain
        assert seen.messages[-1].received_monotonic_ns <= time.monotonic_ns()
    assert watcher.stop()
    broker.stop()
    alone = Watcher(broker.url, ["#"], seen.messages.append)
    assert not alone.start(wait_s=0.3)
    assert alone.trouble is not None
    assert alone.trouble.word == "absent"
    assert alone.stop()


def test_a_watcher_whose_listener_fails_goes_on(folder: Path, broker: Broker) -> None:
    heard: list[Any] = []

    def listener(message: Message) -> None:
        heard.append(message.payload)
        raise ValueError("a mistake")

    watcher = Watcher(broker.url, ["tillwatch/#"], listener)
    assert watcher.start()
    with Rig(folder / "a", broker.port) as rig:
        rig.state("health", 1)
        until(lambda: len(heard) >= 2)
    assert watcher.stop()


def test_a_wrong_password_costs_one_line_and_a_mended_file_heals(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    passwords = folder / "passwords"
    passwords.write_text("agent:secret\n")
    passwords.chmod(0o644)
    subprocess.run(["mosquitto_passwd", "-U", str(passwords)], check=True)
    passwords.chmod(0o644)
    ours = folder / "password"
    ours.write_text("wrong\n")
    options = {"allow_anonymous": "false", "password_file": passwords}
    with (
        mosquitto_broker(folder, options=options) as broker,
        Rig(folder / "a", broker.port, username="agent", password_file=ours) as rig,
    ):
        rig.put("a")
        until(lambda: len(rig.history) >= 3)
        assert set(rig.reasons()) <= {"not_authorised", "credentials"}
        assert len([r for r in caplog.records if r.levelname == "WARNING"]) == 1
        assert "password_file" in rig.uplink.state.detail
        ours.write_text("secret\n")
        until(rig.drained)


class Tls:
    """A broker that wants client certificates, and what a terminal needs for it."""

    def __init__(self, folder: Path, *, server_expired: bool = False, address: str = "127.0.0.1") -> None:
        self.authority = Authority(folder)
        cert, key = self.authority.sign("server", expired=server_expired, address=address)
        self.options = {
            "cafile": self.authority.ca_file,
            "certfile": cert,
            "keyfile": key,
            "require_certificate": "true",
        }

    def client(self, **options: Any) -> dict[str, Any]:
        cert, key = self.authority.sign("client", **options)
        return {"tls": True, "ca_file": self.authority.ca_file, "cert_file": cert, "key_file": key}


def test_client_certificates_are_read_anew_at_each_attempt(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    tls = Tls(folder)
    with (
        mosquitto_broker(folder, options=tls.options, tls=True) as broker,
        Rig(folder / "a", broker.port, **tls.client(expired=True)) as rig,
    ):
        rig.put("a")
        until(lambda: len(rig.history) >= 3)
        assert set(rig.reasons()) == {"tls_refused"}
        assert "certificate expired" in rig.uplink.state.detail
        assert len([r for r in caplog.records if r.levelname == "WARNING"]) == 1
        tls.client()  # renewed in place
        until(rig.drained)
        assert rig.uplink.state.protocol == "5"


@pytest.mark.parametrize(
    ("server", "word"),
    [({"server_expired": True}, "tls_expired"), ({"address": "127.0.0.9"}, "tls_wrong_name")],
)
def test_a_server_certificate_that_is_wrong_costs_one_line(
    folder: Path, server: dict[str, Any], word: str, caplog: pytest.LogCaptureFixture
) -> None:
    tls = Tls(folder, **server)
    with (
        mosquitto_broker(folder, options=tls.options, tls=True) as broker,
        Rig(folder / "a", broker.port, **tls.client()) as rig,
    ):
        until(lambda: len(rig.history) >= 3)
        assert set(rig.reasons()) == {word}
        assert len([r for r in caplog.records if r.levelname == "WARNING"]) == 1


def test_only_the_configured_ca_is_trusted_and_plain_text_is_told_apart(folder: Path) -> None:
    tls = Tls(folder)
    other = Authority(folder, "other")
    with mosquitto_broker(folder, options=tls.options, tls=True) as broker:
        with Rig(folder / "a", broker.port, **tls.client() | {"ca_file": other.ca_file}) as rig:
            until(lambda: "tls_unknown_ca" in rig.reasons())
        with Rig(folder / "a", broker.port, **tls.client() | {"cert_file": None}) as rig:
            until(lambda: "tls_refused" in rig.reasons())
    with mosquitto_broker(folder) as broker, Rig(folder / "a", broker.port, **tls.client()) as rig:
        until(lambda: "tls_failed" in rig.reasons() or "timeout" in rig.reasons())


def test_a_topic_the_broker_forbids_costs_one_line_and_loses_nothing(
    folder: Path, watch: Callable[..., Seen], caplog: pytest.LogCaptureFixture
) -> None:
    rules = folder / "acl"
    rules.write_text("topic readwrite tillwatch/#\ntopic deny tillwatch/v1/T-1/event\n")
    rules.chmod(0o644)
    with mosquitto_broker(folder, options={"acl_file": rules}) as broker:
        seen = watch(broker)
        with Rig(folder / "a", broker.port) as rig:
            rig.put("a")
            rig.put("r", topic="result/1")
            until(lambda: bool(seen.of("result/1")))
            time.sleep(0.7)
            assert rig.outbox.view()["waiting"] == 1
            rules.write_text("topic readwrite tillwatch/#\n")
            broker.reload()
            until(lambda: seen.details() == ["a"])
    assert len([r for r in caplog.records if "refuses what we publish" in r.getMessage()]) == 1


def test_a_half_open_broker_is_noticed_and_healed(folder: Path, broker: Broker) -> None:
    with Rig(folder / "a", broker.port, keepalive_s=1) as rig:
        until(rig.connected)
        broker.stop_signal()
        stopped_s = time.monotonic()
        until(lambda: "no_reply" in rig.reasons(), within_s=2.5)
        assert time.monotonic() - stopped_s < 2.0
        rig.put("a")
        broker.continue_signal()
        until(rig.drained)


def test_a_killed_agent_is_offline_by_its_will_and_a_late_one_is_corrected(
    folder: Path, broker: Broker, watch: Callable[..., Seen]
) -> None:
    seen = watch(broker)
    with Rig(folder / "a", broker.port) as rig:
        until(rig.connected)
        until(lambda: seen.states() == [("online", "started")])
        late = {"state": "offline", "reason": "lost", "session": "an older one"}
        publish(broker, STATUS, json.dumps(late), retain=True)
        until(lambda: seen.states() == [("online", "started"), ("offline", "lost"), ("online", "started")])
        publish(broker, STATUS, "", retain=True)
        until(lambda: len(seen.states()) == 4)
        assert rig.reasons() == ["connected"]


def publish(broker: Broker, topic: str, payload: str, *, retain: bool) -> None:
    paho_publish.single(topic, payload, retain=retain, qos=1, hostname="127.0.0.1", port=broker.port)


def test_two_terminals_of_one_id_are_found_out(
    folder: Path, broker: Broker, watch: Callable[..., Seen], caplog: pytest.LogCaptureFixture
) -> None:
    seen = watch(broker)
    with Rig(folder / "a", broker.port) as one, Rig(folder / "b", broker.port) as two:
        until(lambda: any(r == "duplicate_identity" for rig in (one, two) for r in rig.reasons()))
        until(lambda: ("online", "duplicate_identity") in seen.states())
    lines = [r.getMessage() for r in caplog.records if "give each terminal its own" in r.getMessage()]
    assert 1 <= len(lines) <= 6


def test_topics_of_a_removed_device_and_of_an_old_id_are_cleared(
    folder: Path, broker: Broker, watch: Callable[..., Seen]
) -> None:
    with Rig(folder / "a", broker.port, terminal="OLD") as rig:
        rig.state("device/gone", 1)
        rig.state("health", 1)
        until(rig.connected)
        time.sleep(0.2)
    with Rig(folder / "a", broker.port) as rig:
        rig.uplink.keep({"device/receipt"})
        rig.state("device/receipt", 1)
        until(lambda: len(rig.outbox.memory()["uplink/retained"]) == 3)  # type: ignore[arg-type]
    seen = watch(broker)
    until(lambda: len(seen.messages) == 2)
    time.sleep(0.1)
    assert sorted(m.topic for m in seen.messages) == [
        "tillwatch/v1/T-1/device/receipt",
        "tillwatch/v1/T-1/status",
    ]


def test_a_broker_killed_in_mid_stream_loses_no_row_and_none_leaves_early(
    folder: Path, broker: Broker
) -> None:
    """Judged by what passed between agent and broker, and by the outbox at every moment."""
    total = 600
    early: list[int] = []
    with RecordingProxy(broker.port) as proxy, Rig(folder / "a", proxy.port) as rig:
        done = threading.Event()

        def judge() -> None:
            while not done.is_set():
                stored = {row.seq for row in rig.outbox.head(0, total + 10)}
                last = rig.outbox.last_seq
                stored |= {row.seq for row in rig.outbox.head(0, total + 10)}
                gone = set(range(1, last + 1)) - stored - proxy.acknowledged()
                early.extend(gone)
                time.sleep(0.001)

        watching = threading.Thread(target=judge)
        watching.start()
        for n in range(total):
            rig.put(str(n))
            time.sleep(0.003)
            if n % 150 == 75:
                broker.kill()
            if n % 150 == 100:
                broker.start()
        until(rig.drained, within_s=30)
        done.set()
        watching.join()
        assert rig.outbox.last_seq == total
        assert rig.outbox.view()["dead_letters"] == 0
    assert not early
    assert proxy.acknowledged() == set(range(1, total + 1))
    ids: dict[int, str] = {}
    for connection in {p.connection for p in proxy.record}:
        sent = [p for p in proxy.record if p.kind == "sent" and p.connection == connection]
        assert [p.seq for p in sent] == sorted({p.seq for p in sent})
        for passed in sent:
            assert ids.setdefault(passed.seq, passed.id) == passed.id


def test_free_ports_are_free() -> None:
    assert 1024 < free_port() < 65536
