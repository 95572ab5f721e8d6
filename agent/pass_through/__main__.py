"""What `tillwatch pass-through` becomes: `python -m agent.pass_through CONFIG LEVEL`, a process without click."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from agent import logs, sdnotify
from agent.config.file import ConfigErrors, load
from agent.pass_through.supervisor import Supervisor
from drivers.errors import TillwatchError

FINE, USAGE, REFUSED = 0, 2, 4


def main(arguments: Sequence[str]) -> int:
    """Pass through until stopped; the exit code."""
    path, level = arguments
    logs.setup(level)
    try:
        config = load(Path(path), os.environ)
        shared = tuple(device for device in config.devices if device.access == "shared")
        if not shared:
            # Said to be ready first: to systemd, a service that ends before that has failed.
            sdnotify.notify("READY=1", "STATUS=no device is shared")
            print(f'{path}: no device has access = "shared"; there is nothing to pass through', file=sys.stderr)
            return FINE
        Supervisor(config, shared).run()
    except ConfigErrors as wrong:  # it was right a moment ago
        print(wrong, file=sys.stderr)
        return USAGE
    except (TillwatchError, OSError) as refused:
        hint = getattr(refused, "hint", "")
        print(f"tillwatch: {refused}{f' ({hint})' if hint else ''}", file=sys.stderr)
        return REFUSED
    return FINE


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
