"""The driver of every customer display: an `AskedDriver` that listens to the technician as well.

Whether a display shows what it was told, most displays cannot say; whoever looked at the pattern of a
self-test can. What was seen to be wrong stays so until somebody has seen that it is right.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Protocol

from drivers.api import Condition, Deadline, Json, Observation, Setup, Verdict
from drivers.asked import AskedDriver, Dialogue
from drivers.display.panel import LOOKS, WRITE_S, Panel
from drivers.errors import LinkError

WRONG_TEXT = "wrong_text"
BY_EYE: Mapping[str, Json] = {"seen_by": "technician"}


class Shows(Dialogue, Protocol):
    """A dialogue with a display; its `kinds` have `wrong_text`."""

    panel: Panel


class DisplayDriver(AskedDriver):
    """`drivers.api.Driver` and `drivers.api.HearsTechnician`."""

    def __init__(self, setup: Setup, dialogue: Shows, *, answers: bool = True) -> None:
        super().__init__(setup, dialogue, answers=answers)
        self._setup = setup
        self._panel = dialogue.panel
        self._by_eye: Condition | None = None

    def poll(self, deadline: Deadline) -> Observation:
        return self._with_word(super().poll(deadline))

    def answered(self, step: str, verdict: Verdict) -> None:
        if step != LOOKS or not self._panel.shows_pattern():
            return  # a sale came between, and the till's text with it
        if verdict != "untested":
            wrong = verdict == "failed"
            self._by_eye = Condition(wrong, self._setup.clock.wall_s(), verified_by="operator")
        try:
            self._panel.put_back(Deadline.after(self._setup.clock, WRITE_S))
        except LinkError:
            return  # the next poll says so

    def _with_word(self, seen: Observation) -> Observation:
        word, read = self._by_eye, seen.conditions[WRONG_TEXT]
        # A display may say that it shows what nobody can see; so the eye's word is the worse of the two.
        if word is None or read.value or (read.value is False and not word.value):
            return seen
        evidence = {**seen.evidence, WRONG_TEXT: BY_EYE} if word.value else seen.evidence
        return replace(seen, conditions={**seen.conditions, WRONG_TEXT: word}, evidence=evidence)
