"""Independent servers that speak of printers: net-snmp, CUPS's scheduler, CUPS's IPP Everywhere printer.

Each runs unprivileged in a folder of its own, on a free port of this machine.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.brokers import free_port

START_S = 10.0
PATH = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
COMMUNITY = "s3cret"

_BUS = """\
<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>custom</type><listen>unix:path={folder}/bus</listen><auth>EXTERNAL</auth>
<policy context="default"><allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/>
<allow own="*"/></policy></busconfig>
"""
_CUPS_FILES = """\
ServerRoot {folder}/etc
RequestRoot {folder}/spool
TempDir {folder}/spool/tmp
CacheDir {folder}/cache
StateDir {folder}/state
AccessLog {folder}/access
ErrorLog {folder}/error
PageLog {folder}/page
ServerBin {folder}/bin
FileDevice Yes
SystemGroup root
"""
_CUPSD = """\
Listen {folder}/cups.sock
Browsing Off
DefaultAuthType None
<Location />
Order allow,deny
Allow all
</Location>
<Location /admin>
Order allow,deny
Allow all
</Location>
<Policy default>
<Limit All>
Order deny,allow
</Limit>
</Policy>
"""


_BACKEND = """\
#!/bin/sh
[ $# -eq 0 ] && echo 'direct till "Unknown" "Till"' && exit 0
echo "STATE: +connecting-to-device" >&2
while [ ! -e {folder}/connected ]; do sleep 0.05; done
echo "STATE: -connecting-to-device,media-empty-error" >&2
echo "STATE: +media-empty-error" >&2
while [ ! -e {folder}/filled ]; do sleep 0.05; done
echo "STATE: -media-empty-error" >&2
"""


def tool(name: str) -> str:
    """A program that `make packages` installs; fails with what to do where it is missing."""
    found = shutil.which(name, path=PATH)
    assert found, f"{name} is missing: run `make packages`"
    return found


@contextlib.contextmanager
def running(
    folder: Path, ready: Callable[[], bool], *command: str, env: dict[str, str] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """A server from when it answers; ended with the block."""
    log = folder / f"{Path(command[0]).name}.log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            command, stdout=out, stderr=subprocess.STDOUT, env={**os.environ, "PATH": PATH, **(env or {})}
        )
    try:
        ends_s = time.monotonic() + START_S
        while not ready():
            alive = process.poll() is None and time.monotonic() < ends_s
            assert alive, log.read_text("utf-8", "replace")
            time.sleep(0.02)
        yield process
    finally:
        process.terminate()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(5)


def answers(port: int) -> bool:
    try:
        socket.create_connection(("localhost", port), 1).close()
    except OSError:
        return False
    return True


@contextlib.contextmanager
def snmpd(
    folder: Path, *objects: str, access: str = f"rocommunity {COMMUNITY}", place: str = ""
) -> Iterator[int]:
    """net-snmp with these `override` lines, at a free port if no place is given; yields its UDP port."""
    place = place or f"127.0.0.1:{free_port()}"
    config = folder / "snmpd.conf"
    lines = [f"agentaddress udp:{place}", access, *(f"override {line}" for line in objects)]
    config.write_text("\n".join(lines) + "\n")
    pid = folder / "pid"
    command = (tool("snmpd"), "-f", "-C", "-c", str(config), "-Lo", "-p", str(pid))
    with running(folder, pid.exists, *command, env={"SNMP_PERSISTENT_DIR": str(folder)}):
        yield int(place.rpartition(":")[2])
    pid.unlink(missing_ok=True)


@contextlib.contextmanager
def ippeveprinter(folder: Path, command: Path) -> Iterator[int]:
    """CUPS's IPP printer, which hands each job to `command`; yields its port.

    It will not start without a bus to look for Avahi on, so it gets one of its own.
    """
    bus = folder / "bus.conf"
    bus.write_text(_BUS.format(folder=folder))
    port = free_port()
    place = {"DBUS_SYSTEM_BUS_ADDRESS": f"unix:path={folder}/bus"}
    spool = folder / "jobs"
    spool.mkdir()
    with (
        running(folder, (folder / "bus").exists, tool("dbus-daemon"), f"--config-file={bus}", "--nofork"),
        running(
            folder, lambda: answers(port), tool("ippeveprinter"), "-p", str(port), "-n", "localhost",
            "-r", "off", "-d", str(spool), "-c", str(command), "-M", "EPSON", "-m", "TM-m30", "till",
            env=place,
        ),
    ):  # fmt: skip
        yield port


@contextlib.contextmanager
def cupsd(folder: Path) -> Iterator[Path]:
    """CUPS's scheduler; yields its socket. Its backend `till:` waits for files `connected`, `filled`."""
    for name in ("etc", "spool/tmp", "cache", "state", "bin/backend"):
        (folder / name).mkdir(parents=True)
    for found in Path("/usr/lib/cups").iterdir():
        if found.name != "backend":
            (folder / "bin" / found.name).symlink_to(found)
    backend = folder / "bin/backend/till"
    backend.write_text(_BACKEND.format(folder=folder))
    backend.chmod(0o700)  # of root's alone CUPS lets it run as root, so that it may look into the folder
    (folder / "etc/cups-files.conf").write_text(_CUPS_FILES.format(folder=folder))
    (folder / "etc/cupsd.conf").write_text(_CUPSD.format(folder=folder))
    place = folder / "cups.sock"
    with running(
        folder, place.exists, tool("cupsd"), "-f",
        "-c", str(folder / "etc/cupsd.conf"), "-s", str(folder / "etc/cups-files.conf"),
    ):  # fmt: skip
        yield place


def cups(place: Path, *command: str) -> None:
    """One of CUPS's own commands, to that scheduler."""
    env = {**os.environ, "CUPS_SERVER": str(place), "PATH": PATH}
    done = subprocess.run(
        (tool(command[0]), *command[1:]), env=env, capture_output=True, text=True, timeout=20, check=False
    )
    assert done.returncode == 0, done.stderr
