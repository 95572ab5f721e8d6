"""Outbox, writer and uplink as the daemon puts them together, with short waits, for tests."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

from agent.config import Agent, Config, Mqtt, Terminal
from agent.messages import AgentEvent, Metric, Stamper
from agent.outbox.outbox import Batch, Outbox, Row
from agent.outbox.writer import Writer
from agent.uplink.retry import Timing
from agent.uplink.session import Uplink, UplinkState
from drivers.api import SystemClock

SOON_S = 10.0
FAST = Timing(
    connect_s=0.5,
    first_retry_s=0.05,
    cap_s=0.2,
    stable_s=5.0,
    duplicate_s=0.5,
    held_s=0.3,
    refused_pause_s=0.1,
)


def until(condition: Callable[[], bool], what: str = "it", within_s: float = SOON_S) -> None:
    ends_s = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < ends_s, f"{what} did not happen in {within_s} s"
        time.sleep(0.005)


class Rig:
    """`with Rig(tmp_path, port) as rig: rig.put("a") ...`"""

    def __init__(
        self, folder: Path, port: int, *, timing: Timing = FAST, terminal: str = "T-1", **mqtt: Any
    ) -> None:
        folder.mkdir(exist_ok=True)
        settings = replace(Mqtt(host="127.0.0.1", port=port, tls=False), **mqtt)
        self.config = Config(
            source=folder / "tillwatch.toml",
            terminal=Terminal(id=terminal, site="shop"),
            mqtt=settings,
            agent=Agent(state_dir=folder, runtime_dir=folder, till_dir=folder / "till"),
        )
        self.stamper = Stamper(
            site="shop", boot="boot", clock=SystemClock(), up_s=time.monotonic, synced=lambda: True
        )
        self.history: list[UplinkState] = []
        self.outbox = Outbox(folder / "outbox.sqlite", stamper=self.stamper)
        self.writer = Writer(self.outbox, settle_s=0.02)
        self.uplink = Uplink(
            self.config, self.outbox, self.stamper, self.history.append, timing=replace(timing)
        )

    def __enter__(self) -> Self:
        self.writer.start()
        self.uplink.start()
        return self

    def __exit__(self, *_: object) -> None:
        assert self.uplink.stop()
        assert self.writer.stop()
        self.outbox.close()

    def put(self, *details: str, topic: str = "event") -> None:
        """Events whose `detail` tells them apart."""
        rows = [self.row(detail, topic) for detail in details]
        self.writer.submit(Batch(rows))

    def row(self, detail: str, topic: str = "event") -> Row:
        body = self.stamper.stamp(AgentEvent(agent="storage_failed", detail=detail))
        return Row(topic, body, "event" if topic == "event" else "result")

    def state(self, topic: str, number: float) -> None:
        self.uplink.publish_state(topic, Metric(values={"n": {"n": number}}))

    def connected(self) -> bool:
        return self.uplink.state.connected

    def drained(self) -> bool:
        return self.outbox.view()["waiting"] == 0 and self.outbox.last_seq > 0

    def reasons(self) -> list[str]:
        return [state.reason for state in self.history]


def details(published: list[Any]) -> list[str]:
    """The `detail`, or else the kind, of all rows among published messages."""
    found: list[str] = []
    for message in published:
        body = json.loads(message.payload) if message.payload else {}
        if "seq" in body:
            found.append(str(body.get("detail", body["agent"])))
    return found
