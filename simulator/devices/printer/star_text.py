"""What Star print data looks like on paper: characters as they are, pictures and codes in brackets."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from simulator.devices.printer.stream import Token

SELF_PRINT = "[self print]\n"
_CUT = "-------- cut --------\n"
_IMAGE = "[image]\n"


def on_paper(token: Token) -> str:
    """Characters, or a command that prints; a piece of a long image counts for nothing."""
    if token.command is None:
        return token.data.decode("cp437")
    return _LOOKS.get(token.name, _constant(_IMAGE))(token.parameters) if token.whole else ""


def _constant(text: str) -> Callable[[bytes], str]:
    return lambda _given: text


_LOOKS: Mapping[str, Callable[[bytes], str]] = {
    "LF": _constant("\n"),
    "FF": _constant("\n"),
    "ESC FF": _constant("\n"),
    "HT": _constant("\t"),
    "VT": _constant(""),
    "ESC J": _constant(""),
    "ESC a": lambda given: "\n" * given[0],
    "ESC d": _constant(_CUT),
    "ESC b": lambda given: f"[barcode {given[4:-1].decode('ascii', 'replace')}]\n",
    "ESC GS x P": _constant("[code]\n"),
    "ESC GS y P": _constant("[QR]\n"),
}
