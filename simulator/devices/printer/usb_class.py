"""The USB side that printers have in common: the printer class, and its three requests.

Source: USB Device Class Definition for Printing Devices 1.1, 4.2 (requests) and 5.3 (interface); IEEE 1284
device id. SOFT_RESET is sent to "other" (0x23) by the older text and Linux' usblp, to the interface (0x21) by
the newer: both are taken.
"""

from __future__ import annotations

from collections.abc import Callable

from simulator.devices.usb import Control, Endpoint, Interface

GET_DEVICE_ID = (0xA1, 0)
GET_PORT_STATUS = (0xA1, 1)
SOFT_RESET = ((0x21, 2), (0x23, 2))

PAPER_EMPTY, SELECTED, NOT_ERROR = 0x20, 0x10, 0x08


def printer_interface(bulk_out: int = 0x01, bulk_in: int = 0x82, packet_bytes: int = 64) -> Interface:
    """Class 7, subclass 1, protocol 2: a printer that is written to and read from."""
    return Interface(
        device_class=0x07,
        subclass=1,
        protocol=2,
        endpoints=(
            Endpoint(bulk_out, "bulk", packet_bytes),
            Endpoint(bulk_in, "bulk", packet_bytes),
        ),
    )


def printer_control(
    request: Control,
    *,
    device_id: str,
    paper_end: bool,
    selected: bool,
    error: bool,
    soft_reset: Callable[[], None],
) -> bytes | None:
    """Answer a printer class request; None refuses any other.

    `device_id`: the IEEE 1284 id, such as `MFG:EPSON;CMD:ESC/POS;MDL:TM-T88III;CLS:PRINTER;`. `selected`: it
    is online. `soft_reset` empties its buffers; the answer is then empty.
    """
    asked = (request.request_type, request.request)
    if asked == GET_DEVICE_ID and request.value == 0 and request.index == 0:
        text = device_id.encode("ascii")
        return (len(text) + 2).to_bytes(2, "big") + text
    if asked == GET_PORT_STATUS and request.value == 0 and request.index == 0:
        return bytes([PAPER_EMPTY * paper_end | SELECTED * selected | NOT_ERROR * (not error)])
    if asked in SOFT_RESET and request.value == 0 and request.index == 0:
        soft_reset()
        return b""
    return None
