"""What print data looks like on paper, in words: characters as they are, pictures and codes in brackets."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from simulator.devices.printer.stream import Token

# ESC t n (TM-T88III p276): the pages python knows by name.
_PAGES = {
    0: "cp437",
    2: "cp850",
    3: "cp860",
    4: "cp863",
    5: "cp865",
    16: "cp1252",
    17: "cp866",
    18: "cp852",
    19: "cp858",
}
_CUT = "-------- cut --------\n"


class Rendering:
    """Follows the settings that decide how bytes become characters."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """As after ESC @."""
        self._page, self._wide = "cp437", False
        self._code = b""

    def setting(self, name: str, parameters: bytes) -> None:
        if name == "ESC t":
            self._page = _PAGES.get(parameters[0], self._page)
        elif name in ("FS &", "FS ."):
            self._wide = name == "FS &"

    def text(self, token: Token) -> str:
        if token.command is None:
            return token.data.decode("gb18030" if self._wide else self._page, "replace")
        if not token.whole:
            return ""
        if token.name == "GS ( k":
            return self._symbol(token.parameters[2:])
        return _LOOKS.get(token.name, _nothing)(token.parameters)

    def _symbol(self, given: bytes) -> str:
        """Two-dimensional codes: fn 80 stores the data, fn 81 prints them."""
        if given[1:2] == b"P":
            self._code = given[3:]
        if given[1:2] == b"Q":
            return f"[{'QR' if given[:1] == b'1' else 'code'} {self._code.decode('utf-8', 'replace')}]\n"
        return ""


def _number(data: bytes) -> int:
    return int.from_bytes(data, "little")


def _barcode(given: bytes) -> str:
    data = given[1:].rstrip(b"\0") if given[:1] <= b"\x06" else given[2:]
    return data.decode("ascii", "replace")


def _image(given: bytes) -> str:
    return f"[image {_number(given[1:3]) * 8}x{_number(given[3:5])}]\n"


def _columns(given: bytes) -> str:
    return f"[image {_number(given[1:3])}x{24 if given[0] >= 32 else 8}]"


def _buffered_image(given: bytes) -> str:
    return "[image]\n" if given[3:4] in (b"\x02", b"2") else ""


def _nothing(_given: bytes) -> str:
    return ""


def _constant(text: str) -> Callable[[bytes], str]:
    return lambda _given: text


_LOOKS: Mapping[str, Callable[[bytes], str]] = {
    "LF": _constant("\n"),
    "FF": _constant("\n"),
    "ESC FF": _constant("\n"),
    "HT": _constant("\t"),
    "ESC d": lambda given: "\n" * given[0],
    "ESC i": _constant(_CUT),
    "ESC m": _constant(_CUT),
    "GS V": _constant(_CUT),
    "GS v 0": _image,
    "GS Q 0": _image,
    "ESC *": _columns,
    "FS p": _constant("[stored image]\n"),
    "GS /": _constant("[stored image]\n"),
    "GS ( L": _buffered_image,
    "GS k": lambda given: f"[barcode {_barcode(given)}]\n",
}
