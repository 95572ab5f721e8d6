"""What one look found, from the wire in the wall to the broker. None: not looked at, or unknown."""

from __future__ import annotations

from dataclasses import dataclass, field

from drivers.network.certificate import Certificate
from drivers.network.session import UNTRIED, SessionState


@dataclass(frozen=True, slots=True, kw_only=True)
class Interface:
    """One way out of the machine."""

    name: str
    state: str  #: `up`, `no_carrier` or `switched_off`
    addresses: tuple[str, ...] = ()
    stacked: bool = False  #: a bridge, bond or VLAN: it has addresses, the hardware below it has the link

    @property
    def has_link(self) -> bool:
        return self.state == "up"


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """The default route. `gateway` is empty where the line has only one other end (a modem, a tunnel)."""

    interface: str
    gateway: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gateway:
    """Whether the router answers; `by` is what it answered to: icmp, udp, tcp.

    Or what it let through without answering itself: session, broker.
    """

    address: str
    answers: bool | None
    by: str = ""
    ms: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """The broker's name, looked up. `error`: `unknown_name`, `no_answer`, `server_failed`, `lies`."""

    host: str
    servers: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()
    error: str = ""
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reached:
    """A TCP connection to the broker. `error` is empty where it came about."""

    address: str
    port: int
    error: str = ""  #: `refused`, `timeout`, or what the system said
    ms: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Handshake:
    """TLS with the broker. `error` is a word like those of `agent.uplink.reasons`, without its tls_."""

    error: str = ""
    detail: str = ""
    certificate: Certificate | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """What plain HTTP answered, and whether that is somebody who stands in between."""

    url: str
    portal: bool
    seen: str
    ahead_s: float | None = None  #: our clock against its Date header


@dataclass(frozen=True, slots=True, kw_only=True)
class Quality:
    """Probes of the way to the broker. `lost_pct` is unknown before there are enough of them."""

    rtt_ms: float | None = None
    lost_pct: float | None = None
    probes: int = 0
    lost: int = 0  #: of these, or so late that it comes to the same


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnFile:
    """A certificate of [mqtt] ca_file or cert_file."""

    key: str
    certificate: Certificate


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """One look. Fields stand in the order of the way."""

    wall_s: float
    session: SessionState = UNTRIED
    link: bool | None = None
    interfaces: tuple[Interface, ...] = ()
    addressed: bool | None = None
    route: Route | None = None
    routed: bool | None = None  #: there is a way to where the broker is
    gateway: Gateway | None = None
    names: Names | None = None
    asking: bool = False  #: a name is still being looked up
    reached: Reached | None = None
    line: bool | None = None  #: something beyond the router answers
    handshake: Handshake | None = None
    page: Page | None = None
    clock_synced: bool | None = None
    own_files: tuple[OwnFile, ...] = field(default=())
    quality: Quality = field(default_factory=Quality)
