"""What the configuration says, checked: one frozen dataclass per table of the TOML file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from drivers.api import Json

Access = Literal["passive", "shared", "exclusive"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Terminal:
    id: str
    site: str = ""
    hours: str = ""
    holidays: tuple[str, ...] = ()
    timezone: str = ""  #: an IANA name; the system's where empty
    maintenance: str = ""  #: written like hours; no sale is in progress then


@dataclass(frozen=True, slots=True, kw_only=True)
class Mqtt:
    host: str
    port: int
    tls: bool
    ca_file: Path | None = None
    cert_file: Path | None = None
    key_file: Path | None = None
    username: str | None = None
    password_file: Path | None = None
    base: str = "tillwatch/v1"
    keepalive_s: int = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Agent:
    state_dir: Path
    runtime_dir: Path
    till_dir: Path  #: where the pass-through and the daemon meet
    clock: Literal["auto", "trusted"] = "auto"
    health_refresh_s: float = 900
    metric_s: float = 900


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    id: str
    driver: str
    link: str
    access: Access = "passive"
    till: str = ""  #: with shared access: where the till connects, tty:PATH or tcp:HOST:PORT
    look: tuple[str, ...] = field(default=(), repr=False)
    """With passive access: where to look; empty: wherever the link allows. It may hold a community."""
    profile: str = "plain"
    poll_s: float = 2.0
    reply_s: float = 0.5
    options: Mapping[str, Json] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    vitals: str = "psutil"  #: or `file:PATH`, a JSON object of vitals: the simulator's
    poll_s: float = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Sale:
    quiet_s: float = 120
    display: str = ""  #: an X display whose idle counter tells of input; none where empty


@dataclass(frozen=True, slots=True, kw_only=True)
class Till:
    """Where the till program speaks to the agent, beside the local socket."""

    http: str = ""  #: HOST:PORT on loopback; no HTTP where empty
    origins: tuple[str, ...] = ()  #: web pages that may speak there, such as https://till.example


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    poll_s: float = 15.0
    check_url: str = ""  #: answers 204 where no portal stands in between; the broker's own host where empty


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    source: Path
    terminal: Terminal
    mqtt: Mqtt
    agent: Agent
    host: Host = field(default_factory=Host)
    sale: Sale = field(default_factory=Sale)
    till: Till = field(default_factory=Till)
    network: Network = field(default_factory=Network)
    devices: tuple[Device, ...] = ()
