"""The composition root: builds the parts, starts them, turns the crank, stops them.

    worker threads -- observations --> inbox --> this thread: Terminal --> uplink (states)
                                                                      +--> writer (events) --> uplink

Everything that touches the terminal's state is a callable in the inbox, run by one thread.
"""

from __future__ import annotations

import logging
import os
import queue
import signal
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

from agent import sdnotify
from agent.config import Config, Device
from agent.control import SOCKET_NAME, Answer, ControlServer, Hear
from agent.diagnosis.catalogue import with_own
from agent.diagnosis.faults import Diagnosis
from agent.going_down import Look
from agent.messages import Stamper
from agent.network import NETWORK, UplinkView, network_device
from agent.outbox import shelter
from agent.outbox.outbox import Batch
from agent.outbox.writer import Writer
from agent.selftest import SelftestDesk
from agent.terminal import AGENT, Terminal, Watched
from agent.till.doors import TillDoors
from agent.uplink.session import Uplink, UplinkState
from agent.watch.memory import DeviceMemory
from agent.watch.restarts import RestartWatch
from agent.watch.worker import Worker
from drivers import passive, registry, shared
from drivers.api import Clock, Driver, Json, Memory, Observation, Sale, Setup, SystemClock
from drivers.errors import TillwatchError
from drivers.link import make as make_link
from drivers.link.none import NoLink
from drivers.network import driver as network_driver
from drivers.network.session import SessionView

HOST = "host"
OUTBOX_NAME = "outbox.sqlite"
TICK_S = 1.0
INBOX_MOST = 1000
INBOX_PUT_S = 2.0
STOP_S = 2.0
WRITER_STOP_S = 3.0
GOING_DOWN_S = 1.0  #: for systemd to say whether the machine goes down
LOOK_AGAIN_S = 60.0  #: at a disk that took no writes at the start
STORAGE_FAILED = "storage_failed"
MEMORY_PREFIX = "device/"

log = logging.getLogger("tillwatch")


class Busy(TillwatchError):
    code = "busy"
    hint = "try again"


class Daemon:
    """One terminal's agent. `run` returns when told to stop."""

    def __init__(self, config: Config, *, clock: Clock | None = None) -> None:
        self._config = config
        self._clock = clock or SystemClock()
        self._inbox: queue.Queue[Callable[[], None]] = queue.Queue(INBOX_MOST)
        # No Event: a second signal may come while the first one's handler holds its lock.
        self._stopping = False
        self._terminated = False
        self._boot = boot_id()
        self._uplink_state: UplinkState | None = None
        self._stuck: set[str] = set()
        self._synced = config.agent.clock == "trusted"
        stamper = Stamper(
            site=config.terminal.site,
            boot=self._boot,
            clock=self._clock,
            up_s=lambda: time.clock_gettime(time.CLOCK_BOOTTIME),
            synced=lambda: self._synced,
        )
        self._stamper = stamper
        self._outbox_path = config.agent.state_dir / OUTBOX_NAME
        self._outbox, sheltered = shelter.open_outbox(
            self._outbox_path, config.agent.runtime_dir / OUTBOX_NAME, stamper=stamper
        )
        self._sheltered = sheltered.code if sheltered else None
        self._look_again_s = self._clock.monotonic_s() + LOOK_AGAIN_S
        self._start_anew = False
        self._storage_judged = False
        self._storage_trouble: str | None = None
        self._writer = Writer(self._outbox)
        self._restarts = RestartWatch(self._outbox.memory(), self._boot)
        self._uplink = Uplink(config, self._outbox, stamper, self._note_uplink)
        devices = (host_device(config), network_device(config), *config.devices)
        own = (fault for device in devices for fault in registry.spec(device.driver).faults)
        diagnosis = Diagnosis(with_own(own), self._clock)
        self._terminal = Terminal(
            config,
            {d.id: Watched(d.driver, registry.spec(d.driver).categories, d.poll_s) for d in devices},
            diagnosis=diagnosis,
            clock=self._clock,
            stamper=stamper,
            publisher=self._uplink,
            store=self._writer,
        )
        self._workers = {d.id: self._worker(d) for d in devices}
        desk = SelftestDesk(
            config,
            self._workers,
            self._clock,
            record=lambda event: self._writer.submit(Batch([self._outbox.event(event)])),
        )
        self._control = ControlServer(
            config.agent.runtime_dir / SOCKET_NAME,
            {"status": self._status, "selftest": desk.answer},
        )
        self._till = TillDoors(config, self._clock, self._terminal, self._post, self._boot)

    # -- life ----------------------------------------------------------------------------------------

    def run(self) -> bool:
        """Watch until SIGTERM or SIGINT. True: start the daemon anew, its disk works again."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_signal)
        self._terminal.restore(self._outbox.faults())
        self._writer.start()
        self._uplink.keep({f"device/{device}" for device in self._workers})
        self._uplink.start()
        for worker in self._workers.values():
            worker.start()
        self._control.start()
        self._till.start()
        sdnotify.notify("READY=1")
        log.info("watching %s: %s", self._config.terminal.id, ", ".join(self._workers))
        try:
            self._turn()
        finally:
            self._close()
        return self._start_anew

    def stop(self) -> None:
        """End `run`; from any other thread."""
        self._stopping = True
        self._post(lambda: None)

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        self._terminated |= number == signal.SIGTERM
        self._stopping = True

    def _turn(self) -> None:
        beat_s = self._clock.monotonic_s()
        while not self._stopping:
            now_s = self._clock.monotonic_s()
            wait_s = max(0.0, min(self._terminal.next_due_s(), beat_s) - now_s)
            try:
                work = self._inbox.get(timeout=wait_s)
            except queue.Empty:
                work = self._terminal.advance
            if not _taken(work):
                time.sleep(TICK_S)  # a mistake that lasts must not flood the log
            if self._clock.monotonic_s() >= beat_s:
                _taken(self._beat)
                beat_s = self._clock.monotonic_s() + TICK_S

    def _beat(self) -> None:
        """Once a second: mark workers that hang, judge the storage, tell systemd that this thread lives."""
        for device, worker in self._workers.items():
            hanging = worker.stuck()
            if hanging is None:
                self._stuck.discard(device)
            elif device not in self._stuck:
                self._stuck.add(device)
                log.warning("%s: a call into the driver does not come back", device)
                self._terminal.observe(device, hanging)
        self._judge_storage(self._sheltered or self._writer.trouble)
        if self._sheltered and self._clock.monotonic_s() >= self._look_again_s:
            self._look_again_s = self._clock.monotonic_s() + LOOK_AGAIN_S
            if shelter.works(self._outbox_path, stamper=self._stamper):
                log.warning("the disk takes writes again: starting anew on it")
                self._start_anew = self._stopping = True
        sdnotify.notify("WATCHDOG=1")

    def _close(self) -> None:
        sdnotify.notify("STOPPING=1")
        look = Look() if self._terminated else None
        self._control.stop()
        self._till.stop()
        for worker in self._workers.values():
            worker.ask_to_stop()
        ends_s = self._clock.monotonic_s() + STOP_S
        for device, worker in self._workers.items():
            if not worker.join(max(0.0, ends_s - self._clock.monotonic_s())):
                log.warning("%s: its driver hangs and is left behind", device)
        self._drain()
        self._writer.stop(WRITER_STOP_S)
        down = look is not None and look.machine_goes_down(GOING_DOWN_S)
        self._uplink.stop("shutdown" if down else "stopping")
        self._outbox.close()
        log.info("stopped")

    def _drain(self) -> None:
        while True:
            try:
                work = self._inbox.get_nowait()
            except queue.Empty:
                return
            _taken(work)

    # -- what comes in from other threads ------------------------------------------------------------

    def _post(self, work: Callable[[], None]) -> None:
        try:
            self._inbox.put(work, timeout=INBOX_PUT_S)
        except queue.Full:
            # An observation is a whole picture: the next one makes up for it. A view is asked for again.
            log.warning("the judging thread is behind; a message to it was let go")

    def _observed(self, device: str, observation: Observation) -> None:
        def take() -> None:
            if device == HOST and self._config.agent.clock != "trusted":
                self._synced = observation.facts.get("clock_synced") is True
            self._terminal.observe(device, observation)
            self._tell_restart(device, observation)

        self._post(take)

    def _tell_restart(self, device: str, observation: Observation) -> None:
        event = self._restarts.look(device, observation)
        if event is not None:
            log.warning("the pass-through broke off and goes on: %s", event.detail)
            rows = [self._outbox.event(event)]
            self._writer.submit(Batch(rows=rows, memory=self._restarts.seen(device)))

    def _judge_storage(self, trouble: str | None) -> None:
        if self._storage_judged and trouble == self._storage_trouble:
            return
        self._storage_judged, self._storage_trouble = True, trouble
        evidence: dict[str, dict[str, Json]] = {STORAGE_FAILED: {"detail": trouble}} if trouble else {}
        self._terminal.judge(AGENT, {STORAGE_FAILED: trouble is not None}, evidence)

    def _note_uplink(self, state: UplinkState) -> None:
        self._uplink_state = state
        sdnotify.notify(f"STATUS=broker: {state.reason}")

    def _status(self, _request: dict[str, Any], _who: str, _hear: Hear) -> Answer:
        answer: queue.Queue[dict[str, Any]] = queue.Queue(1)
        self._post(lambda: answer.put(self._terminal.view()))
        try:
            view = answer.get(timeout=STOP_S + INBOX_PUT_S)
        except queue.Empty as late:
            raise Busy("the daemon is starting, stopping or far behind") from late
        state = self._uplink_state
        yield view | {
            "uplink": state.view() if state else None,
            "outbox": self._outbox.view(),
            "pid": os.getpid(),
        }

    # -- parts ---------------------------------------------------------------------------------------

    def _worker(self, device: Device) -> Worker:
        key = MEMORY_PREFIX + device.id
        about = f"{device.driver} {device.access} {device.link}"
        memory = DeviceMemory(self._outbox.memory().get(key), self._boot, about)

        def learned() -> None:
            changes = memory.take_changes()
            if changes is not None:
                self._writer.submit(Batch(memory={key: changes}))

        return Worker(
            device.id,
            lambda: make_driver(
                device,
                self._clock,
                memory,
                self._config.agent.till_dir,
                session=UplinkView(self._uplink),
                sale=self._terminal.sale,
            ),
            clock=self._clock,
            poll_s=device.poll_s,
            reply_s=device.reply_s,
            sink=self._observed,
            after_step=learned,
        )


def _taken(work: Callable[[], None]) -> bool:
    """One device's news that we stumble over must not end the watch over all others."""
    try:
        work()
    except Exception:
        log.exception("a message to the judging thread could not be taken")
        return False
    return True


def host_device(config: Config) -> Device:
    """The machine itself, as a device like any other."""
    options = {
        "vitals": config.host.vitals,
        "disk": str(config.agent.state_dir),
        "clock": config.agent.clock,
    }
    return Device(
        id=HOST, driver=HOST, link="", access="exclusive", poll_s=config.host.poll_s, options=options
    )


def make_driver(
    device: Device,
    clock: Clock,
    memory: Memory,
    till_dir: Path,
    *,
    session: SessionView | None = None,
    sale: Callable[[], Sale] = lambda: "unknown",
) -> Driver:
    """The driver a device's configuration asks for; one that only looks where access is passive.

    `session` is for the network's: what the connection to the broker shows.
    """
    looked_at = device.access == "passive"
    usb_class = registry.spec(device.driver).usb_class
    link = make_link(device.link, usb_class) if device.link and not looked_at else NoLink()
    setup = Setup(
        device=device.id,
        link=link,
        clock=clock,
        memory=memory,
        profile=device.profile,
        poll_s=device.poll_s,
        reply_s=device.reply_s,
        options=device.options,
        sale=sale,
    )
    if device.id == NETWORK:
        return network_driver.make(setup, session)
    if looked_at:
        unsaid = registry.spec(device.driver).look.get(device.link.partition(":")[0], ())
        return passive.make(setup, device.link, device.look or unsaid)
    if device.access == "shared":
        return shared.make(setup, registry.spec(device.driver), till_dir / f"{device.id}.sock", device.link)
    return registry.spec(device.driver).make(setup)


def boot_id(path: Path = Path("/proc/sys/kernel/random/boot_id")) -> str:
    """The kernel's id of this boot; `unknown` where it does not say."""
    try:
        return path.read_text(encoding="ascii").strip()
    except OSError:
        return "unknown"
