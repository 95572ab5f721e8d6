"""What drivers learn of their devices, kept over restarts in the outbox's database."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, MutableMapping

from drivers.api import ANSWERED_KEY, Json

BOOT = "boot"
ABOUT = "about"


class DeviceMemory(MutableMapping[str, Json]):
    """A dict that knows whether it changed since it was last stored; one thread uses it.

    `about` says which device it was learned of, and how it was reached; of another, nothing is known yet.
    """

    def __init__(self, stored: Json, boot: str, about: str) -> None:
        self._known: dict[str, Json] = dict(stored) if isinstance(stored, Mapping) else {}
        self._changed = False
        if self._known.get(ABOUT) != about:
            self._known.clear()
            self[ABOUT] = about
        if self._known.get(BOOT) != boot:
            self._known.pop(ANSWERED_KEY, None)
            self[BOOT] = boot

    def take_changes(self) -> dict[str, Json] | None:
        """All that is known, if anything changed since the last call."""
        if not self._changed:
            return None
        self._changed = False
        return dict(self._known)

    def __getitem__(self, key: str) -> Json:
        return self._known[key]

    def __setitem__(self, key: str, value: Json) -> None:
        if key not in self._known or self._known[key] != value:
            self._known[key] = value
            self._changed = True

    def __delitem__(self, key: str) -> None:
        del self._known[key]
        self._changed = True

    def __iter__(self) -> Iterator[str]:
        return iter(self._known)

    def __len__(self) -> int:
        return len(self._known)
