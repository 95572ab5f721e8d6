"""One direction of a line: bytes go in at once and come out at the line's speed. Pure."""

from __future__ import annotations

from collections import deque


class Line:
    """`byte_s` seconds a byte (0: at once), in lumps of `lump` bytes, each due when its last byte is."""

    def __init__(self, byte_s: float, lump: int = 1) -> None:
        self.byte_s = byte_s
        self._lump = lump
        self._waiting: deque[tuple[float, bytes]] = deque()
        self._free_s = 0.0
        self.waiting_bytes = 0

    def put(self, data: bytes, now_s: float) -> None:
        """The caller bounds what waits, by `waiting_bytes`."""
        at_s = max(now_s, self._free_s)
        for start in range(0, len(data), self._lump):
            lump = data[start : start + self._lump]
            at_s += len(lump) * self.byte_s
            self._waiting.append((at_s, lump))
        self._free_s = at_s
        self.waiting_bytes += len(data)

    def take(self, now_s: float) -> bytes:
        """What has come out by now."""
        came = b""
        while self._waiting and self._waiting[0][0] <= now_s:
            came += self._waiting.popleft()[1]
        self.waiting_bytes -= len(came)
        return came

    def next_s(self) -> float | None:
        return self._waiting[0][0] if self._waiting else None

    def clear(self) -> None:
        self._waiting.clear()
        self.waiting_bytes = 0
        self._free_s = 0.0
