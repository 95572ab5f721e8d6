"""The cash drawer that a printer drives, in an interactive self-test: kicked once, if the technician agrees.

What its switch reads before and after is the proof, where it moves; else the technician's word. Never
kicked for anybody else: a till's drawer does not open unattended.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from drivers.api import Deadline, Json, Option, Setup, Step, Verdict
from drivers.way import Way

AGREES, SEEN = "drawer", "drawer opened"
"""The names of the two steps."""
OPENS_S = 1.0  #: a pulse is at most 0.5 s, and the drawer is out by then
LOOK_S = 0.1
OPTIONS: Mapping[str, Option] = {
    "drawer": ("none", "attached"),
    "drawer_open_level": ("high", "low"),
}
"""Config keys of a printer that may have one."""
LIMIT_S = 5.0


class Drawer:
    """`look` reads the switch now (`high`, `low` or None), `kick` sends the pulse, `rest` lets time pass."""

    def __init__(
        self,
        setup: Setup,
        *,
        look: Callable[[Deadline], str | None],
        kick: Callable[[Deadline], bool],
        rest: Callable[[Deadline], None],
    ) -> None:
        self._clock = setup.clock
        said, level = setup.options.get("drawer"), setup.options.get("drawer_open_level")
        self._there = said == "attached" or (said is None and level is not None)
        self._look, self._kick, self._rest = look, kick, rest
        self._asked = False
        self._found: dict[str, Json] = {}

    def steps(self) -> Iterator[Step]:
        """Two questions; `answered` does what is between them. None where the config knows of no drawer."""
        if not self._there:
            return
        self._asked = True
        yield Step(AGREES, "untested", "", question="The cash drawer opens next; shut it first. Go on?")
        yield Step(SEEN, "untested", "", question="Did the drawer open?")

    def answered(self, way: Way, step: str, verdict: Verdict) -> None:
        """What `drivers.api.HearsTechnician` is told."""
        if self._agreed(step, verdict):
            way.attempt(Deadline.after(self._clock, LIMIT_S), self._open)
            if not way.link.held:
                way.link.close()

    def _agreed(self, step: str, verdict: Verdict) -> bool:
        if step == SEEN and self._found.get("verified_by") == "operator":
            self._found["opened"] = {"passed": True, "failed": False}.get(verdict)
        asked = self._asked
        if step == AGREES:
            self._asked = False
        return step == AGREES and asked and verdict == "passed"

    def _open(self, deadline: Deadline) -> None:
        """Kick it, and see whether its switch moves. Raises LinkErrors."""
        self._found = {"opened": None, "verified_by": "operator"}
        before = self._look(deadline)
        if not self._kick(deadline):
            self._found = {"opened": False, "verified_by": "readback"}
            return
        within = deadline.within(OPENS_S)
        while before is not None and not within.expired():
            self._rest(within.within(LOOK_S))
            now = self._look(within)
            if now is not None and now != before:
                self._found = {"opened": True, "verified_by": "readback"}
                return

    def facts(self) -> dict[str, Json]:
        """`drawer_test`: `opened` is None until somebody said so."""
        return {"drawer_test": dict(self._found)} if self._found else {}
