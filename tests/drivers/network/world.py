"""A shop's network in a few fields, for tests of how it is looked at: what answers, and what was asked."""

from __future__ import annotations

import dataclasses
import socket
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from drivers.api import Deadline, Json, SystemClock
from drivers.network import gateway, looker, names, portal, routes, tcp, tls
from drivers.network.findings import Findings, Gateway, Handshake, Interface, Page, Route
from drivers.network.judge import judge
from drivers.network.looker import Looker, Place
from drivers.network.patience import Patience
from drivers.network.session import SessionState
from drivers.network.tcp import Try
from drivers.network.tls import Trust
from tests.clock import TurnedClock
from tests.drivers.network.found import CONNECTED

BROKER, ROUTER, FAR_SERVER = "203.0.113.2", "192.168.7.1", "9.9.9.9"
HOST = "broker.example"
ROUTES = """\
Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT
eth0\t00000000\t0107A8C0\t0003\t0\t0\t100\t00000000\t0\t0\t0
eth0\t0007A8C0\t00000000\t0001\t0\t0\t100\t00FFFFFF\t0\t0\t0
"""


class World:
    """What is not told here is well. `asked` counts what was sent, by its kind."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, root: Path, host: str = HOST, **place: Any) -> None:
        self.clock = TurnedClock()
        self.session = CONNECTED
        self.servers: tuple[str, ...] = (ROUTER,)
        self.alive: dict[str, float] = {ROUTER: 1.0, FAR_SERVER: 30.0}  #: in ms
        self.names: dict[str, str | int | tuple[str, ...]] = {HOST: BROKER}  #: addresses, or EAI_*
        self.nobody: str | int = socket.EAI_NONAME  #: what any other name is
        self.reached: dict[str, str] = {}  #: error by address; none where it connects
        self.pages: dict[str, Page | None] = {}  #: by address
        self.gateway = True
        self.route: Route | None = Route(interface="eth0", gateway=ROUTER)
        self.handshake = Handshake()
        self.synced = True
        self.asked: Counter[str] = Counter()
        self.memory: dict[str, Json] = {"gateway." + ROUTER: "icmp"}
        (root / "proc/net").mkdir(parents=True)
        self._routes = root / "proc/net/route"
        self.net_route("")
        for module, name in (
            (gateway, "ask"),
            (tcp, "connect"),
            (tls, "greet"),
            (portal, "ask"),
            (routes, "default_route"),
            (looker, "interfaces"),
            (names, "alive"),
            (names, "servers"),
        ):
            monkeypatch.setattr(module, name, getattr(self, f"_{name}_of_{module.__name__.split('.')[-1]}"))
        self._numeric = socket.getaddrinfo
        monkeypatch.setattr(socket, "getaddrinfo", self._resolve)
        self.looker = Looker(
            Place(host=host, port=8883, **({"trust": Trust(host=host)} | place)),
            self.clock,
            self.memory,
            synced=lambda: self.synced,
            root=root,
        )

    def net_route(self, line: str) -> None:
        """Another network that the terminal is attached to."""
        self._routes.write_text(ROUTES + line)

    def look(self) -> Findings:
        patience = Patience(Deadline.after(SystemClock(), 5.0))
        return self.looker.look(self, patience)

    def told(self) -> list[str]:
        """The kinds that one look finds."""
        return [kind for kind, value in judge(self.look(), {}).items() if value]

    def told_later(self, seconds: float = 3.0) -> list[str]:
        self.clock.advance(seconds)
        return self.told()

    def lose_session(self, word: str = "timeout") -> None:
        self.session = SessionState(connected=False, word=word)

    # -- the session, as the looker sees it ---------------------------------------------------------

    def state(self) -> SessionState:
        return self.session

    def hurry(self) -> None: ...

    # -- what stands in for the network -------------------------------------------------------------

    def _ask_of_gateway(self, address: str, memory: dict[str, Json], _patience: Patience) -> Gateway:
        by = str(memory.get("gateway." + address, ""))
        if self.gateway:
            return Gateway(address=address, answers=True, by=by, ms=1.0)
        return Gateway(address=address, answers=False if by else None, by=by)

    def _connect_of_tcp(self, addresses: tuple[str, ...], *_: object, **__: object) -> list[Try]:
        self.asked["tcp"] += 1
        return [Try(each, error=self.reached.get(each, ""), ms=20.0) for each in addresses]

    def _greet_of_tls(self, *_: object) -> Handshake:
        self.asked["tls"] += 1
        return self.handshake

    def _ask_of_portal(self, url: str, address: str, *_: object, **__: object) -> Page | None:
        self.asked["page"] += 1
        page = self.pages.get(address)
        return page and dataclasses.replace(page, url=url)

    def _default_route_of_routes(self, _root: Path) -> Route | None:
        return self.route

    def _interfaces_of_looker(self, _root: Path) -> tuple[Interface, ...]:
        return (Interface(name="eth0", state="up", addresses=("192.168.7.10",)),)

    def _servers_of_names(self, _root: Path) -> tuple[str, ...]:
        return self.servers

    def _alive_of_names(self, server: str, _patience: Patience) -> float | None:
        self.asked[server] += 1
        return self.alive.get(server)

    def _resolve(self, host: str, port: object, **kwargs: Any) -> list[Any]:
        if kwargs.get("flags") or not names.is_name(host):
            return self._numeric(host, port, **kwargs)  # type: ignore[arg-type]  # as it came
        self.asked["lookup"] += 1
        found = self.names.get(host, self.nobody)
        if isinstance(found, int):
            raise socket.gaierror(found, "no such name")
        addresses = found if isinstance(found, tuple) else (found,)
        return [entry for each in addresses for entry in self._numeric(each, 0, type=socket.SOCK_STREAM)]
