"""Below `tests.umock_bus`: the links and the real libusb, on a mocked bus. Prints what it found, as JSON."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

from drivers.api import Deadline, SystemClock
from drivers.errors import LinkError
from drivers.link import make
from drivers.usb_control import Control, controls

AT = "usb:04b8:0202:J9UF014387"
NODE = "/dev/bus/usb/001/002"
PRINTER = 0x07
EOT_1 = b"\x10\x04\x01"
DEVICE_ID = Control(request_type=0xA1, request=0, interface_high=True, length=1023)
PORT_STATUS = Control(request_type=0xA1, request=1, length=1)
UNKNOWN = Control(request_type=0xA1, request=77, length=1)
NOBODY = 65534
CLOCK = SystemClock()


def main() -> None:
    link = make(AT, PRINTER)
    assert controls(link)
    found: dict[str, Any] = {}
    do("busy")
    found["busy"] = error_of(link)
    do("free")
    link.open(after(2))
    found["device_id"] = (link.control(DEVICE_ID, after(1)) or b"").decode("latin-1")
    found["port_status"] = (link.control(PORT_STATUS, after(1)) or b"").hex()
    found["unknown"] = link.control(UNKNOWN, after(1))
    link.write(EOT_1, after(1))
    found["eot_1"] = link.read(after(1)).hex()
    do("mute")
    link.write(EOT_1, after(1))
    began_s = time.monotonic()
    found["mute"] = link.read(after(0.4)).hex()
    found["waited_s"] = time.monotonic() - began_s
    do("answer")
    link.write(EOT_1, after(1))
    found["eot_1_again"] = link.read(after(1)).hex()
    link.close()
    testbed = Path(os.environ["UMOCKDEV_DIR"])
    node, answers = Path(f"{testbed}{NODE}"), Path(f"{testbed}/ioctl{NODE}")
    answers.chmod(0o666)  # umockdev connects to it, whether or not the node could be opened
    testbed.chmod(0o755)
    node.chmod(0)
    if os.geteuid() == 0:
        os.seteuid(NOBODY)
    found["just_plugged_in"] = error_of(link)
    found["denied"] = error_of(link, within_s=4.0, code="no_permission")
    if os.getuid() == 0:
        os.seteuid(0)
    node.chmod(0o600)
    link.open(after(1))
    do("unplug")
    found["unplugged"] = broken(link)
    link.close()
    found["gone"] = error_of(link)
    print(json.dumps(found), flush=True)  # noqa: T201 - the way out


def after(seconds: float) -> Deadline:
    return Deadline.after(CLOCK, seconds)


def do(word: str) -> None:
    print(f"DO {word}", flush=True)  # noqa: T201 - same
    sys.stdin.readline()


def error_of(link: Any, within_s: float = 0.0, code: str = "") -> dict[str, str] | None:
    """Why it does not open; waits for the code, if one is given."""
    ends_s = time.monotonic() + within_s
    while True:
        try:
            link.open(after(1))
        except LinkError as error:
            if error.code == code or time.monotonic() > ends_s:
                return {"code": error.code, "text": str(error)}
        else:
            link.close()
            return None
        time.sleep(0.1)


def broken(link: Any) -> str | None:
    """The code of what breaks the open link."""
    try:
        link.write(EOT_1, after(1))
        link.read(after(1))
    except LinkError as error:
        return error.code
    return None


if __name__ == "__main__":
    main()
