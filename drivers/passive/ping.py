"""Whether a host answers an echo request: it says that the machine runs, and nothing of its programs."""

from __future__ import annotations

import socket
from collections import deque

from drivers.api import Deadline, Memory
from drivers.errors import Unreachable
from drivers.link.resolve import Resolver
from drivers.network.gateway import echo
from drivers.network.patience import Patience
from drivers.passive.source import LOOK_S, NETWORK_EACH_S, Findings, Whose
from drivers.passive.tcp_socket.meaning import Host
from drivers.passive.watched import ANSWERED, LOOKS

LOOKS_KEPT = 64


class PingSource:
    """One that never answered may just be shy."""

    name = "ping"
    whose: Whose = "device"
    kinds: tuple[str, ...] = ()
    each_s = NETWORK_EACH_S
    down: str | None = None

    def __init__(self, host: str, memory: Memory) -> None:
        self._host = host
        self._memory = memory
        self._resolver = Resolver(host, 0, socket.SOCK_DGRAM)
        self._looks: deque[tuple[float, bool]] = deque(maxlen=LOOKS_KEPT)

    def look(self, deadline: Deadline) -> Findings:
        deadline = deadline.within(LOOK_S)
        began_s = deadline.clock.monotonic_s()
        ms = None
        for place in self._resolver.places(deadline):
            ms = echo(str(place[4][0]), Patience(deadline))
            if ms is not None or deadline.expired():
                break
        self._looks.append((began_s, ms is not None))
        if ms is None:
            raise Unreachable(f"{self._host}: no answer to an echo request")
        return Findings(evidence={"echo_ms": ms}, says=f"{self._host} answers an echo request in {ms:g} ms")

    def since(self, at_s: float) -> Host:
        """What the looks since then brought."""
        looks = [(began_s, ok) for began_s, ok in self._looks if began_s >= at_s]
        first_s = next((began_s for began_s, ok in looks if ok), None)
        latest = [ok for _, ok in looks[-LOOKS:]]
        gone = bool(latest) and not any(latest) and (first_s is None or len(latest) == LOOKS)
        shy = self._memory.get(ANSWERED + self.name) is not True
        return Host(answered_s=first_s, in_vain=gone or shy)

    def close(self) -> None:
        """Nothing is held open."""
