"""For the technician: `tillwatch doctor`, why a device cannot be seen or held. Opens no device."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import textwrap
from importlib import util
from pathlib import Path
from typing import Any

import click

from agent.cli.devices import WIDTH, root_option
from agent.cli.exits import FINE, FOUND, UNTESTED
from agent.cli.local import NoDaemon, Refused, lines_from_daemon
from agent.cli.service import DEFAULT_CONFIG, load_or_exit
from agent.config import Config
from agent.discovery.doctor import examine, report, verdict
from agent.discovery.finding import Given
from agent.discovery.machine import Machine
from drivers.link.passive import ROOT

EXITS = {"stopped": FOUND, "unseen": UNTESTED, "fine": FINE}
LOGS = ("var/log/kern.log", "var/log/syslog", "var/log/messages")
LOG_S = 5.0
STATUS_S = 5.0
_TAGS = {"stops": ("STOPS", "red"), "unknown": ("UNSEEN", "yellow"), "warns": ("WARNS", "yellow")}
_COUNTED = (
    ("stops", "{} stops a device", "{} stop a device"),
    ("unknown", "{} could not be looked at", "{} could not be looked at"),
    ("warns", "{} warning", "{} warnings"),
)
_MARGIN = 8


@click.command()
@click.option(
    "--config",
    "config_path",
    type=click.Path(path_type=Path, readable=False),
    help=f"The configuration file; {DEFAULT_CONFIG} where there is one.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of text.")
@root_option
def doctor(config_path: Path | None, *, as_json: bool, root: Path) -> None:
    """Say why a device cannot be seen or held, and what to do about it.

    Looks at what the kernel and the running daemon know; no device is opened. Without a configuration, at
    everything attached. Exit 1 if something stops a device, 3 if something could not be looked at.
    """
    given = _given(config_path, root)
    findings = examine(given)
    said = report(given, findings)
    click.echo(json.dumps(said, ensure_ascii=False, indent=2) if as_json else text(said))
    sys.exit(EXITS[verdict(findings)])


def _given(path: Path | None, root: Path) -> Given:
    machine = Machine(root)
    config, unread = _config(path, machine.path(str(DEFAULT_CONFIG)))
    view, refused = _asked(config)
    return Given(
        machine=machine,
        has_module=lambda name: util.find_spec(name) is not None,
        config=config,
        unread=unread,
        view=view,
        refused=refused,
        kernel_log=_kernel_log(machine),
    )


def _config(named: Path | None, usual: Path) -> tuple[Config | None, str]:
    """The configuration, or what may not be read; one that is named has to be there."""
    if named is not None:
        return load_or_exit(named), ""
    try:
        there = usual.exists()
    except PermissionError:
        there = True
    if there and not os.access(usual, os.R_OK):
        return None, str(usual)
    return (load_or_exit(usual) if there else None), ""


def _asked(config: Config | None) -> tuple[dict[str, Any] | None, str]:
    """The running daemon's view, or why it could not be asked."""
    if config is None:
        return None, ""
    try:
        (view,) = lines_from_daemon(config, {"do": "status"}, silence_s=STATUS_S)
    except NoDaemon:
        return None, ""
    except (Refused, ValueError) as refused:
        return None, str(refused)
    return view, ""


def _kernel_log(machine: Machine) -> str:
    """From the log's files, and this machine's journal; /dev/kmsg is left alone."""
    texts = []
    for path in LOGS:
        try:
            texts.append(machine.text(path) or "")
        except PermissionError:  # the journal may say it
            continue
    if machine.root == ROOT and (journalctl := shutil.which("journalctl")):
        command = [journalctl, "-k", "-b", "--no-pager", "-q", "-n", "2000", "--grep", "sets config"]
        try:
            asked = subprocess.run(
                command, stdin=subprocess.DEVNULL, capture_output=True, timeout=LOG_S, check=False
            )
            texts.append(asked.stdout.decode("utf-8", "replace"))
        except (OSError, subprocess.TimeoutExpired):  # no journal is no finding
            pass
    return "\n".join(texts)


# -- for people ----------------------------------------------------------------------------------


def text(said: dict[str, Any]) -> str:
    """What was found, what says so, and what to do, in 80 columns; commands stand on lines of their own."""
    lines = _head(said)
    together: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    for finding in said["findings"]:  # what is mended together is told together
        alike = together.setdefault((finding["severity"], finding["kind"], *finding["mend"]), [])
        alike.append(finding)
    for findings in together.values():
        lines.append("")
        whys = list(dict.fromkeys(finding["why"] for finding in findings))
        for number, finding in enumerate(findings, start=1):
            last = number == len(findings)
            lines += _found(finding, why=finding["why"] if len(whys) > 1 or last else "")
        for number, step in enumerate(findings[0]["mend"]):
            lines += _part("do" if number == 0 else "", step)
    return "\n".join(lines)


def _found(finding: dict[str, Any], *, why: str) -> list[str]:
    tag, colour = _TAGS[finding["severity"]]
    told = f"[{finding['layer']}] {finding['what']}"
    first, *more = textwrap.wrap(told, WIDTH - _MARGIN, break_long_words=False)
    lines = [click.style(f"{tag:<{_MARGIN}}", fg=colour, bold=True) + first]
    lines += [" " * _MARGIN + line for line in more]
    return lines + (_part("why", why) if why else [])


def _head(said: dict[str, Any]) -> list[str]:
    severities = [finding["severity"] for finding in said["findings"]]
    counts = [(severities.count(name), one, many) for name, one, many in _COUNTED]
    told = ", ".join((one if count == 1 else many).format(count) for count, one, many in counts if count)
    looked = len(said["looked_at"])
    devices = f"{looked} device{'' if looked == 1 else 's'}"
    where = f"{devices} of {said['config']}" if said["config"] else "no configuration: everything attached"
    return [f"{told or 'nothing stands in the way'} ({where})"]


def _part(name: str, words: str) -> list[str]:
    margin = " " * _MARGIN + f"{name:<5}"
    command = words[1:-1]
    if words.startswith("`") and words.endswith("`") and "`" not in command:
        return [f"{margin}$ {command}"]
    return textwrap.wrap(
        words, WIDTH, initial_indent=margin, subsequent_indent=" " * len(margin), break_long_words=False
    )
