"""A model behind the virtual USB device, on a turned clock; the host is whoever calls."""

from __future__ import annotations

from simulator.devices.models import make_model
from simulator.devices.usb import Control, has_usb
from simulator.doors.usb.core import IN, Transfer, UsbCore
from simulator.served import Served
from tests.clock import TurnedClock

GET_STRING, GET_CONFIGURATION, SET_CONFIGURATION = (0x80, 0x06), (0x80, 0x08), (0x00, 0x09)


class UsbBench:
    """`simulator.doors.door.Inside` and the station around it."""

    def __init__(self, *settings: str, model: str = "escpos", seed: int = 0) -> None:
        self.clock = TurnedClock()
        device = make_model(model)
        assert has_usb(device)
        self.served = Served(device, seed=seed)
        self.core = UsbCore(self, device.shape)
        self.tell(*settings)

    def deliver(self, data: bytes, now_s: float) -> None:
        self.served.host_bytes(data, now_s)

    def control(self, request: Control, now_s: float) -> bytes | None:
        return self.served.control(request, now_s)

    def room(self) -> int:
        return self.served.room()

    def intake_bytes_s(self) -> float | None:
        return self.served.device.intake_bytes_s()

    def tell(self, *settings: str) -> None:
        self.served.apply(settings, self.clock.monotonic_s())
        self.settle()

    def settle(self) -> None:
        """What a station does at each tick."""
        now_s = self.clock.monotonic_s()
        self.core.follow(on_bus=self.served.plugged(now_s) and self.served.powered())
        self.core.tick(now_s)
        for notice in self.served.notices(now_s) if self.core.polled() else ():
            self.core.notice(notice)
        for frame in self.served.frames(now_s):
            self.core.put(frame)

    def turn(self, seconds: float) -> None:
        """Time goes by, each thing at its moment."""
        end_s = self.clock.monotonic_s() + seconds
        while True:
            now_s = self.clock.monotonic_s()
            moments = [
                moment for moment in (self.core.next_s(), self.served.next_s(now_s)) if moment is not None
            ]
            if not moments or min(moments) > end_s:
                break
            self.clock.turn_to(max(now_s, min(moments)))
            self.settle()
        self.clock.turn_to(end_s)
        self.settle()

    def ask(self, kind: int, request: int, value: int = 0, index: int = 0, more: int | bytes = 0) -> Transfer:
        """A control transfer; `more`: how much may come IN, or what goes OUT."""
        length, data = (more, b"") if isinstance(more, int) else (0, more)
        setup = Control(
            request_type=kind, request=request, value=value, index=index, length=length, data=data
        )
        return self._submit(Transfer(endpoint=0, setup=setup, length=length, data=data, done=_ignore))

    def read(self, endpoint: int = 0x82, length: int = 64) -> Transfer:
        assert endpoint & IN
        return self._submit(Transfer(endpoint=endpoint, length=length, done=_ignore))

    def write(self, data: bytes, endpoint: int = 0x01) -> Transfer:
        return self._submit(Transfer(endpoint=endpoint, data=data, done=_ignore))

    def _submit(self, transfer: Transfer) -> Transfer:
        self.core.submit(transfer)
        self.settle()
        return transfer


def _ignore(_transfer: Transfer) -> None:
    """Tests look at the transfer itself."""


def outcome(transfer: Transfer) -> tuple[int | None, bytes]:
    """Its status (None: still pending) and what came."""
    return transfer.status, bytes(transfer.moved)
