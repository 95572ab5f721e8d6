"""Does the whole machine go down, or only the agent? systemd is asked, by a child that can be killed."""

from __future__ import annotations

import contextlib
import time

STOPPING = "stopping"
KILL_S = 0.5
_ASK = ("systemctl", "is-system-running")


class Look:
    """Begins to look when it is made; `machine_goes_down` waits for the answer. One thread uses it."""

    def __init__(self) -> None:
        import subprocess  # noqa: PLC0415 - needed once, at the end of a life of years

        self._timed_out = subprocess.TimeoutExpired
        self._asked_s = time.monotonic()
        self._child: subprocess.Popen[str] | None = None
        with contextlib.suppress(OSError):  # no systemd here, so nobody says that it stops
            self._child = subprocess.Popen(
                _ASK, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
            )

    def machine_goes_down(self, within_s: float) -> bool:
        """Whether systemd stops everything; False if it has not said so that long after it was asked."""
        child = self._child
        if child is None:
            return False
        ends_s = self._asked_s + within_s
        try:
            said, _ = child.communicate(timeout=max(0.0, ends_s - time.monotonic()))
        except self._timed_out:
            child.kill()
            with contextlib.suppress(self._timed_out):
                child.communicate(timeout=KILL_S)
            return False
        return bool(said.strip() == STOPPING)
