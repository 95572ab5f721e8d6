"""One look along the way: interface, address, route, router, name, broker, TLS. It stops where the way does.

What costs nothing is looked at each time, the router and a local name server too. What leaves the local
network is asked only while the session is not well, at a pace that slows down, or for a self-test.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from drivers.api import Clock, Memory
from drivers.network import certificate, gateway, names, portal, routes, tcp, tls
from drivers.network.findings import Findings, Gateway, Handshake, Names, Page, Reached, Route
from drivers.network.interfaces import interfaces, usable
from drivers.network.pace import Pace
from drivers.network.patience import Patience
from drivers.network.probes import BURST, SLOW_MS, Probes
from drivers.network.session import SessionState, SessionView

LOOK_S = 12.0
NAME_S, TCP_S, TLS_S, PAGE_S = 4.0, 6.0, 6.0, 3.0
REMOTE_NAMES_S = 900.0  #: a name server that is not on the local network is asked so rarely while all is well
BURST_S = 5.0
UNANSWERED = 2
BROKER = "broker"  #: in Memory: where the broker was found last

_PORTAL_LIKE = ("unknown_ca", "wrong_name", "failed")


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where the broker is, by the configuration; `trust` is None without TLS."""

    host: str
    port: int
    trust: tls.Trust | None = None
    check_url: str = ""


@dataclass(frozen=True, slots=True)
class _Beyond:
    """What was found beyond the router, kept till it is asked again."""

    names: Names | None = None
    reached: Reached | None = None
    line: bool | None = None
    handshake: Handshake | None = None
    page: Page | None = None


class Looker:
    """Owned by one thread. `root` holds proc, sys and etc; `synced` asks for the clock."""

    def __init__(
        self,
        place: Place,
        clock: Clock,
        memory: Memory,
        *,
        synced: Callable[[], bool | None],
        root: Path = Path("/"),
    ) -> None:
        self._place = place
        self._clock = clock
        self._memory = memory
        self._synced = synced
        self._root = root
        self._resolver = names.Resolver()
        self._pace = Pace()
        self._burst_pace = Pace()
        self._remote_names_s = float("-inf")
        self._beyond = _Beyond()
        self._probes = Probes()
        self._repeated = 0

    def look(self, view: SessionView, patience: Patience, *, thorough: bool = False) -> Findings:
        """Everything that is known now. `thorough`: all of it is asked, whatever it costs."""
        session = view.state()
        found = self._near(view, session, patience)
        if not (found.link is not False and found.addressed is not False and found.routed is not False):
            self._pace.reset()  # once that is mended, the rest is asked at once
            return found
        if found.gateway is not None and found.gateway.answers is False:
            return found
        doubted = self._doubted(session)
        now_s = self._clock.monotonic_s()
        if thorough or (doubted and self._burst_pace.due(now_s)):
            self._burst_pace.took(now_s)
            self._burst(session, patience)
        stands = session.connected and not self._lost(session) and not thorough
        looked_up = self._names_alive(patience) if stands else None
        if stands and not (looked_up and looked_up.error):
            self._pace.reset()
            self._beyond = _Beyond(names=looked_up, line=True)
        elif thorough or (session.word != "connecting" and self._pace.due(now_s)):
            # A session may not have noticed yet that what silenced the name server holds for it as well.
            self._pace.took(now_s)
            self._beyond = self._ask_beyond(session, looked_up, patience, thorough=thorough)
        beyond = self._beyond
        return dataclasses.replace(
            found,
            names=beyond.names,
            asking=self._resolver.asking(),
            reached=beyond.reached,
            line=beyond.line,
            handshake=beyond.handshake or self._seen_by(session),
            page=beyond.page,
            quality=self._probes.quality(),
        )

    # -- on this machine and the local network -------------------------------------------------------

    def _near(self, view: SessionView, session: SessionState, patience: Patience) -> Findings:
        try:
            there = interfaces(self._root)
        except OSError:
            link = addressed = None
            there = ()
        else:
            link = any(each.has_link for each in there)
            addressed = any(usable(a) for each in there if each.has_link for a in each.addresses)
        route = routes.default_route(self._root)
        known = self._known(session)
        routed = route is not None or (bool(known) and any(map(routes.leads_to, known)))
        found = Findings(
            wall_s=self._clock.wall_s(),
            session=session,
            link=link,
            interfaces=there,
            addressed=addressed,
            route=route,
            routed=routed,
            clock_synced=self._synced(),
            own_files=self._place.trust.own_files() if self._place.trust else (),
        )
        if link and addressed and route and route.gateway:
            return dataclasses.replace(found, gateway=self._gateway(route, view, patience))
        return found

    def _gateway(self, route: Route, view: SessionView, patience: Patience) -> Gateway:
        began_s = self._clock.monotonic_s()
        said = gateway.ask(route.gateway, self._memory, patience)
        took_s = self._clock.monotonic_s() - began_s
        line = view.state().line if said.answers is False else None
        if line is not None and line.heard_s <= took_s:  # it let something of the broker's through meanwhile
            return dataclasses.replace(said, answers=True, by="session")
        return said

    def _known(self, session: SessionState) -> tuple[str, ...]:
        """Where the broker is or was."""
        if session.peer:
            if self._memory.get(BROKER) != session.peer:
                self._memory[BROKER] = session.peer
            return (session.peer,)
        if not names.is_name(self._place.host):
            return (self._place.host,)
        before = self._memory.get(BROKER)
        return (before,) if isinstance(before, str) else ()

    def _names_alive(self, patience: Patience) -> Names | None:
        """While the session is well: does the name server live?"""
        host = self._place.host
        if not names.is_name(host):
            return None
        servers = names.servers(self._root)
        near = [server for server in servers if routes.attached(server, self._root)]
        now_s = self._clock.monotonic_s()
        if not near:
            failed = self._beyond.names is not None and bool(self._beyond.names.error)
            if now_s < self._remote_names_s and not failed:
                return self._beyond.names
            self._remote_names_s = now_s + REMOTE_NAMES_S
        if not self._resolver.asking() and any(names.alive(server, patience) for server in near or servers):
            return Names(host=host, servers=servers)
        return self._look_up(patience, silent=True)

    def _look_up(self, patience: Patience, *, silent: bool = False) -> Names | None:
        """`silent`: its servers were just asked for a sign of life, in vain."""
        host = self._place.host
        if not names.is_name(host):
            return None
        servers = names.servers(self._root)
        answer = self._resolver.ask(host, patience.within(NAME_S))
        if answer is None:
            return self._beyond.names if self._beyond.names and self._beyond.names.error else None
        addresses, error, detail = answer
        if error == "no_answer" and not silent and any(names.alive(each, patience) for each in servers):
            error = "server_failed"
        return Names(host=host, servers=servers, addresses=addresses, error=error, detail=detail)

    # -- beyond the router: metered -----------------------------------------------------------------

    def _ask_beyond(
        self, session: SessionState, looked_up: Names | None, patience: Patience, *, thorough: bool
    ) -> _Beyond:
        looked_up = looked_up or self._look_up(patience)
        addresses = (looked_up.addresses if looked_up else ()) or self._known(session)
        reached = self._reach(addresses, patience)
        handshake = None
        if reached and not reached.error and self._place.trust:
            handshake = tls.greet(
                self._place.trust, reached.address, self._place.port, patience.within(TLS_S)
            )
        failed = reached is None or bool(reached.error)
        suspect = failed or (handshake is not None and handshake.error in _PORTAL_LIKE)
        page = None
        if suspect or thorough:
            page = self._page(addresses, patience)
        if suspect and looked_up and looked_up.addresses:
            lie = self._resolver.ask(names.nonsense(), patience.within(NAME_S))
            if lie and lie[0]:
                looked_up = dataclasses.replace(looked_up, error="lies", detail=f"any name is {lie[0][0]}")
        line = self._line(looked_up, reached, patience)
        return _Beyond(looked_up, reached, line, handshake, page)

    def _reach(self, addresses: tuple[str, ...], patience: Patience) -> Reached | None:
        if not addresses:
            return None
        tries = tcp.connect(addresses[:3], self._place.port, 2, patience.within(TCP_S))
        best = next((each for each in tries if not each.error), tries[0])
        return Reached(address=best.address, port=self._place.port, error=best.error, ms=best.ms)

    def _line(self, looked_up: Names | None, reached: Reached | None, patience: Patience) -> bool | None:
        """Does anything beyond the router answer? A name server that has to ask others tells, too."""
        if reached and reached.error in ("", "refused"):
            return True
        if looked_up is None or reached is None:
            return None
        if looked_up.error in ("server_failed", "no_answer"):
            return False
        if looked_up.error == "lies" or not names.is_name(self._place.host):
            return None
        # Nobody can have this one in store, so its answer comes from afar.
        answer = self._resolver.ask(names.nonsense(self._place.host), patience.within(NAME_S))
        return None if answer is None else answer[1] in ("", "unknown_name")

    def _page(self, addresses: tuple[str, ...], patience: Patience) -> Page | None:
        url = self._place.check_url
        if url:
            host = portal.host_of(url)
            answer = (
                self._resolver.ask(host, patience.within(NAME_S))
                if names.is_name(host)
                else ((host,), "", "")
            )
            addresses = answer[0] if answer else ()
        else:
            url = f"http://{self._place.host}/"
        if not addresses:
            return None
        return portal.ask(
            url,
            addresses[0],
            patience.within(PAGE_S),
            must_be_empty=bool(self._place.check_url),
            wall_s=self._clock.wall_s(),
        )

    # -- how well -----------------------------------------------------------------------------------

    def _lost(self, session: SessionState) -> bool:
        """The session still seems to stand, yet nothing that we send is answered."""
        return session.line is not None and session.line.unanswered >= UNANSWERED

    def _doubted(self, session: SessionState) -> bool:
        line = session.line
        if line is None:
            return self._probes.bad()
        again, self._repeated = line.repeated > self._repeated, line.repeated
        return again or self._lost(session) or line.rtt_ms > SLOW_MS or self._probes.bad()

    def _burst(self, session: SessionState, patience: Patience) -> None:
        addresses = self._known(session)[:1]
        if not addresses:
            return
        tries = tcp.connect(addresses, self._place.port, BURST, patience.within(BURST_S), all_=True)
        if self._probes.take([each.ms for each in tries]):
            self._burst_pace.reset()  # it may be well again; the next one confirms it soon

    def _seen_by(self, session: SessionState) -> Handshake | None:
        if session.certificate is None:
            return None
        try:
            return Handshake(certificate=certificate.read(session.certificate))
        except ValueError:
            return None
