"""sysfs of a serial device: whether its node is there, and who has it open."""

from __future__ import annotations

from pathlib import Path

from drivers.api import ANSWERED_KEY, Deadline, Json, Memory
from drivers.link.passive import ROOT, Holders, holders
from drivers.passive.source import Findings, Whose

HELD_EACH_S = 10.0  #: a look at every process's descriptors
HOLDERS_MOST = 4


class NodeSource:
    """Looks at the node's folder; the node itself is never opened."""

    name = "sysfs"
    whose: Whose = "kernel"
    kinds: tuple[str, ...] = ("unplugged",)
    each_s = 0.0
    down: str | None = None

    def __init__(self, path: str, memory: Memory, *, root: Path = ROOT) -> None:
        self._path = path
        self._memory = memory
        self._held = HeldBy(root)

    def look(self, deadline: Deadline) -> Findings:
        try:
            present = Path(self._path).exists()
        except OSError:
            return Findings(says=f"{self._path} cannot be looked at")
        missing = unplugged(present, self._memory)
        says = f"{self._path} is {'there' if present else 'not there'}"
        facts: dict[str, Json] = {"present": present}
        if present:
            facts |= self._held.facts(str(Path(self._path).resolve()), deadline)
        return Findings(
            conditions={"unplugged": missing}, facts=facts, evidence={"node": self._path}, says=says
        )

    def close(self) -> None:
        """Nothing was opened."""


class HeldBy:
    """Who has a node open, looked up now and then."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._due_s = float("-inf")
        self._node = ""
        self._facts: dict[str, Json] = {}

    def facts(self, node: str, deadline: Deadline) -> dict[str, Json]:
        """`held_by`: names of programs; None where nobody was seen and not every process could be."""
        now_s = deadline.clock.monotonic_s()
        if node != self._node or now_s >= self._due_s:
            self._node, self._due_s = node, now_s + HELD_EACH_S
            self._facts = {"held_by": _names(holders([node], self._root), node)}
        return self._facts


def _names(found: Holders, node: str) -> Json:
    names: list[Json] = list({holder.command: None for holder in found.by_node[node]})
    return names[:HOLDERS_MOST] if names or found.complete else None


def unplugged(present: bool, memory: Memory) -> bool | None:
    """As everywhere, what was never there is unknown, not unplugged."""
    if present:
        memory[ANSWERED_KEY] = True
    return not present if present or memory.get(ANSWERED_KEY) is True else None
