"""The status bytes of an ESC/POS printer, from how it stands.

Source: Epson TM-T88III programming guide, DLE EOT (p307-308), GS a (p318), GS r (p320); the fixed bits of
each byte as printed there. Drawer: the manual reports only the level of connector pin 3; here an open
drawer reads HIGH, a closed one LOW.
"""

from __future__ import annotations

from dataclasses import dataclass

from simulator.devices.device import Knobs


@dataclass(frozen=True, slots=True)
class Standing:
    """What the sensors and the error circuits say at one moment."""

    pin3_high: bool
    cover_open: bool
    near_end: bool
    paper_end: bool
    cutter_error: bool
    recoverable: bool
    unrecoverable: bool
    auto_recoverable: bool

    @classmethod
    def of(cls, knobs: Knobs) -> Standing:
        return cls(
            pin3_high=knobs["drawer"] == "open",
            cover_open=knobs["cover"] == "open",
            near_end=knobs["paper"] != "ok" and knobs["near_end"] == "present",
            paper_end=knobs["paper"] == "end",
            cutter_error=knobs["cutter"] != "ok",
            recoverable=knobs["error"] == "recoverable",
            unrecoverable=knobs["error"] == "unrecoverable",
            auto_recoverable=knobs["head"] == "hot",
        )

    @property
    def error(self) -> bool:
        return self.cutter_error or self.recoverable or self.unrecoverable or self.auto_recoverable

    @property
    def offline(self) -> bool:
        return self.cover_open or self.paper_end or self.error

    def real_time(self, n: int) -> int | None:
        """The answer to DLE EOT n; None where the printer has none."""
        bits = {
            1: ((self.pin3_high, 0x04), (self.offline, 0x08)),
            2: ((self.cover_open, 0x04), (self.paper_end, 0x20), (self.error, 0x40)),
            3: (
                (self.recoverable, 0x04),
                (self.cutter_error, 0x08),
                (self.unrecoverable, 0x20),
                (self.auto_recoverable, 0x40),
            ),
            4: ((self.near_end, 0x0C), (self.paper_end, 0x60)),
        }
        return _byte(0x12, bits[n]) if n in bits else None

    def automatic(self) -> bytes:
        """The four bytes of automatic status back."""
        return bytes((
            _byte(0x10, ((self.pin3_high, 0x04), (self.offline, 0x08), (self.cover_open, 0x20))),
            _byte(0, (
                (self.recoverable, 0x04),
                (self.cutter_error, 0x08),
                (self.unrecoverable, 0x20),
                (self.auto_recoverable, 0x40),
            )),
            _byte(0, ((self.near_end, 0x03), (self.paper_end, 0x0C))),
            0,
        ))  # fmt: skip

    def watched(self, mask: int) -> tuple[bool, ...]:
        """What automatic status looks at for a change under GS a `mask`."""
        items = {
            0x01: (self.pin3_high,),
            0x02: (self.offline, self.cover_open),
            0x04: (self.recoverable, self.cutter_error, self.unrecoverable, self.auto_recoverable),
            0x08: (self.near_end, self.paper_end),
        }
        return tuple(value for bit, values in items.items() if mask & bit for value in values)

    def queued(self, n: int) -> int | None:
        """The answer to GS r n, 1/49 paper and 2/50 drawer."""
        if n in (1, 49):
            return _byte(0, ((self.near_end, 0x03), (self.paper_end, 0x0C)))
        if n in (2, 50):
            return _byte(0, ((self.pin3_high, 0x01),))
        return None


def _byte(fixed: int, bits: tuple[tuple[bool, int], ...]) -> int:
    return fixed | sum(mask for on, mask in bits if on)
