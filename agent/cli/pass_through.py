"""For the service: `tillwatch pass-through`."""

from __future__ import annotations

from pathlib import Path

import click

from agent.cli.service import become, config_option, load_or_exit, log_level_option


@click.command(name="pass-through")
@config_option
@log_level_option
def pass_through(config_path: Path, log_level: str) -> None:
    """Share devices with the till: own them, and offer the till a door to each in their place."""
    load_or_exit(config_path)
    become("agent.pass_through", config_path, log_level)
