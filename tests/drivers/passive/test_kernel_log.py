"""The kernel's log: which lines speak of a device, and how long a word counts."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.api import Deadline, Json
from drivers.errors import Absent, NoPermission
from drivers.link.passive import UsbDevice
from drivers.passive.kernel_lines import Word, text_of, word
from drivers.passive.kernel_log import HOLDS_S, KernelLogSource
from tests.clock import TurnedClock

# As printed by usblp.c; the `usb 1-1:` and hub lines as in kernel reports (hub.c of 3.x and of 6.x).
LINES = {
    "usblp0: out of paper": Word.PAPER,
    "usblp0: off-line": Word.OFFLINE,
    "usblp0: on fire": Word.ERROR,
    "usblp0: ok": Word.OK,
    "usblp0: removed": Word.REMOVED,
    "usb 1-1.4: USB disconnect, device number 5": Word.DISCONNECT,
    "usb 1-1-port4: over-current condition": Word.OVER_CURRENT,
    "usb 1-1-port4: over-current change #2": Word.OVER_CURRENT,
    "hub 1-1:1.0: over-current condition on port 4": Word.OVER_CURRENT,
    "usblp1: out of paper": None,
    "usblp0: USB Bidirectional printer dev 5 if 0 alt 0 proto 2 vid 0x04B8 pid 0x0E15": None,
    "usb 1-1: USB disconnect, device number 5": None,
    "usb 1-1-port3: over-current condition": None,
    "hub 2-1:1.0: over-current condition on port 4": None,
    "usb usb1-port4: over-current condition": None,
    "lp0 on fire": None,
}


@pytest.mark.parametrize("line", LINES)
def test_only_lines_of_this_device_count(line: str) -> None:
    assert word(line, port="1-1.4", minor=0) is LINES[line]


@pytest.mark.parametrize(
    "line", ["usb usb1-port2: over-current condition", "hub 1-0:1.0: over-current condition on port 2"]
)
def test_a_port_of_the_root_hub(line: str) -> None:
    assert word(line, port="1-2", minor=None) is Word.OVER_CURRENT
    assert word(line, port="2-2", minor=None) is None


def test_only_the_kernel_itself_is_believed() -> None:
    assert text_of(b"6,1204,99,-;usblp0: out of paper\n SUBSYSTEM=usb\n") == "usblp0: out of paper"
    assert text_of(b"14,1204,99,-;usblp0: out of paper\n") is None, "written to /dev/kmsg by a program"
    assert text_of(b"") is None


@given(st.binary(max_size=120))
def test_any_line_is_read_or_passed_over(raw: bytes) -> None:
    text = text_of(b"6,1,1,-;" + raw)
    assert text is None or word(text, port="1-1.4", minor=0) is None or raw


class Socket:
    """Where the printer is."""

    def __init__(self) -> None:
        self.last: UsbDevice | None = UsbDevice(
            port="1-1.4", vid=0x04B8, pid=0x0E15, serial=None, manufacturer=None, product=None,
            interface_classes=frozenset(), kernel_drivers=("usblp",), node="/dev/usb/lp0",
        )  # fmt: skip

    def find(self) -> UsbDevice | None:
        return self.last


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "kmsg"
    path.write_bytes(b"6,1,1,-;usblp0: off-line\n")  # long ago; never read
    return path


def say(path: Path, *lines: str) -> None:
    with path.open("ab") as file:
        file.write(b"".join(b"6,1,1,-;%s\n" % line.encode() for line in lines))


def look(source: KernelLogSource, clock: TurnedClock) -> dict[str, bool | None]:
    return dict(source.look(Deadline.after(clock, 1)).conditions)


def test_a_word_counts_from_now_on_until_another_or_for_a_while(log: Path) -> None:
    clock, memory = TurnedClock(), dict[str, Json]()
    source = KernelLogSource(Socket(), clock, memory, path=str(log))
    assert set(look(source, clock).values()) == {None}
    say(log, "usblp0: out of paper")
    assert look(source, clock) == {
        "paper_end": True, "printer_offline": None, "error_recoverable": None, "usb_over_current": None,
    }  # fmt: skip
    clock.advance(HOLDS_S - 1)
    assert look(source, clock)["paper_end"] is True
    source.close()
    again = KernelLogSource(Socket(), clock, memory, path=str(log))
    assert look(again, clock)["paper_end"] is True, "a restart does not forget it"
    clock.advance(2)
    assert look(again, clock)["paper_end"] is False
    say(log, "usblp0: off-line")
    assert look(again, clock)["printer_offline"] is True
    say(log, "usblp0: ok")
    assert look(again, clock)["printer_offline"] is False
    again.close()


def test_disconnects_are_counted(log: Path) -> None:
    clock = TurnedClock()
    source = KernelLogSource(Socket(), clock, {}, path=str(log))
    look(source, clock)
    for number in (5, 6):
        say(log, f"usb 1-1.4: USB disconnect, device number {number}")
        found = source.look(Deadline.after(clock, 1))
    assert found.statistics == {"UsbDisconnectCount": 2.0}
    source.close()


def test_where_it_may_not_be_read_it_says_so(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> int:  # as the kernel refuses without CAP_SYSLOG, also where tests run as root
        raise PermissionError(1, "Operation not permitted")

    clock = TurnedClock()
    with pytest.raises(Absent):
        KernelLogSource(Socket(), clock, {}, path=str(log) + "s").look(Deadline.after(clock, 1))
    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(NoPermission) as caught:
        KernelLogSource(Socket(), clock, {}, path=str(log)).look(Deadline.after(clock, 1))
    assert "kernel-log" in caught.value.hint


@pytest.mark.system
@pytest.mark.skipif(not os.access("/dev/kmsg", os.R_OK | os.W_OK), reason="/dev/kmsg is root's")
def test_the_kernels_own_log_is_read_from_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "drivers.passive.kernel_lines._KERNEL_FACILITY", 1 << 10
    )  # ours stands for the kernel's
    clock = TurnedClock()
    source = KernelLogSource(Socket(), clock, {})
    try:
        look(source, clock)
        try:
            Path("/dev/kmsg").write_text("usblp0: out of paper\n", "ascii")
        except OSError as error:
            pytest.skip(f"/dev/kmsg takes nothing: {error.strerror}")
        assert look(source, clock)["paper_end"] is True
    finally:
        source.close()
