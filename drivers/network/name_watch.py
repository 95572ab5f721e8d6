"""Does the name server live, and what does it say? Asked as often as it may cost."""

from __future__ import annotations

import socket
from pathlib import Path

from drivers.api import Clock
from drivers.link.resolve import Lookup
from drivers.network import names, routes
from drivers.network.findings import Gateway, Names
from drivers.network.pace import Pace
from drivers.network.patience import Patience

NAME_S = 4.0
FAR_S = 900.0  #: a name server that is not on the local network is asked so rarely while all is well
FORWARDED_MS = 20.0  #: later than the router by this: a local name server had to ask one that is not
FORWARDED = 5  #: so often in a row
MOST_KNOWN = 8


class NameWatch:
    """Of one host, by the servers that `root` names. Owned by one thread."""

    def __init__(self, host: str, clock: Clock, root: Path = Path("/")) -> None:
        self._host = host
        self._clock = clock
        self._root = root
        self._lookup = Lookup()
        self._pace = Pace()
        self._again_s = float("-inf")
        self._forwarded: dict[str, int] = {}  #: by name server: so many answers in a row were not its own

    def asking(self) -> bool:
        """Whether an answer is still to come."""
        return self._lookup.asking()

    def alive(self, before: Names | None, near_by: Gateway | None, patience: Patience) -> Names | None:
        """While the session is well: does a name server live? `before` is what was told last.

        One of the local network tells at each look and for nothing. All else is asked rarely, since it costs.
        """
        host = self._host
        if not names.is_name(host):
            return None
        servers = names.servers(self._root)
        near, far = self._by_distance(servers)
        asking = self._lookup.asking()
        if not asking and any(self._lives(server, near_by, patience) for server in near):
            self._again_s = float("-inf")  # its silence will be looked into at once
            return Names(host=host, servers=servers)
        now_s = self._clock.monotonic_s()
        failed = before is not None and bool(before.error)
        if not asking and not (self._pace.due(now_s) if failed else now_s >= self._again_s):
            return before
        self._pace.took(now_s)
        if not asking and any(self._lives(server, near_by, patience) for server in far):
            looked_up: Names | None = Names(host=host, servers=servers)
        else:
            looked_up = self.look_up(before, patience, silent=True)
        if looked_up and not looked_up.error:
            self._pace.reset()
            self._again_s = now_s + FAR_S
        return looked_up

    def _by_distance(self, servers: tuple[str, ...]) -> tuple[list[str], list[str]]:
        near = [
            server
            for server in servers
            if routes.attached(server, self._root) and self._forwarded.get(server, 0) < FORWARDED
        ]
        return near, [server for server in servers if server not in near]

    def _lives(self, server: str, near_by: Gateway | None, patience: Patience) -> bool:
        """Some routers hand on even what they need not; each question to those is one over the line."""
        ms = names.alive(server, patience)
        if ms is None:
            return False
        router_ms = (near_by and near_by.ms) or 0.0
        count = self._forwarded.get(server, 0) + 1 if ms - router_ms > FORWARDED_MS else 0
        self._forwarded = (
            {**self._forwarded, server: count} if len(self._forwarded) < MOST_KNOWN else {server: count}
        )
        return True

    def look_up(self, before: Names | None, patience: Patience, *, silent: bool = False) -> Names | None:
        """The broker's name. `silent`: its servers were just asked for a sign of life, in vain."""
        host = self._host
        if not names.is_name(host):
            return None
        servers = names.servers(self._root)
        answer = self.ask(host, patience)
        if answer is None:
            return before if before and before.error else None
        addresses, error, detail = answer
        lives = not silent and error == "no_answer" and _any_lives(servers, patience)
        error = "server_failed" if lives else error
        return Names(host=host, servers=servers, addresses=addresses, error=error, detail=detail)

    def ask(self, host: str, patience: Patience) -> names.Answer | None:
        """Any name; None while there is no answer."""
        within = patience.within(NAME_S)
        said = self._lookup.ask(host, 0, socket.SOCK_STREAM, within.deadline, within.over)
        return None if said is None else names.answer_of(said)


def _any_lives(servers: tuple[str, ...], patience: Patience) -> bool:
    return any(names.alive(server, patience) is not None for server in servers)
