"""The configuration to paste for what is attached: one `[[device]]` each, all together a valid file. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field

from drivers.identity import Recognition, printable
from drivers.link.passive import Stable

UNKNOWN_DRIVER = "escpos"  #: what most often stands behind an adapter
_IDS = {
    "escpos": "receipt",
    "star": "receipt",
    "generic": "receipt",
    "ccid": "chip-reader",
    "magtek": "card-reader",
    "vivotech": "card-reader",
    "dmd": "display",
}
"""Driver -> what a device of its kind is called on a counter."""
_UNKNOWN_ID = "serial"
_COMMENT_MOST = 200
_WIDTH = 78  #: of a line of comment

_PASSIVE = {
    "serial": '"exclusive" lets the agent open it: only where no till uses it.',
    "usb": '"exclusive" lets the agent open it: only where no till uses it.',
    "hid": '"exclusive" lets the agent ask it; it is closed again after each look.',
}


@dataclass(slots=True)
class Names:
    """Gives each device an id of its own."""

    _given: dict[str, int] = field(default_factory=dict)

    def take(self, driver: str | None) -> str:
        name = _IDS.get(driver or "", _UNKNOWN_ID)
        count = self._given[name] = self._given.get(name, 0) + 1
        return name if count == 1 else f"{name}-{count}"


def block(stable: Stable, known: Recognition | None, name: str) -> str:
    """The table to paste; `access` stays passive until somebody decides otherwise."""
    scheme = "serial" if stable.path.startswith("/") else stable.path.partition(":")[0]
    link = f"serial:{stable.path}" if scheme == "serial" else stable.path
    driver = known.driver if known and known.driver else None
    lines = ["[[device]]", f"id = {_text(name)}"]
    if driver is None:
        lines += _comment("What is plugged in here cannot be seen without asking it: name its driver.")
    lines.append(f"driver = {_text(driver or UNKNOWN_DRIVER)}")
    lines += _comment(f"By this name since {stable.why}.")
    if scheme == "serial":
        lines += _comment("Add ?baud=... if it is not 115200.")
    lines.append(f"link = {_text(link)}")
    if scheme in _PASSIVE:
        lines += [*_comment(_PASSIVE[scheme]), 'access = "passive"']
    else:
        lines += [*_comment("pcscd takes it from nobody."), 'access = "exclusive"']
    if known and known.profile != "plain":
        lines.append(f"profile = {_text(known.profile)}")
    return "\n".join(lines)


def _comment(text: str) -> Iterable[str]:
    """Lines of a comment, whatever a device says of itself."""
    lines, line = [], "#"
    for word in printable(text, _COMMENT_MOST).split():
        if len(line) + len(word) >= _WIDTH and line != "#":
            lines.append(line)
            line = "#"
        line += f" {word}"
    return [*lines, line]


def _text(text: str) -> str:
    """A basic string of TOML; JSON's escapes are TOML's too."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
