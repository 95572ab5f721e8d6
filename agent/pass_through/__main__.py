"""What `tillwatch pass-through` becomes: `python -m agent.pass_through LEVEL FOLDER DEVICES`.

A process of its own that holds only what passing through needs: the configuration was read and checked by
the command line, and comes as JSON, a list of what `Shared` names. FOLDER is `agent.till_dir`.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from agent import logs
from agent.pass_through.supervisor import Shared, Supervisor
from drivers.errors import TillwatchError

FINE, REFUSED = 0, 4
PAUSE_S = 5.0


def main(arguments: Sequence[str]) -> int:
    """Pass through until stopped; the exit code."""
    level, folder, devices = arguments
    logs.setup(level)
    try:
        Supervisor(Path(folder), [Shared(**device) for device in json.loads(devices)]).run()
    except (TillwatchError, OSError) as refused:
        hint = getattr(refused, "hint", "")
        print(f"tillwatch: {refused}{f' ({hint})' if hint else ''}", file=sys.stderr)  # noqa: T201 - a command line's last word
        if os.environ.get("NOTIFY_SOCKET"):
            time.sleep(PAUSE_S)  # systemd starts it anew at once, which for this is too often
        return REFUSED
    return FINE


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
