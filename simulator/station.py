"""One device in real time: served through its doors, told through its control socket, recorded in files."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from simulator.control import ControlSocket
from simulator.devices.models import make_model
from simulator.devices.usb import Control
from simulator.doors.address import make as make_door
from simulator.doors.door import Door, NoticeDoor
from simulator.loop import Loop
from simulator.served import Change, Served


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What to serve: `settings` are `knob=value` and `fault=SPEC`, as in `tell`."""

    model: str
    doors: Sequence[str]
    settings: Sequence[str] = ()
    control: Path | None = None
    seed: int = 0
    transcript: Path | None = None
    printed: Path | None = None
    log: Path | None = None


class Entrance:
    """One door and the way from it to the device."""

    def __init__(self, station: Station, door: Door) -> None:
        self._station = station
        self.served = station.served
        self.door = door

    def deliver(self, data: bytes, now_s: float) -> None:
        self._station.speaking = self.door
        self.served.host_bytes(data, now_s)

    def control(self, request: Control, now_s: float) -> bytes | None:
        self._station.speaking = self.door
        return self.served.control(request, now_s)

    def room(self) -> int:
        return self.served.room()

    def intake_bytes_s(self) -> float | None:
        return self.served.device.intake_bytes_s()


class Station:
    """A part of `loop`, from `open` to `close`. Answers leave by the door that was last spoken to."""

    def __init__(self, plan: Plan, loop: Loop) -> None:
        self._plan = plan
        self._loop = loop
        self._changed_at_ns = time.monotonic_ns()
        self._control: ControlSocket | None = None
        device = make_model(plan.model)
        doors = [make_door(address, loop, device) for address in plan.doors]
        self.speaking = doors[0]
        with ExitStack() as files:
            self.served = Served(
                device,
                seed=plan.seed,
                on_change=_log_to(files.enter_context(_appended(plan.log))) if plan.log else None,
                on_traffic=_transcript_to(files.enter_context(_appended(plan.transcript)))
                if plan.transcript
                else None,
            )
            if plan.printed:
                device.print_to(files.enter_context(plan.printed.open("wb", buffering=0)).write)
            self._entrances = [Entrance(self, door) for door in doors]
            # No door here has modem lines.
            unwired = ["dsr=none"] if "dsr" in device.knobs else []
            self.served.apply([*unwired, *plan.settings], time.monotonic())
            self._owned = files.pop_all()

    def open(self) -> None:
        """Open all doors, then the control socket; `DoorError` or `ControlError` where one cannot be."""
        now_s = time.monotonic()
        for entrance in self._entrances:
            entrance.door.open(entrance, now_s)
            self._owned.callback(entrance.door.close)
        self._loop.parts.append(self)
        self.tick(now_s)
        if self._plan.control:
            self._control = ControlSocket(self._plan.control, self._loop, self.tell)

    def close(self) -> None:
        if self._control:
            self._control.close()
        self._owned.close()

    def doors(self) -> list[str]:
        return [entrance.door.address() for entrance in self._entrances]

    def tell(self, settings: Sequence[str]) -> dict[str, object]:
        """Apply `settings`; the state in which they are in force."""
        if settings:
            now_ns = time.monotonic_ns()
            self.served.apply(settings, now_ns / 1e9)
            self._changed_at_ns = now_ns
            self.tick(time.monotonic())
        return {
            "changed_at_monotonic_ns": self._changed_at_ns,
            "doors": self.doors(),
            **self.served.state(),
        }

    def tick(self, now_s: float) -> None:
        plugged, powered = self.served.plugged(now_s), self.served.powered()
        for entrance in self._entrances:
            entrance.door.follow(plugged=plugged, powered=powered, now_s=now_s)
            entrance.door.tick(now_s)
        doors = [entrance.door for entrance in self._entrances]
        polled = [door for door in doors if isinstance(door, NoticeDoor) and door.polled()]
        for notice in self.served.notices(now_s) if polled else ():
            for door in polled:
                door.notice(notice, now_s)
        for frame in self.served.frames(now_s):
            self.speaking.put(frame, now_s)

    def next_s(self, now_s: float) -> float | None:
        moments = [self.served.next_s(now_s), *(entrance.door.next_s(now_s) for entrance in self._entrances)]
        return min((moment for moment in moments if moment is not None), default=None)


def _appended(path: Path) -> TextIO:
    return path.open("a", buffering=1, encoding="utf-8")


def _log_to(file: TextIO) -> Callable[[Change], None]:
    def write(change: Change) -> None:
        ago_s = time.monotonic() - change.at_s
        entry = {
            "monotonic_s": change.at_s,
            "wall_s": time.time() - ago_s,
            "what": change.what,
            "value": change.value,
        }
        file.write(json.dumps(entry) + "\n")

    return write


def _transcript_to(file: TextIO) -> Callable[[str, bytes, float], None]:
    def write(way: str, data: bytes, at_s: float) -> None:
        file.write(f"{at_s:.6f} {way} {data.hex(' ')}\n")

    return write
