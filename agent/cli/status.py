"""For the technician: `tillwatch status`, the running daemon's view."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NoReturn

import click

from agent.cli.exits import FINE, FOUND
from agent.cli.local import NoDaemon, Refused, lines_from_daemon
from agent.cli.service import config_option, load_or_exit
from agent.config import Config
from agent.diagnosis.catalogue import ADVICE, CATALOGUE, Kind, with_own
from drivers import registry

WATCH_S = 1.0
COLOURS = {"ok": "green", "soon": "yellow", "now": "red", "unknown": "bright_black"}


@click.command()
@config_option
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of text.")
@click.option("--watch", is_flag=True, help="Show it again each second until interrupted.")
def status(config_path: Path, *, as_json: bool, watch: bool) -> None:
    """Show what the running daemon sees. Exit 1 while a fault is open, 4 if no daemon answers."""
    config = load_or_exit(config_path)
    if watch:
        _watch(config, as_json=as_json)
    view = _ask(config)
    click.echo(_shown(view, _kinds(config), as_json=as_json))
    sys.exit(FOUND if (view["health"] or {}).get("faults") else FINE)


def _watch(config: Config, *, as_json: bool) -> NoReturn:
    """A daemon that is not there may be starting anew."""
    kinds = _kinds(config)
    while True:
        try:
            shown, seen = _shown(_ask(config), kinds, as_json=as_json), True
        except Refused as absent:
            shown, seen = absent.message, False
        if not as_json:
            click.clear()
        click.echo(shown, err=as_json and not seen)
        time.sleep(WATCH_S)


def _ask(config: Config) -> dict[str, Any]:
    """The daemon's view; raises Refused."""
    try:
        (view,) = lines_from_daemon(config, {"do": "status"})
    except NoDaemon as absent:
        raise Refused(str(absent)) from absent
    return view


def _shown(view: dict[str, Any], kinds: Mapping[str, Kind], *, as_json: bool) -> str:
    return json.dumps(view, ensure_ascii=False) if as_json else text(view, kinds)


def text(view: dict[str, Any], kinds: Mapping[str, Kind] = CATALOGUE) -> str:
    """The view for a person: a line for the terminal and its shop, the broker, each device, each fault."""
    health = view["health"] or {"level": "unknown", "devices": {}, "faults": []}
    uplink = view["uplink"] or {"detail": "not connected yet"}
    outbox = view["outbox"]
    lines = [
        f"{click.style(view['terminal'], bold=True)}  {_level(health['level'])}  {_shop(view)}",
        f"  uplink   {uplink['detail']}",
        f"  outbox   {outbox['waiting']} waiting, last number {outbox['last_seq']}",
    ]
    width = max([12, *map(len, view["devices"])])
    for device, seen in view["devices"].items():
        level = health["devices"].get(device, "unknown")
        lines.append(f"  {device:<{width}} {_level(level)}  {_device(seen)}")
    lines += [
        click.style("  fault    ", fg="red")
        + f"{fault['fault']} ({fault['severity']}) since {_since(fault['raised_at'])}"
        + _explained(kinds.get(fault["kind"]))
        for fault in health["faults"]
    ]
    return "\n".join(lines)


def _shop(view: dict[str, Any]) -> str:
    """Open or closed, where hours are configured, and the sale with who says so."""
    hours = {True: "open   ", False: "closed   ", None: ""}[view["open"]]
    said = ", ".join(f"{each['source']} {each['word']}" for each in view["sale"]["why"])
    return f"{hours}sale {view['sale']['state']}{f' ({said})' if said else ''}"


def _explained(kind: Kind | None) -> str:
    """In plain words, and what to do; a daemon of another version may know other kinds."""
    return f"\n           {kind.meaning}\n           do: {ADVICE[kind.advice].en}" if kind else ""


def _kinds(config: Config) -> Mapping[str, Kind]:
    """The catalogue's, and those that drivers of other packages bring."""
    drivers = {device.driver for device in config.devices}
    return with_own(own for driver in drivers for own in registry.spec(driver).faults)


def _since(at: str) -> str:
    """Local time, and how long ago."""
    moment = datetime.fromisoformat(at).astimezone()
    minutes = int((datetime.now(UTC) - moment).total_seconds() // 60)
    ago = (
        f"{minutes} min"
        if minutes < 120
        else f"{minutes // 60} h"
        if minutes < 2880
        else f"{minutes // 1440} d"
    )
    return f"{moment:%Y-%m-%d %H:%M:%S} ({ago})"


def _device(seen: dict[str, Any] | None) -> str:
    if seen is None:
        return "not looked at yet"
    raised = [kind for kind, condition in seen["conditions"].items() if condition["value"]]
    return f"power {seen['power']}{'; ' + ', '.join(raised) if raised else ''}"


def _level(level: str) -> str:
    return click.style(f"{level:<7}", fg=COLOURS[level])
