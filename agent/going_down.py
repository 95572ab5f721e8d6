"""Does the whole machine go down, or only the agent? systemd is asked, by a child that can be killed."""

from __future__ import annotations

import contextlib
import subprocess
import time

STOPPING = "stopping"
KILL_S = 0.5
READ_S = 0.1  #: for an answer that has come by then: a driver may have taken all the time to end
_ASK = ("systemctl", "is-system-running")


class Look:
    """Begins to look when it is made; `machine_goes_down` waits for the answer. One thread uses it."""

    def __init__(self) -> None:
        self._asked_s = time.monotonic()
        self._child = _ask()

    def machine_goes_down(self, within_s: float) -> bool:
        """Whether systemd stops everything; False if it has not said so that long after it was asked."""
        ends_s = self._asked_s + within_s
        while self._child is not None:
            left_s = ends_s - time.monotonic()
            try:
                said, _ = self._child.communicate(timeout=max(READ_S, left_s))
            except subprocess.TimeoutExpired:
                self._child.kill()
                with contextlib.suppress(subprocess.TimeoutExpired):
                    self._child.communicate(timeout=KILL_S)
                return False
            if self._child.returncode >= 0:
                return said.strip() == STOPPING
            if left_s <= 0:
                return False
            self._child = _ask()  # who stops a whole control group stops such a child too
        return False


def _ask() -> subprocess.Popen[str] | None:
    try:
        return subprocess.Popen(
            _ASK, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
    except OSError:
        return None  # no systemd here, so nobody says that it stops
