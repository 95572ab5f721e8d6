"""A payment terminal that speaks ZVT, asked seldom, and only while nobody pays.

The terminal takes one till at a time, and how it is registered decides who prints receipts: so nothing is
opened but for an enquiry, no enquiry is made unless `status_enquiry_s` is set and no sale is in progress,
the connection is closed after each, and no registration is ever sent. Diagnosis and self-test contact the
payment host: they are made on demand alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import ClassVar

from drivers.api import (
    Deadline,
    DriverSpec,
    Json,
    Level,
    Observation,
    Occasion,
    Setup,
    Step,
    VerifiedBy,
    Within,
)
from drivers.asked import AskedDriver, Reading
from drivers.belief import NEEDED
from drivers.errors import ProtocolError
from drivers.link.address import TcpAddress
from drivers.silence import POLLS, Outcome
from drivers.terminal.zvt import conversation, line, meaning
from drivers.terminal.zvt.consts import COMMAND_S, DIAGNOSIS, SELFTEST, STATUS_ENQUIRY
from drivers.terminal.zvt.line import GivenUp, Line
from drivers.terminal.zvt.meaning import KINDS, Answer

LEAST_S = 60.0  #: between two enquiries, whatever is configured
DAY_S = 86_400.0
AGAIN_S = 10.0  #: after one that brought nothing, till it is judged
IN_VAIN = 2
"""So many enquiries in a row that bring nothing are one poll missed: on a line that spoils one byte of a
hundred each tenth brings nothing, since the terminal repeats what was lost later than a poll may last."""
PROGRESS_MOST = 20

_STATUS: dict[int, str] = {
    0x04: "waits for the host",
    0x0E: "please wait",
    0x12: "system malfunction",
    0x17: "please wait",
    0x1A: "service mode",
    0xC9: "automatic diagnosis",
    0xCA: "automatic initialisation",
    0xD2: "dials",
    0xD3: "dial-up connection made",
    0xF1: "offline",
    0xF2: "online",
}
_EXTERNAL = (("diagnosis", DIAGNOSIS), ("selftest", SELFTEST))


class ZvtDialogue:
    """See `drivers.asked.Dialogue`."""

    kinds = KINDS
    identifies = False  # its id belongs to the contract, and stays when the terminal is exchanged
    verified_by: VerifiedBy = "readback"
    by_notice = False

    def __init__(self, setup: Setup) -> None:
        self._setup = setup
        self._line: Line = self._new_line()

    def opened(self) -> None:
        self._line = self._new_line()

    def ask(self, deadline: Deadline) -> Reading | Outcome | None:
        answer = self._command(STATUS_ENQUIRY, deadline)
        if not isinstance(answer, Answer):
            return answer
        codes: list[Json] = [f"{code:02X}" for code in answer.codes]
        return Reading(
            conditions=meaning.conditions(answer),
            facts={"poi_status": meaning.poi_status(answer)},
            identity=answer.identity,
            evidence={"codes": codes, "completed": answer.completed},
        )

    def heard(self, data: bytes) -> bool:  # noqa: ARG002 - nothing is open between two enquiries
        return False

    def test(self, level: Level, occasion: Occasion, deadline: Deadline) -> Iterator[Step]:  # noqa: ARG002 - nothing is printed
        if level == "external":
            yield Step("host", "passed", "what follows makes the terminal contact the payment host")
            for name, command in _EXTERNAL:
                if not self._setup.link.is_open():
                    return
                yield from self._external(name, command, deadline)
        elif level == "interactive":
            yield Step("display", "untested", question="Is the terminal's display readable, and says ready?")

    def _external(self, name: str, command: bytes, deadline: Deadline) -> Iterator[Step]:
        told: list[int] = []
        answer = self._command(command, deadline.within(COMMAND_S), told.append)
        for status in list(dict.fromkeys(told))[:PROGRESS_MOST]:
            yield Step(f"{name} goes on", "passed", _STATUS.get(status, f"intermediate status {status:02X}"))
        if answer is None:
            yield Step(name, "untested", "a sale began; given up")
        elif isinstance(answer, Outcome):
            yield Step(name, "failed", f"it does not come to an end: {answer}")
        elif answer.clean:
            yield Step(name, "passed", "completed")
        elif answer.busy:
            yield Step(name, "untested", "the terminal is busy; try again")
        else:
            yield Step(name, "failed", meaning.shown(answer.codes) or "aborted by the terminal")

    def _command(
        self, command: bytes, deadline: Deadline, on_status: line.OnStatus = lambda _status: None
    ) -> Answer | Outcome | None:
        """A connection is closed where this did not end: what comes late must answer nothing else."""
        answer: Answer | Outcome | None = None
        try:
            answer = conversation.ask(self._line, command, deadline, on_status)
        except GivenUp:
            pass
        except ProtocolError:
            answer = Outcome.GARBLED
        if not isinstance(answer, Answer):
            self._setup.link.close()
        return answer

    def _new_line(self) -> Line:
        return line.make(self._setup.link, self._till_needs_it)

    def _till_needs_it(self) -> bool:
        return self._setup.sale() == "yes"


class ZvtDriver(AskedDriver):
    """`drivers.api.Driver`; it opens the terminal's link for an enquiry, and for nothing else."""

    _WHY_NOT: ClassVar[dict[str, str]] = {
        "unset": "status_enquiry_s is not set, so the terminal is never asked",
        "sale": "the terminal is asked only while no sale is in progress, and that is not known now",
        "paying": "a sale is in progress",
        "held": "the till is connected to the terminal, which takes one connection at a time",
    }

    def __init__(self, setup: Setup, each_s: float | None, held: Callable[[], bool] = lambda: False) -> None:
        """`held` tells whether the till is connected to it."""
        super().__init__(setup, ZvtDialogue(setup))
        self._held = held
        self._each_s = None if each_s is None else max(LEAST_S, each_s)
        self._due_s = float("-inf")
        self._in_vain = 0
        self._lost = 0  # enquiries in a row

    def poll(self, deadline: Deadline) -> Observation:
        if self._clock.monotonic_s() < self._due_s or self._why_not("internal"):
            return self._observe()
        began_s = self._clock.monotonic_s()
        before = self._way.judge.missed
        heard = super().poll(deadline)
        self._due_s = began_s + self._wait_s(missed=self._way.judge.missed > before or not heard.heard)
        return heard

    def listen(self, deadline: Deadline) -> None:
        """Nothing comes unasked: no connection is open."""
        self._setup.link.read(deadline)

    def selftest(self, level: Level, occasion: Occasion, deadline: Deadline) -> Iterator[Step]:
        why = self._why_not(level)
        if why:
            yield Step("answer", "untested", self._WHY_NOT[why])
        else:
            yield from super().selftest(level, occasion, deadline)

    def _conclude(self, outcome: Outcome | None) -> None:
        lost = outcome in (Outcome.MISSED, Outcome.GARBLED)
        self._lost = self._lost + 1 if lost else 0
        super()._conclude(None if self._lost % IN_VAIN else outcome)

    def _let_go(self) -> None:
        self._setup.link.close()

    def _why_not(self, level: Level) -> str:
        """Why it is not asked now; empty if it may be. At `external` a technician has decided."""
        sale = self._setup.sale()
        if sale == "yes":
            return "paying"
        if level != "external" and self._each_s is None:
            return "unset"
        if level != "external" and sale != "no":
            return "sale"
        return "held" if self._held() else ""

    def _wait_s(self, *, missed: bool) -> float:
        """Soon again where it is not settled yet: a silence, or an answer not believed."""
        each_s = self._each_s or LEAST_S
        unsettled = missed or self._belief.doubtful
        self._in_vain = self._in_vain + 1 if unsettled else 0
        return AGAIN_S if 0 < self._in_vain < max(IN_VAIN * POLLS, NEEDED) else each_s


def make(setup: Setup) -> ZvtDriver:
    """Option: `status_enquiry_s`, how often it is asked while no sale is in progress; without it, never."""
    each_s = setup.options.get("status_enquiry_s")
    return ZvtDriver(setup, float(each_s) if isinstance(each_s, int | float) else None, _held(setup))


def _held(setup: Setup) -> Callable[[], bool]:
    address = getattr(setup.link, "address", None)
    if not isinstance(address, TcpAddress):
        return lambda: False
    from drivers.passive.tcp_socket.till import TillConnection  # noqa: PLC0415 - a terminal over TCP alone needs it

    return TillConnection(address, setup.clock).there


SPEC = DriverSpec(
    name="zvt",
    selftest_s=2 * COMMAND_S + 30.0,  # a diagnosis and a self-test, each till it is completed
    categories=("CAT", "PINPad"),
    links=("tcp", "serial"),
    options={"status_enquiry_s": Within(LEAST_S, DAY_S)},
    look={"tcp": ("tcp-socket", "ping")},
    make=make,
)
