"""The network sources against servers that others wrote: net-snmp, ippeveprinter, cupsd."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from drivers.api import Deadline, Json, Power, SystemClock
from drivers.errors import LinkError, LinkUnusable, Refused, Unreachable
from drivers.passive.ipp.source import CupsSource, IppSource
from drivers.passive.snmp.source import SnmpSource
from drivers.passive.source import LOOK_S, Findings, Source
from tests.brokers import free_port
from tests.print_servers import COMMUNITY, cups, cupsd, ippeveprinter, snmpd, tool

pytestmark = pytest.mark.system

PRINTER = (
    ".1.3.6.1.2.1.25.3.5.1.1.{row} integer 4",
    ".1.3.6.1.2.1.25.3.5.1.2.{row} octet_str 0x4800",
    ".1.3.6.1.2.1.25.3.2.1.3.{row} octet_str TM-T88VI",
    ".1.3.6.1.2.1.43.5.1.1.17.{row} octet_str X4ZK001",
    ".1.3.6.1.2.1.43.10.2.1.4.{row}.1 counter 4711",
)


def look(source: Source) -> Findings:
    return source.look(Deadline.after(SystemClock(), 5))


def until(source: Source, test: Callable[[Findings], bool], within_s: float = 10.0) -> Findings:
    """Look again and again until it says so."""
    ends_s = time.monotonic() + within_s
    while not test(found := look(source)):
        assert time.monotonic() < ends_s, found
        time.sleep(0.05)
    return found


def held(found: Findings) -> set[str]:
    return {kind for kind, value in found.conditions.items() if value}


def rows(row: int) -> tuple[str, ...]:
    return tuple(line.format(row=row) for line in PRINTER)


# -- SNMP --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("version", "row"), [("v1", 1), ("v2c", 1), ("v2c", 7)])
def test_a_printers_mib(tmp_path: Path, version: str, row: int) -> None:
    only = (
        f"com2sec me 127.0.0.1 {COMMUNITY}\ngroup g {version} me\nview all included .1\n"
        'access g "" any noauth exact all none none'
    )
    memory: dict[str, Json] = {}
    with snmpd(tmp_path, *rows(row), access=only) as port:
        source = SnmpSource("127.0.0.1", COMMUNITY, memory, port=port)
        for _ in range(2):  # the second time with what the first one learned
            found = look(source)
            assert held(found) == {"paper_end", "cover_open"}
            assert None not in found.conditions.values()
            assert found.identity == {"model": "TM-T88VI", "serial": "X4ZK001"}
            assert found.statistics == {"MarkerLifeCount": 4711.0}
            assert (found.power, found.in_use) == (Power.ONLINE, True)
        assert memory["snmp_version"] == (0 if version == "v1" else 1)


def test_a_host_without_a_printer_says_nothing_of_one(tmp_path: Path) -> None:
    with snmpd(
        tmp_path, access=f"view sys included .1.3.6.1.2.1.1\nrocommunity {COMMUNITY} 127.0.0.1 -V sys"
    ) as port:
        found = look(SnmpSource("127.0.0.1", COMMUNITY, {}, port=port))
    assert set(found.conditions.values()) == {None}
    assert found.power is Power.UNKNOWN


def test_the_community_is_a_secret_and_may_stand_in_a_file(tmp_path: Path) -> None:
    secret = tmp_path / "community"
    secret.write_text(f"{COMMUNITY}\n")
    with snmpd(tmp_path, *rows(1)) as port:
        assert look(SnmpSource("127.0.0.1", str(secret), {}, port=port)).power is Power.ONLINE
        began_s = time.monotonic()
        with pytest.raises(Unreachable) as caught:
            look(SnmpSource("127.0.0.1", "wr0ng", {}, port=port))
        assert time.monotonic() - began_s < LOOK_S + 0.5
        assert "wr0ng" not in str(caught.value)
    with pytest.raises(Refused):
        look(SnmpSource("127.0.0.1", COMMUNITY, {}, port=port))
    secret.unlink()
    with pytest.raises(LinkUnusable, match="community's file"):
        look(SnmpSource("127.0.0.1", str(secret), {}, port=port))


# -- IPP ---------------------------------------------------------------------------------------------


@pytest.fixture
def job(tmp_path: Path) -> Path:
    """What the printer does with a job: it says what is wrong with it, and waits to be let go."""
    command = tmp_path / "print"
    command.write_text(
        "#!/bin/sh\necho 'STATE: +media-empty-error,cover-open-warning' >&2\n"
        f"while [ ! -e {tmp_path}/paper ]; do sleep 0.05; done\n"
        "echo 'STATE: -media-empty-error,cover-open-warning' >&2\n"
    )
    command.chmod(0o755)
    return command


def test_an_ipp_printer_runs_out_of_paper_and_is_filled(short_path: Path, tmp_path: Path, job: Path) -> None:
    paper = tmp_path / "receipt.txt"
    paper.write_text("1 coffee\n")
    memory: dict[str, Json] = {}
    with ippeveprinter(short_path, job) as port:
        source = IppSource("localhost", None, memory, port=port)
        well = look(source)
        assert (held(well), well.power, well.in_use) == (set(), Power.ONLINE, False)
        assert well.identity == {"manufacturer": "EPSON", "model": "TM-m30"}
        assert memory["ipp_path"] == "/ipp/print"
        uri = f"ipp://localhost:{port}/ipp/print"
        send = [tool("ipptool"), "-f", str(paper), "-d", "filetype=image/pwg-raster", uri, "print-job.test"]
        subprocess.run(send, check=True, capture_output=True, timeout=20)
        empty = until(source, lambda found: found.conditions["paper_end"] is True)
        assert held(empty) == {"paper_end", "cover_open"}
        assert empty.in_use is True
        (tmp_path / "paper").touch()
        until(source, lambda found: not held(found) and found.in_use is False)
        with pytest.raises(LinkError, match="no such printer"):
            look(IppSource("localhost", "/ipp/faxout", {}, port=port))
    with pytest.raises(Refused):
        look(source)


# -- CUPS --------------------------------------------------------------------------------------------


def test_a_print_queue_is_stopped_refused_and_gone(short_path: Path) -> None:
    nothing = free_port()
    memory: dict[str, Json] = {}
    with cupsd(short_path) as place:
        cups(place, "lpadmin", "-p", "receipt", "-E", "-v", "file:///dev/null", "-m", "raw")
        source = CupsSource("receipt", memory, path=str(place), port=nothing)
        well = look(source)
        assert held(well) == set()
        assert well.conditions["paper_end"] is None, "its backend never said a word of paper"
        cups(place, "cupsdisable", "-r", "roll jam", "receipt")
        stopped = look(source)
        assert held(stopped) == {"queue_stopped"}
        assert stopped.evidence["message"] == "roll jam"
        cups(place, "cupsenable", "receipt")
        cups(place, "cupsreject", "receipt")
        assert held(look(source)) == {"queue_rejecting"}
        cups(place, "cupsaccept", "receipt")
        cups(place, "lpadmin", "-p", "receipt", "-v", "till:/receipt")
        cups(place, "lp", "-d", "receipt", str(short_path / "etc/cupsd.conf"))
        stuck = until(source, lambda found: "queue_cannot_send" in held(found))
        assert (stuck.statistics, stuck.in_use) == ({"QueuedJobCount": 1.0}, None)
        (short_path / "connected").touch()
        until(source, lambda found: held(found) == {"paper_end"})
        (short_path / "filled").touch()
        until(source, lambda found: found.conditions["paper_end"] is False)
        cups(place, "lpadmin", "-x", "receipt")
        assert held(look(source)) == {"queue_missing"}
    with pytest.raises(Unreachable, match="no print service"):
        look(source)
