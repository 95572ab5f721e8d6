"""A whole counter below one folder: every device, its control socket, and the daemon's configuration."""

from __future__ import annotations

import json
from pathlib import Path

from simulator.loop import Loop
from simulator.station import Plan, Station

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

[[device]]
id = "receipt"
driver = "escpos"
link = {receipt}
access = "exclusive"
profile = "epson-tm"
poll_s = 2
"""


class Counter:
    """Open from `open` to `close`; runs as parts of `loop`."""

    def __init__(self, folder: Path, broker: str, loop: Loop) -> None:
        self._folder = folder.absolute()
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
        beside = self.config.with_name(f".{CONFIG_NAME}")
        beside.write_text(self._config_text(), encoding="utf-8")
        beside.replace(self.config)

    def close(self) -> None:
        self.config.unlink(missing_ok=True)
        for station in self._stations:
            station.close()

    def _config_text(self) -> str:
        # A JSON string is a TOML string too.
        return _CONFIG.format(
            broker=json.dumps(self._broker),
            state=json.dumps(str(self._folder / "state")),
            vitals=json.dumps(f"file:{self._folder / 'host.json'}"),
            receipt=json.dumps(f"serial:{self._folder / 'receipt'}"),
        )


def control_of(folder: Path, device: str) -> Path:
    """The control socket of one device of the counter in `folder`."""
    return folder / f"{device}.ctl"
