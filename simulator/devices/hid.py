"""The USB side that HID models share. Source: Device Class Definition for HID 1.11, 6.2.1 and appendix E."""

from __future__ import annotations

from simulator.devices.usb import Endpoint, Interface

HID, REPORT = 0x21, 0x22
INPUT_PIPE = 0x81


def hid_interface(report: bytes, *, feature_id: int, feature_bytes: int, packet_bytes: int = 64) -> Interface:
    """Class 3, no boot protocol, one interrupt IN pipe; `report` is the report descriptor."""
    functional = bytes((9, HID)) + (0x0111).to_bytes(2, "little") + bytes((0, 1, REPORT))
    return Interface(
        device_class=0x03,
        endpoints=(Endpoint(INPUT_PIPE, "interrupt", packet_bytes),),
        functional=functional + len(report).to_bytes(2, "little"),
        report=report,
        report_id=feature_id,
        report_bytes=feature_bytes,
    )
