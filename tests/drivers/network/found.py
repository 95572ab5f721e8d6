"""Findings for the tests of what is made of them."""

from __future__ import annotations

import dataclasses
from typing import Any

from drivers.network.certificate import Certificate
from drivers.network.findings import Findings, Gateway, Handshake, Interface, Names, Quality, Reached, Route
from drivers.network.session import Line, SessionState

NOW_S = 1_800_000_000.0
DAY_S = 86_400.0
CONNECTED = SessionState(
    connected=True,
    word="connected",
    peer="203.0.113.2",
    line=Line(rtt_ms=20.0, heard_s=1.0, unanswered=0, repeated=0),
)


def certificate(
    begins_s: float = -100 * DAY_S, ends_s: float = 100 * DAY_S, subject: str = "CN=broker"
) -> Certificate:
    """Times count from NOW_S."""
    return Certificate(subject=subject, issuer="CN=ca", begins_s=NOW_S + begins_s, ends_s=NOW_S + ends_s)


def away(word: str, detail: str = "") -> SessionState:
    """A session that is not there."""
    return SessionState(connected=False, word=word, detail=detail)


WELL = Findings(
    wall_s=NOW_S,
    session=CONNECTED,
    link=True,
    interfaces=(Interface(name="eth0", state="up", addresses=("192.168.7.10",)),),
    addressed=True,
    route=Route(interface="eth0", gateway="192.168.7.1"),
    routed=True,
    gateway=Gateway(address="192.168.7.1", answers=True, by="icmp", ms=0.4),
    names=Names(host="broker.example", servers=("192.168.7.1",), addresses=("203.0.113.2",)),
    reached=Reached(address="203.0.113.2", port=8883, ms=20.0),
    line=True,
    handshake=Handshake(certificate=certificate()),
    clock_synced=True,
    quality=Quality(rtt_ms=20.0, lost_pct=0.0, probes=8),
)


def found(**changes: Any) -> Findings:
    """A network that is well, but for this."""
    return dataclasses.replace(WELL, **changes)
