"""Asking the daemon on this machine."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

import click

from agent.cli.exits import REFUSED
from agent.cli.service import DEFAULT_CONFIG
from agent.config import Config
from agent.control import SOCKET_NAME, ask

SERVICE_RUNTIME_DIR = Path("/run/tillwatch")
"""What systemd/tillwatch.service sets; a technician's shell does not see it."""


class NoDaemon(Exception):
    """No daemon runs for this configuration."""


class Refused(click.ClickException):
    """The daemon says no, or nothing, or may not be asked; click ends the command with it."""

    exit_code = REFUSED

    def show(self, file: IO[Any] | None = None) -> None:
        click.echo(f"tillwatch: {self.message}", file=file, err=True)


def lines_from_daemon(
    config: Config,
    request: dict[str, Any],
    *,
    silence_s: float = 30.0,
    reply: Callable[[dict[str, Any]], dict[str, Any]] | None = None,
) -> Iterator[dict[str, Any]]:
    """The daemon's answer, line by line, its questions answered by `reply`.

    Raises NoDaemon or Refused.
    """
    path = socket_path(config)
    try:
        for line in ask(path, request, silence_s=silence_s, reply=reply):
            if "done" not in line:
                yield line
            elif not line["done"]:
                hint = line.get("hint")
                raise Refused(f"{line['detail']} ({hint})" if hint else str(line["detail"]))
    except (FileNotFoundError, ConnectionRefusedError) as absent:
        raise NoDaemon(
            f"no daemon answers at {path}; start it: tillwatch run --config {config.source}"
        ) from absent
    except PermissionError as denied:
        raise Refused(
            f"{path}: permission denied; run it as root or as a member of the service's group"
        ) from denied
    except (TimeoutError, ConnectionError) as silent:
        raise Refused(f"{path}: {silent}") from silent


def socket_path(config: Config) -> Path:
    """Where the daemon of this configuration listens: as we would, or as the installed service does."""
    own = config.agent.runtime_dir / SOCKET_NAME
    service = SERVICE_RUNTIME_DIR / SOCKET_NAME
    return service if config.source == DEFAULT_CONFIG and service.exists() and not own.exists() else own
