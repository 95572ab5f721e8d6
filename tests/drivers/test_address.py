"""Link addresses: every form, every mistake."""

from __future__ import annotations

import pytest

from drivers.errors import AddressError
from drivers.link.address import HidAddress, PcscAddress, SerialAddress, TcpAddress, UsbAddress, parse

GOOD = {
    "serial:/dev/ttyS0": SerialAddress(path="/dev/ttyS0"),
    "serial:/dev/x?baud=38400&parity=E&bits=7&flow=rtscts": SerialAddress(
        path="/dev/x", baud=38400, parity="E", bits=7, flow="rtscts"
    ),
    "serial:/dev/serial/by-path/pci-0000:00:14.0-usb-0:1:1.0-port0": SerialAddress(
        path="/dev/serial/by-path/pci-0000:00:14.0-usb-0:1:1.0-port0"
    ),
    "tcp:192.0.2.7:9100": TcpAddress(host="192.0.2.7", port=9100),
    "tcp:printer.shop:9100?hold=1": TcpAddress(host="printer.shop", port=9100, hold=True),
    "tcp:printer:9100?hold=0": TcpAddress(host="printer", port=9100),
    "tcp:[fe80::1]:9100": TcpAddress(host="fe80::1", port=9100),
    "usb:04b8:0e15": UsbAddress(vid=0x04B8, pid=0x0E15),
    "usb:04B8:0E15:TC3Y:1": UsbAddress(vid=0x04B8, pid=0x0E15, serial="TC3Y:1"),
    "usb:1504:0006?port=1-1.4": UsbAddress(vid=0x1504, pid=0x0006, port="1-1.4"),
    "usb:04b8:0202:X?backend=unix:/x/y&port=3-2": UsbAddress(
        vid=0x04B8, pid=0x0202, serial="X", port="3-2", backend="unix:/x/y"
    ),
    "hid:0801:0011": HidAddress(vid=0x0801, pid=0x0011),
    "hid:0801:0011:B1?port=1-2": HidAddress(vid=0x0801, pid=0x0011, serial="B1", port="1-2"),
    "pcsc:Gemalto PC Twin Reader (1A2B) 00 00": PcscAddress(reader="Gemalto PC Twin Reader (1A2B) 00 00"),
    "pcsc:ACS ACR39U ICC Reader": PcscAddress(reader="ACS ACR39U ICC Reader"),
}

BAD = {
    "/dev/ttyS0": "no scheme",
    "": "no scheme",
    "serial:ttyS0": "absolute path",
    "serial:/dev/x?baud=fast": "baud must be 300 to 4000000; got 'fast'",
    "serial:/dev/x?baud=-9600": "baud must be",
    "serial:/dev/x?baud=9600000000": "baud must be",
    "serial:/dev/x?parity=X": "parity must be N or E or O or M or S; got 'X'",
    "serial:/dev/x?bits=9": "bits must be 7 or 8; got '9'",
    "serial:/dev/x?flow=dtr": "flow must be none or rtscts or xonxoff",
    "serial:/dev/x?speed=9600": "has no parameter 'speed'; it has baud, parity, bits, flow",
    "serial:/dev/x?baud": "has no value",
    "serial:/dev/x?baud=9600&baud=9600": "given twice",
    "tcp:192.0.2.7": "needs a host and a port",
    "tcp::9100": "needs a host and a port",
    "tcp:fe80::1:9100": "in brackets",
    "tcp:printer:0": "port must be 1 to 65535",
    "tcp:printer:lp": "port must be",
    "tcp:printer:9100?hold=yes": "hold must be 0 or 1",
    "tcp:printer:9100?baud=9600": "has no parameter 'baud'",
    "usb:04b8": "needs two ids of four hexadecimal digits",
    "usb:4b8:0202": "needs two ids",
    "usb:04b8:0202:": "needs two ids",
    "usb:04b8:0202?port=4": "port must be a place on the bus, such as 1-1.4; got '4'",
    "usb:04b8:0202?port=1-1.": "port must be",
    "usb:04b8:0202?backend=unix": "backend must be NAME:ARGUMENT",
    "usb:04b8:0202?hold=1": "has no parameter 'hold'; it has port, backend",
    "hid:0801": "hid: needs two ids",
    "pcsc:": "needs the reader's name",
    "pcsc:a\nb": "needs the reader's name",
    "pcsc:" + 128 * "x": "needs the reader's name",
    "carrier:pigeon": "is no link scheme",
}


@pytest.mark.parametrize("text", GOOD)
def test_reads(text: str) -> None:
    assert parse(text) == GOOD[text]
    assert parse(text).scheme == text.partition(":")[0]


@pytest.mark.parametrize("text", BAD)
def test_refuses_in_one_line(text: str) -> None:
    with pytest.raises(AddressError) as caught:
        parse(text)
    assert BAD[text] in str(caught.value)
    assert "\n" not in str(caught.value)


def test_what_is_meant_is_found_by_ids_then_serial_then_place() -> None:
    any_one = UsbAddress(vid=1, pid=2)
    assert any_one.fits(1, 2, "S", "1-1")
    assert not any_one.fits(1, 3, "S", "1-1")
    mine = UsbAddress(vid=1, pid=2, serial="S", port="1-1")
    assert mine.fits(1, 2, "S", "1-1")
    assert not mine.fits(1, 2, None, "1-1")
    assert not mine.fits(1, 2, "S", "1-2")
