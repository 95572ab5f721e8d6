"""In a guest: devices of the simulator on the kernel's own bus, by USB/IP, and what to look at there.

The simulator runs in a process of its own, so that nothing of it is taken for the agent's.
"""

from __future__ import annotations

import faulthandler
import os
import signal
import socket
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from drivers.api import Deadline, SystemClock
from simulator.control import tell
from simulator.loop import Loop
from simulator.station import Plan, Station
from tests.guest import say
from tests.usbip_host import UsbIpHost

VHCI = Path("/sys/devices/platform/vhci_hcd.0")
DEVICES = Path("/sys/bus/usb/devices")
LP = Path("/dev/usb/lp0")
FREE, FULL_SPEED = "004", 2  #: VDEV_ST_NULL, USB_SPEED_FULL of the kernel's drivers/usb/usbip
TRACE = Path("/tmp/trace")  # noqa: S108 - the guest's own, empty at boot
WITHIN_S = 30.0
HANGS_S = 90.0
CLOCK = SystemClock()

Found = TypeVar("Found")


class OnBus:
    """A served device; `attach` plugs it into this machine."""

    def __init__(self, folder: Path, model: str, *settings: str) -> None:
        self.log = folder / "log"
        self.traffic = folder / "transcript"
        self._control = folder / "ctl"
        self._pid = os.fork()
        if not self._pid:
            _serve(folder, self._control, model, settings)
        until(self._control.exists)
        self.port = int(self.tell()["doors"][0].rpartition(":")[2])

    def tell(self, *settings: str) -> dict[str, Any]:
        return tell(self._control, settings)

    def attach(self, home: str = "") -> str:
        """Plug it in; the folder in sysfs that came. `home`: where to wait for it, if that is known."""
        before = {entry.name for entry in DEVICES.iterdir()}
        port, devid, connection = until(self._import)
        with connection:
            (VHCI / "attach").write_text(f"{port} {connection.fileno()} {devid} {FULL_SPEED}")
        if home:
            until((DEVICES / home / "devnum").exists)
            return home
        return until(lambda: next((n for n in _devices() if n not in before), None))

    def _import(self) -> tuple[int, int, socket.socket] | None:
        """A free port of the host controller, the device's number, and the way to it; None: it is leaving."""
        rows = [line.split() for line in (VHCI / "status").read_text().splitlines()]
        port = next((int(row[1]) for row in rows if row[0] == "hs" and row[2] == FREE), None)
        if port is None:
            return None
        host = UsbIpHost("127.0.0.1", self.port)
        exported = host.attach("1-1")
        if exported is None:
            host.socket.close()
            return None
        host.socket.setblocking(True)
        return port, exported.busnum << 16 | exported.devnum, host.socket

    def end(self) -> None:
        os.kill(self._pid, signal.SIGKILL)
        os.waitpid(self._pid, 0)
        until(lambda: not _devices())


def _serve(folder: Path, control: Path, model: str, settings: tuple[str, ...]) -> None:
    """In the simulator's process; does not return."""
    try:
        loop = Loop()
        plan = Plan(
            model=model,
            doors=("usbip:127.0.0.1:0",),
            settings=settings,
            control=control,
            transcript=folder / "transcript",
            log=folder / "log",
        )
        Station(plan, loop).open()
        loop.run()
    finally:
        os._exit(1)


def _devices() -> list[str]:
    return [entry.name for entry in DEVICES.iterdir() if entry.name[0].isdigit() and ":" not in entry.name]


@contextmanager
def on_bus(model: str, *settings: str) -> Iterator[OnBus]:
    """One that is served, and not plugged in yet."""
    folder = Path(f"/tmp/{model}-{time.monotonic_ns()}")  # noqa: S108 - the guest's own, empty at boot
    folder.mkdir()
    device = OnBus(folder, model, *settings)
    try:
        yield device
    finally:
        device.end()


def after(seconds: float) -> Deadline:
    return Deadline.after(CLOCK, seconds)


def until(look: Callable[[], Found | None], within_s: float = WITHIN_S) -> Found:
    """What `look` finds, as soon as it does."""
    ends_s = time.monotonic() + within_s
    while not (found := look()):
        if time.monotonic() > ends_s:
            raise TimeoutError(f"not within {within_s} s")
        time.sleep(0.02)
    return found


def driver_of(home: str, interface: int = 0) -> str | None:
    """The kernel's driver of an interface."""
    try:
        return (DEVICES / home / f"{home}:1.{interface}" / "driver").readlink().name
    except OSError:
        return None


@contextmanager
def another(program: str) -> Iterator[int]:
    """Another process, that has run a Python program and waits; its number."""
    waits = f"{program}; print(flush=True); import time; time.sleep(600)"
    with subprocess.Popen([sys.executable, "-S", "-c", waits], stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            process.stdout.readline()
            yield process.pid
        finally:
            process.kill()


@contextmanager
def traced(calls: str) -> Iterator[list[str]]:
    """What this process asks of the kernel meanwhile, a line each, with the paths of descriptors.

    There at the end. `calls`: as strace's `-e trace=`.
    """
    heard: list[str] = []
    command = ["strace", "-f", "-y", "-e", f"trace={calls}", "-o", str(TRACE), "-p", str(os.getpid())]
    with subprocess.Popen(command, stderr=subprocess.PIPE) as process:
        assert process.stderr is not None
        process.stderr.readline()  # it says that it is attached
        try:
            yield heard
        finally:
            process.terminate()
    heard += TRACE.read_text().splitlines()


def children() -> list[int]:
    """The processes that this one has started and not reaped."""
    return [int(pid) for pid in Path("/proc/thread-self/children").read_text().split()]


def descriptors() -> int:
    """How many this process has open."""
    return len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - as short as it gets


def told(scenario: Callable[..., dict[str, Any]], *given: Any, within_s: float = HANGS_S) -> None:
    """Run one scenario and say what it found, or how it failed; one that hangs ends the program."""
    began_s = time.monotonic()
    faulthandler.dump_traceback_later(within_s, exit=True)
    try:
        found = scenario(*given)
    except Exception:  # noqa: BLE001 - the test outside prints it
        found = {"failed": traceback.format_exc()}
    faulthandler.cancel_dump_traceback_later()
    say(scenario=scenario.__name__, took_s=round(time.monotonic() - began_s, 2), **found)
