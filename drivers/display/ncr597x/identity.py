"""What `ESC 19` says, as identity. Pure.

NCR 008-0221552, F/W V1.00.01                           7454
NCR 5972, 497-0420001                                   5972
NCR 5977, 497-0499797,V1.14.01,<S/N:(11 characters)>    5976, 5977
"""

from __future__ import annotations

import re

_PATTERNS = {
    "manufacturer": re.compile(r"^(NCR)\b"),
    "model": re.compile(r"^NCR (\d{4})\b(?!-)"),
    "part": re.compile(r"\b(\d{3}-\d{7})\b"),
    "firmware": re.compile(r"\b(V\d+(?:\.\d+)+)"),
    "serial": re.compile(r"S/N:\s*\(?([A-Za-z0-9-]+)"),
}


def identity(text: str) -> dict[str, str]:
    """Those of maker, model, part, firmware and serial that the text has."""
    found = {name: pattern.search(text) for name, pattern in _PATTERNS.items()}
    return {name: match.group(1) for name, match in found.items() if match}
