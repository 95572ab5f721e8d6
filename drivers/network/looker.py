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
from drivers.network import gateway, names, portal, routes, tcp, tls
from drivers.network.broker_certificate import TLS_S, BrokerCertificate, seen_by
from drivers.network.findings import Findings, Gateway, Handshake, Names, Page, Reached, Route
from drivers.network.interfaces import interfaces, usable
from drivers.network.name_watch import NameWatch
from drivers.network.pace import Pace
from drivers.network.patience import Patience
from drivers.network.probes import BURST, SLOW_MS, Probes
from drivers.network.session import SessionState, SessionView

LOOK_S = 12.0
TCP_S, PAGE_S = 4.5, 3.0  #: a first packet is repeated after 1 s and 3 s
THROUGH_S = 2.5
BURST_S = 5.0
UNANSWERED = 2
BROKER = "broker"  #: in Memory: where the broker was found last

_TELLING = {"": 0, "refused": 1, "no_way": 3}  #: of several addresses, the outcome that tells most
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
        self._names = NameWatch(place.host, clock, root)
        self._certificate = BrokerCertificate(place.trust, place.port, clock)
        self._own_files = tls.OwnFiles(place.trust) if place.trust else None
        self._pace = Pace()
        self._burst_pace = Pace()
        self._word = ""
        self._beyond = _Beyond()
        self._probes = Probes()
        self._repeated = 0

    def look(self, view: SessionView, patience: Patience, *, thorough: bool = False) -> Findings:
        """Everything that is known now. `thorough`: all of it is asked, whatever it costs."""
        session = view.state()
        found = self._near(view, session, patience)
        if False in (found.link, found.addressed, found.routed, found.gateway and found.gateway.answers):
            self._pace.reset()  # once that is mended, the rest is asked at once
            self._beyond = _Beyond()
            return found
        # What it says now may be behind what was in the way when it was asked last.
        news, self._word = session.word != self._word, session.word
        doubted = self._doubted(session)
        now_s = self._clock.monotonic_s()
        if thorough or (doubted and self._burst_pace.due(now_s)):
            self._burst_pace.took(now_s)
            self._burst(session, patience)
        stands = session.connected and not self._lost(session) and not thorough
        looked_up = self._names.alive(self._beyond.names, found.gateway, patience) if stands else None
        if stands and not (looked_up and looked_up.error):
            self._pace.reset()
            shown = self._certificate.now(session, patience)
            self._beyond = _Beyond(names=looked_up, line=True, handshake=shown)
        elif thorough or (session.word != "connecting" and (news or self._pace.due(now_s))):
            # A session may not have noticed yet that what silenced the name server holds for it as well.
            self._pace.took(now_s)
            self._beyond = self._ask_beyond(session, looked_up, patience, thorough=thorough)
        beyond = self._beyond
        return dataclasses.replace(
            found,
            names=beyond.names,
            asking=self._names.asking(),
            reached=beyond.reached,
            line=beyond.line,
            handshake=beyond.handshake or seen_by(session),
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
        if link and addressed and not route and not known:
            looked_up = self._names.look_up(
                None, patience
            )  # by a server of the local network; there is no other
            known = looked_up.addresses if looked_up else ()
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
            own_files=self._own_files.read() if self._own_files else (),
        )
        if link and addressed and route and route.gateway:
            return dataclasses.replace(found, gateway=self._gateway(route, known[:1], view, patience))
        return found

    def _gateway(
        self, route: Route, known: tuple[str, ...], view: SessionView, patience: Patience
    ) -> Gateway:
        """One that is silent is gone only if nothing comes through it: it may be another one, or shy now."""
        began_s = self._clock.monotonic_s()
        said = gateway.ask(route.gateway, self._memory, patience)
        if said.answers is not False:
            return said
        if any(routes.attached(each, self._root) for each in known):  # it is not on the way to the broker
            return dataclasses.replace(said, answers=None)
        took_s = self._clock.monotonic_s() - began_s
        line = view.state().line
        if line is not None and line.heard_s <= took_s:  # it let something of the broker's through meanwhile
            return dataclasses.replace(said, answers=True, by="session")
        tries = tcp.connect(known, self._place.port, 2, patience.within(THROUGH_S))
        if any(each.error in ("", "refused") for each in tries):
            gateway.forget(route.gateway, self._memory)
            return dataclasses.replace(said, answers=True, by="broker")
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

    # -- beyond the router: metered -----------------------------------------------------------------

    def _ask_beyond(
        self, session: SessionState, looked_up: Names | None, patience: Patience, *, thorough: bool
    ) -> _Beyond:
        looked_up = looked_up or self._names.look_up(self._beyond.names, patience)
        addresses = (looked_up.addresses if looked_up else ()) or self._known(session)
        reached = self._reach(addresses, patience)
        handshake = None
        if reached and not reached.error and self._place.trust:
            handshake = tls.greet(
                self._place.trust, reached.address, self._place.port, patience.within(TLS_S)
            )
        failed = reached is None or bool(reached.error)
        suspect = failed or (handshake is not None and handshake.error in self._suspicious())
        page = None
        if suspect or thorough:
            page = self._page(addresses, patience)
        if suspect and looked_up and looked_up.addresses:
            # A provider that leads names that nobody has to its own page does not lie about the broker's.
            lie = self._names.ask(names.nonsense(), patience)
            if lie and set(lie[0]) & set(looked_up.addresses):
                looked_up = dataclasses.replace(looked_up, error="lies", detail=f"any name is {lie[0][0]}")
                page = page and dataclasses.replace(page, portal=True, ahead_s=None)
        if suspect and page and not page.portal and not self._place.check_url:
            page = self._somebody_between(addresses[0], patience) or page
        line = self._line(looked_up, reached, page, patience)
        return _Beyond(looked_up, reached, line, handshake, page)

    def _reach(self, addresses: tuple[str, ...], patience: Patience) -> Reached | None:
        if not addresses:
            return None
        tries = tcp.connect(_some(addresses), self._place.port, 2, patience.within(TCP_S))
        best = min(tries, key=lambda each: _TELLING.get(each.error, 2))
        return Reached(address=best.address, port=self._place.port, error=best.error, ms=best.ms)

    def _line(
        self, looked_up: Names | None, reached: Reached | None, page: Page | None, patience: Patience
    ) -> bool | None:
        """Does anything beyond the router answer? A name server that has to ask others tells, too."""
        if reached and (reached.error in ("", "refused") or (page and not page.portal)):
            return True
        if reached is None or routes.attached(reached.address, self._root):
            return None  # to a broker in the shop no line leads
        if not names.is_name(self._place.host):
            return False if self._place.check_url and page is None else None
        if looked_up is None or looked_up.error == "lies":
            return None
        if looked_up.error in ("server_failed", "no_answer"):
            return False
        # Nobody can have this one in store, so its answer comes from afar.
        answer = self._names.ask(names.nonsense(self._place.host), patience)
        return None if answer is None else answer[1] in ("", "unknown_name")

    def _page(self, addresses: tuple[str, ...], patience: Patience) -> Page | None:
        url = self._place.check_url
        if url:
            host = portal.host_of(url)
            answer = self._names.ask(host, patience) if names.is_name(host) else ((host,), "", "")
            addresses = answer[0] if answer else ()
        else:
            url = f"http://{self._place.host}/"
        if not addresses:
            return None
        return portal.ask(
            url,
            addresses[0],
            patience.within(PAGE_S),
            expected="empty" if url == self._place.check_url else "any",
            wall_s=self._clock.wall_s(),
        )

    def _somebody_between(self, address: str, patience: Patience) -> Page | None:
        """Who answers in the broker's place may be the broker, or a portal that answers for everybody."""
        # Some networks use for themselves what is documentation's.
        free = (each for each in portal.nowhere(address) if not routes.attached(each, self._root))
        nobody = next(free, None)
        if nobody is None:
            return None
        url = f"http://[{nobody}]/" if ":" in nobody else f"http://{nobody}/"
        wall_s = self._clock.wall_s()
        page = portal.ask(url, nobody, patience.within(PAGE_S), expected="nobody", wall_s=wall_s)
        return page if page and page.portal else None

    def _suspicious(self) -> tuple[str, ...]:
        """A page's date may tell of a clock that nobody sets."""
        return _PORTAL_LIKE if self._synced() else (*_PORTAL_LIKE, "expired", "not_yet_valid")

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


def _some(addresses: tuple[str, ...]) -> tuple[str, ...]:
    """Two of each kind: where one kind is broken, the other may lead there."""
    six = [each for each in addresses if ":" in each]
    four = [each for each in addresses if ":" not in each]
    return (*six[:2], *four[:2])
