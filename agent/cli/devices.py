"""For the technician: `tillwatch devices`, what is attached and what to write for it. Opens nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from drivers import registry
from drivers.errors import UnknownDriver
from drivers.identity import ADAPTERS, Recognition
from drivers.link.passive import (
    ROOT,
    Holders,
    SerialPort,
    UsbDevice,
    holders,
    serial_ports,
    stable_name,
    usb_devices,
)

DEFAULT_DRIVER = "escpos"
DEFAULT_ID = "receipt"


def looked_at(root: Path) -> dict[str, Any]:
    """Everything attached, as `--json` prints it."""
    ports = serial_ports(root)
    behind_ports = {port.usb.port for port in ports if port.usb}
    others = [usb for usb in usb_devices(root) if usb.port not in behind_ports and usb.recognised]
    held = holders([port.node for port in ports] + [usb.node for usb in others if usb.node], root)
    return {
        "serial_ports": [_port(port, ports, held) for port in ports],
        "usb_devices": [_usb(usb) | {"held_by": _held_by(usb.node, held)} for usb in others],
        "all_processes_seen": held.complete,
    }


def drivers_known() -> list[dict[str, Any]]:
    """Every driver installed, as `--drivers --json` prints it; a broken one with its error."""
    found: list[dict[str, Any]] = []
    for name in registry.names():
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
            }
        )
    return found


def _port(port: SerialPort, all_ports: list[SerialPort], held: Holders) -> dict[str, Any]:
    stable = stable_name(port, all_ports)
    return {
        "node": port.node,
        "kernel_driver": port.kernel_driver,
        "usb": _usb(port.usb) if port.usb else None,
        "recognised": _recognition(port.recognised),
        "adapter": ADAPTERS.get(port.usb.vid) if port.usb else None,
        "held_by": _held_by(port.node, held),
        "stable": {"path": stable.path, "by": stable.by, "why": stable.why},
        "config": config_block(stable.path, stable.why, port.recognised),
    }


def config_block(path: str, why: str, known: Recognition | None) -> str:
    """The table to paste; `access` stays passive until somebody decides otherwise."""
    driver = known.driver if known and known.driver else DEFAULT_DRIVER
    lines = ["[[device]]", f'id = "{DEFAULT_ID}"']
    if known is None or known.driver is None:
        lines.append("# What is plugged in here cannot be seen without asking it: name its driver.")
    lines += [
        f'driver = "{driver}"',
        f"# By this name since {why}. Add ?baud=... if it is not 115200.",
        f'link = "serial:{path}"',
        '# "exclusive" lets the agent open it: only where no till prints to it.',
        'access = "passive"',
    ]
    if known and known.profile != "plain":
        lines.append(f'profile = "{known.profile}"')
    return "\n".join(lines)


def _usb(usb: UsbDevice) -> dict[str, Any]:
    return {
        "port": usb.port,
        "id": f"{usb.vid:04x}:{usb.pid:04x}",
        "serial": usb.serial,
        "manufacturer": usb.manufacturer,
        "product": usb.product,
        "node": usb.node,
        "kernel_drivers": list(usb.kernel_drivers),
        "ieee1284": dict(usb.ieee1284),
        "recognised": _recognition(usb.recognised),
    }


def _recognition(known: Recognition | None) -> dict[str, Any] | None:
    if known is None:
        return None
    return {"what": known.what, "how": known.how, "driver": known.driver, "profile": known.profile}


def _held_by(node: str | None, held: Holders) -> list[dict[str, Any]]:
    return [{"pid": who.pid, "command": who.command} for who in held.by_node.get(node or "", ())]


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
    block = [f"      {line}" for line in port["config"].splitlines()]
    return [title, f"    {known}", f"    {_holding(port, all_seen=all_seen)}", "    to paste:", *block]


def _show_usb(usb: dict[str, Any], *, all_seen: bool) -> list[str]:
    known = usb["recognised"]
    use = f"driver {known['driver']}" if known["driver"] else "no driver of this version speaks to it"
    if known["driver"]:
        own = f":{usb['serial']}" if usb["serial"] else ""
        use += f'; opened by a serial or network link only; looked at by link = "usb:{usb["id"]}{own}"'
    lines = [
        f"USB {usb['port']}  {_name(usb)}",
        f"    {known['what']}, by its {known['how']}",
        f"    {use}",
    ]
    if usb["node"]:
        lines.insert(2, f"    {usb['node']}: {_holding(usb, all_seen=all_seen)}")
    return lines


def _name(usb: dict[str, Any]) -> str:
    words = [usb["manufacturer"], usb["product"], f"[{usb['id']}]"]
    if usb["serial"]:
        words.append(f"serial {usb['serial']}")
    return " ".join(word for word in words if word)


def _holding(thing: dict[str, Any], *, all_seen: bool) -> str:
    if thing["held_by"]:
        return "open in " + ", ".join(f"{who['command']} (pid {who['pid']})" for who in thing["held_by"])
    return "nobody has it open" if all_seen else "open in no process that you may look into (try as root)"


def _show_driver(driver: dict[str, Any]) -> str:
    if "error" in driver:
        return f"{driver['name']:<12} {driver['error']}"
    parts = {name: ", ".join(driver[name]) or "-" for name in ("categories", "links", "profiles")}
    return f"{driver['name']:<12} {parts['categories']}; links {parts['links']}; profiles {parts['profiles']}"


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--drivers", "list_drivers", is_flag=True, help="List the drivers there are instead.")
@click.option(
    "--sysfs",
    "root",
    hidden=True,
    default=ROOT,
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="The folder that holds sys, dev and proc.",
)
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
