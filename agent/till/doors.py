"""The doors by which a till speaks to the agent, and what is behind them.

<runtime>/till/notify   datagrams: a sale is in progress, or none is
<runtime>/till/state    a line of JSON: how the printers are
<runtime>/till/words    no door: which sales go on over a restart of the agent
[till] http             both, for tills that run in a browser
[sale] display          no door, but a look: when was the last input?
"""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from agent.config import Config
from agent.diagnosis.sale import SaleWord
from agent.terminal import AGENT
from agent.till import shown
from agent.till.door import (
    FOLDER,
    NOTIFY_NAME,
    STATE_NAME,
    WORDS_NAME,
    Door,
    View,
    Wants,
    bind_local,
    unbind_local,
)
from agent.till.keeper import Keeper
from agent.till.kept import KeptWords
from agent.till.latest import Latest, Post
from agent.till.notify import NotifyDoor
from agent.till.speakers import Speakers
from agent.till.stream import StreamDoor
from drivers.api import Clock, Json

DOOR_FAILED = "till_door_failed"


class Judge(Protocol):
    """What is used of `agent.terminal.Terminal`, in its own thread alone."""

    def tell_sale(self, word: SaleWord) -> None: ...
    def view(self) -> dict[str, Any]: ...
    def judge(
        self, device: str, conditions: Mapping[str, bool | None], evidence: Mapping[str, Mapping[str, Json]]
    ) -> None: ...


class TillDoors:
    """All that tells the terminal of a sale, and a till of the terminal; owner of the threads for it."""

    def __init__(self, config: Config, clock: Clock, terminal: Judge, post: Post, boot: str) -> None:
        self._terminal = terminal
        self._post = post
        words = Latest(post, terminal.tell_sale, clock)
        folder = config.agent.runtime_dir / FOLDER
        speakers = self._speakers = Speakers(words.tell, clock, KeptWords(folder / WORDS_NAME, boot))
        state = folder / STATE_NAME
        doors: list[Door] = [
            NotifyDoor(folder / NOTIFY_NAME, speakers, clock),
            StreamDoor(
                str(state),
                lambda: bind_local(state, socket.SOCK_STREAM),
                StateTalk,
                self._ask,
                clock,
                unlisten=lambda: unbind_local(state),
            ),
        ]
        if config.till.http:
            from agent.till.http_door import http_door  # noqa: PLC0415 - few tills speak HTTP

            doors.append(http_door(config.till, speakers, self._ask, clock))
        self._keeper = Keeper(clock, doors, self._ask_view, self._shut)
        self._idle = None
        if config.sale.display:
            from agent.till.idle import IdleWatch  # noqa: PLC0415 - only where a display is looked at

            self._idle = IdleWatch(config.sale.display, clock, words.tell)

    def start(self) -> None:
        self._speakers.restore()
        self._keeper.start()
        if self._idle:
            self._idle.start()

    def stop(self) -> None:
        """Also before `start`."""
        self._keeper.stop()
        if self._idle:
            self._idle.stop()

    def _ask(self, take: Callable[[View], None]) -> None:
        self._keeper.ask(take)

    def _ask_view(self, take: Callable[[View], None]) -> None:
        self._post(lambda: take(self._terminal.view()))

    def _shut(self, detail: str | None) -> None:
        evidence: dict[str, dict[str, Json]] = {DOOR_FAILED: {"detail": detail}} if detail else {}
        self._post(lambda: self._terminal.judge(AGENT, {DOOR_FAILED: detail is not None}, evidence))


class StateTalk:
    """The state socket: whoever connects gets the state; what it says is not needed."""

    def feed(self, _data: bytes) -> bytes | Wants | None:
        return _state_line


def _state_line(view: View) -> bytes:
    state = {"error": shown.BEHIND} if view is None else shown.state(view)
    return json.dumps(state, ensure_ascii=False).encode() + b"\n"
