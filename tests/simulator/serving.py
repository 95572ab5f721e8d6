"""Served devices for system tests: a loop in a thread, ended with the test."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from simulator.control import tell
from simulator.loop import Loop
from simulator.station import Plan, Station

END_S = 5.0


class ServedDevice:
    """One device that is being served; tell it through its socket, as anybody would."""

    def __init__(self, control: Path) -> None:
        self.control = control

    def tell(self, *settings: str) -> dict[str, object]:
        return tell(self.control, settings)

    def text(self) -> str:
        return str(self.tell()["printed_text"])


@contextmanager
def served(
    folder: Path, *doors: str, settings: tuple[str, ...] = (), model: str = "escpos"
) -> Iterator[ServedDevice]:
    """A device behind `doors`; its control socket is there when this enters. Its log: `folder/log`."""
    loop = Loop()
    control = folder / "ctl"
    plan = Plan(
        model=model,
        doors=doors,
        settings=settings,
        control=control,
        transcript=folder / "transcript",
        log=folder / "log",
    )
    station = Station(plan, loop)
    thread = threading.Thread(target=loop.run, name="served")
    try:
        station.open()
        thread.start()
        yield ServedDevice(control)
    finally:
        loop.stop()
        if thread.ident is not None:
            thread.join(END_S)
        station.close()
        loop.close()
    assert not thread.is_alive()


def port_of(device: ServedDevice) -> int:
    """The port of its first TCP door."""
    doors = device.tell()["doors"]
    assert isinstance(doors, list)
    return int(next(door for door in doors if door.startswith("tcp:")).rpartition(":")[2])
