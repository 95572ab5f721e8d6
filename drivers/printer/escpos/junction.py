"""One printer for two: what the till and the agent write and read, told apart. Sans-IO.

Driven by bytes and `now_s` (monotonic); it knows no socket, thread or clock. The till's bytes go
through byte for byte, in order, at once. What the agent asks goes out between the till's jobs only.
What is not provably the agent's is the till's.

A turn of whoever drives it, after each event and at `next_s`:

    junction.tick(now_s)
    read from the till at most takes_till() bytes          -> from_till(data, now_s)
    read from the printer                                  -> from_printer(data, now_s)
    write to_printer(now_s), as much as it takes           -> wrote(count, now_s)
    give take_till() to the till, take_agent() to the agent
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Settings:
    """What a process that takes over must know: the `n` of GS a that each side asked for, 0 for none."""

    till: int = 0
    agent: int = 0


class Junction:
    """Who gets what. Every method is quick and raises nothing."""

    def __init__(
        self, *, byte_s: float = 0.0, settings: Settings | None = None, in_doubt: bool = False
    ) -> None:
        """`byte_s`: seconds that a byte takes on the printer's line, 0 where that is not known (TCP).

        `settings`: of the process that went before. `in_doubt`: it may have ended inside a command,
        so the agent waits until the till has surely finished.
        """
        raise NotImplementedError

    # -- the till ----------------------------------------------------------------------------------

    def takes_till(self) -> int:
        """How many bytes may be read from the till now; 0: the printer takes no more for the moment."""
        raise NotImplementedError

    def from_till(self, data: bytes, now_s: float) -> None:
        """The till wrote this; at most `takes_till()` bytes."""
        raise NotImplementedError

    def take_till(self) -> bytes:
        """What is for the till, once; to be given, or dropped if it reads nothing."""
        raise NotImplementedError

    def till_opened(self, now_s: float) -> None:
        """The till connected, or opened its tty. What was said before is not for it."""
        raise NotImplementedError

    def till_closed(self, now_s: float) -> None:
        """It went: the job, if any, ends with what it wrote so far. Late answers to it are nobody's."""
        raise NotImplementedError

    # -- the agent ---------------------------------------------------------------------------------

    def ask(self, request: bytes, now_s: float) -> None:
        """One whole command of the agent's driver. It waits for a gap between jobs, ASK_LIVES_S at most."""
        raise NotImplementedError

    def take_agent(self) -> bytes:
        """What is for the agent, once: as a printer of its own would say it."""
        raise NotImplementedError

    def agent_gone(self, now_s: float) -> None:
        """The daemon went: nothing of it waits any more, late answers to it are nobody's."""
        raise NotImplementedError

    # -- the printer -------------------------------------------------------------------------------

    def to_printer(self, now_s: float) -> bytes:
        """What to write now; unchanged until `wrote` says how much of it left."""
        raise NotImplementedError

    def wrote(self, count: int, now_s: float) -> None:
        """So many bytes of `to_printer` are on their way."""
        raise NotImplementedError

    def from_printer(self, data: bytes, now_s: float) -> None:
        """The printer said this."""
        raise NotImplementedError

    def printer_gone(self, now_s: float, *, powered_off: bool = False) -> None:
        """The link to it was lost or closed: no answer will come. What was not written yet is kept.

        `powered_off`: proven, so that it has forgotten its settings.
        """
        raise NotImplementedError

    def set_byte_s(self, byte_s: float) -> None:
        """The line's speed has changed."""
        raise NotImplementedError

    # -- time and state ----------------------------------------------------------------------------

    def tick(self, now_s: float) -> None:
        """Give up what has waited too long."""
        raise NotImplementedError

    def next_s(self, now_s: float) -> float | None:
        """When `tick`, `to_printer` or `busy` will say something new by itself; None: not by time alone."""
        raise NotImplementedError

    def busy(self, now_s: float) -> bool:
        """A job of the till's is in progress, or may be: the agent cannot ask."""
        raise NotImplementedError

    @property
    def settings(self) -> Settings:
        """To be kept, and given to the process that takes over."""
        raise NotImplementedError

    @property
    def till_bytes(self) -> int:
        """Of the till's that were written to the printer."""
        raise NotImplementedError

    @property
    def jobs(self) -> int:
        """That began."""
        raise NotImplementedError

    @property
    def dropped_asks(self) -> int:
        """Of the agent's: no gap came in time."""
        raise NotImplementedError

    @property
    def unclaimed(self) -> int:
        """Bytes of the printer's that were nobody's answer; the till got them."""
        raise NotImplementedError
