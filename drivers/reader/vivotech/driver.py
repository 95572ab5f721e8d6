"""ID TECH readers that speak ViVOtech2, over serial or HID: a ping at each poll, versions once an hour.

A status word is what the reader says of itself. Nothing it does can be seen or heard below an external
self-test, which sounds its buzzer once. Its LEDs are left alone: they obey in pass-through mode only (NEO 2
guide, p282), and that mode belongs to the till.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Literal

from drivers.api import Deadline, Driver, DriverSpec, Level, Occasion, Setup, Step, VerifiedBy
from drivers.asked import AskedDriver, Reading
from drivers.identity import printable
from drivers.reader.vivotech.consts import CONTROLLER_ID_BYTES, KINDS, NOT_DONE, Ask, Status
from drivers.reader.vivotech.wire import Answer, Frames, Noise, request
from drivers.seldom import Seldom
from drivers.silence import Outcome

TEXT_MOST = 120
TRIES = 4  #: of one question in one poll: a line may spoil some
SPOILED_S = 0.05  #: after noise the answer may still come
BABBLE_BYTES = 64
"""Of noise between two pings: no line that loses a bit now and then has so much."""
STALE_READS = 8  #: bytes that wait before a question answer an earlier one

IDENTITY: Mapping[Ask, str] = {
    Ask.CONTROLLER_ID: "serial",
    Ask.MODULES: "modules",
    Ask.FIRMWARE: "firmware",
}
"""The controller's id stands for a serial number: no command tells the one on the label. An answer names its
command alone, which the first and the last share: so they are not asked for one behind the other."""

Unanswered = Literal[Outcome.MISSED, Outcome.GARBLED]

QUESTION = "Did the card reader beep?"


class VivotechDialogue:
    """`drivers.asked.Dialogue` of such a reader."""

    kinds: tuple[str, ...] = tuple(dict.fromkeys(KINDS.values()))
    identifies = True
    verified_by: VerifiedBy = "readback"
    by_notice = False

    def __init__(self, setup: Setup) -> None:
        self._setup = setup
        self._link = setup.link
        self._frames = Frames()
        self._noise = False
        self._unasked_bytes = 0  # of noise, since the last ping
        self._identity: Seldom[Ask, str] = Seldom(setup, IDENTITY, self._tell)

    def opened(self) -> None:
        self._frames.reset()
        if self._link.held:
            self._identity.doubt()

    def ask(self, deadline: Deadline) -> Reading | Outcome | None:
        self._drain(deadline)
        unasked_bytes, self._unasked_bytes = self._unasked_bytes, 0
        said = self._ask(Ask.PING, deadline)
        if unasked_bytes >= BABBLE_BYTES:
            return Outcome.GARBLED
        if not isinstance(said, Answer):
            return said
        who = self._identity.look(deadline, ask=said.status == Status.OK)
        return Reading(
            conditions=conditions(said.status),
            facts={"last_status": word(said.status)},
            identity={IDENTITY[what]: text for what, text in who.items()},
            evidence={"status": f"{said.status:02X}"},
        )

    def heard(self, data: bytes) -> bool:
        self._pass_over(data)
        return False

    def test(self, level: Level, occasion: Occasion, deadline: Deadline) -> Iterator[Step]:  # noqa: ARG002 - nothing is printed
        yield self._self_check_time(deadline)
        if level != "internal":
            step = self._beep(deadline)
            yield step
            if level == "interactive" and step.verdict == "passed":
                yield Step("buzzer", "untested", "for the technician to say", question=QUESTION)

    def _self_check_time(self, deadline: Deadline) -> Step:
        said = self._ask(Ask.SELF_CHECK_TIME, deadline)
        if not isinstance(said, Answer) or said.status != Status.OK or len(said.data) != 2:
            return Step("self_check", "untested", "the reader does not say when it checks itself")
        at = said.data.hex(":")
        return Step("self_check", "passed", f"the reader checks itself and restarts each day at {at} UTC")

    def _beep(self, deadline: Deadline) -> Step:
        said = self._ask(Ask.BEEP, deadline, tries=1)
        if not isinstance(said, Answer):
            return Step("beep", "failed", "the reader does not answer to it")
        if said.status in NOT_DONE:
            return Step("beep", "untested", "this reader does not beep on demand")
        if said.status != Status.OK:
            return Step("beep", "failed", f"the reader answers {word(said.status)}")
        return Step("beep", "passed", "the reader took the command")

    # -- questions -----------------------------------------------------------------------------------

    def _ask(self, what: Ask, deadline: Deadline, *, tries: int = TRIES) -> Answer | Unanswered:
        """The answer to that command; one to another is a late one, and passed over. Raises LinkErrors."""
        self._drain(deadline)
        self._noise = False
        data, reply_s = request(what), self._setup.reply_s
        for again in reversed(range(tries)):
            until = deadline.within(reply_s / 2 if again else reply_s)
            if self._link.write(data, until) < len(data):
                break
            said = self._hear(what.value[0], until, SPOILED_S if again else reply_s)
            if said is not None:
                return said
            if deadline.expired():
                break
        return Outcome.GARBLED if self._noise else Outcome.MISSED

    def _hear(self, command: int, until: Deadline, spoiled_s: float) -> Answer | None:
        """None where no such answer came, or `spoiled_s` after what may have been it."""
        while True:
            for event in self._frames.feed(self._link.read(until)):
                if isinstance(event, Noise):
                    self._noise, until = True, until.within(spoiled_s)
                elif event.command == command and event.status != Status.CRC_ERROR:
                    return event
                elif event.command == command:  # what it was sent did not reach it whole
                    self._noise, until = True, until.within(spoiled_s)
            if until.expired():
                return None

    def _drain(self, deadline: Deadline) -> None:
        """A link that is held may hold late answers; one opened for this poll has none."""
        for _ in range(STALE_READS if self._link.held else 0):
            stale = self._link.read(deadline.within(0.0))
            if not stale:
                return
            self._pass_over(stale)

    def _pass_over(self, data: bytes) -> None:
        """What nobody asked for: a late answer, a card's data, or noise."""
        self._unasked_bytes += sum(e.count for e in self._frames.feed(data) if isinstance(e, Noise))

    def _tell(self, what: Ask, deadline: Deadline) -> str | None:
        answer = self._ask(what, deadline)
        if not isinstance(answer, Answer) or answer.status not in (Status.OK, *NOT_DONE):
            return None
        return told(what, answer.data) if answer.status == Status.OK else ""


def told(what: Ask, data: bytes) -> str:
    """Such an answer's data as one line of text; empty if it is not of its form."""
    if what is Ask.CONTROLLER_ID:
        return data.hex().upper() if len(data) == CONTROLLER_ID_BYTES else ""
    lines = data.decode("ascii", "replace").replace("\0", "").splitlines()
    return printable("; ".join(line.strip(" ,") for line in lines if line.strip(" ,")), TEXT_MOST)


def conditions(status: int) -> dict[str, bool | None]:
    """What a status word says. Only one fits into it, so beside an error the others are unknown."""
    kinds = dict.fromkeys(KINDS.values())
    if status == Status.OK:
        return dict.fromkeys(kinds, False)
    return {kind: True if KINDS.get(status) == kind else None for kind in kinds}


def word(status: int) -> str:
    """The guide's word for it, or its number."""
    return Status(status).name.lower() if status in _STATUSES else f"{status:02X}"


def make(setup: Setup) -> Driver:
    """Baud rate and parity are the link's; these readers come with 115200 (p115)."""
    return AskedDriver(setup, VivotechDialogue(setup))


_STATUSES = frozenset(Status)

SPEC = DriverSpec(
    name="vivotech",
    categories=("MSR", "SmartCardRW"),
    links=("serial", "hid"),
    make=make,
)
