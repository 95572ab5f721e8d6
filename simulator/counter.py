"""A whole counter below one folder: every device, its control socket, and the daemon's configuration."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from simulator.loop import Loop
from simulator.station import Plan, Station
from simulator.till.till import Till

BROKER = "mqtt://127.0.0.1:1883"
CONFIG_NAME = "tillwatch.toml"

_CONFIG = """\
# Written by `tillwatch-sim counter`: the daemon's configuration for this simulated counter.
config_version = 1

[terminal]
id = "DEMO-0001"
site = "demo"

[mqtt]
url = {broker}

[agent]
state_dir = {state}

[host]
vitals = {vitals}
poll_s = 2

[sale]
# A day in half a minute: customers come quickly here.
quiet_s = 2

[[device]]
id = "receipt"
driver = "escpos"
link = {receipt}
{access}
profile = "epson-tm"
poll_s = 2
"""
_EXCLUSIVE = 'access = "exclusive"'
_SHARED = """\
access = "shared"
till = {till}"""


@dataclass(frozen=True, slots=True, kw_only=True)
class TillPlan:
    """A till program that prints at this counter, through the pass-through."""

    each_s: float = 8.0
    say: Path | None = None  #: the agent's datagram socket, to say busy to


class Counter:
    """Open from `open` to `close`; runs as parts of `loop`."""

    def __init__(self, folder: Path, broker: str, loop: Loop, till: TillPlan | None = None) -> None:
        self._folder = folder.absolute()
        self._till_plan = till
        self._till: Till | None = None
        self._broker = broker
        self._loop = loop
        self._stations: list[Station] = []

    @property
    def config(self) -> Path:
        return self._folder / CONFIG_NAME

    def open(self) -> None:
        """Serve every device, then write the configuration; `DoorError`, `ControlError`, `OSError`."""
        self._folder.mkdir(parents=True, exist_ok=True)
        self.config.unlink(missing_ok=True)
        for name, model, door in (
            ("receipt", "escpos", f"tty:{self._folder / 'receipt'}"),
            ("host", "host", f"file:{self._folder / 'host.json'}"),
        ):
            plan = Plan(model=model, doors=[door], control=control_of(self._folder, name))
            station = Station(plan, self._loop)
            self._stations.append(station)
            station.open()
        if till := self._till_plan:
            self._till = Till(till_port_of(self._folder), self._loop, each_s=till.each_s, say=till.say)
            self._till.open()
        beside = self.config.with_name(f".{CONFIG_NAME}")
        beside.write_text(self._config_text(), encoding="utf-8")
        beside.replace(self.config)

    def close(self) -> None:
        self.config.unlink(missing_ok=True)
        if self._till:
            self._till.close()
        for station in self._stations:
            station.close()

    def _config_text(self) -> str:
        till = json.dumps(f"tty:{till_port_of(self._folder)}")
        # A JSON string is a TOML string too.
        return _CONFIG.format(
            broker=json.dumps(self._broker),
            state=json.dumps(str(self._folder / "state")),
            vitals=json.dumps(f"file:{self._folder / 'host.json'}"),
            access=_SHARED.format(till=till) if self._till_plan else _EXCLUSIVE,
            receipt=json.dumps(f"serial:{self._folder / 'receipt'}"),
        )


def till_port_of(folder: Path) -> Path:
    """Where the till of the counter in `folder` prints, if it has one."""
    return folder / "till"


def control_of(folder: Path, device: str) -> Path:
    """The control socket of one device of the counter in `folder`."""
    return folder / f"{device}.ctl"
