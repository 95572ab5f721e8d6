"""Asks a network printer, or a CUPS queue of this machine, for its attributes; prints nothing."""

from __future__ import annotations

import socket
from urllib.parse import quote

from drivers.api import Deadline, Memory
from drivers.errors import Absent, LinkError, LinkUnusable, Refused, Unreachable
from drivers.link.once import Host, Local, ask_stream
from drivers.passive.ipp import http, meaning, wire
from drivers.passive.ipp.consts import NOT_FOUND, OK_MOST, PORT, WANTED
from drivers.passive.source import LOOK_S, NETWORK_EACH_S, Closed, Findings, NoSuchPrinter, Whose

PATHS = ("/ipp/print", "/ipp/printer", "/ipp", "/")
"""Where printers have their service; the first is IPP Everywhere's."""
PATH_KEY = "ipp_path"
TOLD_KEY = "cups_told"
CUPS_SOCKET = "/run/cups/cups.sock"

_HTTP_OK = 200
_HTTP_NOT_THERE = (400, 404, 405, 501)
_HTTP_CLOSED = (401, 403, 426)


class IppSource:
    """A network printer's own service. `path` None: the usual ones, what answered is remembered."""

    name = "ipp"
    whose: Whose = "device"
    kinds: tuple[str, ...] = meaning.OF_THE_DEVICE
    each_s = NETWORK_EACH_S
    down: str | None = None

    def __init__(self, host: str, path: str | None, memory: Memory, *, port: int = PORT) -> None:
        self._place = Host(host, port, socket.SOCK_STREAM)
        bare = f"[{host}]" if ":" in host else host
        self._host = f"{bare}:{port}"
        self._path = path
        self._memory = memory

    def look(self, deadline: Deadline) -> Findings:
        within = deadline.within(LOOK_S)
        known = self._path or self._memory.get(PATH_KEY)
        missing: LinkError | None = None
        for path in (known,) if isinstance(known, str) else PATHS:
            try:
                answer = exchange(self._place, self._host, path, f"ipp://{self._host}{path}", within)
            except Absent as error:
                missing = error
                self._memory.pop(PATH_KEY, None)
                continue
            if self._path is None:
                self._memory[PATH_KEY] = path
            return meaning.of_device(answer)
        raise missing or LinkUnusable(f"{self._host}: no path to ask")

    def close(self) -> None:
        """Nothing is kept open."""


class CupsSource:
    """A queue of this machine."""

    whose: Whose = "system"
    kinds: tuple[str, ...] = meaning.OF_THE_QUEUE
    each_s = NETWORK_EACH_S
    down: str | None = "print_service_down"

    def __init__(self, queue: str, memory: Memory, *, path: str = CUPS_SOCKET, port: int = PORT) -> None:
        self.name = f"cups:{queue}"
        self._memory = memory
        self._path = f"/printers/{quote(queue, safe='')}"
        self._places = (Local(path), Host("localhost", port, socket.SOCK_STREAM))

    def look(self, deadline: Deadline) -> Findings:
        within = deadline.within(LOOK_S)
        for place in self._places:
            try:
                answer = exchange(place, "localhost", self._path, f"ipp://localhost{self._path}", within)
            except NoSuchPrinter as error:
                missing = {"print_service_down": False, "queue_missing": True}
                return Findings(conditions=missing, evidence={"error": str(error)}, says=str(error))
            except (Absent, Refused):
                continue
            return self._findings(answer)
        raise NoPrintService(
            f"no print service at {self._places[0].name} or {self._places[1].name}",
            hint="start it: `systemctl start cups`; or take it out of `look`",
        )

    def close(self) -> None:
        """Nothing is kept open."""

    def _findings(self, answer: wire.Answer) -> Findings:
        known = self._memory.get(TOLD_KEY)
        told = set(map(str, known)) if isinstance(known, list) else set()
        found = meaning.of_queue(answer, told)
        news = {kind for kind in meaning.REASONS if found.conditions[kind]}
        if not news <= told:
            self._memory[TOLD_KEY] = [*sorted(told | news)]
        return found


class NoPrintService(Unreachable):
    """Nothing listens where CUPS does."""


def exchange(place: Host | Local, host: str, path: str, uri: str, deadline: Deadline) -> wire.Answer:
    """One Get-Printer-Attributes. Raises NoSuchPrinter where only the path is wrong."""
    answer = http.Answer()
    ask_stream(place, http.post(host, path, wire.ask(uri, WANTED)), answer.feed, deadline)
    answer.ended()
    if answer.status in _HTTP_NOT_THERE:
        raise NoSuchPrinter(f"{place.name}{path}: there is no printer here (HTTP {answer.status})")
    if answer.status in _HTTP_CLOSED:
        raise Closed(
            f"{place.name}{path}: it wants a login or TLS (HTTP {answer.status})",
            hint="allow Get-Printer-Attributes without one, or take ipp out of `look`",
        )
    if answer.status != _HTTP_OK:
        raise Closed(f"{place.name}{path}: HTTP status {answer.status}", hint="look at its web page")
    said = wire.read(answer.body)
    if said.status == NOT_FOUND:
        raise NoSuchPrinter(f"{place.name}{path}: there is no such printer")
    if said.status > OK_MOST:
        raise Closed(f"{place.name}{path}: IPP status {said.status:#06x}", hint="look at its web page")
    return said
