"""Asks a network printer over SNMP: v2c first, v1 if nothing comes; what answered is remembered."""

from __future__ import annotations

import secrets
import socket
from pathlib import Path

from drivers.api import Deadline, Memory
from drivers.errors import LinkUnusable, ProtocolError, Unreachable
from drivers.link.once import Host, ask_datagram
from drivers.passive.snmp import mib, wire
from drivers.passive.snmp.consts import NO_SUCH_NAME, PORT, PRINTER_STATUS, Oid, Pdu, Version
from drivers.passive.source import LOOK_S, NETWORK_EACH_S, Findings, Whose

AGAIN_S = 0.4  #: till the same is asked once more, or in the other version
VERSION_KEY = "snmp_version"
COMMUNITY_MOST = 255


class SnmpSource:
    """One printer. `community` is a word, or the path of a file that holds it; it is never shown."""

    name = "snmp"
    whose: Whose = "device"
    kinds: tuple[str, ...] = tuple(mib.CONDITIONS)
    each_s = NETWORK_EACH_S
    down: str | None = None

    def __init__(self, host: str, community: str, memory: Memory, *, port: int = PORT) -> None:
        self._host = Host(host, port, socket.SOCK_DGRAM)
        self._community = community
        self._memory = memory
        self._row = 1
        self._absent: set[Oid] = set()  # what an SNMPv1 agent does not have

    def look(self, deadline: Deadline) -> Findings:
        within = deadline.within(LOOK_S)
        try:
            return self._look(within)
        except Unreachable:
            # Whatever answers next may be another device.
            self._memory.pop(VERSION_KEY, None)
            self._absent.clear()
            self._row = 1
            raise

    def close(self) -> None:
        """Nothing is kept open."""

    def _look(self, within: Deadline) -> Findings:
        values = self._get(mib.objects(self._row), within)
        if not mib.is_printer(self._row, values) and (row := self._find_row(within)) is not None:
            self._row = row
            values = self._get(mib.objects(row), within)
        return mib.findings(self._row, values)

    def _find_row(self, deadline: Deadline) -> int | None:
        """The first printer in the host's table of devices; None if it has no printer."""
        found = self._ask(Pdu.GET_NEXT, (PRINTER_STATUS,), deadline).values
        name = found[0][0] if found else ()
        return name[-1] if name[:-1] == PRINTER_STATUS and name[-1] != self._row else None

    def _get(self, wanted: tuple[Oid, ...], deadline: Deadline) -> dict[Oid, wire.Value]:
        asked = [oid for oid in wanted if oid not in self._absent]
        while asked:
            answer = self._ask(Pdu.GET, asked, deadline)
            if not answer.error:
                return dict(answer.values)
            # SNMPv1 answers nothing of a question with one object that is not there, and names that one.
            if answer.error != NO_SUCH_NAME or not 1 <= answer.index <= len(asked):
                raise ProtocolError(f"{self._host.name}: SNMP error {answer.error}")
            self._absent.add(asked.pop(answer.index - 1))
        self._absent.clear()  # it had none at all; another device may have them
        return {}

    def _ask(self, pdu: Pdu, oids: tuple[Oid, ...] | list[Oid], deadline: Deadline) -> wire.Response:
        community = self._read_community()
        number = secrets.randbits(31)
        known = self._memory.get(VERSION_KEY)
        first = Version.V1 if known == Version.V1 else Version.V2C
        second = first if known is not None else Version.V1
        answers: list[tuple[Version, wire.Response]] = []

        def is_answer(data: bytes) -> bool:
            try:
                answer = wire.read(data)
            except ProtocolError:
                return False
            for version in (first, second):
                if answer.request == number ^ version:
                    answers.append((version, answer))
                    return True
            return False

        ask_datagram(
            self._host,
            [
                (after_s, wire.ask(version, community, pdu, number ^ version, oids))
                for after_s, version in ((0.0, first), (AGAIN_S, second))
            ],
            is_answer,
            deadline,
        )
        version, answer = answers[0]
        self._memory[VERSION_KEY] = int(version)
        return answer

    def _read_community(self) -> bytes:
        if not self._community.startswith("/"):
            return self._community.encode()
        try:
            with Path(self._community).open("rb") as file:
                return file.read(COMMUNITY_MOST).splitlines()[0].strip()
        except (OSError, IndexError) as error:
            why = error.strerror if isinstance(error, OSError) else "it is empty"
            raise LinkUnusable(
                f"the community's file {self._community} cannot be read: {why}",
                hint="let the service's user read it, or correct `look`",
            ) from error
