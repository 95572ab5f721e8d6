"""For the service: `tillwatch run` and `tillwatch config check`."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from agent.cli.exits import REFUSED, USAGE
from agent.config import Config
from agent.config_file import ConfigErrors, load
from drivers.errors import TillwatchError

DEFAULT_CONFIG = Path("/etc/tillwatch/tillwatch.toml")

config_option = click.option(
    "--config",
    "config_path",
    type=click.Path(path_type=Path),
    default=DEFAULT_CONFIG,
    show_default=True,
    help="The configuration file.",
)


def load_or_exit(path: Path) -> Config:
    """The configuration, or every error in it on stderr and exit 2."""
    try:
        return load(path, os.environ)
    except ConfigErrors as wrong:
        click.echo(str(wrong), err=True)
        sys.exit(USAGE)


@click.command()
@config_option
@click.option(
    "--log-level",
    type=click.Choice(["debug", "info", "warning", "error"]),
    default="info",
    show_default=True,
    help="How much to log on stderr.",
)
def run(config_path: Path, log_level: str) -> None:
    """Watch this terminal's devices until stopped."""
    config = load_or_exit(config_path)
    from agent import logs  # noqa: PLC0415 - the daemon's parts are loaded only when it runs
    from agent.daemon import Daemon  # noqa: PLC0415 - same

    logs.setup(log_level)
    try:
        Daemon(config).run()
    except (TillwatchError, OSError) as refused:
        click.echo(f"tillwatch: {refused}", err=True)
        sys.exit(REFUSED)


@click.group()
def config() -> None:
    """Check a configuration."""


@config.command()
@click.argument("file", type=click.Path(path_type=Path), default=DEFAULT_CONFIG)
def check(file: Path) -> None:
    """Report every error in FILE at once: file, key and reason. Exit 2 if there is any."""
    checked = load_or_exit(file)
    count = len(checked.devices)
    click.echo(f"{file}: fine: terminal {checked.terminal.id}, {count} device{'' if count == 1 else 's'}")
