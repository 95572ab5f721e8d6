"""Keeps the ledger of one lane: what its junctions have taken from the till, and written to the device."""

from __future__ import annotations

from agent.pass_through.ledger import Ledger, Slot
from drivers.junction import Junction, Maker


class Books:
    """One junction at a time; its counts go on from those of the ones before."""

    def __init__(self, page: Ledger, make: Maker) -> None:
        self.page = page
        self._make = make
        self._taken = 0
        self._jobs_before = self._bytes_before = 0

    def open(self, *, byte_s: float, in_doubt: bool) -> Junction:
        """Another junction, with the settings of the one before; what that one still held is let go."""
        self._taken = 0
        self._jobs_before, self._bytes_before = self.page[Slot.JOBS], self.page[Slot.TILL_BYTES]
        return self._make(
            byte_s=byte_s,
            till=self.page[Slot.TILL_SETTINGS],
            agent=self.page[Slot.AGENT_SETTINGS],
            in_doubt=in_doubt,
        )

    def taking(self, count: int) -> None:
        """So many bytes are about to be taken from the till: if we end here, they may be lost."""
        self.page[Slot.TAKING] = count

    def took(self, count: int) -> None:
        self._taken += count

    def holding(self, junction: Junction) -> int:
        """Bytes taken and not written yet."""
        return self._taken - junction.till_bytes

    def keep(self, junction: Junction, now_s: float, unsent: int, at_door: int | None = None) -> None:
        """All that the ledger tells, in an order that never tells too little of what may be lost.

        `unsent`: bytes that were written and would not outlive this process.
        `at_door`: so many bytes of the till's wait there, where the caller has looked.
        """
        page, settings = self.page, junction.settings
        page[Slot.UNSENT] = unsent
        page[Slot.HOLDING] = self.holding(junction)
        page[Slot.TAKING] = 0
        if at_door is not None:
            page[Slot.WAITING] = at_door
        page[Slot.BUSY] = junction.busy(now_s)
        page[Slot.JOBS] = self._jobs_before + junction.jobs
        page[Slot.TILL_BYTES] = self._bytes_before + junction.till_bytes
        page[Slot.TILL_SETTINGS], page[Slot.AGENT_SETTINGS] = settings.till, settings.agent
