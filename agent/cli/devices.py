"""For the technician: `tillwatch devices`, what is attached and what to write for it. Opens nothing."""

from __future__ import annotations

import json
import os
import textwrap
from pathlib import Path
from typing import Any

import click

from agent.config.file import OWN_DRIVERS
from agent.discovery.attached import looked_at
from drivers import registry
from drivers.errors import UnknownDriver
from drivers.link.passive import ROOT

WIDTH = 80

root_option = click.option(
    "--sysfs",
    "root",
    hidden=True,
    default=ROOT,
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="The folder that holds sys, dev and proc.",
)


def drivers_known() -> list[dict[str, Any]]:
    """Every driver that a device can have, as `--drivers --json` prints it; a broken one with its error."""
    found: list[dict[str, Any]] = []
    for name in registry.names():
        if name in OWN_DRIVERS:
            continue
        try:
            spec = registry.spec(name)
        except UnknownDriver as broken:
            found.append({"name": name, "error": str(broken)})
            continue
        found.append(
            {
                "name": name,
                "categories": list(spec.categories),
                "links": list(spec.links),
                "profiles": list(spec.profiles),
                "keys": sorted(spec.options),
            }
        )
    return found


# -- for people ----------------------------------------------------------------------------------


def _show_port(port: dict[str, Any], *, all_seen: bool) -> list[str]:
    usb = port["usb"]
    title = f"{port['node']}  ({port['kernel_driver'] or 'no kernel driver'})"
    if usb:
        title += f"  {_name(usb)}"
    if port["recognised"]:
        known = f"{port['recognised']['what']}, by its {port['recognised']['how']}"
    elif port["adapter"]:
        known = f"a {port['adapter']}; what is behind it does not show"
    else:
        known = "what is plugged in does not show"
    return [title, *_said(known, _holding(port, all_seen=all_seen)), *_paste(port["config"])]


def _show_usb(usb: dict[str, Any], *, all_seen: bool) -> list[str]:
    known = usb["recognised"]
    lines = [f"USB {usb['port']}  {_name(usb)}"]
    if known is None:
        told = f"a {usb['adapter']} without a serial port of its own: `tillwatch doctor` says why"
    else:
        told = f"{known['what']}, by its {known['how']}"
    lines += _said(told)
    if usb["node"]:
        lines += _said(f"{usb['node']}: {_holding(usb, all_seen=all_seen)}")
    elif usb["held_by"]:
        lines += _said(_holding(usb, all_seen=all_seen))
    if usb["never_opened"]:
        return lines + _said(
            f"never opened: {usb['never_opened']}. Set it to its HID mode to have it watched."
        )
    if known and not known["driver"]:
        return lines + _said("no driver of this version speaks to it")
    return lines + (_paste(usb["config"]) if usb["config"] else [])


def _said(*texts: str) -> list[str]:
    margin = "    "
    return [
        line
        for text in texts
        for line in textwrap.wrap(
            text, WIDTH, initial_indent=margin, subsequent_indent=margin + "  ", break_long_words=False
        )
    ]


def _paste(config: str) -> list[str]:
    """Without a margin before the lines, so that they can be copied as they are."""
    return ["    to paste:", *config.splitlines()]


def _name(usb: dict[str, Any]) -> str:
    words = [usb["manufacturer"], usb["product"], f"[{usb['id']}]"]
    if usb["serial"]:
        words.append(f"serial {usb['serial']}")
    return " ".join(word for word in words if word)


def _holding(thing: dict[str, Any], *, all_seen: bool) -> str:
    if thing["held_by"]:
        return "open in " + ", ".join(f"{who['command']} (pid {who['pid']})" for who in thing["held_by"])
    if all_seen:
        return "nobody has it open"
    return "open in no process that you may look into" + (" (try with sudo)" if os.geteuid() else "")


def _show_driver(driver: dict[str, Any]) -> str:
    if "error" in driver:
        return f"{driver['name']:<14} {driver['error']}"
    told = [", ".join(driver["categories"])]
    told += [f"{name} {', '.join(driver[name])}" for name in ("links", "profiles", "keys") if driver[name]]
    return f"{driver['name']:<14} {'; '.join(told)}"


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--drivers", "list_drivers", is_flag=True, help="List the drivers there are instead.")
@root_option
def devices(as_json: bool, list_drivers: bool, root: Path) -> None:
    """What is attached, how it was recognised, and the configuration to paste.

    Looks at what the kernel knows; no device is opened or asked.
    """
    found: Any = drivers_known() if list_drivers else looked_at(root)
    if as_json:
        click.echo(json.dumps(found, ensure_ascii=False, indent=2))
        return
    if list_drivers:
        lines = [_show_driver(driver) for driver in found]
    else:
        seen = found["all_processes_seen"]
        blocks = [_show_port(port, all_seen=seen) for port in found["serial_ports"]]
        blocks += [_show_usb(usb, all_seen=seen) for usb in found["usb_devices"]]
        lines = [line for block in blocks for line in (*block, "")][:-1]
    click.echo("\n".join(lines) or "no serial port and no USB device of a counter is attached")
