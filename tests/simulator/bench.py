"""A simulated device on a turned clock, as the tests of this folder talk to it."""

from __future__ import annotations

from simulator.devices.models import make_model
from simulator.devices.printer.escpos import EscposPrinter
from simulator.doors.memory import MemoryDoor
from simulator.served import Served
from tests.clock import TurnedClock


class Bench:
    """A device behind an in-memory door; nothing sleeps. `baud` 0: at once, as over USB."""

    def __init__(self, *settings: str, seed: int = 0, model: str = "escpos", baud: int = 115200) -> None:
        self.clock = TurnedClock()
        self.device = make_model(model)
        self.served = Served(self.device, seed=seed)
        self.door = MemoryDoor(self.served, self.clock, baud)
        self.set(*settings)

    def set(self, *settings: str) -> None:
        self.door.apply(*settings)

    def ask(self, data: bytes | str = b"", within_s: float = 0.1) -> bytes:
        """Send (hex if a str) and hear what comes within `within_s`."""
        self.door.send(bytes.fromhex(data) if isinstance(data, str) else data)
        return self.hear(within_s)

    def hear(self, within_s: float = 0.1) -> bytes:
        end_s = self.clock.monotonic_s() + within_s
        heard = b""
        while (next_s := self.door.next_s()) is not None and next_s <= end_s:
            self.clock.turn_to(next_s)
            heard += self.door.receive()
        self.clock.turn_to(end_s)
        return heard + self.door.receive()

    @property
    def printer(self) -> EscposPrinter:
        assert isinstance(self.device, EscposPrinter)
        return self.device

    @property
    def printed(self) -> bytes:
        return self.printer.paper.bytes()

    @property
    def text(self) -> str:
        return self.printer.paper.text()
