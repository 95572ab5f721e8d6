"""A card reader that speaks ViVOtech2, serial or as a HID, written from ID TECH's NEO 2 guide (80139403-002).

`tamper`, `secure` and `sam` colour the status of every response, a ping's too; where several are turned, the
first of these is told. Setting the time of the daily self-check reboots the reader; reading it does not.
It knows: ping (18 01), module versions (09 20), firmware version (29 00), its controller's id (29 17, made of
`serial`), self-check time (25 07), LED and buzzer (0A, 0B: counted, since they bother the shop).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from simulator.devices.device import Knob
from simulator.devices.reader.vivotech_frame import Frame, Frames, response
from simulator.devices.small import POWER, Small
from simulator.devices.usb import CONFIGURED, SUPPLY, Control, Endpoint, Interface, Shape

OK = 0x00
UNKNOWN_COMMAND, UNKNOWN_SUB_COMMAND, BAD_CRC, BAD_PARAMETER = 0x02, 0x03, 0x04, 0x05
TOO_LARGE = 0x19

_TROUBLES: tuple[tuple[str, str, int], ...] = (
    ("tamper", "yes", 0x1D),
    ("secure", "failed", 0x12),
    ("sam", "error", 0x20),
)
"""Knob, its value, and the status it makes; the first that stands is told."""

WHOLE_S = 0.2
"""A command comes in one go: what is not complete by then never was one. The guide names no number."""
REBOOT_S = 5.0
_REBOOTS_AFTER_S = 0.05
_UID_BYTES = 16

KNOBS = (
    Knob("tamper", ("no", "yes")),
    Knob("sam", ("ok", "error")),
    Knob("secure", ("ok", "failed")),
    POWER,
    SUPPLY,
    CONFIGURED,
    Knob("firmware", ("VP5300-FW-v1.00.S",), text=True),
    Knob("serial", ("522T1234567",), text=True),
)

REPORT_ID, REPORT_BYTES = 1, 63

# Usage page FF00, application collection; 63 bytes in, out and as a feature, all under report id 1.
REPORT_DESCRIPTOR = bytes.fromhex(
    "06 00 ff 09 01 a1 01 15 00 26 ff 00 75 08 95 3f 85 01 09 01 82 02 01 09 02 92 02 01 09 03 b2 02 01 c0"
)


class VivotechReader(Small):
    """`simulator.devices.usb.UsbDevice` for model `vivotech`."""

    model = "vivotech"
    # The vendor id is ID TECH's; the product id is the simulator's own choice.
    shape = Shape(
        vid=0x0ACD,
        pid=0x4450,
        manufacturer="ID TECH",
        product="VP5300",
        interface=Interface(
            device_class=0x03,
            endpoints=(Endpoint(0x81, "interrupt"),),
            report=REPORT_DESCRIPTOR,
            report_id=REPORT_ID,
            report_bytes=REPORT_BYTES,
        ),
    )

    def __init__(self) -> None:
        self._frames = Frames()
        self._self_check = bytes.fromhex("0230")
        self._signals = 0
        self._last_heard_s = 0.0
        super().__init__(*KNOBS)

    def _start(self) -> None:
        self._frames.clear()

    def _hear(self, data: bytes, now_s: float) -> None:
        if now_s - self._last_heard_s > WHOLE_S:
            self._frames.clear()
        self._last_heard_s = now_s
        for frame in self._frames.feed(data):
            self._answers.append(self._respond(frame, now_s))

    def _respond(self, frame: Frame, now_s: float) -> bytes:
        if not frame.fits:
            return response(frame.command, TOO_LARGE)
        if not frame.intact:
            return response(frame.command, BAD_CRC)
        for knob, value, status in _TROUBLES:
            if self.knobs[knob] == value:
                return response(frame.command, status)
        return response(frame.command, *self._answer(frame, now_s))

    def _answer(self, frame: Frame, now_s: float) -> tuple[int, bytes]:
        subs = self._known().get(frame.command)
        if subs is None:
            return UNKNOWN_COMMAND, b""
        act = subs.get(frame.sub)
        if act is None:
            return UNKNOWN_SUB_COMMAND, b""
        if (frame.command, frame.sub) == (0x25, 0x07):
            return self._self_check_time(frame.data, now_s)
        return OK, act()

    def _known(self) -> Mapping[int, Mapping[int, Callable[[], bytes]]]:
        firmware = self.knobs["firmware"].encode()
        signal = dict.fromkeys(range(256), self._signal)
        return {
            0x18: {0x01: bytes},
            0x09: {0x20: lambda: b"FW," + firmware + b",\r\n"},
            0x29: {0x00: lambda: firmware, 0x17: self._uid},
            0x25: {0x07: bytes},
            0x0A: signal,
            0x0B: signal,
        }

    def _uid(self) -> bytes:
        return self.knobs["serial"].encode()[-_UID_BYTES:].rjust(_UID_BYTES, b"\0")

    def _signal(self) -> bytes:
        self._signals += 1
        return b""

    def _self_check_time(self, data: bytes, now_s: float) -> tuple[int, bytes]:
        """25 07: no data reads hours and minutes (BCD, UTC), two bytes set them and reboot."""
        if not data:
            return OK, self._self_check
        digits = data.hex()
        if len(data) != 2 or not digits.isdigit() or digits[:2] > "23" or digits[2:] > "59":
            return BAD_PARAMETER, b""
        self._self_check = data
        self._restart(now_s, _REBOOTS_AFTER_S, REBOOT_S)
        return OK, b""

    def facts(self) -> Mapping[str, object]:
        return {**super().facts(), "signals": self._signals, "self_check_utc": self._self_check.hex()}

    # USB

    def control(self, request: Control, now_s: float) -> bytes | None:  # noqa: ARG002 - the contract hands both
        """It has no class requests but HID's, which are the door's."""
        return None

    def notices(self, now_s: float) -> list[bytes]:  # noqa: ARG002
        """No card is ever held to it."""
        return []
