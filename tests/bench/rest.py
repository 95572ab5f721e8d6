"""At rest: memory and CPU of the daemon beside its peers, all over the same seconds.

The daemon has what the budget names: TLS with a certificate of its own, the real host, and polled each 2 s a
printer on a tty with automatic status, a card reader on USB and a customer display that reads back. That USB
is the simulator's, so what libusb adds is measured apart.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.bench.peers import Peer, Scraper, Secured, present
from tests.bench.processes import Cost, at_rest
from tests.bench.report import Budget, Table
from tests.bench.section import CannotMeasure, Size
from tests.brokers import mosquitto_broker
from tests.certificates import Authority
from tests.counter import BASE, Counter, end, start, until

MEMORY_MIB = 32.0
CPU_PCT = 0.5
OURS = "tillwatch: TLS, printer, reader, display each 2 s, host"
BARE = "(python3 that only sleeps)"

CONFIG = """\
config_version = 1
[terminal]
id = "T-0001"
site = "bench"
[mqtt]
url = "mqtts://127.0.0.1:{port}"
ca_file = "{ca_file}"
cert_file = "{cert_file}"
key_file = "{key_file}"
[agent]
state_dir = "{folder}/state"
[[device]]
id = "receipt"
driver = "escpos"
link = "serial:{folder}/receipt"
access = "exclusive"
profile = "epson-tm"
[[device]]
id = "chip-reader"
driver = "ccid"
link = "usb:04e6:5116?backend=unix:{folder}/chip-reader"
access = "exclusive"
[[device]]
id = "display"
driver = "ncr597x"
link = "serial:{folder}/display"
access = "exclusive"
text = "Welcome"
"""
BESIDE = (("chip-reader", "ccid", "usb:unix:"), ("display", "ncr597x", "tty:"))
"""Id, model and door of what stands beside the printer."""
ANSWERS = {
    "receipt": b'"paper_end":{"value":false',
    "chip-reader": b'"hardware_error":{"value":false',
    "display": b'"wrong_text":{"value":false',
}
LIBUSB = """
import ctypes, usb.core
from pathlib import Path

def pss_mib():
    return int(Path("/proc/self/smaps_rollup").read_text().split("Pss:")[1].split()[0]) / 1024

before = pss_mib()
from drivers.link.usb.backend import kernels
backend = kernels()
print(pss_mib() - before)
"""
"""What loading libusb adds to a process that has pyusb and ctypes, as the daemon here has."""


def measure(folder: Path, size: Size) -> Table:
    with ExitStack() as stack:
        secured = stack.enter_context(tls_broker(folder))
        peers, absent = present(folder, secured)
        processes = {peer.name: stack.enter_context(_started(peer, folder)) for peer in peers}
        processes[OURS] = stack.enter_context(running_daemon(folder, secured))
        bare = Peer(name=BARE, command=["/usr/bin/python3", "-c", "import time; time.sleep(3600)"])
        processes[BARE] = stack.enter_context(_started(bare, folder))
        scraper = Scraper([peer.scraped for peer in peers if peer.scraped])
        stack.callback(scraper.stop)
        time.sleep(size.warm_s)
        ended = {name for name, process in processes.items() if process.poll() is not None}
        if OURS in ended:
            raise CannotMeasure("the daemon ended by itself")
        costs = at_rest({name: p.pid for name, p in processes.items() if name not in ended}, size.rest_s)
    lacking = [*absent, *(f"{name} ended by itself" for name in ended)]
    if scraper.failed:
        lacking.append(scraper.failed)
    return _table(costs, size, lacking)


def _table(costs: dict[str, Cost], size: Size, lacking: list[str]) -> Table:
    ours = costs[OURS]
    names = sorted(costs, key=lambda name: (name != OURS, name))
    return Table(
        title=f"rest: memory and CPU over the same {size.rest_s:.0f} s, after {size.warm_s:.0f} s",
        columns=("", "PSS MiB", "alone MiB", "RSS MiB", "CPU %", "switches/s", "processes", "alone: x ours"),
        rows=[
            (
                name,
                (cost := costs[name]).pss_mib,
                cost.alone_mib,
                cost.rss_mib,
                cost.cpu_pct,
                cost.switches_s,
                str(cost.processes),
                cost.alone_mib / ours.alone_mib,
            )
            for name in names
        ],
        budgets=[
            Budget("memory (PSS)", ours.pss_mib, MEMORY_MIB, "MiB"),
            Budget("memory (alone)", ours.alone_mib, MEMORY_MIB, "MiB"),
            Budget("CPU", ours.cpu_pct, CPU_PCT, "% of one core"),
        ],
        notes=[
            "PSS divides what the daemon shares with other Pythons here; alone counts it in full",
            f"libusb, which a reader on a real bus loads, would add {_libusb_mib():.1f} MiB",
            *lacking,
        ],
    )


def _libusb_mib() -> float:
    return float(subprocess.run([sys.executable, "-c", LIBUSB], capture_output=True, check=True).stdout)


@contextmanager
def tls_broker(folder: Path) -> Iterator[Secured]:
    """mosquitto that asks for certificates, as the daemon and collectd meet it."""
    authority = Authority(folder)
    server, client = authority.sign("server"), authority.sign("client")
    options = {
        "cafile": authority.ca_file,
        "certfile": server[0],
        "keyfile": server[1],
        "require_certificate": "true",
        "log_type": "error",
    }
    with mosquitto_broker(folder, options=options, tls=True) as broker:
        yield Secured(broker=broker, ca_file=authority.ca_file, cert_file=client[0], key_file=client[1])


@contextmanager
def running_daemon(folder: Path, secured: Secured) -> Iterator[subprocess.Popen[bytes]]:
    """The daemon, once it is connected and its devices have answered."""
    counter = Counter(folder, secured.broker.url)
    config = folder / "tillwatch.toml"
    config.write_text(
        CONFIG.format(
            port=secured.broker.port,
            folder=folder,
            ca_file=secured.ca_file,
            cert_file=secured.cert_file,
            key_file=secured.key_file,
        ),
        encoding="utf-8",
    )
    with ExitStack() as stack:
        stack.callback(counter.close)
        counter.start_printer()
        for name, model, door in BESIDE:
            control = folder / f"{name}.ctl"
            served = start(
                "simulator.cli", "serve", model, "--at", f"{door}{folder / name}", "--control", str(control)
            )
            stack.callback(end, served)
            until(control.exists, name, served)
        daemon = start("agent.cli", "run", "--config", str(config), "--log-level", "error")
        stack.callback(end, daemon)
        for name, answer in ANSWERS.items():
            _await_report(secured, daemon, name, answer)
        yield daemon


def _await_report(secured: Secured, daemon: subprocess.Popen[bytes], device: str, answer: bytes) -> None:
    """Until the broker has the device's report; asked by a client that is gone again when we measure."""
    command = [
        "mosquitto_sub", "-h", "127.0.0.1", "-p", str(secured.broker.port), "--cafile", str(secured.ca_file),
        "--cert", str(secured.cert_file), "--key", str(secured.key_file),
        "-t", f"{BASE}device/{device}", "-C", "1", "-W", "1",
    ]  # fmt: skip
    until(
        lambda: answer in subprocess.run(command, capture_output=True, check=False).stdout,
        f"the report of {device}",
        daemon,
    )


@contextmanager
def _started(peer: Peer, folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    with (folder / "peers.log").open("ab") as log:
        process = subprocess.Popen(peer.command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        yield process
    finally:
        end(process)
