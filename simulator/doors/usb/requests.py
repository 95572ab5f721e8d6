"""What a virtual USB device answers on its default pipe. Source: USB 2.0, 9.4; HID 1.11, 7.1 and 7.2.

Standard requests and those of HID are answered here, all others by the model. None refuses (STALL).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from simulator.devices.usb import Control, Endpoint, Shape
from simulator.doors.door import Inside
from simulator.doors.usb import descriptors

SET_CONFIGURATION = (0x00, 0x09)
GET_REPORT, SET_REPORT = (0xA1, 0x01), (0x21, 0x09)
FEATURE = 3
"""Report type: the only one that travels here; input reports leave by the interrupt pipe."""
_ENDPOINT_HALT = 0
_SELF_POWERED = 1


class Core(Protocol):
    """The device whose default pipe it is."""

    inside: Inside
    shape: Shape
    configuration: int
    halted: set[int]

    @property
    def serial(self) -> str: ...
    @property
    def mains(self) -> bool: ...
    def device_descriptor(self) -> bytes: ...
    def configuration_descriptor(self) -> bytes: ...
    def configure(self, value: int) -> None: ...
    def endpoint(self, address: int) -> Endpoint | None: ...
    def next_report(self) -> bytes: ...


def answer(core: Core, request: Control, now_s: float) -> bytes | None:
    """The answer to one request; b"" where it says nothing but yes."""
    if request.request_type & 0x60 == 0 and (standard := _STANDARD.get(_kind(request))):
        return standard(core, request)
    if not core.configuration:
        return None
    if core.shape.interface.report and (hid := _HID.get(_kind(request))):
        return hid(core, request, now_s)
    return core.inside.control(request, now_s)


def is_set_configuration(request: Control) -> bool:
    return _kind(request) == SET_CONFIGURATION


def is_get_report(request: Control) -> bool:
    return _kind(request) == GET_REPORT


def is_set_report(request: Control) -> bool:
    return _kind(request) == SET_REPORT


def _kind(request: Control) -> tuple[int, int]:
    return request.request_type, request.request


def _descriptor(core: Core, request: Control) -> bytes | None:
    match request.value >> 8:
        case descriptors.DEVICE:
            return core.device_descriptor()
        case descriptors.CONFIGURATION if request.value & 0xFF == 0:
            return core.configuration_descriptor()
        case descriptors.STRING:
            return descriptors.string(core.shape, core.serial, request.value & 0xFF)
    return None


def _interface_descriptor(core: Core, request: Control) -> bytes | None:
    interface = core.shape.interface
    match request.value >> 8:
        case descriptors.HID:
            return descriptors.hid(interface) or None
        case descriptors.REPORT:
            return interface.report or None
    return None


def _device_status(core: Core, _request: Control) -> bytes:
    return bytes([_SELF_POWERED * core.mains, 0])


def _interface_status(core: Core, request: Control) -> bytes | None:
    return b"\0\0" if core.configuration and request.index == 0 else None


def _endpoint_status(core: Core, request: Control) -> bytes | None:
    if request.index & 0x7F and not _has_endpoint(core, request):
        return None
    return bytes([request.index in core.halted, 0])


def _has_endpoint(core: Core, request: Control) -> bool:
    return core.configuration != 0 and core.endpoint(request.index) is not None


def _get_configuration(core: Core, _request: Control) -> bytes:
    return bytes([core.configuration])


def _set_configuration(core: Core, request: Control) -> bytes | None:
    if request.value not in (0, descriptors.CONFIGURATION_VALUE):
        return None
    core.configure(request.value)
    return b""


def _get_interface(core: Core, request: Control) -> bytes | None:
    return b"\0" if core.configuration and request.index == 0 else None


def _set_interface(core: Core, request: Control) -> bytes | None:
    if not core.configuration or (request.index, request.value) != (0, 0):
        return None
    core.halted.clear()
    return b""


def _set_halt(core: Core, request: Control) -> bytes | None:
    if request.value != _ENDPOINT_HALT or not _has_endpoint(core, request):
        return None
    core.halted.add(request.index)
    return b""


def _clear_halt(core: Core, request: Control) -> bytes | None:
    if request.value != _ENDPOINT_HALT or not _has_endpoint(core, request):
        return None
    core.halted.discard(request.index)
    return b""


def _yes(_core: Core, _request: Control) -> bytes:
    return b""


_STANDARD: dict[tuple[int, int], Callable[[Core, Control], bytes | None]] = {
    (0x80, 0x00): _device_status,
    (0x81, 0x00): _interface_status,
    (0x82, 0x00): _endpoint_status,
    (0x02, 0x01): _clear_halt,
    (0x02, 0x03): _set_halt,
    (0x00, 0x05): _yes,  # SET_ADDRESS: addresses are the door's
    (0x80, 0x06): _descriptor,
    (0x81, 0x06): _interface_descriptor,
    (0x80, 0x08): _get_configuration,
    SET_CONFIGURATION: _set_configuration,
    (0x81, 0x0A): _get_interface,
    (0x01, 0x0B): _set_interface,
}


def _feature(core: Core, request: Control) -> bool:
    """Whether a report request means the feature report."""
    return request.value == FEATURE << 8 | core.shape.interface.report_id and request.index == 0


def _get_report(core: Core, request: Control, now_s: float) -> bytes | None:  # noqa: ARG001
    if not _feature(core, request):
        return None
    report_id = core.shape.interface.report_id
    return bytes([report_id] * bool(report_id)) + core.next_report()


def _set_report(core: Core, request: Control, now_s: float) -> bytes | None:
    """The model gets the report as it came, without its id, with its padding."""
    interface = core.shape.interface
    data = request.data
    if not _feature(core, request):
        return None
    if interface.report_id:
        if data[:1] != bytes([interface.report_id]):
            return None
        data = data[1:]
    if not data or len(data) > interface.report_bytes:
        return None
    core.inside.deliver(data, now_s)
    return b""


def _idle(_core: Core, _request: Control, _now_s: float) -> bytes:
    return b""


_HID: dict[tuple[int, int], Callable[[Core, Control, float], bytes | None]] = {
    GET_REPORT: _get_report,
    SET_REPORT: _set_report,
    (0x21, 0x0A): _idle,
}
