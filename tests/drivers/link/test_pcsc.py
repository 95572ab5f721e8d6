"""The link through pcscd: against Debian's pcscd with a virtual reader, in a network namespace of its own."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from drivers.api import Deadline, SystemClock
from drivers.errors import Absent, LinkError, LinkLost, LinkUnusable, NoPermission, ServiceDown, Stuck
from drivers.link.address import PcscAddress
from drivers.link.child import Child
from drivers.link.pcsc import child as pcsc_child
from drivers.link.pcsc.link import PcscLink
from tests.drivers.link.scard_fake import DENIED, RESTARTED, FakeScard

CLOCK = SystemClock()
READER = "Virtual PCD"
VPCD = Path("/usr/lib/pcsc/drivers/serial/libifdvpcd.so")
CONF = 'FRIENDLYNAME "Virtual PCD"\nDEVICENAME /dev/null:0x8C7B\nLIBPATH {}\nCHANNELID 0x8C7B\n'

CARD = """
import socket, struct, sys, time
card = socket.create_connection(("127.0.0.1", 0x8C7B))
log = open(sys.argv[1], "a", buffering=1)
while head := card.recv(2, socket.MSG_WAITALL):
    data = card.recv(struct.unpack(">H", head)[0], socket.MSG_WAITALL)
    log.write({b"\\0": "off", b"\\1": "on", b"\\2": "reset", b"\\4": "atr"}.get(data, "apdu") + "\\n")
    if data == b"\\4":
        atr = bytes.fromhex("3B00")
        card.sendall(struct.pack(">H", len(atr)) + atr)
"""


def after(seconds: float) -> Deadline:
    return Deadline.after(CLOCK, seconds)


class Asked:
    """A link, and what it answers."""

    def __init__(self, child: Child) -> None:
        self.link = PcscLink(PcscAddress(reader=READER), child)

    def ask(self, what: str = "status", within_s: float = 2.0) -> dict[str, Any]:
        self.link.open(after(within_s))
        self.link.write(json.dumps({"ask": what}).encode() + b"\n", after(within_s))
        line = self.link.read(after(within_s))
        assert line.endswith(b"\n")
        said: dict[str, Any] = json.loads(line)
        return said


class Pcscd:
    """pcscd with vpcd; both see only their own network."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        (folder / "conf").mkdir()
        (folder / "conf" / "vpcd").write_text(CONF.format(VPCD))
        self.run = folder / "run"
        self.run.mkdir()
        self.process: subprocess.Popen[bytes] | None = None
        self._cards: list[subprocess.Popen[bytes]] = []

    def start(self) -> None:
        script = (
            "ip link set lo up && mkdir -p /run/pcscd && mount --bind $0 /run/pcscd && exec pcscd -f -c $1"
        )
        self.process = subprocess.Popen(
            ["unshare", "-n", "-m", "sh", "-c", script, str(self.run), str(self._folder / "conf")],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        until((self.run / "pcscd.comm").exists)

    def insert(self) -> Path:
        """A card; the file where it notes what is done to it."""
        assert self.process is not None
        log = self._folder / "card.log"
        log.touch()
        inside = ["nsenter", "-n", "-t", str(self.process.pid)]
        self._cards.append(subprocess.Popen([*inside, sys.executable, "-c", CARD, str(log)]))
        return log

    def remove(self) -> None:
        for card in self._cards:
            card.kill()
            card.wait(5)
        self._cards.clear()

    def stop(self) -> None:
        self.remove()
        process, self.process = self.process, None
        if process is not None:
            process.send_signal(signal.SIGCONT)
            process.kill()
            process.wait(5)
        for left in self.run.iterdir():
            left.unlink()


@pytest.fixture
def asked() -> Iterator[Asked]:
    child = Child("drivers.link.pcsc.child", hang_s=0.5, rest_s=0.1)
    made = Asked(child)
    yield made
    child.stop()
    del made.link  # its wake-up descriptor ends with it


@pytest.fixture
def pcscd(short_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Pcscd]:
    missing = [name for name in ("pcscd", "unshare", "nsenter", "ip") if shutil.which(name) is None]
    if missing or not VPCD.exists() or importlib.util.find_spec("smartcard") is None:
        pytest.skip("needs pyscard, and Debian's pcscd and vsmartcard-vpcd")
    if os.geteuid() != 0 or subprocess.run(["unshare", "-n", "-m", "true"], check=False).returncode:
        pytest.skip("needs root, for a network namespace of its own")
    service = Pcscd(short_path)
    monkeypatch.setenv("PCSCLITE_CSOCK_NAME", str(service.run / "pcscd.comm"))
    service.start()
    yield service
    service.stop()


def until(reached: Callable[[], bool], within_s: float = 5.0) -> None:
    ends_s = time.monotonic() + within_s
    while not reached():
        assert time.monotonic() < ends_s
        time.sleep(0.02)


def succeeds(asked: Asked) -> bool:
    try:
        return "state" in asked.ask()
    except LinkError:
        asked.link.close()
        return False


# -- the child's part, against a pcscd of our own ------------------------------------------------------


def test_a_status_powers_nothing_and_says_no_byte_of_a_card() -> None:
    scard = FakeScard()
    said = pcsc_child.Service(scard).answer("status", "Gem")
    assert said == {
        "state": ["present"],
        "present": True,
        "mute": False,
        "in_use": False,
        "atr_present": True,
        "vendor": "Gemalto",
        "firmware": "1.02.345",
        "serial": None,
    }
    assert scard.connects == [("Gemalto PC Twin 00 00", 3, 0)], "SCARD_SHARE_DIRECT, protocol 0"
    assert scard.disconnects == [0], "SCARD_LEAVE_CARD"


def test_a_reader_that_somebody_has_for_himself_is_no_trouble() -> None:
    scard = FakeScard(exclusive=True)
    said = pcsc_child.Service(scard).answer("status", "Gem")
    assert (said["vendor"], said["in_use"]) == (None, True)


def test_the_attributes_are_asked_once_an_opening() -> None:
    scard = FakeScard()
    service = pcsc_child.Service(scard)
    for what in ("open", "status", "status", "open"):
        service.answer(what, "Gem")
    assert len(scard.connects) == 2


def test_a_context_from_before_a_restart_is_renewed() -> None:
    scard = FakeScard()
    service = pcsc_child.Service(scard)
    service.answer("status", "Gem")
    scard.fails = [RESTARTED]
    assert service.answer("status", "Gem")["present"] is True
    assert scard.contexts == 2
    scard.fails = [RESTARTED, RESTARTED]
    with pytest.raises(pcsc_child.Refused):
        service.answer("status", "Gem")


def test_a_cards_length_is_all_that_is_told_of_it() -> None:
    scard = FakeScard()
    service = pcsc_child.Service(scard)
    assert service.answer("power_on", "Gem") == {"atr_bytes": 9}
    assert service.answer("power_off", "Gem") == {}
    assert scard.connects[-1][1:] == (2, 3)
    assert scard.disconnects[-1] == 2, "SCARD_UNPOWER_CARD"


class Said:
    """A child that says the same each time."""

    def __init__(self, **answer: Any) -> None:
        self._answer = answer

    def ask(self, request: Any, deadline: Deadline) -> dict[str, Any]:
        return {**self._answer, "id": 1}

    def tidy(self) -> None:
        """There is none."""


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (0x8010001D, ServiceDown),
        (0x8010001E, ServiceDown),
        (0x80100009, Absent),
        (0x8010002E, Absent),
        (DENIED, NoPermission),
        (0x80100011, LinkLost),
        ("no_package", LinkUnusable),
    ],
)
def test_why_it_does_not_open(code: object, kind: type[LinkError]) -> None:
    child: Any = Said(error="No", code=code)
    with pytest.raises(kind) as caught:
        PcscLink(PcscAddress(reader="X"), child).open(after(1))
    assert "\n" not in str(caught.value) + caught.value.hint


def test_what_is_about_the_card_is_an_answer() -> None:
    child: Any = Said(error="Card is unresponsive", code=0x80100066)
    link = PcscLink(PcscAddress(reader="X"), child)
    link.open(after(1))
    link.write(b'{"ask":"power_on"}\n', after(1))
    assert json.loads(link.read(after(1))) == {"error": "Card is unresponsive"}
    with pytest.raises(LinkUnusable):
        link.write(b"\x10\x04\x01", after(1))
    assert link.read(after(0.01)) == b"", "what was not asked is not answered"


# -- the real one --------------------------------------------------------------------------------------


@pytest.mark.system
def test_a_reader_is_watched_and_its_card_left_alone(pcscd: Pcscd, asked: Asked) -> None:
    said = asked.ask()
    assert (said["present"], said["in_use"], said["state"][0]) == (False, False, "empty")
    log = pcscd.insert()
    until(lambda: asked.ask()["present"] is True)
    # pcscd powers a card up when it is put in, for its ATR, and down again at once.
    until(lambda: "off" in log.read_text().split())
    before = log.read_text()
    for _ in range(20):
        asked.ask()
    asked.link.close()
    asked.ask()
    time.sleep(0.5)
    done = log.read_text()[len(before) :].split()
    assert set(done) <= {"atr"}, "a status powers no card; whether one is in is asked by its ATR"
    before = log.read_text()
    assert asked.ask("power_on") == {"atr_bytes": 2}
    assert asked.ask("power_off") == {}
    until(lambda: "off" in log.read_text()[len(before) :].split(), 8)
    done = log.read_text()[len(before) :].split()
    assert [what for what in done if what != "atr"] == ["on", "off"]
    pcscd.remove()
    until(lambda: asked.ask()["present"] is False)


@pytest.mark.system
def test_pcscd_restarted_stopped_and_hung(pcscd: Pcscd, asked: Asked) -> None:
    assert asked.ask()["present"] is False
    for _ in range(2):
        pcscd.stop()
        with pytest.raises(ServiceDown):
            asked.ask()
        asked.link.close()
        pcscd.start()
        until(lambda: succeeds(asked))
    # Restarted between two questions: nothing is to be seen of it.
    pcscd.stop()
    pcscd.start()
    until(lambda: succeeds(asked), 3)
    assert pcscd.process is not None
    pcscd.process.send_signal(signal.SIGSTOP)
    with pytest.raises(Stuck):
        asked.ask(within_s=0.6)
    asked.link.close()
    with pytest.raises(Stuck):
        asked.link.open(after(0.6))
    pcscd.process.send_signal(signal.SIGCONT)
    until(lambda: succeeds(asked))


@pytest.mark.system
def test_a_reader_that_pcscd_does_not_know(pcscd: Pcscd, asked: Asked) -> None:
    link = PcscLink(PcscAddress(reader="No such reader"), asked.link._child)
    with pytest.raises(Absent):
        link.open(after(2))
