"""The `tillwatch` command: finds the file a subcommand lives in and imports only that."""

from __future__ import annotations

import importlib
import logging
import sys
from collections.abc import Sequence

import click

from agent import __version__
from agent.cli.exits import FOUND, USAGE
from drivers.errors import TillwatchError

COMMANDS: dict[str, tuple[str, str]] = {
    "demo": ("agent.cli.demo", "a simulated counter, a broker and the real daemon, live in the terminal"),
    "run": ("agent.cli.service", "the daemon"),
    "pass-through": ("agent.cli.pass_through", "share devices with the till"),
    "selftest": ("agent.cli.selftest", "test devices: internal, external or interactive"),
    "devices": ("agent.cli.devices", "what is attached, and the configuration to paste"),
    "doctor": ("agent.cli.doctor", "why a device cannot be seen or held, and what to do"),
    "status": ("agent.cli.status", "the running daemon's view"),
    "config": ("agent.cli.service", "check a configuration"),
}
"""Name -> (module that has a click command of that name, its line in `--help`)."""


class LazyGroup(click.Group):
    """Lists every command, imports one only when it is called or its own help is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - same
        if cmd_name not in COMMANDS:
            return None
        command = getattr(importlib.import_module(COMMANDS[cmd_name][0]), cmd_name.replace("-", "_"))
        if not isinstance(command, click.Command):
            raise TypeError(f"{COMMANDS[cmd_name][0]}.{cmd_name} is no command")
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - same
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_module, line) in COMMANDS.items()])


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="tillwatch")
def cli() -> None:
    """Diagnostics agent for point-of-sale terminals.

    Exit codes: 0 fine; 1 a fault was found or a command failed; 2 bad usage or configuration;
    3 could not be tested; 4 refused or unreachable.
    """


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command; every error the user can mend is one line, not a traceback."""
    # What parts log is for the daemon's log; a command says by itself what its user should know.
    logging.getLogger("tillwatch").addHandler(logging.NullHandler())
    try:
        cli.main(args=arguments, prog_name="tillwatch")
    except TillwatchError as error:
        hint = f" ({error.hint})" if error.hint else ""
        click.echo(f"tillwatch: {error}{hint}", err=True)
        sys.exit(USAGE)
    except OSError as error:
        said = f"{error.filename}: {error.strerror}" if error.filename else str(error)
        click.echo(f"tillwatch: {said}", err=True)
        sys.exit(FOUND)
