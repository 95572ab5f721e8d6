"""A virtual USB device around a model: pipes, transfers, requests. Pure: moments in, callbacks out.

Hosts submit transfers; each ends once, by `done`. A device that has nothing to say, or no room, leaves them
pending (NAK): how long to wait is the host's affair. Frames of the model are transfers: each ends with a
short packet, if need be an empty one. What no host reads waits in the pipe, for whoever reads next.

Faults: while the device is mute its class requests and its IN pipes stay unanswered. Standard requests are
answered still: a device whose program hangs is on the bus. They are never corrupted either, since USB itself
checks and repeats.
"""

from __future__ import annotations

import errno
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from simulator.devices.usb import Control, Endpoint, Shape
from simulator.doors.door import Inside
from simulator.doors.usb import descriptors, requests

PACKETS_KEPT = 1024
"""What waits in a pipe at most; the oldest is lost."""
IN, TYPE_BITS, CLASS = 0x80, 0x60, 0x20
FIRST_ADDRESS, LAST_ADDRESS = 2, 127


@dataclass(eq=False, slots=True, kw_only=True)
class Transfer:
    """One transfer. `endpoint` 0 is the default pipe and has a `setup`; `length`: how much IN may bring.

    `status`: None while it is pending, then 0 or an errno. `moved`: what came IN; `sent`: how much went OUT.
    """

    endpoint: int
    done: Callable[[Transfer], None]
    setup: Control | None = None
    data: bytes = b""
    length: int = 0
    status: int | None = None
    moved: bytearray = field(default_factory=bytearray)
    sent: int = 0
    due_s: float | None = None  #: when a late answer is due


class UsbCore:
    """One device on the bus, or off it. `configuration` is 0 until the host has chosen one.

    `address` is another one each time that it joins.
    """

    def __init__(self, inside: Inside, shape: Shape) -> None:
        self.inside = inside
        self.shape = shape
        self.on_bus = False
        self.address = FIRST_ADDRESS - 1
        self.configuration = 0
        self.halted: set[int] = set()
        self._endpoints = {endpoint.address: endpoint for endpoint in self.shape.interface.endpoints}
        self._controls: deque[Transfer] = deque()
        self._pending: dict[int, deque[Transfer]] = {address: deque() for address in self._endpoints}
        self._packets: dict[int, deque[bytes]] = {
            address: deque(maxlen=PACKETS_KEPT) for address in self._endpoints if address & IN
        }
        self._reports: deque[bytes] = deque(maxlen=PACKETS_KEPT)
        self._intake_s = 0.0  #: when a slow device takes the next packet
        self._knob = ""
        self._hangs = False

    def knob(self, name: str) -> str:
        """How a knob of the model stands; "" where it has none of this name."""
        return self.inside.served.device.knobs.standing().get(name, "")

    @property
    def serial(self) -> str:
        """Its serial number; "" where it has none."""
        return "" if self.knob("serial") == "none" else self.knob("serial")

    def device_descriptor(self) -> bytes:
        return descriptors.device(self.shape, self.serial)

    def configuration_descriptor(self) -> bytes:
        return descriptors.configuration(self.shape, mains=self.mains)

    @property
    def mains(self) -> bool:
        return self.knob("supply") != "bus"

    # The bus

    def follow(self, *, on_bus: bool) -> bool:
        """Join or leave the bus; whether that changed."""
        if on_bus == self.on_bus:
            return False
        self.on_bus = on_bus
        self.halted.clear()
        if on_bus:
            self.address = self.address + 1 if self.address < LAST_ADDRESS else FIRST_ADDRESS
            # A replug heals a configuration that hung; the knob stays where it is.
            hung_before = self._knob == "hangs"
            self._knob = self.knob("configured")
            self._hangs = self._knob == "hangs" and not hung_before
            self.configuration = 0 if self._knob in ("no", "hangs") else descriptors.CONFIGURATION_VALUE
        else:
            self.configuration = 0
            self.drop(errno.ENODEV)
        return True

    def drop(self, why: int) -> None:
        """End all that is pending, and lose what waits in the pipes."""
        ending = [*self._controls, *(transfer for queue in self._pending.values() for transfer in queue)]
        self._controls.clear()
        for queue in self._pending.values():
            queue.clear()
        for packets in self._packets.values():
            packets.clear()
        self._reports.clear()
        for transfer in ending:
            self._end(transfer, why)

    def reset(self) -> None:
        """A reset of its port: what was under way ends; the host chooses the configuration again."""
        self.drop(errno.EIO)
        self.halted.clear()

    def configure(self, value: int) -> None:
        """Choose a configuration; endpoints start anew."""
        self.configuration = value
        self.halted.clear()

    def endpoint(self, address: int) -> Endpoint | None:
        return self._endpoints.get(address)

    # Transfers

    def submit(self, transfer: Transfer) -> None:
        """It ends at a later `tick`, or now where it cannot be."""
        if not self.on_bus:
            self._end(transfer, errno.ENODEV)
        elif transfer.endpoint == 0:
            self._controls.append(transfer)
        elif not self.configuration or transfer.endpoint not in self._pending:
            self._end(transfer, errno.EPIPE)
        else:
            self._pending[transfer.endpoint].append(transfer)

    def cancel(self, transfer: Transfer, why: int) -> None:
        """End a pending one; what it has moved by then counts."""
        for queue in (self._controls, self._pending.get(transfer.endpoint, deque())):
            if transfer in queue:
                queue.remove(transfer)
        if transfer.status is None:
            self._end(transfer, why)

    def put(self, frame: bytes) -> None:
        """The model says something: the next bulk transfer, or the next feature reports."""
        interface = self.shape.interface
        if interface.report_bytes:
            size = interface.report_bytes
            for at in range(0, len(frame), size):
                self._reports.append(frame[at : at + size].ljust(size, b"\0"))
            return
        self._fill("bulk", frame)

    def polled(self) -> bool:
        """Whether a host waits at the interrupt pipe."""
        return any(queue and self._endpoints[at].kind == "interrupt" for at, queue in self._pending.items())

    def notice(self, data: bytes) -> None:
        """What leaves by the interrupt pipe."""
        self._fill("interrupt", data)

    def _fill(self, kind: str, frame: bytes) -> None:
        for address, packets in self._packets.items():
            endpoint = self._endpoints[address]
            if endpoint.kind == kind:
                size = endpoint.packet_bytes
                packets.extend(frame[at : at + size] for at in range(0, len(frame) + 1, size))
                self._hand_in(address)
                return

    def tick(self, now_s: float) -> None:
        """Go on with all that can go on."""
        self._follow_knob()
        while self._controls and self._answer(self._controls[0], now_s):
            self._controls.popleft()
        for address in self._pending:
            if address in self.halted:
                self._stall_all(address)
            elif address & IN:
                self._hand_in(address)
            else:
                self._take_out(address, now_s)

    def next_s(self) -> float | None:
        moments = [transfer.due_s for transfer in list(self._controls)[:1] if transfer.due_s is not None]
        if self._intake_s and self.inside.room():
            moments += [
                self._intake_s for address, queue in self._pending.items() if queue and not address & IN
            ]
        return min(moments, default=None)

    def next_report(self) -> bytes:
        """The next feature report; zeros where none waits."""
        return self._reports.popleft() if self._reports else bytes(self.shape.interface.report_bytes)

    # Inside

    def _follow_knob(self) -> None:
        knob = self.knob("configured")
        if knob == self._knob or not self.on_bus:
            return
        self._knob, self._hangs = knob, knob == "hangs"
        self.configuration = 0 if knob in ("no", "hangs") else descriptors.CONFIGURATION_VALUE
        if not self.configuration:
            for queue in self._pending.values():
                while queue:
                    self._end(queue.popleft(), errno.ENODEV)

    def _answer(self, transfer: Transfer, now_s: float) -> bool:
        """Do a control transfer; False while it does not end."""
        request = transfer.setup
        if request is None:
            return True
        if not self._ready(transfer, request, now_s):
            return False
        answer = requests.answer(self, request, now_s)
        if answer is None:
            transfer.status = errno.EPIPE
        else:
            transfer.moved += answer[: request.length]
            transfer.sent = len(request.data)
            transfer.status = 0
        transfer.done(transfer)
        return True

    def _ready(self, transfer: Transfer, request: Control, now_s: float) -> bool:
        """Whether the device answers it now."""
        if request.request_type & TYPE_BITS != CLASS:
            return not (self._hangs and requests.is_set_configuration(request))
        hid = bool(self.shape.interface.report)
        if hid and requests.is_set_report(request):
            return self.inside.room() > 0
        if self.inside.served.silent(now_s):
            transfer.due_s = None
            return False
        if hid and requests.is_get_report(request):
            return True  # reports are late by themselves
        if transfer.due_s is None:
            transfer.due_s = now_s + self.inside.served.lag_s()
        return transfer.due_s <= now_s

    def _hand_in(self, address: int) -> None:
        """Packets into the transfers that wait for them, as a host controller does."""
        packets, queue = self._packets[address], self._pending[address]
        size = self._endpoints[address].packet_bytes
        while packets and queue:
            transfer, packet = queue[0], packets.popleft()
            if len(transfer.moved) + len(packet) > transfer.length:
                self._end(queue.popleft(), errno.EOVERFLOW)
                continue
            transfer.moved += packet
            if len(packet) < size or len(transfer.moved) == transfer.length:
                self._end(queue.popleft(), 0)

    def _take_out(self, address: int, now_s: float) -> None:
        queue = self._pending[address]
        while queue:
            transfer = queue[0]
            left = transfer.data[transfer.sent :]
            room, rate = self.inside.room(), self.inside.intake_bytes_s()
            if left and (not room or (rate and now_s < self._intake_s)):
                return
            taken = left[: min(room, self._endpoints[address].packet_bytes if rate else room)]
            if taken:
                transfer.sent += len(taken)
                self._intake_s = now_s + len(taken) / rate if rate else 0.0
                self.inside.deliver(taken, now_s)
            if transfer.sent == len(transfer.data) and transfer in queue:
                queue.remove(transfer)
                self._end(transfer, 0)

    def _stall_all(self, address: int) -> None:
        queue = self._pending[address]
        while queue:
            self._end(queue.popleft(), errno.EPIPE)

    def _end(self, transfer: Transfer, status: int) -> None:
        transfer.status = status
        transfer.done(transfer)
