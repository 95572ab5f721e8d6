"""A whole counter below one folder: every device, its control socket, and the daemon's configuration."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from simulator.devices.usb import has_usb
from simulator.doors.door import DoorError
from simulator.loop import Loop
from simulator.station import Plan, Station
from simulator.till.till import Till

BROKER = "mqtt://127.0.0.1:1883"
CONFIG_NAME = "tillwatch.toml"
HOST = "host"

_CONFIG = """\
# Written by `tillwatch-sim counter`: the daemon's configuration for this simulated counter.
config_version = 1

[terminal]
id = "DEMO-0001"
site = "demo"
{shop}
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
"""
_OURS = _CONFIG.partition(":")[0]
_NOBODY_SELLS = """\
# Nobody sells here, so the payment terminal may be asked.
maintenance = "24/7"
"""
_DEVICE = """
[[device]]
id = {id}
driver = {driver}
link = {link}
{access}
"""
_EXCLUSIVE = 'access = "exclusive"'
_SHARED = """\
access = "shared"
till = {till}"""


@dataclass(frozen=True, slots=True)
class Place:
    """One device's place at the counter. `door`: `tty`, `tcp`, or over `usb` as the driver's link says it."""

    id: str
    model: str
    door: str
    keys: str = ""  #: further lines of its configuration
    driver: str = ""  #: where it is not the model's name
    settings: tuple[str, ...] = ()


PLACES = (
    Place("receipt", "escpos", "tty", 'profile = "epson-tm"'),
    Place("kitchen", "star", "tcp", 'profile = "star-line"'),
    Place("voucher", "escpos", "usb", driver="generic", settings=("answers=none",)),
    Place("chip-reader", "ccid", "usb"),
    Place("tap-reader", "vivotech", "tty"),
    Place("swipe-reader", "magtek", "hid"),
    Place("payment", "zvt", "tcp", "status_enquiry_s = 60"),
    Place("display", "ncr597x", "tty", 'text = "Welcome"'),
    Place("display-dmd", "dmd", "tty"),
    Place("display-cd5220", "cd5220", "tty"),
    Place("display-aedex", "aedex", "tty"),
    Place("display-logic", "logic_controls", "tty"),
)
SHARED = "receipt"  #: what the till prints on


@dataclass(frozen=True, slots=True, kw_only=True)
class TillPlan:
    """A till program that prints at this counter, through the pass-through."""

    each_s: float = 8.0
    say: Path | None = None  #: the agent's datagram socket, to say busy to


class Counter:
    """Open from `open` to `close`; runs as parts of `loop`."""

    def __init__(
        self,
        folder: Path,
        broker: str,
        loop: Loop,
        till: TillPlan | None = None,
        places: Iterable[Place] = PLACES,
    ) -> None:
        self._folder = folder.absolute()
        self._till_plan = till
        self._till: Till | None = None
        self._broker = broker
        self._loop = loop
        self._places = tuple(places)
        self._stations: list[Station] = []
        self._owns_config = False

    @property
    def config(self) -> Path:
        return self._folder / CONFIG_NAME

    def open(self) -> None:
        """Serve every device, then write the configuration; `DoorError`, `ControlError`, `OSError`."""
        self._folder.mkdir(parents=True, exist_ok=True)
        self._take_config()
        self._serve(HOST, HOST, f"file:{self._folder / 'host.json'}")
        blocks = []
        for place in self._places:
            station = self._serve(place.id, place.model, self._door(place), place.settings)
            blocks.append(self._block(place, station))
        if till := self._till_plan:
            self._till = Till(till_port_of(self._folder), self._loop, each_s=till.each_s, say=till.say)
            self._till.open()
        beside = self.config.with_name(f".{CONFIG_NAME}")
        beside.write_text(self._head() + "".join(blocks), encoding="utf-8")
        beside.replace(self.config)

    def close(self) -> None:
        if self._owns_config:
            self.config.unlink(missing_ok=True)
        if self._till:
            self._till.close()
        for station in self._stations:
            station.close()

    def _take_config(self) -> None:
        """That of a counter which was here before goes; any other is left alone."""
        if self.config.exists() and not self.config.read_text("utf-8", "replace").startswith(_OURS):
            raise DoorError(f"{self.config}: not written by a simulated counter; choose another DIR")
        self._owns_config = True
        self.config.unlink(missing_ok=True)

    def _serve(self, name: str, model: str, door: str, settings: tuple[str, ...] = ()) -> Station:
        control = control_of(self._folder, name)
        station = Station(Plan(model=model, doors=[door], settings=settings, control=control), self._loop)
        self._stations.append(station)
        station.open()
        return station

    def _door(self, place: Place) -> str:
        if place.door == "tty":
            return f"tty:{self._folder / place.id}"
        return "tcp:127.0.0.1:0" if place.door == "tcp" else f"usb:unix:{self._folder / place.id}.usb"

    def _link(self, place: Place, station: Station) -> str:
        """Where the daemon finds it."""
        if place.door == "tty":
            return f"serial:{self._folder / place.id}"
        device = station.served.device
        if has_usb(device) and place.door != "tcp":
            ids = f"{device.shape.vid:04x}:{device.shape.pid:04x}"
            return f"{place.door}:{ids}?backend=unix:{self._folder / place.id}.usb"
        return station.doors()[0]

    def _block(self, place: Place, station: Station) -> str:
        till = json.dumps(f"tty:{till_port_of(self._folder)}")
        shared = self._till_plan is not None and place.id == SHARED
        block = _DEVICE.format(
            id=json.dumps(place.id),  # a JSON string is a TOML string too
            driver=json.dumps(place.driver or place.model),
            link=json.dumps(self._link(place, station)),
            access=_SHARED.format(till=till) if shared else _EXCLUSIVE,
        )
        return block + (f"{place.keys}\n" if place.keys else "")

    def _head(self) -> str:
        return _CONFIG.format(
            shop="" if self._till_plan else _NOBODY_SELLS,
            broker=json.dumps(self._broker),
            state=json.dumps(str(self._folder / "state")),
            vitals=json.dumps(f"file:{self._folder / 'host.json'}"),
        )


def till_port_of(folder: Path) -> Path:
    """Where the till of the counter in `folder` prints, if it has one."""
    return folder / "till"


def agents_socket(folder: Path) -> Path:
    """Where an agent hears its tills that the same user runs on the counter in `folder`, not as a service."""
    runtime = os.environ.get("XDG_RUNTIME_DIR", "")
    home = Path(runtime, "tillwatch") if runtime.startswith("/") else folder.absolute() / "state"
    return home / "till" / "notify"


def control_of(folder: Path, device: str) -> Path:
    """The control socket of one device of the counter in `folder`."""
    return folder / f"{device}.ctl"
