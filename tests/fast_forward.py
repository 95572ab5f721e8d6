"""The whole agent but its threads and sockets, with a printer, on one turned clock; nothing sleeps.

Device model, driver, worker, diagnosis and terminal are the real ones; what would go to the broker
lands in lists, stamped and validated as the uplink and the outbox would do it.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from agent.config import Agent, Config, Mqtt
from agent.config import Terminal as TerminalConfig
from agent.diagnosis.catalogue import CATALOGUE
from agent.diagnosis.faults import Diagnosis
from agent.messages import Body, Metric, Stamper
from agent.outbox.outbox import Batch
from agent.terminal import Terminal, Watched
from agent.watch.worker import Worker
from drivers import registry
from drivers.api import Json
from tests.harness import Bench
from tests.validate import validate

CONFIG = Config(
    source=Path("tillwatch.toml"),
    terminal=TerminalConfig(id="T-0001", site="shop-17"),
    mqtt=Mqtt(host="127.0.0.1", port=1883, tls=False),
    agent=Agent(state_dir=Path("state"), runtime_dir=Path("run"), till_dir=Path("till")),
)


class Broker:
    """Publisher and store in one: every message in order, each held against its schema."""

    def __init__(self, stamper: Stamper) -> None:
        self._stamper = stamper
        self.messages: list[tuple[str, dict[str, Json]]] = []
        self.faults: dict[str, Json] = {}
        self._seq = 0

    def publish_state(self, topic: str, body: Body) -> None:
        self._take(topic, self._stamper.stamp(body, as_of=self._seq))

    def publish_metric(self, body: Metric) -> None:
        self._take("metric", self._stamper.stamp(body, as_of=self._seq))

    def submit(self, batch: Batch, then: Callable[[int], None] | None = None) -> None:
        for row in batch.rows:
            self._seq += 1
            self._take(row.topic, {**row.body, "stream": "s", "seq": self._seq})
        for key, state in batch.faults.items():
            if state is None:
                self.faults.pop(key, None)
            else:
                self.faults[key] = state
        if then is not None:
            then(self._seq)

    def _take(self, topic: str, message: dict[str, Json]) -> None:
        validate(topic, message)
        self.messages.append((topic, message))

    def on(self, topic: str) -> list[dict[str, Any]]:
        return [message for at, message in self.messages if at == topic]

    def changes(self) -> list[str]:
        """`change fault`, in order."""
        return [f"{event['change']} {event['fault']}" for event in self.on("event")]


class Forward:
    """A terminal with one device. `run` lets time pass, `restart` is a kill and a new start."""

    def __init__(self, bench: Bench, config: Config = CONFIG) -> None:
        self.bench = bench
        self.clock = bench.clock
        self._config = config
        started_s = self.clock.monotonic_s()
        stamper = Stamper(
            site=config.terminal.site,
            boot="boot-1",
            clock=self.clock,
            up_s=lambda: self.clock.monotonic_s() - started_s,
            synced=lambda: True,
        )
        self._stamper = stamper
        self.broker = Broker(stamper)
        self.restart()

    def restart(self) -> None:
        self.bench.link.close()
        self.terminal = self._terminal()
        self.worker = self._worker()
        self.terminal.restore(dict(self.broker.faults))
        self.clock.wakes(self.terminal)

    def _worker(self) -> Worker:
        return Worker(
            "receipt",
            self.bench.make,
            clock=self.clock,
            poll_s=self.bench.poll_s,
            reply_s=self.bench.reply_s,
            sink=self.terminal.observe,
        )

    def _terminal(self) -> Terminal:
        return Terminal(
            self._config,
            {
                "receipt": Watched(
                    self.bench.driver_name,
                    registry.spec(self.bench.driver_name).categories,
                    self.bench.poll_s,
                )
            },
            diagnosis=Diagnosis(CATALOGUE, self.clock),
            clock=self.clock,
            stamper=self._stamper,
            publisher=self.broker,
            store=self.broker,
        )

    def tell(self, *settings: str) -> None:
        self.bench.tell(*settings)

    def run(self, seconds: float) -> list[str]:
        """What was told of faults meanwhile, as `change fault`."""
        before = len(self.broker.changes())
        self.run_to(self.clock.monotonic_s() + seconds)
        return self.broker.changes()[before:]

    def run_to(self, at_s: float) -> None:
        """Until this moment; what the worker is in the middle of then, it brings to its end."""
        while self.clock.monotonic_s() < at_s:
            self.worker.step()

    def conditions(self) -> dict[str, bool | None]:
        """What was last published of the printer."""
        report = self.broker.on("device/receipt")[-1]
        return {kind: condition["value"] for kind, condition in report["conditions"].items()}
