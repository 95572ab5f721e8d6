"""Fast-forward: a driver and a device model in one process, on one turned clock; nothing sleeps."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from drivers import registry
from drivers.api import Deadline, Driver, Json, Memory, Observation, Sale, Setup
from drivers.errors import Absent, LinkLost, Unreachable
from drivers.usb_control import Control
from simulator.devices import usb
from simulator.devices.models import make_model
from simulator.devices.printer.escpos import EscposPrinter
from simulator.doors.memory import MemoryDoor
from simulator.served import Served
from tests.clock import TurnedClock

Flavour = Literal["serial", "tcp", "usb", "hid"]
ON_BUS = ("usb", "hid")
LOOK_S = 0.01
"""How often the interrupt pipe is looked at while something waits in another."""


DEVICE = "receipt"


class MemoryLink:
    """`drivers.api.Link` over a `MemoryDoor`: reading turns the clock to what comes next."""

    def __init__(
        self, door: MemoryDoor, clock: TurnedClock, flavour: Flavour = "serial", *, hold: bool = True
    ):
        self.scheme: str = flavour
        self.held = flavour in ("serial", "usb") or (hold and flavour == "tcp")
        self.proves_power = flavour != "serial"
        self._door = door
        self._clock = clock
        self._open = False
        self._woken = False

    def open(self, deadline: Deadline) -> None:
        if self._open:
            return
        there = self._there()
        if not there and self.scheme == "tcp":
            self._clock.turn_to(deadline.at_s)
            raise Unreachable("memory: no answer")
        if not there:
            raise Absent("memory: no such node")
        self._door.receive()
        self._open = True

    def close(self) -> None:
        self._open = False

    def is_open(self) -> bool:
        return self._open

    def read(self, deadline: Deadline) -> bytes:
        return self._await(self._door.receive, deadline)

    def _await(self, come: Callable[[], bytes], deadline: Deadline) -> bytes:
        while True:
            if self._woken:
                self._woken = False
                return b""
            if self._open:
                if not self._attached():
                    raise LinkLost("memory: hung up")
                if data := come():
                    return data
            now_s = self._clock.monotonic_s()
            if now_s >= deadline.at_s:
                return b""
            next_s = self._door.next_s() if self._open else None
            # A moment that is due has been seen already, so the clock always goes forward.
            least_s = now_s + (LOOK_S if come == self._door.notice else 1e-4)
            self._clock.turn_to(min(deadline.at_s, max(next_s, least_s) if next_s else deadline.at_s))

    def write(self, data: bytes, deadline: Deadline) -> int:
        if not self._open or not self._attached():
            raise LinkLost("memory: hung up")
        return self._door.send(data)

    def _there(self) -> bool:
        return self._door.plugged() and (self.scheme == "serial" or self._door.powered())

    def _attached(self) -> bool:
        """What an open link notices; a device on the bus leaves it when its power goes."""
        return self._there() if self.scheme in ON_BUS else self._door.plugged()

    def power_line(self) -> bool | None:
        return self._door.power_line() if self._open and self.scheme == "serial" else None

    def busy(self) -> bool:
        return False

    def wake(self) -> None:
        self._woken = True


class BusLink(MemoryLink):
    """On a USB, with control requests and notices beside the data."""

    def notice(self, deadline: Deadline) -> bytes:
        """As `drivers.usb_control.NoticeLink`."""
        return self._await(self._door.notice, deadline)

    def control(self, request: Control, deadline: Deadline) -> bytes | None:
        """As `drivers.usb_control.ControlLink`."""
        if not self._open or not self._attached():
            raise LinkLost("memory: hung up")
        answer = self._door.control(
            usb.Control(
                request_type=request.request_type,
                request=request.request,
                value=request.value,
                index=request.index,
                length=request.length,
                data=request.data,
            )
        )
        if answer is None:
            self._clock.turn_to(deadline.at_s)
        return answer


@dataclass
class Bench:
    """One simulated device and its driver. `bench.run(seconds)` is what a worker would do.

    `model` is the simulator's name where it is not the driver's.
    """

    settings: tuple[str, ...] = ()
    profile: str = "epson-tm"
    driver_name: str = "escpos"
    model: str = ""
    sale: Sale = "unknown"
    flavour: Flavour = "serial"
    hold: bool = True
    baud: int = 115200
    seed: int = 1
    poll_s: float = 2.0
    reply_s: float = 0.5
    options: Mapping[str, Json] = field(default_factory=dict)
    memory: Memory = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.clock = TurnedClock()
        self.device = make_model(self.model or self.driver_name)
        self.served = Served(self.device, seed=self.seed)
        self.door = MemoryDoor(self.served, self.clock, 0 if self.flavour in ON_BUS else self.baud)
        if self.settings:
            self.door.apply(*self.settings)
        link = BusLink if self.flavour in ON_BUS else MemoryLink
        self.link = link(self.door, self.clock, self.flavour, hold=self.hold)
        self.driver = self.make()
        self._due_s = self.clock.monotonic_s()

    @property
    def printer(self) -> EscposPrinter:
        assert isinstance(self.device, EscposPrinter)
        return self.device

    def make(self) -> Driver:
        """A driver as after a restart: only the memory is kept."""
        return registry.spec(self.driver_name).make(
            Setup(
                device=DEVICE,
                link=self.link,
                clock=self.clock,
                memory=self.memory,
                profile=self.profile,
                poll_s=self.poll_s,
                reply_s=self.reply_s,
                options=self.options,
                sale=lambda: self.sale,
            )
        )

    def tell(self, *settings: str) -> None:
        self.door.apply(*settings)

    def run(self, seconds: float) -> list[Observation]:
        """Poll each `poll_s`, listen in between; every observation made."""
        seen: list[Observation] = []
        end_s = self.clock.monotonic_s() + seconds
        while (now_s := self.clock.monotonic_s()) < end_s:
            if now_s >= self._due_s:
                self._due_s = max(self._due_s + self.poll_s, now_s)
                limit_s = max(self.poll_s, 5 * self.reply_s)
                seen.append(self.driver.poll(Deadline.after(self.clock, limit_s)))
            else:
                heard = self.driver.listen(Deadline(self.clock, min(self._due_s, end_s)))
                if heard is not None:
                    seen.append(heard)
        return seen


def values(observation: Observation) -> dict[str, bool | None]:
    """Kind -> value, without the times."""
    return {kind: condition.value for kind, condition in observation.conditions.items()}


def raised(observation: Observation) -> set[str]:
    """The kinds that hold."""
    return {kind for kind, value in values(observation).items() if value}
