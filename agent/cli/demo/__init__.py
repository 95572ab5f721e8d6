"""`tillwatch demo`: a simulated counter, a real broker and the real daemon, live in the terminal."""

from __future__ import annotations

import importlib.util
import json
import queue
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import click

from agent.cli.demo.play import Play
from agent.cli.demo.stage import NoStage, Stage
from agent.cli.exits import FINE, REFUSED, UNTESTED, USAGE
from agent.uplink.watcher import Message, Watcher

TOPICS = ("tillwatch/v1/#",)
RETAINED_S = 1.0  #: the last look, at the retained set
FRAME_S = 0.2
INBOX_MOST = 10_000
INSTALL = "the demo needs the simulator and its extra; install them: pip install 'tillwatch[demo]'"

Take = Callable[[Message], None]
Show = Callable[[Stage, Play, "queue.Queue[Message]", Callable[[], bool]], Take | None]
"""Shows messages until over; returns what takes the retained set at the end, if anything does."""


@click.command()
@click.option(
    "--scenario",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="What happens; a TOML file.",
)
@click.option("--for", "for_s", type=click.FloatRange(min=1), metavar="SECONDS", help="End after this long.")
@click.option(
    "--json", "as_json", is_flag=True, help="One line per MQTT message on stdout, as a subscriber got it."
)
def demo(scenario: Path | None, for_s: float | None, *, as_json: bool) -> None:
    """Show Tillwatch at work on a simulated counter, until Ctrl-C. Needs no hardware, no root, no network."""
    if not (importlib.util.find_spec("simulator") and importlib.util.find_spec("rich")):
        click.echo(f"tillwatch: {INSTALL}", err=True)
        sys.exit(UNTESTED)
    import simulator  # noqa: PLC0415 - named exception: the demo shows the simulator
    from simulator.scenario import BadScenario, load  # noqa: PLC0415 - same

    path = scenario or Path(simulator.__file__).parent / "scenarios" / "counter.toml"
    try:
        steps = load(path)
    except BadScenario as wrong:
        click.echo(f"tillwatch: {wrong}", err=True)
        sys.exit(USAGE)
    _end_on_signals()
    show: Show = _show_json if as_json else _show_live if sys.stdout.isatty() else _show_lines
    try:
        with tempfile.TemporaryDirectory(prefix="tillwatch-demo-") as folder, Stage(Path(folder)) as stage:
            _play(stage, Play(stage, path, steps, again=scenario is None), for_s, show)
    except NoStage as failed:
        click.echo(f"tillwatch: {failed}", err=True)
        sys.exit(REFUSED)
    except KeyboardInterrupt:
        pass
    sys.exit(FINE)


def _end_on_signals() -> None:
    """SIGTERM, and the terminal's end, end the demo as Ctrl-C does: nothing is left behind."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:  # nohup asked to outlive the terminal
            signal.signal(number, signal.default_int_handler)


def _play(stage: Stage, play: Play, for_s: float | None, show: Show) -> None:
    inbox: queue.Queue[Message] = queue.Queue(INBOX_MOST)

    def take(message: Message) -> None:
        inbox.put(message)
        play.ready = play.ready or message.topic.endswith("/health")

    watcher = Watcher(stage.url, TOPICS, take)
    watcher.start()
    try:
        stage.start_daemon()
        ends_s = time.monotonic() + for_s if for_s else float("inf")

        def over() -> bool:
            broken = stage.failed()
            if broken:
                raise NoStage(f"the {broken} ended: {stage.log_tail(broken)}")
            return time.monotonic() >= ends_s

        last_look = show(stage, play, inbox, over)
        if last_look:
            watcher.resubscribe()
            look_ends_s = time.monotonic() + RETAINED_S
            _drain(inbox, lambda: time.monotonic() >= look_ends_s, last_look)
    finally:
        watcher.stop()


def _show_json(_stage: Stage, play: Play, inbox: queue.Queue[Message], over: Callable[[], bool]) -> Take:
    def turn() -> bool:
        play.turn(lambda line: click.echo(line, err=True))
        return over()

    _drain(inbox, turn, _print_json)
    return _print_json


def _show_lines(_stage: Stage, play: Play, inbox: queue.Queue[Message], over: Callable[[], bool]) -> Take:
    from agent.cli.demo.view import flow_line  # noqa: PLC0415 - rich is an extra; --json does without

    def turn() -> bool:
        play.turn(lambda line: click.echo(f"-- {line}"))
        return over()

    def take(message: Message) -> None:
        click.echo(flow_line(message).plain)

    _drain(inbox, turn, take)
    click.echo("-- what a new subscriber gets (● retained)")
    return take


def _show_live(stage: Stage, play: Play, inbox: queue.Queue[Message], over: Callable[[], bool]) -> None:
    from rich.live import Live  # noqa: PLC0415 - rich is an extra; --json does without

    from agent.cli.demo.view import Picture, render  # noqa: PLC0415 - same

    picture = Picture()
    with Live(screen=True, auto_refresh=False) as live:

        def turn() -> bool:
            play.turn(picture.tell)
            broker = f"{stage.broker_name} on {stage.port}"
            columns, lines = live.console.size
            live.update(render(picture, broker=broker, columns=columns, lines=lines), refresh=True)
            return over() or not sys.stdout.isatty()  # a terminal that is gone sends no signal through su

        _drain(inbox, turn, picture.take)


def _drain(inbox: queue.Queue[Message], over: Callable[[], bool], take: Take) -> None:
    """Hand on messages as they come; `over` is asked after each frame."""
    while not over():
        frame_ends_s = time.monotonic() + FRAME_S
        while (left_s := frame_ends_s - time.monotonic()) > 0:
            try:
                take(inbox.get(timeout=left_s))
            except queue.Empty:
                break


def _print_json(message: Message) -> None:
    line = {"topic": message.topic, "retain": message.retain, "qos": message.qos, "payload": message.payload}
    click.echo(json.dumps(line, ensure_ascii=False))
