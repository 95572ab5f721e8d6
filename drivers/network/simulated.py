"""The network of a simulated machine: its vitals and the session tell; the real one is not looked at."""

from __future__ import annotations

from drivers.api import Clock
from drivers.errors import TillwatchError
from drivers.host.vitals import Source
from drivers.network.findings import Findings, Handshake, Names, Reached
from drivers.network.patience import Patience
from drivers.network.session import SessionView

_REACHED = {"absent": "refused", "unreachable": "no_way", "timeout": "timeout"}
_TLS = {
    "tls_expired": "expired",
    "tls_not_yet_valid": "not_yet_valid",
    "tls_unknown_ca": "unknown_ca",
    "tls_wrong_name": "wrong_name",
    "tls_failed": "failed",
    "files": "files",
}


class SimulatedLooker:
    """Translates the words of the session's own attempts."""

    def __init__(self, look: Source, clock: Clock) -> None:
        self._look = look
        self._clock = clock

    def look(self, view: SessionView, patience: Patience, *, thorough: bool = False) -> Findings:  # noqa: ARG002 - the contract's
        session = view.state()
        try:
            vitals = self._look()
        except (OSError, TillwatchError):
            return Findings(wall_s=self._clock.wall_s(), session=session)
        word, detail = session.word, session.detail
        reached = Reached(address="", port=0, error=_REACHED[word]) if word in _REACHED else None
        return Findings(
            wall_s=self._clock.wall_s(),
            session=session,
            link=vitals.network_up,
            names=Names(host="", error="no_answer", detail=detail) if word == "dns" else None,
            reached=reached,
            handshake=Handshake(error=_TLS[word], detail=detail) if word in _TLS else None,
            clock_synced=vitals.clock_synced,
        )
