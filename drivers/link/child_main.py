"""What a `drivers.link.child.Child` runs: `child_main.py MODULE SYS_PATH...`.

MODULE has `answer(request) -> dict`, and `IDLE_S`: after so long without a request the process ends, to
give its memory back; None: never. Only what MODULE needs is imported.
"""

from __future__ import annotations

import fcntl
import importlib
import json
import os
import select
import signal
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:  # this process carries no more than it needs
    from types import ModuleType

    from drivers.api import Json

CHANNEL, LIFELINE = 3, 4  #: this process' descriptors
MESSAGE_MOST = 65536
BROKE = "broke"  #: in an answer: MODULE raised what it should not
_F_SETSIG = 10  # fcntl(2); the module has no name for it


def main() -> None:
    """Answer one request after the other until the parent hangs up."""
    module, *sys.path[:] = sys.argv[1:]
    os.closerange(LIFELINE + 1, os.sysconf("SC_OPEN_MAX"))
    die_with_the_parent(LIFELINE)
    served = importlib.import_module(module)
    poller = select.poll()
    poller.register(CHANNEL, select.POLLIN)
    os.write(CHANNEL, b'{"ready": true}')  # a message of its own: the channel is SOCK_SEQPACKET
    while poller.poll(None if served.IDLE_S is None else 1000 * served.IDLE_S):
        data = os.read(CHANNEL, MESSAGE_MOST)
        if not data:
            return
        request = json.loads(data)
        os.write(CHANNEL, json.dumps({**answered(served, request), "id": request["id"]}).encode())


def answered(served: ModuleType, request: dict[str, Json]) -> dict[str, Json]:
    """What MODULE says. It is told in a line where it breaks: a traceback would go to the agent's log."""
    try:
        said: dict[str, Json] = served.answer(request)
        json.dumps(said)
    except Exception as broke:  # noqa: BLE001 - libraries that are others' are behind it
        return {BROKE: f"{type(broke).__name__}: {' '.join(str(broke).split())}"[:1000]}
    return said


def die_with_the_parent(lifeline: int) -> None:
    """The kernel kills us when the pipe's other end closes, even within a call (fcntl(2), O_ASYNC)."""
    fcntl.fcntl(lifeline, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(lifeline, _F_SETSIG, signal.SIGKILL)
    fcntl.fcntl(lifeline, fcntl.F_SETFL, fcntl.fcntl(lifeline, fcntl.F_GETFL) | os.O_ASYNC)


if __name__ == "__main__":
    try:
        main()
    except OSError:  # the parent is gone
        sys.exit(0)
