"""Asking the daemon on this machine."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from agent.cli.exits import REFUSED
from agent.config import Config
from agent.control import SOCKET_NAME, ask


class NoDaemon(Exception):
    """No daemon runs for this configuration."""


def lines_from_daemon(config: Config, request: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The daemon's answer, line by line. Raises NoDaemon; a refusal is one line and exit 4."""
    path = socket_path(config)
    try:
        for line in ask(path, request):
            if "done" not in line:
                yield line
            elif not line["done"]:
                _refused(str(line["detail"]))
    except (FileNotFoundError, ConnectionRefusedError) as absent:
        raise NoDaemon(
            f"no daemon answers at {path}; start it: tillwatch run --config {config.source}"
        ) from absent
    except PermissionError:
        _refused(f"{path}: permission denied; run it as root or as a member of the service's group")
    except (TimeoutError, ConnectionError) as silent:
        _refused(f"{path}: {silent}")


def socket_path(config: Config) -> Path:
    return config.agent.runtime_dir / SOCKET_NAME


def _refused(why: str) -> None:
    click.echo(f"tillwatch: {why}", err=True)
    sys.exit(REFUSED)
