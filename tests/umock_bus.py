"""A USB printer in umockdev, as a program of its own: the real libusb of a child talks to it by usbfs ioctls.

Run by Debian's python3 with its bindings. `umock_bus.py PROGRAM...` starts the program below the mocked bus
and hands on what it prints, but for lines `DO mute`, `answer`, `busy`, `free` or `unplug`: these it does.

Sources: linux/usbdevice_fs.h; Printing Devices 1.1, 4.2; USB 2.0, 9.6.
"""

from __future__ import annotations

import errno
import os
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import gi  # type: ignore[import-not-found]  # Debian's, for Debian's interpreter

gi.require_version("UMockdev", "1.0")
from gi.repository import GLib, UMockdev  # type: ignore[import-not-found]  # noqa: E402 - named above first

PRELOAD = "libumockdev-preload.so.0"
NODE = "/dev/bus/usb/001/002"
DEVICE_ID = b"MFG:EPSON;CMD:ESC/POS;MDL:TM-T20;CLS:PRINTER;"
OUT, IN, CONTROL = 0x01, 0x82, 0x00
ANSWERS = {b"\x10\x04\x01": b"\x12", b"\x10\x04\x04": b"\x12"}
REQUESTS = {(0xA1, 0): (len(DEVICE_ID) + 2).to_bytes(2, "big") + DEVICE_ID, (0xA1, 1): b"\x18"}

URB_BYTES, ENDPOINT, STATUS, BUFFER, LENGTH, ACTUAL = 56, 1, 4, 16, 24, 28
CLAIM, RELEASE, CAPABILITIES = 0x8004550F, 0x80045510, 0x8004551A
SUBMIT, DISCARD, REAP = 0x8038550A, 0x550B, 0x4008550D
CAN_DO_NOTHING_SPECIAL = 0

DESCRIPTORS = bytes.fromhex(
    "12 01 0002 000000 40 b804 0202 0001 01 02 03 01"  # device
    " 09 02 2000 01 01 00 c0 01"  # configuration
    " 09 04 00 00 02 07 01 02 00 07 05 01 02 4000 00 07 05 82 02 4000 00"  # interface, bulk out and in
)
ATTRIBUTES = {
    "busnum": "1",
    "devnum": "2",
    "speed": "12",
    "bConfigurationValue": "1",
    "bDeviceClass": "00",
    "idVendor": "04b8",
    "idProduct": "0202",
    "serial": "J9UF014387",
}


class Urb:
    """One that is on its way, in the child's memory."""

    def __init__(self, data: Any, address: int) -> None:
        raw = bytes(data.retrieve())
        self.data, self.address = data, address
        self.endpoint = raw[ENDPOINT]
        (self.length,) = struct.unpack_from("<i", raw, LENGTH)
        self.buffer = data.resolve(BUFFER, self.length) if self.length else None

    def sent(self) -> bytes:
        return bytes(self.buffer.retrieve()) if self.buffer else b""

    def end(self, status: int, came: bytes = b"", moved: int | None = None, at: int = 0) -> None:
        if came and self.buffer:
            self.buffer.update(at, came)
        self.data.update(STATUS, struct.pack("<i", -status))
        self.data.update(ACTUAL, struct.pack("<i", len(came) if moved is None else moved))


class Printer:
    """Answers the ioctls on its node."""

    def __init__(self) -> None:
        self.mute = self.busy = self.gone = False
        self._waiting: list[Urb] = []
        self._ended: list[Urb] = []
        self._says = b""

    def on_ioctl(self, _handler: Any, client: Any) -> bool:
        asked = client.get_request() & 0xFFFFFFFF
        client.complete(*self._answer(asked, client.get_arg()))
        return True

    def _answer(self, asked: int, arg: Any) -> tuple[int, int]:
        code = 0
        if asked == REAP:
            return self._reap(arg)
        if self.gone:
            code = errno.ENODEV
        elif asked == CAPABILITIES:
            arg.resolve(0, 4).update(0, struct.pack("<I", CAN_DO_NOTHING_SPECIAL))
        elif asked == CLAIM and self.busy:
            code = errno.EBUSY
        elif asked == SUBMIT:
            (address,) = struct.unpack("<Q", bytes(arg.retrieve()))
            self._submit(Urb(arg.resolve(0, URB_BYTES), address))
        elif asked == DISCARD:
            (address,) = struct.unpack("<Q", bytes(arg.retrieve()))
            self._discard(address)
        elif asked not in (CLAIM, RELEASE):
            code = errno.ENOTTY
        return (-1 if code else 0), code

    def _reap(self, arg: Any) -> tuple[int, int]:
        if not self._ended:
            return -1, errno.ENODEV if self.gone else errno.EAGAIN
        arg.resolve(0, 8).set_ptr(0, self._ended.pop(0).data)
        return 0, 0

    def _submit(self, urb: Urb) -> None:
        if urb.endpoint == OUT:
            if not self.mute:
                self._says += ANSWERS.get(urb.sent(), b"")
            self._end(urb, moved=urb.length)
        elif urb.endpoint == CONTROL:
            setup = urb.sent()[:8]
            answer = REQUESTS.get((setup[0], setup[1]))
            if answer is None:
                self._end(urb, errno.EPIPE)
            else:
                self._end(urb, came=answer[: urb.length - 8], at=8)
        else:
            self._waiting.append(urb)
        self._say()

    def _say(self) -> None:
        if self._says and self._waiting:
            says, self._says = self._says, b""
            self._end(self._waiting.pop(0), came=says)

    def _discard(self, address: int) -> None:
        for urb in [urb for urb in self._waiting if urb.address == address]:
            self._waiting.remove(urb)
            self._end(urb, errno.ENOENT)

    def _end(self, urb: Urb, status: int = 0, **what: Any) -> None:
        urb.end(status, **what)
        self._ended.append(urb)


def main(program: list[str]) -> int:
    testbed = UMockdev.Testbed.new()
    node = Path(testbed.get_root_dir() + NODE)
    node.parent.mkdir(parents=True)
    node.touch()
    attributes = [text for name, value in ATTRIBUTES.items() for text in (name, value + "\n")]
    names = ["DEVTYPE", "usb_device", "DEVNAME", NODE, "BUSNUM", "001", "DEVNUM", "002"]
    home = testbed.add_device("usb", "1-1", None, attributes, names)
    testbed.set_attribute_binary(home, "descriptors", DESCRIPTORS)
    inside = ["bInterfaceClass", "07\n", "bInterfaceNumber", "00\n"]
    interface = testbed.add_device("usb", "1-1:1.0", home, inside, ["DEVTYPE", "usb_interface"])
    printer = Printer()
    handler = UMockdev.IoctlBase()
    handler.connect("handle-ioctl", printer.on_ioctl)
    testbed.attach_ioctl(NODE, handler)

    environment = {**os.environ, "LD_PRELOAD": PRELOAD, "UMOCKDEV_DIR": testbed.get_root_dir()}
    child = subprocess.Popen(program, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert child.stdin is not None
    assert child.stdout is not None
    tells, hears = child.stdin, child.stdout
    loop = GLib.MainLoop()

    def do(word: str) -> None:
        if word == "unplug":
            printer.gone = True
            node.unlink()
            for path in (interface, home):
                testbed.uevent(path, "remove")
                testbed.remove_device(path)
        else:
            printer.mute = {"mute": True, "answer": False}.get(word, printer.mute)
            printer.busy = {"busy": True, "free": False}.get(word, printer.busy)

    def heard(_channel: Any, _condition: Any) -> bool:
        line = hears.readline().decode()
        if not line:
            loop.quit()
            return False
        if line.startswith("DO "):
            do(line.split()[1])
            tells.write(b"done\n")
            tells.flush()
        else:
            sys.stdout.write(line)
        return True

    GLib.io_add_watch(GLib.IOChannel.unix_new(hears.fileno()), GLib.IO_IN | GLib.IO_HUP, heard)
    loop.run()
    return child.wait()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
