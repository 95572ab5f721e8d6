"""What an ESC/POS printer tells over USB beside ESC/POS: who it is, and a second witness of its state."""

from __future__ import annotations

import math
from collections.abc import Mapping

from drivers.api import Deadline, Json, Setup
from drivers.belief import Belief
from drivers.identity import printable
from drivers.printer.usb_class import (
    REPLY_S,
    DeviceId,
    PortStatus,
    get_port_status,
    identity,
    read_port_status,
)
from drivers.usb_control import controls

PORT_EACH_S = 60.0
ID_MOST = 200


class UsbSide:
    """Looked at only while the printer is idle; never resets it. Over any other link it says nothing."""

    def __init__(self, setup: Setup) -> None:
        self._link = setup.link
        self._clock = setup.clock
        self.there = controls(setup.link)
        self._device_id = DeviceId(setup.link)
        self._port: Belief[PortStatus | None] = Belief()
        self._port_s = -math.inf

    def opened(self) -> None:
        """The link is open anew: perhaps another printer is there."""
        self._device_id.opened()
        self._port.forget()
        self._port_s = -math.inf

    def look(self, deadline: Deadline) -> None:
        """Ask what is due. Raises LinkErrors."""
        if not controls(self._link):
            return
        self._device_id.ask(deadline)
        now_s = self._clock.monotonic_s()
        if self._port.doubtful or now_s - self._port_s >= PORT_EACH_S:
            self._port_s = now_s
            answer = self._link.control(get_port_status(), deadline.within(REPLY_S))
            self._port.hear(None if answer is None else read_port_status(answer))

    @property
    def identity(self) -> Mapping[str, str]:
        """`manufacturer`, `model`, `serial`, as far as it says."""
        return identity(self._device_id.text) if self._device_id.text else {}

    def facts(self) -> dict[str, Json]:
        """`ieee1284`, as it came, and `port_status`, as of the last minute in which it was idle."""
        said: dict[str, Json] = {}
        if self._device_id.text:
            said["ieee1284"] = printable(self._device_id.text, ID_MOST)
        if (port := self._port.reading) is not None:
            said["port_status"] = {
                "paper_empty": port.paper_empty,
                "selected": port.selected,
                "error": port.error,
            }
        return said
