"""`tillwatch-sim`: serve a simulated device, change it while it runs, or run a whole counter."""

from __future__ import annotations

import json
import signal
import sys
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NoReturn

import click

from simulator.control import ControlError, tell
from simulator.counter import BROKER, Counter, TillPlan, agents_socket
from simulator.devices.device import BadSetting
from simulator.devices.models import DOORS, MODELS
from simulator.doors.door import DoorError
from simulator.faults import FAULTS
from simulator.loop import Loop
from simulator.scenario import BadScenario
from simulator.scenario import load as load_scenario
from simulator.scenario_play import broker_of, counter_at, play, watching
from simulator.station import Plan, Station

_NOT_OBSERVED, _BAD_USAGE, _UNREACHABLE = 1, 2, 4
_PATH = click.Path(path_type=Path)


def fail(error: Exception, code: int) -> NoReturn:
    said = str(error)
    if isinstance(error, OSError) and error.filename is not None:
        said = f"{error.filename}: {error.strerror}"
    click.echo(f"tillwatch-sim: {said}", err=True)
    sys.exit(code)


def stop_on_signals(loop: Loop) -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: loop.stop())


def _settings_there_are() -> str:
    """Knobs and faults, for `serve --help`; `\\b` keeps click from running the lines together."""
    groups = {
        f"Knobs of {name}, at {', '.join(DOORS[name])} (the first value is the default):": (
            make().knobs.described()
        )
        for name, make in MODELS.items()
    }
    groups["Faults (@T: begin in T seconds; +D: for D seconds):"] = [
        f"{form:<13} {does}" for form, does in FAULTS.items()
    ]
    return "\n\n".join(
        "\n".join(("\b", title, *(f"  {line}" for line in lines))) for title, lines in groups.items()
    )


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
def main() -> None:
    """Simulated devices that speak real bytes over real ttys and sockets."""


@main.command(short_help="Serve one device until stopped.", epilog=_settings_there_are())
@click.argument("model")
@click.option(
    "--at",
    "doors",
    multiple=True,
    required=True,
    metavar="DOOR",
    help="tty:PATH[?baud=115200], tcp:HOST:PORT, usb:unix:PATH or usbip:HOST:PORT; file:PATH for host",
)
@click.option("--set", "settings", multiple=True, metavar="KNOB=VALUE", help="turn a knob first")
@click.option(
    "--fault", "faults", multiple=True, metavar="SPEC", help="a fault from the start, such as mute@3+5"
)
@click.option(
    "--control", type=_PATH, metavar="SOCKET", help="where `tell` reaches it; appears when all doors are open"
)
@click.option("--seed", default=0, help="makes a run with random faults repeatable")
@click.option("--transcript", type=_PATH, metavar="FILE", help="what passed, in hex, with times")
@click.option("--printed", type=_PATH, metavar="FILE", help="each byte that was printed, as it came")
@click.option(
    "--log",
    type=_PATH,
    metavar="FILE",
    help="each change of knobs and faults, and what USB hosts do; a JSON object a line",
)
def serve(
    *,
    model: str,
    doors: tuple[str, ...],
    settings: tuple[str, ...],
    faults: tuple[str, ...],
    control: Path | None,
    seed: int,
    transcript: Path | None,
    printed: Path | None,
    log: Path | None,
) -> None:
    """Serve one device until stopped; prints its state when it is ready. Models and their knobs: below."""
    plan = Plan(
        model=model,
        doors=doors,
        settings=[*settings, *(f"fault={fault}" for fault in faults)],
        control=control,
        seed=seed,
        transcript=transcript,
        printed=printed,
        log=log,
    )
    loop = Loop()
    stop_on_signals(loop)
    try:
        station = Station(plan, loop)
    except (BadSetting, DoorError, OSError) as error:
        fail(error, _BAD_USAGE)
    try:
        station.open()
        click.echo(json.dumps(station.tell(())))
        loop.run()
    except (DoorError, ControlError) as error:
        fail(error, _UNREACHABLE)
    finally:
        station.close()
        loop.close()


@main.command("tell", short_help="Change a running device.")
@click.argument("socket", type=_PATH)
@click.argument("settings", nargs=-1, metavar="[KNOB=VALUE|fault=SPEC]...")
def tell_command(socket: Path, settings: tuple[str, ...]) -> None:
    """Change a running device; prints its state as JSON once the change is in force."""
    try:
        click.echo(json.dumps(tell(socket, settings)))
    except BadSetting as error:
        fail(error, _BAD_USAGE)
    except ControlError as error:
        fail(error, _UNREACHABLE)


def _broker_url(_context: click.Context, _option: click.Parameter, url: str | None) -> str | None:
    """Refused here rather than by the daemon that reads what we write."""
    if url is not None and not url.startswith(("mqtt://", "mqtts://")):
        raise click.BadParameter(f"{url}: expected mqtt://HOST[:PORT] or mqtts://HOST[:PORT]")
    return url


@main.command("counter", short_help="A whole counter below DIR, with a configuration for the daemon.")
@click.argument("folder", type=_PATH, metavar="DIR")
@click.option(
    "--broker",
    default=BROKER,
    show_default=True,
    metavar="URL",
    callback=_broker_url,
    help="written into the configuration",
)
@click.option(
    "--till",
    is_flag=True,
    help="with a till program that prints receipts through `tillwatch pass-through`, the printer shared",
)
@click.option(
    "--say",
    type=_PATH,
    metavar="SOCKET",
    help="where that till says busy; else to the agent that the same user runs on this counter",
)
def counter_command(folder: Path, broker: str, say: Path | None, *, till: bool) -> None:
    """A whole counter below DIR until stopped; DIR/tillwatch.toml, written last, runs the daemon at it."""
    loop = Loop()
    stop_on_signals(loop)
    counter = Counter(folder, broker, loop, TillPlan(say=say or agents_socket(folder)) if till else None)
    try:
        counter.open()
        beside = f"tillwatch pass-through --config {counter.config}\n" if till else ""
        click.echo(f"serving; now run{', each in a terminal of its own' if till else ''}:")
        click.echo(f"{beside}tillwatch run --config {counter.config}")
        loop.run()
    except (DoorError, ControlError, OSError) as error:
        fail(error, _UNREACHABLE)
    finally:
        counter.close()
        loop.close()


@main.command("play", short_help="Play a timeline at a counter.")
@click.argument("scenario", type=_PATH, metavar="SCENARIO.toml")
@click.option(
    "--dir", "folder", type=_PATH, metavar="DIR", help="a counter's folder; one is served where none runs"
)
@click.option(
    "--broker",
    metavar="URL",
    callback=_broker_url,
    help="where expectations are observed; else as the counter's configuration says",
)
def play_command(scenario: Path, folder: Path | None, broker: str | None) -> None:
    """Play a timeline at a counter; exits 1 if something it names was not observed.

    \b
    [[step]]
    at_s = 3
    device = "receipt"
    set = ["paper=end"]        # or fault = "unplug+4"
    say = "the paper is out"
    expect = {topic = "event", where = {kind = "paper_end"}, within_s = 3}
    """
    signal.signal(signal.SIGTERM, lambda _number, _frame: sys.exit(128 + signal.SIGTERM))
    try:
        steps = load_scenario(scenario)
    except BadScenario as error:
        fail(error, _BAD_USAGE)
    with ExitStack() as stack:
        try:
            where = folder or Path(stack.enter_context(TemporaryDirectory(prefix="tillwatch-sim-")))
            stack.enter_context(counter_at(where, broker or BROKER))
            click.echo(f"counter at {where}", err=True)
            expects = any(step.expect for step in steps)
            seen = stack.enter_context(watching(broker or broker_of(where))) if expects else None
            missing = play(steps, where, seen, click.echo)
        except ValueError as error:
            fail(error, _BAD_USAGE)
        except (DoorError, ControlError, OSError) as error:
            fail(error, _UNREACHABLE)
    for line in missing:
        click.echo(f"not observed: {line}", err=True)
    sys.exit(_NOT_OBSERVED if missing else 0)


if __name__ == "__main__":
    main()
