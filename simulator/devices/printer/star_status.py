"""The status bytes of a Star printer, from how it stands.

Source: Star Line Mode command specifications (HSP7000 rev 0.00): 5-6 ENQ, EOT; 5-7 to 5-11 automatic status.
Drawer: the manual reports whether the compulsion switch is closed; here an open drawer closes it.
"""

from __future__ import annotations

from dataclasses import dataclass

from simulator.devices.device import Knobs

STATUS_BYTES = 9
HEADER = bytes((0x23, 0x06))  #: nine bytes; automatic status version 3
COUNTS = 32  #: the ETB counter goes from 0 to 31


@dataclass(frozen=True, slots=True)
class Standing:
    """What the sensors and the error circuits say at one moment."""

    drawer_switch: bool
    switched_offline: bool
    cover_open: bool
    near_end_inner: bool
    near_end_outer: bool
    paper_end: bool
    cutter_error: bool
    mechanical: bool
    unrecoverable: bool
    head_hot: bool
    presenter_jam: bool

    @classmethod
    def of(cls, knobs: Knobs) -> Standing:
        low = knobs["paper"] != "ok"
        return cls(
            drawer_switch=knobs["drawer"] == "open",
            switched_offline=knobs["switch"] == "offline",
            cover_open=knobs["cover"] == "open",
            near_end_inner=low and knobs["near_end"] == "present",
            near_end_outer=low and knobs["near_end"] == "outer",
            paper_end=knobs["paper"] == "end",
            cutter_error=knobs["cutter"] != "ok",
            mechanical=knobs["error"] == "recoverable",
            unrecoverable=knobs["error"] == "unrecoverable",
            head_hot=knobs["head"] == "hot",
            presenter_jam=knobs["presenter"] == "jam",
        )

    @property
    def error(self) -> bool:
        return self.cutter_error or self.mechanical or self.unrecoverable or self.presenter_jam

    @property
    def offline(self) -> bool:
        return self.switched_offline or self.cover_open or self.paper_end or self.head_hot or self.error

    def enq(self, *, buffer_empty: bool) -> int:
        return _byte(0, (
            (self.drawer_switch, 0x80),
            (buffer_empty, 0x20),
            (self.paper_end, 0x08),
            (self.error or self.cover_open, 0x04),
        ))  # fmt: skip

    def eot(self) -> int:
        return _byte(0x10, (
            (self.presenter_jam, 0x40),
            (self.near_end_outer, 0x20),
            (self.paper_end, 0x08),
            (self.near_end_inner, 0x04),
        ))  # fmt: skip

    def automatic(self, *, etb_executed: bool, etb_counter: int) -> bytes:
        """The nine bytes of automatic status."""
        return HEADER + bytes((
            _byte(0, (
                (self.switched_offline, 0x40),
                (self.cover_open, 0x20),
                (self.offline, 0x08),
                (self.drawer_switch, 0x04),
                (etb_executed, 0x02),
            )),
            _byte(0, (
                (self.head_hot, 0x40),
                (self.unrecoverable, 0x20),
                (self.cutter_error, 0x08),
                (self.mechanical, 0x04),
            )),
            _byte(0, ((self.presenter_jam, 0x04),)),
            _byte(0, ((self.paper_end, 0x08), (self.near_end_inner, 0x04), (self.near_end_outer, 0x02))),
            0,
            (etb_counter & 0x07) << 1 | (etb_counter & 0x18) << 2,
            0,
        ))  # fmt: skip


def _byte(fixed: int, bits: tuple[tuple[bool, int], ...]) -> int:
    return fixed | sum(mask for on, mask in bits if on)
