"""What came out of a printer: the bytes that made marks or moved paper, and a text rendering."""

from __future__ import annotations

from simulator.devices.device import PrintSink

KEPT_BYTES = 1 << 20
KEPT_CHARACTERS = 1 << 16


class Paper:
    """Keeps the tail (`KEPT_BYTES`, `KEPT_CHARACTERS`) and counts all of it."""

    def __init__(self) -> None:
        self.count = 0  #: bytes printed since the model was made
        self._bytes = bytearray()
        self._text: list[str] = []
        self._characters = 0
        self._sink: PrintSink | None = None

    def to(self, sink: PrintSink) -> None:
        self._sink = sink

    def mark(self, data: bytes, text: str) -> None:
        """`data` was printed; on paper it looks like `text`."""
        self.count += len(data)
        self._bytes += data
        if len(self._bytes) > 2 * KEPT_BYTES:
            del self._bytes[:-KEPT_BYTES]
        self._text.append(text)
        self._characters += len(text)
        if self._characters > 2 * KEPT_CHARACTERS or len(self._text) > KEPT_CHARACTERS:
            self._text = [self.text()]
            self._characters = len(self._text[0])
        if self._sink is not None:
            self._sink(data)

    def bytes(self) -> bytes:
        return bytes(self._bytes[-KEPT_BYTES:])

    def text(self) -> str:
        return "".join(self._text)[-KEPT_CHARACTERS:]
