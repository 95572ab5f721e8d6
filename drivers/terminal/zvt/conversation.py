"""One command, from its first byte to the terminal's last: the till's side of ZVT.

Between command and completion the terminal is the master. What it sends is acknowledged, so that it never
hangs on us; lines that it wants printed are acknowledged and dropped unread.
"""

from __future__ import annotations

from drivers.api import Deadline
from drivers.silence import Outcome
from drivers.terminal.zvt import consts
from drivers.terminal.zvt.line import Line, OnStatus
from drivers.terminal.zvt.meaning import Answer, read
from drivers.terminal.zvt.wire import POSITIVE, Apdu

MESSAGES_MOST = 200
"""So many between a command and its completion; a terminal that sends more never ends."""

_POSITIVE = (consts.ACK, consts.ACK_TOO)
_ENDS = (consts.COMPLETION, consts.ABORT)


def ask(
    line: Line,
    command: bytes,
    deadline: Deadline,
    on_status: OnStatus = lambda _status: None,
) -> Answer | Outcome:
    """Send a command without data and hear it out. Raises as the line does.

    MISSED where the deadline came first, GARBLED where it never ends.
    """
    if not line.send(Apdu(command), deadline):
        return Outcome.MISSED
    codes: list[int] = []
    identity: dict[str, str] = {}
    for _ in range(MESSAGES_MOST):
        message = line.receive(deadline)
        if message is None:
            return Outcome.MISSED
        if message.control in _POSITIVE:
            continue
        said = read(message)
        codes += said.codes
        identity |= said.identity
        if message.control[0] == consts.NEGATIVE:
            return Answer(False, tuple(dict.fromkeys(codes)), identity)
        if message.control[0] != consts.ACK[0]:
            line.send(POSITIVE, deadline)
        if message.control in _ENDS:
            completed = message.control == consts.COMPLETION
            return Answer(completed, tuple(dict.fromkeys(codes)), identity)
        if message.control == consts.INTERMEDIATE_STATUS and message.data:
            on_status(message.data[0])
    return Outcome.GARBLED
