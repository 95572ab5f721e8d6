"""What the MQTT session says of the way to the broker: all that is known at no cost in bytes."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Protocol

INFO_BYTES = 104
_LAST_HEARD = struct.Struct("=2I")  #: tcpi_last_data_recv, tcpi_last_ack_recv, in ms, at 52
_RTT = struct.Struct("=I")  #: tcpi_rtt in us, at 68
_REPEATED = struct.Struct("=I")  #: tcpi_total_retrans, at 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One TCP connection as the kernel knows it (`TCP_INFO`, linux/tcp.h)."""

    rtt_ms: float  #: smoothed; as old as the last thing we sent
    heard_s: float  #: since anything came from the other side
    unanswered: int  #: repetitions and keepalive probes under way now
    repeated: int  #: segments sent again since the connection began

    @classmethod
    def of(cls, info: bytes) -> Line:
        """From the first `INFO_BYTES` of struct tcp_info, whose layout only ever grows."""
        return cls(
            rtt_ms=round(_RTT.unpack_from(info, 68)[0] / 1000, 1),
            heard_s=min(_LAST_HEARD.unpack_from(info, 52)) / 1000,
            unanswered=max(info[2], info[3]),
            repeated=_REPEATED.unpack_from(info, 100)[0],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionState:
    """The session now. `word` is `connected`, or why it is not: a word of `agent.uplink.reasons`."""

    connected: bool
    word: str
    detail: str = ""
    peer: str | None = None  #: the broker's address
    line: Line | None = None
    certificate: bytes | None = None  #: the broker's, DER
    refused: tuple[str, ...] = ()  #: topics that the broker does not let us use


UNTRIED = SessionState(connected=False, word="connecting")


class SessionView(Protocol):
    """Asked from the driver's thread; answers at once, or, for a self-test, after one attempt."""

    def state(self) -> SessionState: ...

    def hurry(self) -> None:
        """The way is well again: try now, do not wait any longer."""
        ...


class NoSession:
    """Nobody speaks to the broker."""

    def state(self) -> SessionState:
        return UNTRIED

    def hurry(self) -> None:
        """Nobody waits."""
