"""Draining a full outbox to mosquitto beside bare paho: the same payloads, QoS 1, 20 in flight."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from agent.config import Agent, Config, Mqtt, Terminal
from agent.messages import encode
from agent.outbox.outbox import Batch, Outbox, Row, prepare
from agent.outbox.writer import Writer
from agent.uplink.client import IN_FLIGHT_MOST
from agent.uplink.session import Uplink
from tests.bench.report import Table
from tests.bench.samples import STAMPER, event
from tests.bench.section import CannotMeasure, Size
from tests.brokers import Broker, mosquitto_broker

LONGEST_S = 60.0
LOOK_S = 0.002


def measure(folder: Path, size: Size) -> Table:
    rows = [event() for _ in range(size.drained_rows)]
    with mosquitto_broker(folder, options={"log_type": "error"}) as broker:
        ours_s = _uplink_s(folder, broker, rows)
        bare_s = _paho_s(broker, [encode(dict(row.body)) for row in rows])
    count = len(rows)
    return Table(
        title=f"drain: {count} stored events to the broker, QoS 1, {IN_FLIGHT_MOST} in flight at most",
        columns=("", "events/s", "x bare"),
        rows=[
            ("uplink: read, sent, acknowledged, deleted", count / ours_s, bare_s / ours_s),
            ("bare paho: sent, acknowledged", count / bare_s, 1.0),
        ],
        notes=["from CONNECT to the last acknowledgement; MQTT 5 without TLS"],
    )


def _uplink_s(folder: Path, broker: Broker, rows: Sequence[Row]) -> float:
    config = Config(
        source=folder / "none.toml",
        terminal=Terminal(id="T-bench"),
        mqtt=Mqtt(host="127.0.0.1", port=broker.port, tls=False),
        agent=Agent(state_dir=folder, runtime_dir=folder, till_dir=folder / "till"),
    )
    outbox = Outbox(folder / "drain.sqlite", stamper=STAMPER)
    writer = Writer(outbox)
    uplink = Uplink(config, outbox, STAMPER)
    try:
        outbox.commit_all([prepare(Batch(rows))])
        writer.start()
        started_s = time.monotonic()
        uplink.start()
        _wait(lambda: outbox.view()["waiting"] == 0, "the outbox to be empty")
        return time.monotonic() - started_s
    finally:
        uplink.stop()
        writer.stop()
        outbox.close()


def _paho_s(broker: Broker, payloads: Sequence[str]) -> float:
    left = threading.Semaphore(0)

    def on_publish(*_told: Any) -> None:
        left.release()

    client = Client(CallbackAPIVersion.VERSION2, client_id="bench-bare", protocol=MQTTProtocolVersion.MQTTv5)
    client.max_inflight_messages_set(IN_FLIGHT_MOST)
    client.on_publish = on_publish
    started_s = time.monotonic()
    client.connect("127.0.0.1", broker.port)
    client.loop_start()
    try:
        for payload in payloads:
            client.publish("tillwatch/v1/T-bare/event", payload, qos=1)
        for _ in payloads:
            if not left.acquire(timeout=LONGEST_S):
                raise CannotMeasure("bare paho got no acknowledgement")
        return time.monotonic() - started_s
    finally:
        client.disconnect()
        client.loop_stop()


def _wait(condition: Callable[[], bool], what: str) -> None:
    ends_s = time.monotonic() + LONGEST_S
    while not condition():
        if time.monotonic() > ends_s:
            raise CannotMeasure(f"waited {LONGEST_S:.0f} s for {what}")
        time.sleep(LOOK_S)
