"""What a USB link carries beside the data of its bulk pipes: control requests, and interrupt notices.

Only a link that can carry them has the method; `controls` and `notices` say so. Fields as in the USB
specification 2.0, table 9-2.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, TypeGuard

from drivers.api import Deadline, Link


@dataclass(frozen=True, slots=True, kw_only=True)
class Control:
    """One request to the device's default pipe. `length`: how much may come back, where it comes back."""

    request_type: int
    request: int
    value: int = 0
    index: int = 0
    """The link puts its own interface's number into the low byte, where the request is to an interface."""
    interface_high: bool = False
    """It goes into the high byte, with the alternate setting in the low: GET_DEVICE_ID of printers is so
    (Printing Devices 1.1, 4.2.1)."""
    length: int = 0
    data: bytes = b""


class ControlLink(Link, Protocol):
    """A link that carries control requests too."""

    def control(self, request: Control, deadline: Deadline) -> bytes | None:
        """What comes back; None where the device refuses (STALL) or says nothing till the deadline.

        Raises LinkErrors like `read`.
        """
        ...


def controls(link: Link) -> TypeGuard[ControlLink]:
    """Whether this link carries control requests."""
    return callable(getattr(link, "control", None))


class NoticeLink(Link, Protocol):
    """A link whose device has an interrupt IN pipe for what it says unasked."""

    def notice(self, deadline: Deadline) -> bytes:
        """Like `read`, of that pipe; `wake` ends it too."""
        ...


def notices(link: Link) -> TypeGuard[NoticeLink]:
    """Whether this link has a pipe for notices."""
    return callable(getattr(link, "notice", None))
