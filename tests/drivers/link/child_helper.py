"""What a child of the tests' own answers."""

from __future__ import annotations

import os
import signal
import time
from typing import Any

IDLE_S: float | None = 0.3


def answer(request: dict[str, Any]) -> dict[str, Any]:
    """Does what it is told: sleeps, ends, breaks, or stops itself."""
    if request.get("stop"):
        os.kill(os.getpid(), signal.SIGSTOP)
    if request.get("end"):
        os._exit(3)
    if request.get("break"):
        raise RuntimeError("two\nlines")
    time.sleep(request.get("sleep", 0))
    return {"said": request.get("say"), "pid": os.getpid()}
