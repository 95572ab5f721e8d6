"""The link of a device that has none: the machine the agent runs on."""

from __future__ import annotations

from drivers.api import Deadline
from drivers.errors import LinkUnusable


class NoLink:
    """Cannot be opened; its driver never tries."""

    scheme = "none"
    held = False
    proves_power = False

    def open(self, deadline: Deadline) -> None:  # noqa: ARG002 - the contract's
        raise LinkUnusable("this device has no link")

    def close(self) -> None:
        """Nothing is open."""

    def is_open(self) -> bool:
        return False

    def read(self, deadline: Deadline) -> bytes:  # noqa: ARG002 - same
        raise LinkUnusable("this device has no link")

    def write(self, data: bytes, deadline: Deadline) -> int:  # noqa: ARG002 - same
        raise LinkUnusable("this device has no link")

    def power_line(self) -> bool | None:
        return None

    def busy(self) -> bool:
        return False

    def wake(self) -> None:
        """Nobody waits."""
