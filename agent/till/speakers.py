"""Who speaks for a till, and until when: a bounded number of sources, each with its last word."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from agent.diagnosis.sale import TILL, SaleWord
from agent.till.words import LASTS_MOST_S, LASTS_S, Said
from drivers.api import Clock

SOURCES_MOST = 32
SOURCES_EACH_MOST = 8  #: of one speaker, so that none takes the others' places

log = logging.getLogger("tillwatch.till")


class Kept(Protocol):
    """`agent.till.kept.KeptWords`: source -> when its yes runs out."""

    def read(self) -> Mapping[str, float]: ...
    def write(self, ends_s: Mapping[str, float]) -> None: ...


@dataclass(slots=True)
class _Voice:
    speaker: str
    busy: bool
    ends_s: float


class Speakers:
    """Turns what was said into words on the sale. One thread owns it."""

    def __init__(self, tell: Callable[[SaleWord], None], clock: Clock, kept: Kept) -> None:
        self._tell = tell
        self._clock = clock
        self._kept = kept
        self._voices: dict[str, _Voice] = {}
        self._greeted: set[str] = set()

    def say(self, speaker: str, said: Said, lasts_s: float = LASTS_S) -> str | None:
        """Pass a word on; its source, or None if there is no place for one more.

        `speaker` is a user's number or `http`; `lasts_s` counts where the word does not say how long.
        """
        source = "/".join(filter(None, (TILL, speaker, said.name)))
        now_s = self._clock.monotonic_s()
        if source not in self._voices and not self._place_for(speaker, now_s, busy=said.busy):
            return None
        lasts_s = said.lasts_s or lasts_s
        self._voices[source] = _Voice(speaker, said.busy, now_s + lasts_s)
        self._greet(source)
        self._tell(SaleWord(source, busy=said.busy, sees="whole", lasts_s=lasts_s))
        return source

    def withdraw(self, source: str) -> None:
        """Who said it is gone, so it counts no more."""
        if self._voices.pop(source, None):
            self._tell(SaleWord(source, busy=None, sees="whole", lasts_s=None))

    def holds(self, source: str) -> bool:
        """Whether its last word still counts."""
        voice = self._voices.get(source)
        return voice is not None and voice.ends_s > self._clock.monotonic_s()

    def restore(self) -> None:
        """Go on with the sales that were in progress when the agent ended. Before anybody is heard."""
        now_s = self._clock.monotonic_s()
        for source, ends_s in list(self._kept.read().items())[:SOURCES_MOST]:
            till, _, speaker = source.partition("/")
            lasts_s = ends_s - now_s
            if till == TILL and speaker and 0 < lasts_s <= LASTS_MOST_S:
                self._voices[source] = _Voice(speaker.partition("/")[0], busy=True, ends_s=ends_s)
                self._tell(SaleWord(source, busy=True, sees="whole", lasts_s=lasts_s))

    def keep(self) -> None:
        """Have what was said outlive us; to be called when something may have been."""
        now_s = self._clock.monotonic_s()
        sold = {source: each.ends_s for source, each in self._voices.items() if each.busy}
        self._kept.write({source: ends_s for source, ends_s in sold.items() if ends_s > now_s})

    def _place_for(self, speaker: str, now_s: float, *, busy: bool) -> bool:
        self._voices = {source: voice for source, voice in self._voices.items() if voice.ends_s > now_s}
        own = {source: voice for source, voice in self._voices.items() if voice.speaker == speaker}
        if len(own) < SOURCES_EACH_MOST and len(self._voices) < SOURCES_MOST:
            return True
        # A sale that is not heard may be taken for none, so it takes the place of a quiet till.
        quiet = next((source for source, voice in own.items() if not voice.busy), None)
        if not busy or quiet is None:
            return False
        self.withdraw(quiet)
        return True

    def _greet(self, source: str) -> None:
        if source not in self._greeted and len(self._greeted) < SOURCES_MOST:
            self._greeted.add(source)
            log.info("%s says when a sale is in progress", source)
