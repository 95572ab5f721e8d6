"""One served device: its model, its faults and the record of what was changed; pure and event-driven.

Whoever drives it (a door, on a real or a turned clock) calls `due` at each `next_s` and after each input;
`now_s` never goes back. What is not asked for in time is not lost, only late.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

from simulator.devices.device import BadSetting, Device
from simulator.devices.usb import Control, has_usb
from simulator.faults import Faults, Spec, parse

LOG_KEPT = 1000


@dataclass(frozen=True, slots=True)
class Change:
    """One change of the device's world: a knob, `plugged`, or a fault that has `begun` or `ended`."""

    at_s: float
    what: str
    value: str


class Served:
    """`on_change` gets each `Change`; `on_traffic` what passed between host (`>`) and device (`<`)."""

    def __init__(
        self,
        device: Device,
        *,
        seed: int = 0,
        on_change: Callable[[Change], None] | None = None,
        on_traffic: Callable[[str, bytes, float], None] | None = None,
    ) -> None:
        self.device = device
        self.log: deque[Change] = deque(maxlen=LOG_KEPT)
        self._on_change = on_change
        self._on_traffic = on_traffic
        self._faults = Faults(seed, lambda fault, value, at_s: self._note(at_s, f"fault {fault}", value))
        self._plugged = True
        self._stalled = False

    def host_bytes(self, data: bytes, now_s: float) -> None:
        """Bytes that arrived from the host; lost where the cable is out."""
        self._follow(now_s)
        if not self._plugged:
            return
        if self._on_traffic:
            self._on_traffic(">", data, now_s)
        self.device.take(self._faults.to_device(data), now_s)

    def control(self, request: Control, now_s: float) -> bytes | None:
        """A USB control request; None where it is refused, or nothing comes."""
        self._follow(now_s)
        if not self._plugged or not has_usb(self.device):
            return None
        answer = self.device.control(request, now_s)
        return None if answer is None else self._faults.at_once(answer)

    def notices(self, now_s: float) -> list[bytes]:
        """What leaves by the interrupt pipe by now."""
        self._follow(now_s)
        if not has_usb(self.device):
            return []
        said = [self._faults.at_once(notice) for notice in self.device.notices(now_s)]
        return [notice for notice in said if notice] if self._plugged else []

    def silent(self, now_s: float) -> bool:
        """A fault keeps it from saying anything."""
        self._follow(now_s)
        return self._faults.silent()

    def lag_s(self) -> float:
        """How much later than usual it answers, by a fault."""
        return self._faults.lag_s()

    def room(self) -> int:
        """How many bytes the device takes now; 0 while it is busy."""
        return self.device.room()

    def due(self, now_s: float) -> bytes:
        """What leaves for the host by now."""
        return b"".join(self.frames(now_s))

    def frames(self, now_s: float) -> list[bytes]:
        """What leaves for the host by now, frame by frame."""
        self._follow(now_s)
        frames = self.device.due(now_s)
        if frames and self._plugged:
            self._faults.from_device(frames, now_s)
        said = self._faults.due(now_s)
        if not self._plugged:
            return []
        if said and self._on_traffic:
            self._on_traffic("<", b"".join(said), now_s)
        return said

    def next_s(self, now_s: float) -> float | None:
        """When `due` or `plugged` next changes by itself; None: never without input."""
        own_s, faults_s = self.device.next_s(now_s), self._faults.next_s()
        if own_s is None or faults_s is None:
            return own_s if faults_s is None else faults_s
        return min(own_s, faults_s)

    def record(self, what: str, value: str, at_s: float) -> None:
        """Into the log that is handed out, not into the state's."""
        if self._on_change:
            self._on_change(Change(at_s, what, value))

    def plugged(self, now_s: float) -> bool:
        self._follow(now_s)
        return self._plugged

    def powered(self) -> bool:
        return self.device.powered()

    def power_line(self) -> bool | None:
        return self.device.power_line()

    def apply(self, settings: Sequence[str], now_s: float) -> None:
        """Turn `knob=value`s and add `fault=SPEC`s, all or (`BadSetting`) none of them."""
        parsed = [self._parse(setting) for setting in settings]
        for name, value in parsed:
            if isinstance(value, str):
                before = self.device.knobs[name]
                self.device.turn(name, value, now_s)
                if value != before:
                    self._note(now_s, name, value)
            else:
                self._faults.apply(value, now_s)
            self._follow(now_s)

    def state(self) -> dict[str, object]:
        """How everything stands, ready for JSON."""
        return {
            "model": self.device.model,
            "knobs": self.device.knobs.standing(),
            "faults": self._faults.standing(),
            "plugged": self._plugged,
            "powered": self.device.powered(),
            **self.device.facts(),
            "log": [asdict(change) for change in list(self.log)[-50:]],
        }

    def _parse(self, setting: str) -> tuple[str, str | list[Spec] | None]:
        name, equals, value = setting.partition("=")
        if not equals:
            raise BadSetting(f"{setting}: write knob=value or fault=SPEC")
        if name == "fault":
            return name, parse(value)
        return name, self.device.knobs.check(name, value)

    def _follow(self, now_s: float) -> None:
        """Let the device feel what the faults do to it by now."""
        self._faults.settle(now_s)
        plugged, stalled = self._faults.plugged(), self._faults.stalled()
        if stalled != self._stalled:
            self._stalled = stalled
            self.device.stall(stalled, now_s)
        if plugged != self._plugged:
            self._plugged = plugged
            self._faults.lose()
            self.device.plug(plugged, now_s)
            self._note(now_s, "plugged", "true" if plugged else "false")

    def _note(self, at_s: float, what: str, value: str) -> None:
        change = Change(at_s, what, value)
        self.log.append(change)
        if self._on_change:
            self._on_change(change)
