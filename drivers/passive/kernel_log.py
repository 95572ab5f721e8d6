"""The kernel's log, as far as it speaks of one USB printer: from now on, never waiting, bounded."""

from __future__ import annotations

import os
from typing import Protocol

from drivers.api import Clock, Deadline, Memory
from drivers.errors import Absent, LinkError, LinkUnusable, NoPermission
from drivers.link.passive import UsbDevice
from drivers.passive.kernel_lines import Word, text_of, word
from drivers.passive.source import Findings, Whose

KMSG = "/dev/kmsg"
RECORD_BYTES = 8192  #: the kernel gives no longer one
RECORDS_MOST = 500  #: at one look; a kernel that says more speaks of other things
HOLDS_S = 600.0
"""A word is not repeated, and its end often not told (usblp says `ok` only to a program that was kept
waiting), so it counts for so long."""

WORD_KEY = "kernel_word"

KINDS = {
    Word.PAPER: "paper_end",
    Word.OFFLINE: "printer_offline",
    Word.ERROR: "error_recoverable",
    Word.OVER_CURRENT: "usb_over_current",
}


class Place(Protocol):
    """Which device; `drivers.passive.usb.UsbPlace`."""

    last: UsbDevice | None

    def find(self) -> UsbDevice | None: ...


class KernelLogSource:
    """Reads /dev/kmsg, where the service may."""

    name = "kernel-log"
    whose: Whose = "kernel"
    kinds: tuple[str, ...] = tuple(KINDS.values())
    each_s = 0.0
    down: str | None = None

    def __init__(self, place: Place, clock: Clock, memory: Memory, *, path: str = KMSG) -> None:
        self._place = place
        self._clock = clock
        self._memory = memory
        self._path = path
        self._fd: int | None = None
        self._said = ""
        self._disconnects = 0

    def look(self, deadline: Deadline) -> Findings:  # noqa: ARG002 - a look at what is there does not wait
        self._place.find()  # before the lines, so that a device that came meanwhile is known
        fd = self._opened()
        for _ in range(RECORDS_MOST):
            record = _read(fd)
            if record is None:
                break
            self._take(record)
        else:
            os.lseek(fd, 0, os.SEEK_END)
        return self._findings()

    def close(self) -> None:
        fd, self._fd = self._fd, None
        if fd is not None:
            os.close(fd)

    def _opened(self) -> int:
        if self._fd is None:
            try:
                self._fd = os.open(self._path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
                os.lseek(self._fd, 0, os.SEEK_END)
            except OSError as error:
                self.close()
                raise _trouble(error, self._path) from error
        return self._fd

    def _take(self, record: bytes) -> None:
        device = self._place.last
        text = text_of(record)
        if text is None or device is None:
            return
        number = (device.node or "").removeprefix("/dev/usb/lp")
        said = word(text, port=device.port, minor=int(number) if number.isdecimal() else None)
        if said is None:
            return
        self._said = text[:120]
        self._disconnects += said is Word.DISCONNECT
        kept = self._kept()
        if said in KINDS:
            kept[KINDS[said]] = self._clock.wall_s()
        else:  # it is well, or gone, and what it said before with it
            kept = dict.fromkeys(kept, 0.0)
        self._memory[WORD_KEY] = dict(kept)

    def _kept(self) -> dict[str, float]:
        """Kind -> when it was last said; 0: over. Kept over restarts, since it is not said again."""
        kept = self._memory.get(WORD_KEY)
        if not isinstance(kept, dict):
            return {}
        return {kind: at for kind, at in kept.items() if isinstance(at, int | float)}

    def _findings(self) -> Findings:
        now_s = self._clock.wall_s()
        kept = self._kept()
        return Findings(
            conditions={
                kind: 0 <= now_s - kept[kind] < HOLDS_S if kind in kept else None for kind in self.kinds
            },
            statistics={"UsbDisconnectCount": float(self._disconnects)},
            evidence={"line": self._said},
            says=self._said or "nothing of this device since the agent began to read",
        )


def _read(fd: int) -> bytes | None:
    """The next record; empty where some were lost, None if there is none."""
    try:
        return os.read(fd, RECORD_BYTES) or None
    except BlockingIOError:
        return None
    except BrokenPipeError:  # the kernel wrote over what was not read; what follows is there
        return b""
    except OSError as error:
        raise _trouble(error, "the kernel's log") from error


def _trouble(error: OSError, path: str) -> LinkError:
    if isinstance(error, PermissionError):
        return NoPermission(f"{path}: {error.strerror}", hint="see `kernel-log` in docs/configuration.md")
    kind = Absent if isinstance(error, FileNotFoundError) else LinkUnusable
    return kind(f"{path}: {error.strerror}", hint="take kernel-log out of `look`")
