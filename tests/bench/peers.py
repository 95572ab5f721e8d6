"""Other agents from Debian, each doing its default work on loopback alone."""

from __future__ import annotations

import os
import random
import shutil
import socket
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tests.bench.section import CannotMeasure
from tests.brokers import Broker, free_port

SCRAPE_S = 15.0
PATH = os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin"


@dataclass(frozen=True, slots=True, kw_only=True)
class Secured:
    """A broker with TLS, and what a client needs to be let in."""

    broker: Broker
    ca_file: Path
    cert_file: Path
    key_file: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """`scraped` is a page that somebody has to ask for, or None."""

    name: str
    command: Sequence[str]
    scraped: str | None = None


@dataclass(frozen=True, slots=True)
class _Known:
    program: str
    package: str
    make: Callable[[str, Path, Secured], Peer]


def present(folder: Path, secured: Secured) -> tuple[list[Peer], list[str]]:
    """The peers that are installed, and a line for each that is not."""
    found, absent = [], []
    for known in KNOWN:
        program = shutil.which(known.program, path=PATH)
        if program is None:
            absent.append(f"{known.program} is not installed: apt-get install {known.package}")
        else:
            found.append(known.make(program, folder, secured))
    return found, absent


def _node_exporter(program: str, _folder: Path, _secured: Secured) -> Peer:
    address = f"127.0.0.1:{free_port()}"
    return Peer(
        name=f"prometheus-node-exporter, scraped each {SCRAPE_S:.0f} s",
        command=[program, f"--web.listen-address={address}", "--log.level=error"],
        scraped=f"http://{address}/metrics",
    )


def _collectd(program: str, folder: Path, secured: Secured) -> Peer:
    """Debian's usual plugins, each 10 s, published as we publish: MQTT over TLS, QoS 1."""
    plugins = (
        "cpu",
        "df",
        "disk",
        "entropy",
        "interface",
        "irq",
        "load",
        "memory",
        "processes",
        "swap",
        "users",
    )
    config = folder / "collectd.conf"
    config.write_text(
        f'Hostname "bench"\nBaseDir "{folder}"\nPIDFile "{folder}/collectd.pid"\n'
        'PluginDir "/usr/lib/collectd"\nTypesDB "/usr/share/collectd/types.db"\nInterval 10\n'
        + "".join(f"LoadPlugin {plugin}\n" for plugin in (*plugins, "mqtt"))
        + '<Plugin mqtt>\n<Publish "bench">\nHost "127.0.0.1"\n'
        + f'Port {secured.broker.port}\nQoS 1\nCACert "{secured.ca_file}"\n'
        + f'CertificateFile "{secured.cert_file}"\nCertificateKeyFile "{secured.key_file}"\n'
        + "</Publish>\n</Plugin>\n",
        encoding="utf-8",
    )
    return Peer(name="collectd, MQTT over TLS each 10 s", command=[program, "-f", "-C", str(config)])


def _zabbix_agent2(program: str, folder: Path, _secured: Secured) -> Peer:
    config = folder / "zabbix.conf"
    config.write_text(
        f"LogType=file\nLogFile={folder}/zabbix.log\nPidFile={folder}/zabbix.pid\nHostname=bench\n"
        f"Server=127.0.0.1\nListenIP=127.0.0.1\nListenPort={_low_port()}\nControlSocket={folder}/zabbix.sock\n"
        f"PluginSocket={folder}/zabbix-plugin.sock\n",
        encoding="utf-8",
    )
    return Peer(name="zabbix-agent2, asked nothing", command=[program, "-f", "-c", str(config)])


def _low_port() -> int:
    """A free one that this agent's configuration takes: below those that the kernel hands out."""
    for port in random.sample(range(20_000, 32_000), 50):
        with socket.socket() as sock, suppress(OSError):
            sock.bind(("127.0.0.1", port))
            return port
    raise CannotMeasure("no port below 32000 is free")


KNOWN = (
    _Known("prometheus-node-exporter", "prometheus-node-exporter", _node_exporter),
    _Known("collectd", "collectd-core", _collectd),
    _Known("zabbix_agent2", "zabbix-agent2", _zabbix_agent2),
)


class Scraper:
    """Asks for pages each `SCRAPE_S` from a thread of its own until stopped; `failed` is the last trouble."""

    def __init__(self, pages: Sequence[str]) -> None:
        self.failed: str | None = None
        self._pages = pages
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="scraper", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._over.set()
        self._thread.join(5.0)

    def _run(self) -> None:
        while not self._over.wait(SCRAPE_S):
            for page in self._pages:
                try:
                    with urllib.request.urlopen(page, timeout=3.0) as answer:  # noqa: S310 - our own, on loopback
                        answer.read()
                except (urllib.error.URLError, OSError) as error:
                    self.failed = f"{page}: {error}"
