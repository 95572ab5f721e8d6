"""Link addresses: every form, every mistake."""

from __future__ import annotations

import pytest

from drivers.errors import AddressError
from drivers.link.address import SerialAddress, TcpAddress, UsbAddress, parse

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
    "usb:04b8:0202?backend=unix:/x": "has no parameters",
    "hid:0801:0001": "not supported by this version",
    "pcsc:Reader": "not supported by this version",
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
