"""A card reader that the system's smart-card service (pcscd) holds: one JSON line each way.

Any call into pcscd may hang while pcscd does, so all of them are made in a child process, `child`.
Nothing is kept at the reader between two questions.

    {"ask": "status"}      {"state": [...], "present", "mute", "in_use", "atr_present": bool,
                            "vendor", "firmware", "serial": str | null}
    {"ask": "power_on"}    {"atr_bytes": int}: the length alone; only in an external self-test
    {"ask": "power_off"}   {}
                           or {"error": text}
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from drivers.api import Deadline, Json
from drivers.errors import Absent, LinkError, LinkLost, LinkUnusable, NoPermission, ServiceDown
from drivers.link.address import PcscAddress
from drivers.link.child import Child, NotYet
from drivers.link.wake import Waiter

HANG_S = 3.0
REST_S = 1.0
LINE_MOST = 4096

CHILD = Child(
    "drivers.link.pcsc.child",
    hang_s=HANG_S,
    rest_s=REST_S,
    hint="the smart-card service hangs: `systemctl restart pcscd`",
)
"""One for all readers, as there is one pcscd."""

NO_PACKAGE = "no_package"

_POLKIT_HINT = (
    "let the service's user in: install the polkit rule that comes with Tillwatch (systemd/), for "
    "org.debian.pcsc-lite.access_pcsc and access_card"
)

_CODES: Mapping[int, tuple[type[LinkError], str | None]] = {
    0x8010001D: (ServiceDown, None),  # SCARD_E_NO_SERVICE
    0x8010001E: (ServiceDown, None),  # SCARD_E_SERVICE_STOPPED
    0x80100009: (Absent, None),  # SCARD_E_UNKNOWN_READER
    0x80100017: (Absent, None),  # SCARD_E_READER_UNAVAILABLE
    0x8010002E: (Absent, None),  # SCARD_E_NO_READERS_AVAILABLE
    0x8010006A: (NoPermission, _POLKIT_HINT),  # SCARD_W_SECURITY_VIOLATION: polkit says no
    0x80100003: (LinkLost, None),  # SCARD_E_INVALID_HANDLE
    0x80100011: (LinkLost, None),  # SCARD_E_INVALID_VALUE: a context from before pcscd was restarted
    0x80100013: (LinkLost, None),  # SCARD_F_COMM_ERROR
}
"""pcsclite.h's codes that are about the way to the reader -> what they are here, and what to do."""


class PcscLink:
    """`read` answers the last `write`."""

    scheme = "pcsc"
    held = True
    proves_power = True

    def __init__(self, address: PcscAddress, child: Child = CHILD) -> None:
        self._reader = address.reader
        self._child = child
        self._waiter = Waiter()
        self._open = False
        self._asked: str | None = None

    def open(self, deadline: Deadline) -> None:
        if not self._open:
            self._said(self._child.ask({"do": "open", "reader": self._reader}, deadline))
            self._open = True

    def close(self) -> None:
        self._open, self._asked = False, None
        self._child.tidy()

    def is_open(self) -> bool:
        return self._open

    def read(self, deadline: Deadline) -> bytes:
        asked, self._asked = self._asked, None
        if self._waiter.woken():
            return b""
        if asked is None or not self._open:
            self._waiter.pause(deadline)
            return b""
        try:
            answer = self._said(self._child.ask({"do": asked, "reader": self._reader}, deadline))
        except NotYet:
            return b""
        return json.dumps(answer).encode() + b"\n"

    def write(self, data: bytes, deadline: Deadline) -> int:  # noqa: ARG002 - it leaves with the read
        if not self._open:
            raise LinkLost(f"pcsc:{self._reader}: not open")
        try:
            self._asked = str(json.loads(data[:LINE_MOST])["ask"])
        except (ValueError, KeyError, TypeError) as error:
            raise LinkUnusable(f'pcsc:{self._reader}: takes lines such as {{"ask": "status"}}') from error
        return len(data)

    def power_line(self) -> bool | None:
        return None

    def busy(self) -> bool:
        return False

    def wake(self) -> None:
        self._waiter.wake()

    def _said(self, answer: dict[str, Json]) -> dict[str, Json]:
        """The answer without what is the child's; raises LinkError where it is about the way."""
        said = {key: value for key, value in answer.items() if key not in ("id", "code")}
        code = answer.get("code")
        if code == NO_PACKAGE:
            raise LinkUnusable(
                f"pcsc:{self._reader}: pyscard is not installed", hint="pip install 'tillwatch[pcsc]'"
            )
        if isinstance(code, int) and code in _CODES:
            kind, hint = _CODES[code]
            raise kind(f"pcsc:{self._reader}: {said.get('error')}", hint=hint)
        return said
