"""What the demo shows: a picture made from the messages alone, as any subscriber could make it."""

from __future__ import annotations

import collections
import time
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from rich.console import Group, RenderableType
from rich.layout import Layout
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from agent.uplink.watcher import Message

LEVELS = {"ok": "bold white on green", "soon": "bold black on yellow", "now": "bold white on red"}
UNKNOWN_LEVEL = "bold white on grey37"
POWERS = {"online": "green", "off": "red", "offline": "red", "off_offline": "red"}
CHANGES = {"raised": "red", "cleared": "green", "chattering": "yellow", "removed": "bright_black"}
BASE = "tillwatch/v1/"
FLOW_LINES = 200
STORY_LINES = 12
PAST_FAULTS = 4
MIDDLE_LINES = 11
UNKNOWN_NAMED = 2  #: more than these are counted
NARROW_COLUMNS = 150  #: below this, devices and faults stand one above the other
HEAD_LINES = 3
FRAME_LINES = 3  #: of a panel: its borders, and the headings
REST_LINES = 2  #: of names, where not every device has a row
FLOW_LEAST = 9
NARROW_LINES = 6  #: of each of the two then: a plain terminal of 24 lines shows all four panels


@dataclass(slots=True)
class Picture:
    """The latest of each retained topic, and what flowed by."""

    terminal: str = "…"
    status: dict[str, Any] = field(default_factory=dict)
    health: dict[str, Any] = field(default_factory=dict)
    devices: dict[str, dict[str, Any]] = field(default_factory=dict)
    flow: collections.deque[Text] = field(default_factory=lambda: collections.deque(maxlen=FLOW_LINES))
    story: collections.deque[Text] = field(default_factory=lambda: collections.deque(maxlen=STORY_LINES))
    past: collections.deque[dict[str, Any]] = field(
        default_factory=lambda: collections.deque(maxlen=PAST_FAULTS)
    )
    messages: int = 0

    def take(self, message: Message) -> None:
        """One message as it came from the broker."""
        self.messages += 1
        self.terminal, topic, body = unpacked(message)
        if topic == "status":
            self.status = body
        elif topic == "health":
            self.health = body
        elif topic.startswith("device/"):
            self.devices[topic.removeprefix("device/")] = body
        elif body.get("change") == "cleared":
            self.past.appendleft(body)
        self.flow.append(flow_line(message))

    def tell(self, line: str) -> None:
        """What the scenario just did to the counter."""
        self.story.append(Text(f"{time.strftime('%H:%M:%S')}  {line}"))


def unpacked(message: Message) -> tuple[str, str, dict[str, Any]]:
    """(terminal, topic below it, body); an empty or unreadable payload is an empty body."""
    terminal, _, topic = message.topic.removeprefix(BASE).partition("/")
    return terminal, topic, message.payload if isinstance(message.payload, dict) else {}


def flow_line(message: Message) -> Text:
    """One message in one line: when, where, what."""
    _terminal, topic, body = unpacked(message)
    line = Text(f"{time.strftime('%H:%M:%S')} ", style="bright_black")
    line.append("● " if message.retain else "  ", style="cyan")
    line.append(f"{topic:<20} ", style="bold")
    said, style = _said(topic, body)
    line.append(said, style=style)
    return line


def _said(topic: str, body: dict[str, Any]) -> tuple[str, str]:
    if topic == "event" and body.get("type") == "fault":
        return f"#{body['seq']} {body['fault']} {body['change']} ({body['severity']})", CHANGES.get(
            body["change"], ""
        )
    if topic == "event":
        return f"#{body.get('seq')} {body.get('type')}", ""
    if topic == "health":
        faults = len(body.get("faults", []))
        return f"level {body.get('level')}, {faults} fault{'' if faults == 1 else 's'}{_shop(body)}", ""
    if topic == "status":
        return f"{body.get('state')} ({body.get('reason')})", ""
    if topic.startswith("device/"):
        lit = lit_conditions(body)
        return f"power {body.get('power')}" + (f", {', '.join(lit)}" if lit else ""), ""
    return "", ""


def lit_conditions(device: dict[str, Any]) -> list[str]:
    return [kind for kind, condition in device.get("conditions", {}).items() if condition["value"]]


def render(picture: Picture, *, broker: str, columns: int, lines: int = 24) -> RenderableType:
    """The whole screen, for a terminal of that size."""
    page = Layout()
    narrow = columns < NARROW_COLUMNS
    least = NARROW_LINES if narrow else MIDDLE_LINES
    others = FLOW_LEAST + HEAD_LINES + (NARROW_LINES if narrow else 0)
    high = max(least, min(len(picture.devices) + FRAME_LINES, lines - others))
    page.split_column(
        Layout(_head(picture, broker), size=HEAD_LINES),
        Layout(name="middle", size=high + NARROW_LINES if narrow else high),
        Layout(name="flow", ratio=1),
    )
    split = page["middle"].split_column if narrow else page["middle"].split_row
    faults = Layout(_faults(picture), size=NARROW_LINES) if narrow else Layout(_faults(picture), ratio=2)
    split(Layout(_devices(picture, high - FRAME_LINES), ratio=3), faults)
    rows = list(picture.flow)[-30:]
    page["flow"].split_row(
        Layout(
            Panel(Group(*reversed(rows)), title="messages, newest first", border_style="blue"),
            ratio=3,
        ),
        Layout(
            Panel(Group(*reversed(picture.story)), title="at the counter", border_style="magenta"), ratio=2
        ),
    )
    return page


def _head(picture: Picture, broker: str) -> Panel:
    level = picture.health.get("level", "unknown")
    line = Text(overflow="ellipsis", no_wrap=True)
    line.append(f" {level.upper()} ", style=LEVELS.get(level, UNKNOWN_LEVEL))
    line.append(f"  {picture.terminal}", style="bold")
    line.append(_shop(picture.health).replace(", ", "   "))
    line.append(f"   {picture.status.get('state', 'connecting…')}")
    line.append("   Ctrl-C ends", style="bright_black")
    line.append(f"   {picture.messages} messages   broker {broker}")
    return Panel(line, title="Tillwatch", border_style="blue")


def _shop(health: dict[str, Any]) -> str:
    """What is known of the shop: open or closed, a sale or none."""
    hours = {True: ", open", False: ", closed", None: ""}[health.get("open")]
    sale = {"yes": ", a sale", "no": ", no sale"}.get(health.get("sale", ""), "")
    return hours + sale


def _devices(picture: Picture, rows: int) -> Panel:
    """So many rows: trouble first where not all have room, and the others' names below."""
    table = Table(expand=True, box=None)
    for heading in ("device", "level", "power", "conditions"):
        table.add_column(heading)
    levels = picture.health.get("devices", {})
    names = sorted(picture.devices)
    if len(names) > rows:
        names.sort(key=lambda name: not lit_conditions(picture.devices[name]))
        whole = max(1, rows - REST_LINES)
        names, rest = names[:whole], names[whole:]
    else:
        rest = []
    for name in names:
        device = picture.devices[name]
        level = levels.get(name, "unknown")
        power = device.get("power", "unknown")
        table.add_row(
            Text(name, style="bold"),
            Text(f" {level} ", style=LEVELS.get(level, UNKNOWN_LEVEL)),
            Text(power, style=POWERS.get(power, "bright_black")),
            _conditions(device),
        )
    if not rest:
        return Panel(table, title="devices", border_style="blue")
    more = Text(f"{len(rest)} more: ", style="bright_black")
    for name in rest:
        level = levels.get(name, "unknown")
        more.append(name, style="green" if level == "ok" else LEVELS.get(level, UNKNOWN_LEVEL))
        more.append(" ")
    return Panel(Group(table, more), title="devices", border_style="blue")


def _conditions(device: dict[str, Any]) -> Text:
    """One line, so that no device is pushed off: what holds in red, what is unknown in grey."""
    conditions = device.get("conditions", {})
    unknown = [kind for kind, condition in conditions.items() if condition["value"] is None]
    line = Text(overflow="ellipsis", no_wrap=True)
    for kind in lit_conditions(device):
        line.append(f"{kind} ", style="bold red")
    if not line and device.get("power") == "online":
        line.append("fine ", style="green")
    if len(unknown) > UNKNOWN_NAMED:
        line.append(f"{len(unknown)} not known", style="bright_black")
    else:
        line.append(" ".join(f"{kind}?" for kind in unknown), style="bright_black")
    return line


def _faults(picture: Picture) -> Panel:
    table = Table(expand=True, box=None)
    for heading in ("fault", "severity", "raised", "cleared"):
        table.add_column(heading)
    for fault in picture.health.get("faults", []):
        table.add_row(
            Text(fault["fault"], style="bold red"), fault["severity"], _here(fault["raised_at"]), ""
        )
    for fault in picture.past:
        row = (fault["fault"], fault["severity"], _here(fault["raised_at"]), _here(fault["cleared_at"]))
        table.add_row(*(Text(cell, style="bright_black") for cell in row))
    return Panel(table, title="faults", border_style="blue")


def _here(at: str) -> str:
    """A message's UTC moment as this machine's clock on the wall shows it, like all else on the screen."""
    return f"{datetime.fromisoformat(at).astimezone():%H:%M:%S}"
