"""For the technician: `tillwatch selftest`, UnifiedPOS CheckHealth of one device or all."""

from __future__ import annotations

import html
import json
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click

from agent.cli.exits import FINE, FOUND, UNTESTED, USAGE
from agent.cli.local import NoDaemon, lines_from_daemon
from agent.cli.service import config_option, load_or_exit
from agent.config import Config
from agent.messages import SelftestResult, SelftestStep, rfc3339
from agent.selftest import INTERNAL_S, WAIT_S, answered, limit_s, published, result_of, telling
from drivers.api import Deadline, Level, Occasion, SystemClock

MARKS = {"passed": ("✓", "green"), "failed": ("✗", "red"), "untested": ("?", "yellow")}
EXITS = {"passed": FINE, "failed": FOUND, "untested": UNTESTED}


@dataclass(slots=True)
class Tested:
    """One device's steps and result."""

    device: str
    steps: list[SelftestStep] = field(default_factory=list)

    @property
    def result(self) -> SelftestResult:
        return result_of(self.steps)


@click.command()
@click.argument("devices", nargs=-1, metavar="[DEVICE]...")
@config_option
@click.option(
    "--level",
    type=click.Choice(["internal", "external", "interactive"]),
    default="internal",
    show_default=True,
    help="internal changes nothing; external prints a slip, shows a pattern, beeps, powers a card and has a "
    "payment terminal contact its host; interactive also asks what only an eye can see (with --json nobody "
    "is asked). docs/selftest.md",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout, nothing else.")
@click.option(
    "--report",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write a report: .html or .json by suffix.",
)
def selftest(
    devices: tuple[str, ...], config_path: Path, level: Level, *, as_json: bool, report: Path | None
) -> None:
    """Test DEVICEs: those of the configuration, `host` or `network`; all of them if none is named.

    If the daemon runs, it does the testing, since it owns the devices. Exit 0 all passed, 1 one
    failed, 3 one could not be tested.
    """
    if report and report.suffix not in (".html", ".json"):
        click.echo(f"tillwatch: --report {report}: the suffix must be .html or .json", err=True)
        sys.exit(USAGE)
    config = load_or_exit(config_path)
    _check_names(devices, config)
    if report:
        report.touch()  # said now, not after the slip is printed
    started = time.time()
    tested: list[Tested] = []
    asking = _ask_nobody if as_json else _put_question
    for device, step in _steps(config, list(devices), level, asking):
        if not tested or tested[-1].device != device:
            tested.append(Tested(device))
            if not as_json:
                click.echo(click.style(device, bold=True))
        tested[-1].steps.append(step)
        if not as_json:
            _show(step)
    summary = _summary(config, level, tested, started)
    if as_json:
        click.echo(json.dumps(summary, ensure_ascii=False))
    else:
        _table(tested)
    if report:
        text = (
            json.dumps(summary, ensure_ascii=False, indent=2) if report.suffix == ".json" else _html(summary)
        )
        report.write_text(text + "\n", encoding="utf-8")
    sys.exit(EXITS[summary["result"]])


def _check_names(devices: tuple[str, ...], config: Config) -> None:
    known = [device.id for device in config.devices] + ["host", "network"]
    for device in devices:
        if device not in known:
            click.echo(
                f"tillwatch: no device {device!r} in {config.source}; there are: {', '.join(known)}", err=True
            )
            sys.exit(USAGE)


Asking = Callable[[str], SelftestResult]
Steps = Iterator[tuple[str, SelftestStep]]


def _steps(config: Config, devices: list[str], level: Level, asking: Asking) -> Steps:
    """Each step as it ends, from the daemon, or from the devices themselves where none runs."""
    request = {"do": "selftest", "devices": devices, "level": level}
    longest_s = max((limit_s(device.driver, level) for device in config.devices), default=0.0)
    try:
        for line in lines_from_daemon(
            config,
            request,
            silence_s=max(longest_s, INTERNAL_S) + WAIT_S + 5,
            reply=lambda line: {"verdict": asking(line["question"])},
        ):
            if "step" in line:
                yield line["device"], SelftestStep(**line["step"])
    except NoDaemon:
        yield from _steps_alone(config, devices, level, asking)


def _steps_alone(config: Config, devices: list[str], level: Level, asking: Asking) -> Steps:
    # Only where no daemon runs.
    from agent.daemon import host_device, make_driver  # noqa: PLC0415 - see above
    from agent.network import network_device  # noqa: PLC0415 - see above
    from agent.uplink.attempt import OneAttempt  # noqa: PLC0415 - see above

    clock = SystemClock()
    occasion = Occasion(config.terminal.id, time.strftime("%Y-%m-%d %H:%M:%S"))
    devices_here = (*config.devices, host_device(config), network_device(config))
    configured = {device.id: device for device in devices_here}
    for device in [configured[name] for name in dict.fromkeys(devices or configured)]:
        session = OneAttempt(config)
        driver = make_driver(device, clock, {}, config.agent.till_dir, session=session)
        try:
            for step in driver.selftest(
                level, occasion, Deadline.after(clock, limit_s(device.driver, level))
            ):
                line = published(step)
                if step.question:
                    line = answered(line, asking(step.question))
                    telling(line)(driver)
                yield device.id, line
        finally:
            driver.close()


def _ask_nobody(_question: str) -> SelftestResult:
    return "untested"


def _put_question(question: str) -> SelftestResult:
    """Ask the technician; untested where nobody can be asked."""
    try:
        return "passed" if click.confirm(f"  {question}", default=True) else "failed"
    except click.Abort:
        if sys.stdin.isatty():
            raise
        click.echo()
        return "untested"


def _summary(config: Config, level: Level, tested: list[Tested], started: float) -> dict[str, Any]:
    results = {t.result for t in tested}
    overall = (
        "failed" if "failed" in results else "untested" if "untested" in results or not results else "passed"
    )
    return {
        "terminal": config.terminal.id,
        "at": rfc3339(started),
        "level": level,
        "result": overall,
        "devices": {
            t.device: {
                "result": t.result,
                "steps": [
                    {"name": s.name, "verdict": s.verdict, "detail": s.detail, "question": s.question}
                    for s in t.steps
                ],
            }
            for t in tested
        },
    }


def _show(step: SelftestStep) -> None:
    mark, colour = MARKS[step.verdict]
    detail = f"  {click.style(step.detail, dim=True)}" if step.detail else ""
    click.echo(f"  {click.style(mark, fg=colour)} {step.name}{detail}")


def _table(tested: list[Tested]) -> None:
    width = max((len(t.device) for t in tested), default=6)
    click.echo(f"\n{'device':<{width}}  result    steps")
    for t in tested:
        colour = MARKS[t.result][1]
        passed = sum(step.verdict == "passed" for step in t.steps)
        click.echo(
            f"{t.device:<{width}}  {click.style(f'{t.result:<8}', fg=colour)}  {passed}/{len(t.steps)} passed"
        )


def _html(summary: dict[str, Any]) -> str:
    rows = "\n".join(
        f"<tr class={step['verdict']}><td>{html.escape(device)}<td>{html.escape(step['name'])}"
        f"<td>{step['verdict']}<td>{html.escape(step['detail'])}"
        for device, tested in summary["devices"].items()
        for step in tested["steps"]
    )
    title = html.escape(f"Self-test of {summary['terminal']}")
    return (
        f"<!doctype html><meta charset=utf-8><title>{title}</title>\n"
        "<style>body{font:15px system-ui;margin:2em}td,th{padding:.3em 1em;text-align:left}"
        ".passed td:nth-child(3){color:#080}.failed td:nth-child(3){color:#c00}"
        ".untested td:nth-child(3){color:#a60}</style>\n"
        f"<h1>{title}</h1><p>{summary['at']}, level {summary['level']}: <b>{summary['result']}</b>\n"
        f"<table><tr><th>device<th>step<th>verdict<th>detail\n{rows}\n</table>"
    )
