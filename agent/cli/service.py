"""For the service: `tillwatch run` and `tillwatch config check`."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import NoReturn

import click

from agent.cli.exits import USAGE
from agent.config import Config
from agent.config.file import ConfigErrors, load
from agent.config.notes import notes

DEFAULT_CONFIG = Path("/etc/tillwatch/tillwatch.toml")

config_option = click.option(
    "--config",
    "config_path",
    type=click.Path(path_type=Path, readable=False),
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


log_level_option = click.option(
    "--log-level",
    type=click.Choice(["debug", "info", "warning", "error"]),
    default="info",
    show_default=True,
    help="How much to log on stderr.",
)


@click.command()
@config_option
@log_level_option
def run(config_path: Path, log_level: str) -> None:
    """Watch this terminal's devices until stopped."""
    load_or_exit(config_path)
    become_daemon(config_path, log_level)


def become_daemon(config: Path, log_level: str) -> NoReturn:
    """Go on as `agent.cli.daemon`."""
    become("agent.cli.daemon", str(config), log_level)


def become(module: str, *arguments: str) -> NoReturn:
    """Go on as that module, in this process but without what the command line has loaded."""
    # The installed command does not look for modules in the working directory; `python -m` does.
    flags = [] if Path(sys.argv[0]).name == "__main__.py" else ["-P"]
    # One malloc arena is enough under the interpreter's lock, and each costs memory.
    environment = {"MALLOC_ARENA_MAX": "1"} | os.environ
    command = [sys.executable, *flags, "-m", module, *arguments]
    os.execve(sys.executable, command, environment)  # noqa: S606 - our own interpreter, from a fixed list


@click.group()
def config() -> None:
    """Check a configuration."""


@config.command()
@click.argument("file", type=click.Path(path_type=Path, readable=False), default=DEFAULT_CONFIG)
def check(file: Path) -> None:
    """Report every error in FILE at once: file, key and reason. Exit 2 if there is any.

    What is right and does nothing is noted.
    """
    checked = load_or_exit(file)
    for note in notes(checked):
        click.echo(f"{file}: note: {note}")
    count = len(checked.devices)
    click.echo(f"{file}: fine: terminal {checked.terminal.id}, {count} device{'' if count == 1 else 's'}")
