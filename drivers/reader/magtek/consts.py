"""Names and numbers of MagTek's feature reports.

Pages are of the USB MagnePrint Swipe Reader manual 99875338-3.
"""

from __future__ import annotations

import enum

GET_PROPERTY = 0x00  # p26; the only command ever sent: 01 sets one, 02 resets the reader
REPORT_BYTES = 24  # p25
DATA_MOST = REPORT_BYTES - 2


class Property(enum.IntEnum):
    """p27 to p41. Readers of the SureSwipe line have the first two only (manual 99875191, p19)."""

    SOFTWARE_ID = 0x00  # a text of 11: part number and version
    USB_SERIAL = 0x01  # a text of 0 to 15
    DEVICE_SERIAL = 0x20  # a text of 0 to 15
    SEQUENCE_COUNTER = 0x21  # 4 bytes, the lowest first; one more at each swipe, for life


SOFTWARE_ID_BYTES = 11
SERIAL_MOST = 15
COUNTER_BYTES = 4


class Result(enum.IntEnum):
    """p25."""

    SUCCESS = 0x00
    FAILURE = 0x01
    BAD_PARAMETER = 0x02


HIGHEST_RESULT = 0x07
"""Readers have result codes of their own above the generic ones; what is higher is no answer."""
