"""A printer that tells nothing of itself: it is written to, and that is all.

What is known of it is its way: the port is there and opens, a network printer takes the connection. Over USB
the port status of the printer class is read, where the printer has one.
"""

from __future__ import annotations

from collections.abc import Iterator

from drivers.api import Deadline, DriverSpec, Json, Level, Occasion, Setup, Step, VerifiedBy
from drivers.asked import AskedDriver, Reading
from drivers.learned import Learned
from drivers.printer.slip import QUESTION, text
from drivers.printer.usb_class import (
    REPLY_S,
    DeviceId,
    PortStatus,
    get_port_status,
    identity,
    read_port_status,
)
from drivers.silence import Outcome
from drivers.usb_control import controls

CONDITIONS = ("paper_end", "printer_error", "printer_offline")
PORT_STATUS = "port_status"  #: in what is learned

ASKS = 3  #: in one poll, where the answer is not the protocol
PRINT_S = 8.0  #: a slip is taken in less
FEED = b"\n" * 6  #: from the head to the edge where it is torn off
STALE_READS = 16


class GenericDialogue:
    """One printer; see `drivers.asked.Dialogue`."""

    verified_by: VerifiedBy = "transport"
    by_notice = False

    def __init__(self, setup: Setup) -> None:
        self._setup = setup
        self._link = setup.link
        self._clock = setup.clock
        self._learned = Learned(setup.memory, setup.clock)
        self._device_id = DeviceId(setup.link)
        self.identifies = controls(setup.link)
        self.kinds: tuple[str, ...] = CONDITIONS if self.identifies else ()

    def opened(self) -> None:
        self._device_id.opened()

    def ask(self, deadline: Deadline) -> Reading | Outcome:
        self._pass_over()
        status = self._port_status(deadline)
        if not isinstance(status, PortStatus):
            return status
        if status.selected and not status.error and not status.paper_empty:
            self._device_id.ask(deadline)
        said = self._device_id.text
        return Reading(
            conditions=conditions(status),
            identity=identity(said) if said else {},
            evidence={"port_status": evidence(status)},
        )

    def heard(self, data: bytes) -> bool:  # noqa: ARG002 - it says nothing that we would understand
        return False

    def test(self, level: Level, occasion: Occasion, deadline: Deadline) -> Iterator[Step]:
        if level == "internal":
            return
        if (trouble := self._trouble(deadline)) is not None:
            yield Step("print", "untested", f"not printed: {trouble}")
            return
        data = text(self._setup.device, occasion, "way open") + FEED
        sent = self._link.write(data, deadline.within(PRINT_S))
        if sent < len(data):
            yield Step(
                "print", "failed", f"the printer took {sent} of {len(data)} bytes; is it on and ready?"
            )
            return
        yield Step("print", "passed", f"{len(data)} bytes taken; whether they were printed nobody can know")
        if level == "interactive":
            yield Step("slip", "untested", "for the technician to say", question=QUESTION)

    def _trouble(self, deadline: Deadline) -> str | None:
        status = self._port_status(deadline)
        if not isinstance(status, PortStatus):
            return None
        wrong = [kind for kind, value in conditions(status).items() if value]
        return ", ".join(wrong).replace("_", " ") or None

    def _pass_over(self) -> None:
        """What it says all the same. That the port is gone shows here, too."""
        for _ in range(STALE_READS):
            if not self._link.read(Deadline.after(self._clock, 0)):
                return

    def _port_status(self, deadline: Deadline) -> PortStatus | Outcome:
        """OPEN where it has no port status to tell."""
        if not controls(self._link) or self._learned.refused(PORT_STATUS):
            return Outcome.OPEN
        for _ in range(ASKS):
            answer = self._link.control(get_port_status(), deadline.within(REPLY_S))
            if answer is None:
                self._learned.unanswered(PORT_STATUS)
                return Outcome.MISSED if self._learned.supported(PORT_STATUS) else Outcome.OPEN
            if (status := read_port_status(answer)) is not None:
                self._learned.answered(PORT_STATUS)
                return status
        return Outcome.GARBLED


def conditions(status: PortStatus) -> dict[str, bool | None]:
    """Out of paper, most report an error too and are offline: each bit counts where no other explains it."""
    return {
        "paper_end": status.paper_empty,
        "printer_error": status.error and not status.paper_empty,
        "printer_offline": not (status.selected or status.error or status.paper_empty),
    }


def evidence(status: PortStatus) -> Json:
    return {"paper_empty": status.paper_empty, "selected": status.selected, "error": status.error}


def make(setup: Setup) -> AskedDriver:
    return AskedDriver(setup, GenericDialogue(setup), answers=controls(setup.link))


SPEC = DriverSpec(
    name="generic",
    categories=("POSPrinter",),
    links=("serial", "tcp", "usb"),
    usb_class=0x07,
    make=make,
)
