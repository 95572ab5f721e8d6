"""In a guest: a receipt printer on the kernel's USB, which is usblp's as long as nobody takes it.

Arguments: how often it is unplugged and plugged in again; `long`: with what the kernel takes long for.
"""

from __future__ import annotations

import contextlib
import io
import json
import re
import sys
from typing import Any

from agent.cli.main import main as command_line
from drivers import passive
from drivers.api import Setup
from drivers.link import make
from drivers.link.none import NoLink
from drivers.link.usb.take import CHILD
from drivers.usb_control import Control, controls
from tests.inside.bench import (
    CLOCK,
    DEVICES,
    HANGS_S,
    LP,
    OnBus,
    after,
    another,
    children,
    descriptors,
    driver_of,
    on_bus,
    told,
    traced,
    until,
)
from tests.inside.polling import driver_for, error_of, polled, shown, values
from tests.inside.shared import with_the_till

AT = "usb:04b8:0202:SIM0000001"
HOME = "1-1"
PRINTER = 0x07
EOT_1 = b"\x10\x04\x01"
DEVICE_ID = Control(request_type=0xA1, request=0, interface_high=True, length=1023)
PORT_STATUS = Control(request_type=0xA1, request=1, length=1)


def main(cycles: int, *, long: bool) -> None:
    with on_bus("escpos") as printer:
        for scenario in (recognised, taken, watched, held, looked_at_only):
            told(scenario, printer)
        told(unplugged, printer, cycles, within_s=HANGS_S + 2 * cycles)
        told(with_the_till, printer, AT)
        if long:
            told(hangs, printer)


def recognised(printer: OnBus) -> dict[str, Any]:
    """What `tillwatch devices --json` prints."""
    printer.attach()
    until(LP.exists)
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.suppress(SystemExit):
        command_line(["devices", "--json"])
    return {"kernel_driver": driver_of(HOME), "devices": json.loads(said.getvalue())["usb_devices"]}


def taken(_printer: OnBus) -> dict[str, Any]:
    """The link, taking it from usblp and giving it back."""
    link = make(AT, PRINTER)
    link.open(after(5))
    assert controls(link)
    found: dict[str, Any] = {
        "kernel_driver": driver_of(HOME),
        "node_while_taken": LP.exists(),
        "device_id": (link.control(DEVICE_ID, after(2)) or b"").hex(),
        "port_status": (link.control(PORT_STATUS, after(2)) or b"").hex(),
    }
    link.write(EOT_1, after(2))
    found["eot_1"] = link.read(after(2)).hex()
    began_s = CLOCK.monotonic_s()
    found["nothing"] = link.read(after(0.3)).hex()
    found["waited_s"] = CLOCK.monotonic_s() - began_s
    found["second"] = error_of(AT, PRINTER)
    link.close()
    until(LP.exists)
    return found | {"kernel_driver_after": driver_of(HOME)}


def watched(printer: OnBus) -> dict[str, Any]:
    """The driver: paper, a hang, its end."""
    driver = driver_for("escpos", AT)
    try:
        fine = polled(driver, lambda seen: bool(seen.identity) and "port_status" in seen.facts)
        printer.tell("paper=end")
        empty = polled(driver, lambda seen: values(seen)["paper_end"] is True)
        printer.tell("paper=ok", "fault=mute")
        frozen = polled(driver, lambda seen: values(seen)["frozen"] is True)
        printer.tell("fault=none")
        well = polled(driver, lambda seen: bool(seen.identity) and values(seen)["paper_end"] is False)
    finally:
        driver.close()
    until(LP.exists)
    return {
        "fine": shown(fine),
        "empty": shown(empty),
        "frozen": shown(frozen),
        "well": shown(well),
    }


def held(_printer: OnBus) -> dict[str, Any]:
    """Another program prints to it: it keeps it, and is named."""
    with another("import os; os.open('/dev/usb/lp0', os.O_RDWR)") as pid:
        found = {"pid": pid, "while_open": error_of(AT, PRINTER), "kernel_driver": driver_of(HOME)}
    return found | {"after": error_of(AT, PRINTER)}


def looked_at_only(printer: OnBus) -> dict[str, Any]:
    """Passive access: what was opened, and what the device noticed of it."""
    until(LP.exists)
    before = printer.traffic.read_bytes(), printer.log.read_bytes()
    driver = passive.make(Setup(device="receipt", link=NoLink(), clock=CLOCK, memory={}), AT)
    with traced("open,openat,ioctl") as calls:
        seen = [driver.poll(after(5)) for _ in range(3)]
    driver.close()
    return {
        "seen": shown(seen[-1]),
        "opened": sorted(
            {path for call in calls for path in re.findall(r'open(?:at)?\([^"]*"([^"]*)', call)}
        ),
        "usb_ioctls": [call for call in calls if "USBDEVFS" in call],
        "unnoticed": before == (printer.traffic.read_bytes(), printer.log.read_bytes()),
        "kernel_driver": driver_of(HOME),
    }


def unplugged(printer: OnBus, cycles: int) -> dict[str, Any]:
    """Gone while open and back, again and again."""
    driver = driver_for("escpos", AT)
    opened, started = [], []
    try:
        polled(driver, lambda seen: values(seen)["cover_open"] is False)
        for _ in range(cycles):
            printer.tell("fault=unplug")
            # vhci_hcd never ends a transfer that is begun and given up before it has noticed (6.1).
            until(lambda: not (DEVICES / HOME).exists())
            gone = polled(driver, lambda seen: values(seen)["unplugged"] is True)
            printer.tell("fault=none")
            began_s = CLOCK.monotonic_s()
            printer.attach(HOME)
            back = polled(driver, lambda seen: values(seen)["unplugged"] is False)
            took_s = CLOCK.monotonic_s() - began_s
            opened.append(descriptors())
            started.append(children())
    finally:
        driver.close()
    return {
        "gone": shown(gone),
        "back": shown(back),
        "descriptors": opened,
        "children": [len(now) for now in started],
        "back_in_s": took_s,
    }


def hangs(printer: OnBus) -> dict[str, Any]:
    """A configuration that never ends, in the kernel: only the child waits for it."""
    printer.tell("fault=unplug", "configured=hangs")
    until(lambda: not (DEVICES / HOME).exists())
    printer.tell("fault=none")
    printer.attach(HOME)
    (DEVICES / HOME / "serial").read_text()  # the kernel tries for 5 s, and nobody may look till then
    before, started = descriptors(), children()
    stuck = until(lambda: error_of(AT, PRINTER, "driver_stuck"))
    lost = [pid for pid in children() if pid not in started]
    printer.tell("fault=unplug", "configured=yes")
    gone = until(lambda: error_of(AT, PRINTER, "absent"))
    printer.tell("fault=none")
    printer.attach(HOME)
    until(LP.exists)
    healed = error_of(AT, PRINTER)

    def ended() -> bool:
        CHILD.tidy()
        return children() == started

    CHILD.stop()
    until(ended)
    return {
        "stuck": stuck,
        "lost": len(lost),
        "gone": gone,
        "healed": healed,
        "descriptors": [before, descriptors()],
    }


if __name__ == "__main__":
    main(int(sys.argv[1]), long="long" in sys.argv[2:])
