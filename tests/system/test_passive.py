"""A network printer that the till owns, end to end: asked over SNMP by the daemon, told at the broker."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.brokers import Broker
from tests.counter import Counter, subscriber
from tests.print_servers import COMMUNITY, snmpd

pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif(os.geteuid() != 0, reason="UDP port 161 is root's to open"),
]

ADDRESS = "127.0.77.1"
OPEN = (
    ".1.3.6.1.2.1.25.3.5.1.1.1 integer 1",
    ".1.3.6.1.2.1.25.3.5.1.2.1 octet_str 0x0800",
    ".1.3.6.1.2.1.43.5.1.1.17.1 octet_str X4ZK001",
)


class Passive(Counter):
    """The same counter, but that the printer is another's."""

    def write_config(self, link: str | None = None, device: str = "receipt") -> None:
        super().write_config(link, device)
        text = self.config.read_text("utf-8")
        look = f'access = "passive"\nlook = ["snmp:{self.folder}/community"]'
        self.config.write_text(text.replace('access = "exclusive"', look), "utf-8")


def test_a_cover_is_seen_open_without_the_print_port(
    short_path: Path, broker: Broker, capfd: pytest.CaptureFixture[str]
) -> None:
    (short_path / "community").write_text(COMMUNITY)
    counter = Passive(short_path, broker.url, link=f"tcp:{ADDRESS}:9100")
    with subscriber(broker.url) as seen, snmpd(short_path, *OPEN, place=f"{ADDRESS}:161"):
        try:
            counter.start_daemon()
            seen.wait_fault("receipt/cover_open", "raised", 15)
            report = seen.on("device/receipt")[-1]
            assert report["identity"]["serial"] == "X4ZK001"
            assert report["facts"]["looked"] == {"snmp": "answers"}
            assert report["power"] == "online"
            counter.stop_daemon()
        finally:
            counter.close()
        assert COMMUNITY not in "".join(str(message.payload) for message in seen.messages)
    assert COMMUNITY not in capfd.readouterr().err
