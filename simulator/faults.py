"""Faults between a device and its door, the same for every model; pure, time as argument.

SPEC is one or more, comma-separated: `NAME[:VALUE][@T][+D]`. T seconds from now it begins (at once), and
it lasts D seconds (until `none`). One of a name stands at a time: the newest. `FAULTS` says what each does.
"""

from __future__ import annotations

import math
import random
import re
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from simulator.devices.device import BadSetting

QUEUED_FRAMES = 4096
"""What waits in the way out at most; a device with more to say overwrites the oldest."""
BABBLE_BYTES, BABBLE_S = 8, 0.05
FLAP_LEAST_S = 0.01

FAULTS = {
    "mute": "what the device says is lost; it still takes what it is sent and does its work",
    "stall": "the device answers for its status and does no work",
    "slow:S": "each answer comes S seconds later",
    "drip:S": "answers come one byte each S seconds",
    "babble": "noise: random bytes between the answers",
    "drop:P": "each byte, either way, is lost with probability P",
    "corrupt:P": "each byte, either way, has one random bit flipped with probability P",
    "die_mid_frame": "half of the next answer comes (of one byte: none of it), then nothing, either way",
    "unplug": "the data cable is out",
    "flap:S": "the data cable is out for S seconds, in for S seconds, and so on",
    "none": "ends them all",
}
"""What can be told, and what it does; `BABBLE_BYTES` and `BABBLE_S` say how much noise."""
_TAKES: dict[str, str] = {
    "mute": "",
    "stall": "",
    "slow": "seconds",
    "drip": "seconds",
    "babble": "",
    "drop": "probability",
    "corrupt": "probability",
    "die_mid_frame": "",
    "unplug": "",
    "flap": "seconds",
}
_SHAPE = re.compile(r"(?P<name>[a-z_]+)(:(?P<value>[^@+]+))?(@(?P<at>[^@+]+))?(\+(?P<lasts>[^@+]+))?")


@dataclass(frozen=True, slots=True)
class Spec:
    """One fault as told: not yet in time."""

    name: str
    value: float = 0.0
    at_s: float = 0.0
    lasts_s: float = math.inf

    def __str__(self) -> str:
        return "".join((
            self.name,
            f":{self.value:g}" if _TAKES[self.name] else "",
            f"@{self.at_s:g}" if self.at_s else "",
            f"+{self.lasts_s:g}" if math.isfinite(self.lasts_s) else "",
        ))  # fmt: skip


def parse(text: str) -> list[Spec] | None:
    """The faults that `text` names; None for `none`. `BadSetting` in one line for anything else."""
    if text == "none":
        return None
    return [_parse_one(part) for part in text.split(",")]


def _parse_one(text: str) -> Spec:
    shape = _SHAPE.fullmatch(text)
    if shape is None:
        raise BadSetting(f"fault={text}: write NAME[:VALUE][@T][+D], such as mute@3+5")
    name, takes = shape["name"], _TAKES.get(shape["name"])
    if takes is None:
        raise BadSetting(f"fault={text}: no fault is called {name}; there are {', '.join(_TAKES)}, none")
    if bool(takes) != bool(shape["value"]):
        raise BadSetting(f"fault={text}: {name} takes {f'{takes}, as {name}:0.5' if takes else 'no value'}")
    value = _number(text, shape["value"], "value", zero=takes == "probability") if takes else 0.0
    if takes == "probability" and value > 1:
        raise BadSetting(f"fault={text}: a probability lies between 0 and 1")
    if name == "flap" and value < FLAP_LEAST_S:
        raise BadSetting(f"fault={text}: a cable takes {FLAP_LEAST_S:g} seconds at least")
    at_s = _number(text, shape["at"], "@T", zero=True) if shape["at"] else 0.0
    lasts_s = _number(text, shape["lasts"], "+D", zero=False) if shape["lasts"] else math.inf
    return Spec(name, value, at_s, lasts_s)


def _number(text: str, number: str, what: str, *, zero: bool) -> float:
    try:
        value = float(number)
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and (value > 0 or (zero and value == 0))):
        raise BadSetting(f"fault={text}: {what} must be a {'' if zero else 'positive '}number, not {number}")
    return value


@dataclass(slots=True)
class _Fault:
    spec: Spec
    from_s: float
    until_s: float
    begun: bool = False
    edges: int = 0  #: of flap: how often it has toggled, odd is out; of babble: bursts
    next_s: float = math.inf  #: of flap and babble: the next toggle, the next burst


class Faults:
    """Every fault of one device. `on_change(fault, "begun" | "ended", at_s)` is told of each."""

    def __init__(self, seed: int = 0, on_change: Callable[[str, str, float], None] | None = None) -> None:
        self._random = random.Random(seed)
        self._on_change = on_change or (lambda _what, _value, _at_s: None)
        self._faults: dict[str, _Fault] = {}
        self._out: deque[tuple[float, bytes]] = deque(maxlen=QUEUED_FRAMES)
        self._dead = False

    def apply(self, specs: Iterable[Spec] | None, now_s: float) -> None:
        """Add these faults; None ends all there are."""
        self.settle(now_s)
        if specs is None:
            for name in list(self._faults):
                self._end(name, now_s)
            return
        for spec in specs:
            if spec.name in self._faults:
                self._end(spec.name, now_s)
            from_s = now_s + spec.at_s
            self._faults[spec.name] = _Fault(spec, from_s, from_s + spec.lasts_s)
        self.settle(now_s)

    def settle(self, now_s: float) -> None:
        """Begin, toggle and end what is due by now."""
        if not self._faults:
            return
        for name, fault in list(self._faults.items()):
            if not fault.begun and fault.from_s <= now_s:
                fault.begun = True
                if name in ("flap", "babble"):
                    fault.next_s = fault.from_s
                self._on_change(str(fault.spec), "begun", fault.from_s)
            if name == "flap":
                while fault.next_s <= min(now_s, fault.until_s):
                    fault.edges += 1
                    fault.next_s = fault.from_s + fault.edges * fault.spec.value
            if fault.until_s <= now_s:
                self._end(name, fault.until_s)

    def _end(self, name: str, at_s: float) -> None:
        fault = self._faults.pop(name)
        if fault.begun:
            self._on_change(str(fault.spec), "ended", at_s)
        if name == "die_mid_frame":
            self._dead = False
        if name in ("slow", "drip"):
            waiting = [(min(due_s, at_s), said) for due_s, said in self._out]
            self._out = deque(waiting, maxlen=QUEUED_FRAMES)

    def _value(self, name: str) -> float | None:
        """The value of a fault that is in force; None where it is not."""
        fault = self._faults.get(name)
        return fault.spec.value if fault and fault.begun else None

    def stalled(self) -> bool:
        return self._value("stall") is not None

    def plugged(self) -> bool:
        flap = self._faults.get("flap")
        return self._value("unplug") is None and (flap is None or flap.edges % 2 == 0)

    def silent(self) -> bool:
        """Nothing that the device says comes through."""
        return self._dead or self._value("mute") is not None

    def lag_s(self) -> float:
        """How much later than usual each answer comes."""
        return self._value("slow") or 0.0

    def to_device(self, data: bytes) -> bytes:
        """What reaches the device of what the host sent."""
        if not self._faults:
            return data
        return b"" if self._dead else self._spoil(data)

    def from_device(self, frames: list[bytes], now_s: float) -> None:
        """What the device says, into the way out."""
        for frame in frames:
            if self._dead:
                return
            said = frame
            if self._value("die_mid_frame") is not None:
                self._dead, said = True, frame[: len(frame) // 2]
            at_s = now_s + self.lag_s()
            if self._out:
                at_s = max(at_s, self._out[-1][0])
            drip_s = self._value("drip")
            if drip_s is None:
                self._out.append((at_s, said))
                continue
            for byte in said:
                at_s += drip_s
                self._out.append((at_s, bytes([byte])))

    def at_once(self, answer: bytes) -> bytes | None:
        """An answer that does not pass through the queue (a USB control request's); None: it never comes."""
        if self.silent():
            return None
        if self._value("die_mid_frame") is not None:
            self._dead = True
            return answer[: len(answer) // 2]
        return self._spoil(answer)

    def due(self, now_s: float) -> list[bytes]:
        """What leaves for the host by now, frame by frame."""
        said = []
        while self._out and self._out[0][0] <= now_s:
            said.append(self._out.popleft()[1])
        if not self._faults:
            return said
        if self._value("mute") is not None:
            said = []
        babble = self._faults.get("babble")
        if babble and babble.begun and babble.next_s <= now_s:
            said.append(self._random.randbytes(BABBLE_BYTES))
            while babble.next_s <= now_s:
                babble.edges += 1
                babble.next_s = babble.from_s + babble.edges * BABBLE_S
        return [spoilt for frame in said if (spoilt := self._spoil(frame))]

    def lose(self) -> None:
        """What was on its way is gone: the cable was pulled or the power went."""
        self._out.clear()

    def next_s(self) -> float | None:
        """When anything next leaves, begins, toggles or ends."""
        moments = [self._out[0][0]] if self._out else []
        for fault in self._faults.values():
            moments += [fault.until_s, fault.next_s] if fault.begun else [fault.from_s]
        first_s = min(moments, default=math.inf)
        return first_s if math.isfinite(first_s) else None

    def standing(self) -> list[str]:
        return [str(fault.spec) for fault in self._faults.values()]

    def _spoil(self, data: bytes) -> bytes:
        drop, corrupt = self._value("drop"), self._value("corrupt")
        if drop:
            data = bytes(byte for byte in data if self._random.random() >= drop)
        if corrupt:
            data = bytes(
                byte ^ (1 << self._random.randrange(8)) if self._random.random() < corrupt else byte
                for byte in data
            )
        return data
