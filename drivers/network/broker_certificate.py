"""The broker's certificate while a session stands: the session knows it, until it is about to end."""

from __future__ import annotations

from drivers.api import Clock
from drivers.network import certificate, tls
from drivers.network.findings import Handshake
from drivers.network.patience import Patience
from drivers.network.session import SessionState

TLS_S = 6.0
AGAIN_S = 86_400.0


class BrokerCertificate:
    """A broker may read a new one without ending its sessions, so one that ends soon is asked for daily."""

    def __init__(self, trust: tls.Trust | None, port: int, clock: Clock) -> None:
        self._trust = trust
        self._port = port
        self._clock = clock
        self._of: bytes | None = None
        self._asked_s = 0.0
        self._known: Handshake | None = None

    def now(self, session: SessionState, patience: Patience) -> Handshake | None:
        """As the session saw it, or as the broker shows it now."""
        seen = seen_by(session)
        if seen is None or seen.certificate is None or self._trust is None or session.peer is None:
            return seen
        if not seen.certificate.ends_soon(self._clock.wall_s()):
            return seen
        now_s = self._clock.monotonic_s()
        if self._of != session.certificate:
            self._of, self._asked_s, self._known = session.certificate, now_s, seen
        if now_s >= self._asked_s + AGAIN_S:
            self._asked_s = now_s
            shown = tls.greet(self._trust, session.peer, self._port, patience.within(TLS_S))
            self._known = shown or self._known
        return self._known


def seen_by(session: SessionState) -> Handshake | None:
    """The certificate that the session began with."""
    if session.certificate is None:
        return None
    try:
        return Handshake(certificate=certificate.read(session.certificate))
    except ValueError:
        return None
