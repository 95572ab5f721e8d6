"""A reader that pcscd holds, asked through pcscd: one line of JSON each way with the `pcsc:` link.

`{"ask":"status"}` -> `{"state":[...],"present":bool,"mute":bool,"in_use":bool,"vendor":...,"firmware":...,
"serial":...}` or `{"error":...}`. PC/SC tells nothing of the reader's own errors: it has no conditions here.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping

from drivers.api import Deadline, Json, Level, Occasion, Setup, Step, VerifiedBy
from drivers.asked import Reading
from drivers.identity import printable
from drivers.reader.ccid.consts import ATR_BYTES
from drivers.reader.ccid.selftest import NO_CARD
from drivers.silence import Outcome

ANSWER_S = 2.0  #: pcscd asks the reader itself; or `reply_s`, if that is more
POWER_ON_S = 10.0
LINE_MOST = 4096
TEXT_MOST = 64
IDENTITY: Mapping[str, str] = {"vendor": "manufacturer", "firmware": "firmware", "serial": "serial"}

Line = dict[str, Json]


class Lines:
    """Takes bytes in any pieces, gives the JSON objects that are complete; None for a line that is none."""

    def __init__(self) -> None:
        self._rest = b""

    def reset(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[Line | None]:
        *lines, rest = (self._rest + data).split(b"\n")
        self._rest = rest if len(rest) <= LINE_MOST else b""
        return [_read(line) for line in lines if line.strip()]


class PcscDialogue:
    """`drivers.asked.Dialogue`, over a `pcsc:` link."""

    kinds: tuple[str, ...] = ()
    identifies = True
    verified_by: VerifiedBy = "readback"
    by_notice = False

    def __init__(self, setup: Setup) -> None:
        self._link = setup.link
        self._answer_s = max(ANSWER_S, setup.reply_s)
        self._lines = Lines()

    def opened(self) -> None:
        self._lines.reset()

    def ask(self, deadline: Deadline) -> Reading | Outcome | None:
        said = self._ask("status", deadline.within(self._answer_s))
        if isinstance(said, Outcome):
            return said
        if "error" in said:
            return Outcome.MISSED
        return Reading(
            facts={"card": _card(said), "in_use": said.get("in_use") is True},
            identity=_identity(said),
            evidence={"state": said.get("state")},
        )

    def heard(self, data: bytes) -> bool:  # noqa: ARG002 - the contract's
        return False  # an answer that came too late

    def test(self, level: Level, occasion: Occasion, deadline: Deadline) -> Iterator[Step]:  # noqa: ARG002 - nothing is printed
        if level != "internal":
            yield self._card_test(deadline)

    def _card_test(self, deadline: Deadline) -> Step:
        said = self._ask("status", deadline.within(self._answer_s))
        if isinstance(said, Outcome) or said.get("present") is not True:
            return Step("card", "untested", NO_CARD)
        if said.get("in_use") is True:
            return Step("card", "untested", "another program uses the card; it was left alone")
        try:
            powered = self._ask("power_on", deadline.within(POWER_ON_S))
        finally:
            self._ask("power_off", deadline.within(self._answer_s))
        if isinstance(powered, Outcome):
            return Step("card", "failed", "the smart-card service does not say whether the card answers")
        if "error" in powered:
            return Step("card", "failed", f"the card does not answer: {_text(powered.get('error'))}")
        count = powered.get("atr_bytes")
        if isinstance(count, int) and count in ATR_BYTES:
            return Step("card", "passed", f"the card answers with {count} bytes")
        return Step("card", "failed", "the card does not answer; try another card")

    def _ask(self, what: str, deadline: Deadline) -> Line | Outcome:
        self._lines.reset()
        request = json.dumps({"ask": what}, separators=(",", ":")).encode() + b"\n"
        if self._link.write(request, deadline) < len(request):
            return Outcome.MISSED
        while True:
            for said in self._lines.feed(self._link.read(deadline)):
                return Outcome.GARBLED if said is None else said
            if deadline.expired():
                return Outcome.MISSED


def _read(line: bytes) -> Line | None:
    try:
        said = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return said if isinstance(said, dict) else None


def _card(said: Line) -> str | None:
    if said.get("mute") is True:
        return "mute"
    present = said.get("present")
    return ("present" if present else "absent") if isinstance(present, bool) else None


def _identity(said: Line) -> dict[str, str]:
    told = {name: _text(said.get(key)) for key, name in IDENTITY.items()}
    return {name: text for name, text in told.items() if text}


def _text(value: Json) -> str:
    return printable(value, TEXT_MOST) if isinstance(value, str) else ""
