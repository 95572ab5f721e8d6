"""In the child process: what is asked of pcscd. See `drivers.link.child` and `drivers.link.pcsc.link`.

No card is powered by a status: SCardGetStatusChange tells what pcscd knows already, and SCardConnect in
SCARD_SHARE_DIRECT with protocol 0 leaves the card as it is (winscard.c of pcsc-lite powers one up only in the
other modes). An ATR's bytes never leave this file.
"""

from __future__ import annotations

import contextlib
import importlib.machinery
import importlib.util
import os.path
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:  # this process lives as long as the agent: what it does not load, it does not cost
    from typing import Any

    from drivers.api import Json

IDLE_S: float | None = None
NO_PACKAGE = "no_package"

_OK = 0
_SCOPE_SYSTEM = 2
_SHARED, _DIRECT = 2, 3
_T0_OR_T1 = 3
_LEAVE, _UNPOWER = 0, 2
_SHARING_VIOLATION = 0x8010000B
_UNKNOWN_READER = 0x80100009
_STALE = frozenset({0x80100003, 0x80100011, 0x80100013, 0x8010001D, 0x8010001E})
"""A context is worth nothing any more once pcscd was restarted; a new one is tried once."""

_STATES = (
    (0x0004, "unknown"),
    (0x0008, "unavailable"),
    (0x0010, "empty"),
    (0x0020, "present"),
    (0x0080, "exclusive"),
    (0x0100, "in_use"),
    (0x0200, "mute"),
    (0x0400, "unpowered"),
)
"""SCARD_STATE_* of pcsclite.h."""

_ATTRIBUTES = {"vendor": 0x00010100, "firmware": 0x00010102, "serial": 0x00010103}
"""SCARD_ATTR_VENDOR_NAME, _IFD_VERSION and _IFD_SERIAL_NO of reader.h."""


class Refused(Exception):
    """pcscd said no, with a code of pcsclite.h."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code & 0xFFFFFFFF


class Service:
    """pcscd, through one context that is renewed when it has gone stale."""

    def __init__(self, scard: Any) -> None:
        self._scard = scard
        self._context: Any = None
        self._known: dict[str, tuple[str, dict[str, Json]]] = {}
        self._cards: dict[str, Any] = {}

    def answer(self, what: str, reader: str) -> dict[str, Json]:
        """Raises Refused."""
        if what == "open":
            self._forget(reader)
        try:
            return self._answer(what, reader)
        except Refused as refused:
            if refused.code not in _STALE:
                raise
        self._renew()
        return self._answer(what, reader)

    def _answer(self, what: str, reader: str) -> dict[str, Json]:
        if self._context is None:
            (self._context,) = self._done(self._scard.SCardEstablishContext(_SCOPE_SYSTEM))
        if reader not in self._known:
            name = self._name(reader)
            self._known[reader] = name, self._attributes(name)
        name, attributes = self._known[reader]
        match what:
            case "open" | "status":
                return self._status(name) | attributes
            case "power_on":
                return self._power_on(name)
            case "power_off":
                self._power_off(name)
                return {}
        return {"error": f"there is no {what!r}"}

    def _name(self, wanted: str) -> str:
        """The reader's whole name; the beginning of it is enough."""
        (names,) = self._done(self._scard.SCardListReaders(self._context, []))
        found = [name for name in names if name == wanted] or sorted(n for n in names if n.startswith(wanted))
        if not found:
            raise Refused(_UNKNOWN_READER, "pcscd knows no such reader")
        return str(found[0])

    def _status(self, name: str) -> dict[str, Json]:
        (states,) = self._done(self._scard.SCardGetStatusChange(self._context, 0, [(name, 0)]))
        _, state, atr = states[0]
        seen = [word for bit, word in _STATES if state & bit]
        if "unknown" in seen:
            raise Refused(_UNKNOWN_READER, "pcscd knows the reader no more")
        return {
            "state": list(seen),
            "present": "present" in seen,
            "mute": "mute" in seen,
            "in_use": "in_use" in seen or "exclusive" in seen,
            "atr_present": bool(atr),
        }

    def _attributes(self, name: str) -> dict[str, Json]:
        """Of the reader itself, once; null where it does not say, or somebody has it for himself."""
        told: dict[str, Json] = dict.fromkeys(_ATTRIBUTES)
        try:
            card, _ = self._done(self._scard.SCardConnect(self._context, name, _DIRECT, 0))
        except Refused as refused:
            if refused.code in _STALE:
                raise
            return told
        try:
            for key, attribute in _ATTRIBUTES.items():
                with contextlib.suppress(Refused):
                    (value,) = self._done(self._scard.SCardGetAttrib(card, attribute))
                    told[key] = _version(value) if key == "firmware" else _text(value)
        finally:
            self._scard.SCardDisconnect(card, _LEAVE)
        return told

    def _power_on(self, name: str) -> dict[str, Json]:
        self._power_off(name)
        card, _ = self._done(self._scard.SCardConnect(self._context, name, _SHARED, _T0_OR_T1))
        self._cards[name] = card
        _, _, _, atr = self._done(self._scard.SCardStatus(card))
        return {"atr_bytes": len(atr)}

    def _power_off(self, name: str) -> None:
        card = self._cards.pop(name, None)
        if card is not None:
            self._scard.SCardDisconnect(card, _UNPOWER)

    def _forget(self, reader: str) -> None:
        name, _ = self._known.pop(reader, (None, None))
        if name is not None:
            self._power_off(name)

    def _renew(self) -> None:
        context, self._context = self._context, None
        self._known.clear()
        self._cards.clear()
        if context is not None:
            self._scard.SCardReleaseContext(context)

    def _done(self, result: Any) -> list[Any]:
        code, *values = result if isinstance(result, (list, tuple)) else (result,)
        if code != _OK:
            raise Refused(code, str(self._scard.SCardGetErrorMessage(code)).rstrip("."))
        return values


def answer(request: dict[str, Json]) -> dict[str, Json]:
    """`{"do", "reader"}` -> as the link has it; a `code` beside `error` where pcscd refuses."""
    service = _service()
    if service is None:
        return {"error": "pyscard is not installed", "code": NO_PACKAGE}
    try:
        return service.answer(str(request["do"]), str(request["reader"]))
    except Refused as refused:
        return {"error": str(refused), "code": refused.code}


_made: list[Service] = []


def _service() -> Service | None:
    if not _made:
        scard = _load()
        if scard is None:
            return None
        _made.append(Service(scard))
    return _made[0]


def _load() -> Any:
    """pyscard's lowest layer alone: the package above it takes three times the memory."""
    package = importlib.util.find_spec("smartcard")
    for folder in (package.submodule_search_locations if package else None) or ():
        for ending in importlib.machinery.EXTENSION_SUFFIXES:
            path = os.path.join(folder, "scard", f"_scard{ending}")  # noqa: PTH118 - pathlib costs memory
            if os.path.exists(path):  # noqa: PTH110 - same
                loader = importlib.machinery.ExtensionFileLoader("_scard", path)
                spec = importlib.util.spec_from_loader("_scard", loader)
                if spec is not None:
                    module = importlib.util.module_from_spec(spec)
                    loader.exec_module(module)
                    return module
    return None


def _text(value: list[int]) -> str | None:
    return bytes(value).rstrip(b"\0 ").decode("utf-8", "replace") or None


def _version(value: list[int]) -> str | None:
    """0xMMmmbbbb, in the machine's byte order: bcdDevice above, as libccid gives it, a build number below."""
    if len(value) != 4:
        return None
    number = int.from_bytes(bytes(value), sys.byteorder)
    build = number & 0xFFFF
    return f"{number >> 24:x}.{number >> 16 & 0xFF:02x}" + (f".{build}" if build else "")
