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
    clock: Literal["auto", "trusted"] = "auto"
    health_refresh_s: float = 900
    metric_s: float = 900


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    id: str
    driver: str
    link: str
    access: Access = "passive"
    profile: str = "plain"
    poll_s: float = 2.0
    reply_s: float = 0.5
    options: Mapping[str, Json] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    vitals: str = "psutil"  #: or `file:PATH`, a JSON object of vitals: the simulator's
    poll_s: float = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    source: Path
    terminal: Terminal
    mqtt: Mqtt
    agent: Agent
    host: Host = field(default_factory=Host)
    devices: tuple[Device, ...] = ()
