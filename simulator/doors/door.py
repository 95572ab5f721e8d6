"""The contract of a door: where a host finds a served device. An edge: real files, ttys and sockets."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from simulator.devices.usb import Control
from simulator.served import Served


class DoorError(Exception):
    """A door that cannot be opened: one line with what, where and what to do."""


class Inside(Protocol):
    """The device's side of a door. What comes in through it makes it the door that answers leave by."""

    served: Served

    def deliver(self, data: bytes, now_s: float) -> None: ...
    def control(self, request: Control, now_s: float) -> bytes | None:
        """A USB class request; None refuses it."""
        ...

    def room(self) -> int:
        """How many bytes the device takes now; 0 while it is busy."""
        ...

    def intake_bytes_s(self) -> float | None:
        """How fast, where the door has no speed of its own."""
        ...


class Door(Protocol):
    """One door; the loop calls `tick`, and `next_s` says when it must again."""

    def open(self, inside: Inside, now_s: float) -> None: ...
    def address(self) -> str:
        """As a host reaches it, a chosen port included."""
        ...

    def follow(self, *, plugged: bool, powered: bool, now_s: float) -> None:
        """Show the cable's and the power's state to the host."""
        ...

    def put(self, data: bytes, now_s: float) -> None:
        """One frame for the host."""
        ...

    def tick(self, now_s: float) -> None: ...
    def next_s(self, now_s: float) -> float | None: ...
    def close(self) -> None: ...


@runtime_checkable
class NoticeDoor(Protocol):
    """A door with a way for what a device says by its interrupt pipe."""

    def polled(self) -> bool:
        """Whether a host asks for it now; till then it stays with the device."""
        ...

    def notice(self, data: bytes, now_s: float) -> None: ...
