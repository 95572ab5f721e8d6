"""For the service: `tillwatch pass-through`."""

from __future__ import annotations

import json
from pathlib import Path

import click

from agent import sdnotify
from agent.cli.service import become, config_option, load_or_exit, log_level_option
from drivers import registry


@click.command(name="pass-through")
@config_option
@log_level_option
def pass_through(config_path: Path, log_level: str) -> None:
    """Share devices with the till: own them, and offer the till a door to each in their place.

    Runs beside `tillwatch run`, with the same configuration, and needs it not.
    """
    config = load_or_exit(config_path)
    shared = [
        {
            "device": device.id,
            "link": device.link,
            "till": device.till,
            "junction": registry.spec(device.driver).junction,
        }
        for device in config.devices
        if device.access == "shared"
    ]
    if not shared:
        # Said to be ready first: to systemd, a service that ends before that has failed.
        sdnotify.notify("READY=1", "STATUS=no device is shared")
        click.echo(
            f'{config_path}: no device has access = "shared"; there is nothing to pass through', err=True
        )
        return
    become("agent.pass_through", log_level, str(config.agent.till_dir.absolute()), json.dumps(shared))
