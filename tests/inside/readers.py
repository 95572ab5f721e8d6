"""In a guest: card readers on the kernel's USB. By hidraw, by libusb, and through pcscd."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from drivers.link.pcsc.link import CHILD as PCSC_CHILD
from tests.inside.bench import DEVICES, OnBus, driver_of, on_bus, told, traced, until
from tests.inside.polling import driver_for, error_of, polled, shown, values

HOME = "1-1"
MAGTEK, VIVOTECH, CCID = "hid:0801:0002", "hid:0acd:4450", "usb:04e6:5116:SIM0000002"
CCID_CLASS = 0x0B
TRACED_REPLY_S = 4.0
PCSCD = "/usr/sbin/pcscd"
RUN, NO_READERS = Path("/run/pcscd"), Path("/run/no-readers")


def main() -> None:
    with on_bus("magtek") as reader:
        told(swiped, reader)
        told(never_read, reader)
    with on_bus("vivotech") as reader:
        told(vivotech, reader)
    with on_bus("ccid") as reader:
        told(by_libusb, reader)
        if Path(PCSCD).exists():
            told(by_pcscd, reader)


def swiped(reader: OnBus) -> dict[str, Any]:
    """Asked by feature reports; a card is drawn while nobody has it open."""
    reader.attach()
    until(Path("/dev/hidraw0").exists)
    driver = driver_for("magtek", MAGTEK)
    try:
        first = polled(driver, lambda seen: bool(seen.identity) and bool(seen.statistics))
        open_between = hidraws()
        reader.tell("swipe=TEST")
        second = polled(driver, lambda seen: seen.statistics != first.statistics)
        reader.tell("fault=mute")
        frozen = polled(driver, lambda seen: values(seen)["frozen"] is True)
        reader.tell("fault=none")
    finally:
        driver.close()
    return {
        "first": shown(first),
        "open_between": open_between,
        "second": shown(second),
        "frozen": shown(frozen),
        "kernel_driver": driver_of(HOME),
    }


def never_read(reader: OnBus) -> dict[str, Any]:
    """A card is drawn before each poll: each descriptor is closed again, and none is ever read."""
    driver = driver_for("magtek", MAGTEK, reply_s=TRACED_REPLY_S)
    try:
        with traced("open,openat,close,read,ioctl") as calls:
            for _ in range(3):
                reader.tell("swipe=TEST")
                polled(driver, lambda seen: seen.heard)
    finally:
        driver.close()
    named = [found[1] for call in calls if (found := re.search(r"(\w+)\(.*/dev/hidraw", call))]
    return {"calls": {name: named.count(name) for name in set(named)}}


def vivotech(reader: OnBus) -> dict[str, Any]:
    """A contactless reader by feature reports."""
    reader.attach()
    until(Path("/dev/hidraw0").exists)
    driver = driver_for("vivotech", VIVOTECH)
    try:
        first = polled(driver, lambda seen: bool(seen.identity) and seen.power == "online")
        reader.tell("tamper=yes")
        opened = polled(driver, lambda seen: any(values(seen).values()))
    finally:
        driver.close()
    return {"first": shown(first), "opened": shown(opened), "kernel_driver": driver_of(HOME)}


def by_libusb(reader: OnBus) -> dict[str, Any]:
    """CCID, where pcscd does not run."""
    reader.attach()
    until((DEVICES / HOME / f"{HOME}:1.0").exists)
    driver = driver_for("ccid", CCID)
    try:
        fine = polled(driver, lambda seen: bool(seen.identity) and seen.power == "online")
        reader.tell("reader=hardware_error")
        broken = polled(driver, lambda seen: any(values(seen).values()))
        reader.tell("reader=ok")
    finally:
        driver.close()
    return {"fine": shown(fine), "broken": shown(broken), "powered_on": reader.tell()["powered_on"]}


def by_pcscd(reader: OnBus) -> dict[str, Any]:
    """CCID, where Debian's pcscd with libccid has the reader."""
    with pcscd() as pid:
        held = until(lambda: error_of(CCID, CCID_CLASS, "held_by_other"))
        if importlib.util.find_spec("smartcard") is None:
            return {"pid": pid, "held": held, "fine": None}
        driver = driver_for("ccid", "pcsc:SCM Microsystems")
        try:
            fine = polled(driver, lambda seen: seen.power == "online")
            reader.tell("card=present")
            card = polled(driver, lambda seen: seen.facts != fine.facts)
        finally:
            driver.close()
            PCSC_CHILD.stop()
    return {"pid": pid, "held": held, "fine": shown(fine), "card": shown(card)}


@contextmanager
def pcscd() -> Iterator[int]:
    """Debian's, without the serial readers that this machine may have configured; its process."""
    for folder in (RUN, NO_READERS):
        folder.mkdir(exist_ok=True)
    process = subprocess.Popen([PCSCD, "--foreground", "--critical", "--config", NO_READERS])
    try:
        yield process.pid
    finally:
        process.kill()
        process.wait()


def hidraws() -> list[str]:
    """What this process has open of them."""
    held = (Path("/proc/self/fd") / name for name in os.listdir("/proc/self/fd"))  # noqa: PTH208 - names suffice
    return [str(target) for fd in held if fd.is_symlink() and "hidraw" in (target := fd.readlink()).name]


if __name__ == "__main__":
    main()
