"""Every type that Tillwatch publishes, defined once (MQTT contract, version 1).

A body is one of these dataclasses. `Stamper.stamp` puts the envelope around it; for an `event`
or a `result` the outbox then adds `stream` and `seq` in the transaction that stores the row.
JSON Schema and AsyncAPI in docs/ are generated from these types (`tests/tools/docs.py`).
Times are RFC 3339 in UTC with milliseconds.
"""

from __future__ import annotations

import dataclasses
import json
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

from drivers.api import Clock, Json, Power, Sale, VerifiedBy

SCHEMA: Literal["tillwatch/1"] = "tillwatch/1"

ClockState = Literal["synced", "unsynced"]
Severity = Literal["critical", "major", "minor", "warning", "indeterminate"]
HealthLevel = Literal["ok", "soon", "now", "unknown"]
StatusReason = Literal["started", "stopping", "shutdown", "lost", "duplicate_identity"]
FaultChange = Literal[
    "raised", "cleared", "severity", "acknowledged", "shelved", "unshelved", "chattering", "removed"
]
SelftestResult = Literal["passed", "failed", "untested"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """Around every body: which message this is, and where and when it was made.

    `boot` is the kernel's boot id, `up_ms` the time since then; `at` is right if `clock` is synced.
    """

    schema: Literal["tillwatch/1"] = SCHEMA
    id: str
    site: str
    boot: str
    up_ms: int
    at: str
    clock: ClockState


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """`status`: retained, and the will. A dead terminal's `online` is overtaken by its will."""

    state: Literal["online", "offline"]
    reason: StatusReason
    session: str
    connected_at: str
    challenge: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenFault:
    """One open fault, as `health` lists it."""

    fault: str
    occurrence: str
    kind: str
    severity: Severity
    raised_at: str
    acknowledged: bool
    shelved: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """`health`: the terminal at a glance, retained. Overdue after `expires_s`.

    `open`: whether the shop is, by its hours; null where none are configured or the clock is not right.
    """

    level: HealthLevel
    devices: dict[str, HealthLevel]
    unknown: list[str]
    faults: list[OpenFault]
    sale: Sale
    open: bool | None
    policy: str
    labels: dict[str, str]
    expires_s: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedCondition:
    """`value` null is unknown; `at` is when it was last known."""

    value: bool | None
    at: str | None
    verified_by: VerifiedBy


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceReport:
    """`device/<id>`: one device, retained."""

    device: str
    driver: str
    categories: list[str]
    identity: dict[str, str]
    power: Power
    conditions: dict[str, PublishedCondition]
    facts: dict[str, Any]
    statistics: dict[str, float]
    last_seen_at: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Acknowledgement:
    by: str
    at: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Shelving:
    by: str
    until: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultEvent:
    """`event` of type `fault`: one change of one occurrence of a fault."""

    type: Literal["fault"] = "fault"
    change: FaultChange
    occurrence: str
    fault: str
    device: str
    kind: str
    severity: Severity
    active: bool
    acknowledged: Acknowledgement | None = None
    shelved: Shelving | None = None
    suppressed_by: str | None = None
    raised_at: str
    cleared_at: str | None = None
    evidence: dict[str, Any] = field(default_factory=dict)
    advice: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SelftestStep:
    name: str
    verdict: SelftestResult
    detail: str
    question: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SelftestEvent:
    """`event` of type `selftest`: a device was tested, by whom, with what result."""

    type: Literal["selftest"] = "selftest"
    device: str
    level: Literal["internal", "external", "interactive"]
    result: SelftestResult
    steps: list[SelftestStep]
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Dropped:
    """`event` of type `agent`: names the numbers that a full outbox had to let go."""

    type: Literal["agent"] = "agent"
    agent: Literal["dropped"] = "dropped"
    from_seq: int
    to_seq: int
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentEvent:
    """`event` of type `agent`: something happened to the agent itself, in one stable word."""

    type: Literal["agent"] = "agent"
    agent: Literal[
        "dead_letter", "outbox_moved_aside", "storage_failed", "storage_recovered", "pass_through_restarted"
    ]
    detail: str
    count: int = 1
    seq_of: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """`metric`: numbers sampled since the last one, per device; dropped when offline."""

    values: dict[str, dict[str, float]]


Body = Status | Health | DeviceReport | FaultEvent | SelftestEvent | Dropped | AgentEvent | Metric

TOPIC_BODIES: dict[str, tuple[type, ...]] = {
    "status": (Status,),
    "health": (Health,),
    "device": (DeviceReport,),
    "event": (FaultEvent, SelftestEvent, Dropped, AgentEvent),
    "metric": (Metric,),
}
"""First level below the terminal's topic -> what may be published there."""


def rfc3339(wall_s: float) -> str:
    """UTC with milliseconds: 2026-11-22T08:15:30.123Z."""
    moment = datetime.fromtimestamp(wall_s, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z"


def new_id() -> str:
    """An identifier nobody else makes: 96 random bits."""
    return secrets.token_hex(12)


def plain(body: Any) -> Any:
    """A body as dicts and lists, ready for JSON; field order is kept."""
    if dataclasses.is_dataclass(body):
        return {f.name: plain(getattr(body, f.name)) for f in dataclasses.fields(body)}
    if isinstance(body, dict):
        return {key: plain(value) for key, value in body.items()}
    if isinstance(body, list | tuple):
        return [plain(value) for value in body]
    return body


def encode(message: dict[str, Json]) -> str:
    """The JSON text that goes out: compact, order kept; a lone surrogate, no character, is `?`.

    Raises TypeError or ValueError for what JSON does not have, such as bytes or NaN.
    """
    text = json.dumps(message, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return text if text.isascii() else text.encode(errors="replace").decode()


@dataclass(frozen=True, slots=True, kw_only=True)
class Stamper:
    """Puts the envelope around a body. `up_s` and `synced` tell uptime and whether the clock is."""

    site: str
    boot: str
    clock: Clock
    up_s: Callable[[], float]
    synced: Callable[[], bool]

    def stamp(self, body: Body, *, as_of: int | None = None) -> dict[str, Json]:
        """Envelope and body in one flat object; `as_of` for all that is no event or result."""
        envelope = Envelope(
            id=new_id(),
            site=self.site,
            boot=self.boot,
            up_ms=int(self.up_s() * 1000),
            at=rfc3339(self.clock.wall_s()),
            clock="synced" if self.synced() else "unsynced",
        )
        message: dict[str, Json] = plain(envelope)
        if as_of is not None:
            message["as_of"] = as_of
        message.update(plain(body))
        return message
