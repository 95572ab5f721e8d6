"""The Star receipt printer, in Star Line Mode.

Each poll asks ESC ACK SOH, the heartbeat, which brings the whole status in one frame. Automatic status,
where the profile allows it, brings the same frame sooner: what it pushes is confirmed by the heartbeat.
"""

from __future__ import annotations

from collections.abc import Iterator

from drivers.api import Deadline, DriverSpec, Level, Occasion, Setup, Step, Verdict, VerifiedBy
from drivers.asked import AskedDriver, Reading
from drivers.learned import Learned
from drivers.printer.drawer import OPTIONS, Drawer
from drivers.printer.star import status
from drivers.printer.star.chores import Chores
from drivers.printer.star.profiles import PROFILES
from drivers.printer.star.selftest import Selftest
from drivers.printer.star.talk import Talk
from drivers.printer.star.wire import Asb, drive_drawer
from drivers.printer.usb_class import DeviceId, identity
from drivers.silence import Outcome
from drivers.usb_control import controls


class StarDialogue:
    """One printer; see `drivers.asked.Dialogue`."""

    verified_by: VerifiedBy = "readback"
    by_notice = False

    def __init__(self, setup: Setup) -> None:
        self._setup = setup
        self._profile = PROFILES[setup.profile]
        held = setup.link.held
        self._talk = Talk(setup)
        self._chores = Chores(
            Learned(setup.memory, setup.clock),
            setup.clock,
            self._talk,
            self._profile if held else PROFILES["plain"],
        )
        self._device_id = DeviceId(setup.link)
        self.drawer = Drawer(
            setup,
            look=self._switch,
            kick=lambda within: self._talk.send(drive_drawer(), within),
            rest=self._talk.rest,
        )
        level = setup.options.get("drawer_open_level")
        self._drawer_open_level = level if isinstance(level, str) else None
        self.identifies = controls(setup.link)
        self.kinds = (*(("stalled",) if self._chores.probe.wanted else ()), *status.CONDITIONS)

    def opened(self) -> None:
        self._talk.opened()
        self._chores.opened()
        self._device_id.opened()

    def ask(self, deadline: Deadline) -> Reading | Outcome:
        said = self._talk.ask(deadline)
        if isinstance(said, Asb):
            now = status.read(said.frame)
            if now.idle:
                self._device_id.ask(deadline)
            self._chores.do(said, idle=now.idle, deadline=deadline)
            return self._reading(said, now)
        self._chores.lost()
        return said

    def _switch(self, deadline: Deadline) -> str | None:
        said = self._talk.ask(deadline)
        return status.drawer_level(status.read(said.frame)) if isinstance(said, Asb) else None

    def _reading(self, said: Asb, now: status.Status) -> Reading:
        stalled = {"stalled": self._chores.probe.stalled} if self._chores.probe.wanted else {}
        rated = self._profile.rated
        text = self._device_id.text
        return Reading(
            conditions=stalled | status.conditions(now),
            facts={
                **status.facts(now, self._drawer_open_level),
                **(rated.facts() if rated else {}),
                **self.drawer.facts(),
            },
            identity=identity(text) if text else {},
            evidence={"asb": said.frame.hex(" ")},
        )

    def heard(self, data: bytes) -> bool:
        return self._talk.heard(data)

    def test(self, level: Level, occasion: Occasion, deadline: Deadline) -> Iterator[Step]:
        return Selftest(self._setup, self._talk, self.drawer).run(level, occasion, deadline)


class StarDriver(AskedDriver):
    """`drivers.api.Driver` and `drivers.api.HearsTechnician`."""

    def __init__(self, setup: Setup, dialogue: StarDialogue) -> None:
        super().__init__(setup, dialogue)
        self._drawer = dialogue.drawer

    def answered(self, step: str, verdict: Verdict) -> None:
        self._drawer.answered(self._way, step, verdict)


def make(setup: Setup) -> StarDriver:
    return StarDriver(setup, StarDialogue(setup))


SPEC = DriverSpec(
    name="star",
    categories=("POSPrinter", "CashDrawer"),
    links=("serial", "tcp", "usb"),
    usb_class=0x07,
    profiles=tuple(PROFILES),
    options=OPTIONS,
    make=make,
)
