"""What `tillwatch run` becomes: `python -m agent.cli.daemon CONFIG LEVEL`, a process without click.

It lives for years on small machines, so it holds only what watching needs.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from agent import logs
from agent.cli.exits import ANEW, FINE, REFUSED, USAGE
from agent.config.file import ConfigErrors, load
from agent.daemon import Daemon
from drivers.errors import TillwatchError


def main(arguments: Sequence[str]) -> int:
    """Watch until stopped; the exit code."""
    path, level = arguments
    logs.setup(level)
    try:
        anew = Daemon(load(Path(path), os.environ)).run()
    except ConfigErrors as wrong:  # it was right a moment ago
        print(wrong, file=sys.stderr)
        return USAGE
    except (TillwatchError, OSError) as refused:
        hint = getattr(refused, "hint", "")
        print(f"tillwatch: {refused}{f' ({hint})' if hint else ''}", file=sys.stderr)
        return REFUSED
    return ANEW if anew else FINE


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
