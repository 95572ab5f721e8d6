"""A swipe reader that speaks MagTek's HID feature reports, written from the manual (99875338-3, p17-41).

A report is a command, a length and data, filled up with zeros to 24 bytes; the answer has the result code in
the command's place. Each `take` is one report. `swipe=TEXT` draws a card with TEXT on track 2: the sequence
counter goes up, and one input report waits in the interrupt pipe for whoever has the reader open; the next
swipe takes its place. Another `serial=` is another reader, with a counter of its own; `none`: it has none.
"""

from __future__ import annotations

from collections.abc import Mapping

from simulator.devices.device import Knob
from simulator.devices.small import POWER, Small
from simulator.devices.usb import CONFIGURED, SUPPLY, Control, Endpoint, Interface, Shape

FEATURE_BYTES = 24
GET_PROPERTY, SET_PROPERTY, RESET_DEVICE = 0x00, 0x01, 0x02
SOFTWARE_ID, USB_SERIAL, DEVICE_SERIAL, SEQUENCE_COUNTER = 0x00, 0x01, 0x20, 0x21
SUCCESS, BAD_PARAMETER = 0x00, 0x02

SOFTWARE_ID_BYTES = 11
SERIAL_BYTES_MOST = 15
RESET_S = 2.0
_RESETS_AFTER_S = 0.05

_TRACK_BYTES = 110
_TRACKS = 3

KNOBS = (
    Knob("swipe", ("none",), text=True),
    POWER,
    SUPPLY,
    CONFIGURED,
    Knob("serial", ("B0ABCD1", "none"), text=True),
    Knob("software", ("21042812D01",), text=True),
)

# The descriptor of the USB HID swipe reader manual (usage page FF00): three tracks in, 24 bytes as a feature.
REPORT_DESCRIPTOR = bytes.fromhex(
    "06 00 ff 09 01 a1 01 15 00 26 ff 00 75 08"
    " 09 20 09 21 09 22 09 28 09 29 09 2a 09 38 95 07 81 02"
    " 09 30 95 6e 82 02 01 09 31 95 6e 82 02 01 09 32 95 6e 82 02 01"
    " 09 20 95 18 b2 02 01 c0"
)


class MagtekReader(Small):
    """`simulator.devices.usb.UsbDevice` for model `magtek`."""

    model = "magtek"
    shape = Shape(
        vid=0x0801,
        pid=0x0002,
        manufacturer="MagTek",
        product="Mag-Tek USB Swipe Reader",
        interface=Interface(
            device_class=0x03,
            endpoints=(Endpoint(0x81, "interrupt", 8),),
            report=REPORT_DESCRIPTOR,
            report_bytes=FEATURE_BYTES,
        ),
    )

    def __init__(self) -> None:
        self._counters: dict[str, int] = {}
        self._set: dict[int, bytes] = {}  #: serial numbers that were set by command
        self._waiting: bytes | None = None
        self._handed_out = 0
        super().__init__(*KNOBS)

    def _start(self) -> None:
        self._waiting = None

    def _turned(self, knob: str, value: str) -> None:
        if knob == "serial":
            self._set.clear()
        if knob == "swipe" and value != "none" and self.powered() and not self._stalled:
            self._counters[self._reader()] = self._swipes() + 1
            self._waiting = _input_report(value.encode())

    def _reader(self) -> str:
        return self.knobs["serial"]

    def _swipes(self) -> int:
        return self._counters.get(self._reader(), 0)

    def _hear(self, data: bytes, now_s: float) -> None:
        for start in range(0, len(data), FEATURE_BYTES):
            result, answer = self._answer(data[start : start + FEATURE_BYTES], now_s)
            self._answers.append(bytes((result, len(answer))) + answer)

    def _answer(self, report: bytes, now_s: float) -> tuple[int, bytes]:
        if len(report) < 2 or report[1] > len(report) - 2:
            return BAD_PARAMETER, b""
        command, data = report[0], report[2 : 2 + report[1]]
        if command == GET_PROPERTY and len(data) == 1:
            value = self._property(data[0])
            return (BAD_PARAMETER, b"") if value is None else (SUCCESS, value)
        if command == SET_PROPERTY and data[:1]:
            return self._set_property(data[0], data[1:]), b""
        if command == RESET_DEVICE and not data:
            self._restart(now_s, _RESETS_AFTER_S, RESET_S)
            return SUCCESS, b""
        return BAD_PARAMETER, b""

    def _property(self, number: int) -> bytes | None:
        if number == SOFTWARE_ID:
            return self.knobs["software"].encode()[:SOFTWARE_ID_BYTES].ljust(SOFTWARE_ID_BYTES)
        if number == SEQUENCE_COUNTER:
            return (self._swipes() & 0xFFFFFFFF).to_bytes(4, "little")
        if number in (USB_SERIAL, DEVICE_SERIAL):
            serial = "" if self.knobs["serial"] == "none" else self.knobs["serial"]
            return self._set.get(number, serial.encode()[:SERIAL_BYTES_MOST])
        return None

    def _set_property(self, number: int, value: bytes) -> int:
        printable = all(0x20 <= byte < 0x7F for byte in value)
        if number not in (USB_SERIAL, DEVICE_SERIAL) or len(value) > SERIAL_BYTES_MOST or not printable:
            return BAD_PARAMETER
        self._set[number] = value
        return SUCCESS

    def facts(self) -> Mapping[str, object]:
        return {
            **super().facts(),
            "swipes": self._swipes(),
            "input_report_waits": self._waiting is not None,
            "input_reports_read": self._handed_out,
        }

    # USB

    def control(self, request: Control, now_s: float) -> bytes | None:  # noqa: ARG002 - the contract hands both
        """It has no class requests but HID's, which are the door's."""
        return None

    def notices(self, now_s: float) -> list[bytes]:
        self._settle(now_s)
        if self._waiting is None or not self.powered():
            return []
        report, self._waiting = self._waiting, None
        self._handed_out += 1
        return [report]


def _input_report(track_2: bytes) -> bytes:
    """Decode status (0 is good) and length of each track, encode type (0: ISO), then 110 bytes a track."""
    lengths, tracks = bytes((0, len(track_2), 0)), (b"", track_2, b"")
    return bytes(_TRACKS) + lengths + b"\0" + b"".join(track.ljust(_TRACK_BYTES, b"\0") for track in tracks)
