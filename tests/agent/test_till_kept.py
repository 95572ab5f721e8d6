"""What tills said last, kept over a restart of the agent."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.diagnosis.sale import SaleWord
from agent.till.kept import KeptWords
from agent.till.speakers import Speakers
from agent.till.words import LASTS_MOST_S, LASTS_S, Said
from tests.clock import TurnedClock

BOOT = "a-boot"


class Run:
    """One run of the agent; the machine's clock goes on from run to run."""

    def __init__(self, path: Path, clock: TurnedClock, boot: str = BOOT) -> None:
        self.told: list[SaleWord] = []
        self.speakers = Speakers(self.told.append, clock, KeptWords(path, boot))
        self.speakers.restore()


def test_a_sale_that_was_said_goes_on_over_a_restart(tmp_path: Path) -> None:
    clock, path = TurnedClock(), tmp_path / "words"
    before = Run(path, clock)
    before.speakers.say("1000", Said(busy=True, name="till-1"))
    before.speakers.say("1000", Said(busy=False, name="till-2"))
    before.speakers.keep()
    clock.advance(100)
    after = Run(path, clock)
    assert after.told == [SaleWord("till/1000/till-1", busy=True, sees="whole", lasts_s=LASTS_S - 100)]
    after.speakers.say("1000", Said(busy=False, name="till-1"))
    after.speakers.keep()
    assert Run(path, clock).told == []


def test_one_that_ran_out_or_was_withdrawn_does_not(tmp_path: Path) -> None:
    clock, path = TurnedClock(), tmp_path / "words"
    before = Run(path, clock)
    before.speakers.say("1000", Said(busy=True))
    before.speakers.say("1001", Said(busy=True))
    before.speakers.keep()
    before.speakers.withdraw("till/1001")
    before.speakers.keep()
    assert [word.source for word in Run(path, clock).told] == ["till/1000"]
    clock.advance(LASTS_S)
    assert Run(path, clock).told == []


def test_nor_one_of_another_boot(tmp_path: Path) -> None:
    clock, path = TurnedClock(), tmp_path / "words"
    before = Run(path, clock)
    before.speakers.say("1000", Said(busy=True))
    before.speakers.keep()
    assert Run(path, clock, "another").told == []


def test_it_is_written_only_when_it_changed_and_never_stops_a_word(tmp_path: Path) -> None:
    clock, path = TurnedClock(), tmp_path / "words"
    run = Run(path, clock)
    run.speakers.keep()
    assert not path.exists()
    run.speakers.say("1000", Said(busy=True))
    run.speakers.keep()
    written = path.stat()
    run.speakers.keep()
    assert path.stat().st_ino == written.st_ino
    assert written.st_mode & 0o077 == 0
    assert [each.name for each in tmp_path.iterdir()] == ["words"]
    nowhere = Run(tmp_path / "missing" / "words", clock)
    nowhere.speakers.say("1000", Said(busy=True))
    nowhere.speakers.keep()
    assert len(nowhere.told) == 1


TIMES = st.one_of(st.none(), st.text(max_size=3), st.integers(), st.floats(), st.lists(st.none(), max_size=1))
KEPT = st.fixed_dictionaries(
    {"boot": st.sampled_from([BOOT, "x", None]), "busy": st.dictionaries(st.text(max_size=9), TIMES)}
)


@settings(deadline=None, max_examples=50)
@given(st.one_of(st.binary(max_size=40), st.builds(lambda kept: json.dumps(kept).encode(), KEPT)))
def test_any_file_is_read_or_passed_over(raw: bytes) -> None:
    clock = TurnedClock()
    with tempfile.NamedTemporaryFile() as file:
        file.write(raw)
        file.flush()
        for word in Run(Path(file.name), clock).told:
            assert word.busy
            assert word.source.startswith("till/")
            assert word.lasts_s is not None
            assert 0 < word.lasts_s <= LASTS_MOST_S


@pytest.mark.parametrize("count", [31, 40])
def test_no_more_come_back_than_there_are_places_for(tmp_path: Path, count: int) -> None:
    clock, path = TurnedClock(), tmp_path / "words"
    ends_s = clock.monotonic_s() + 60
    path.write_text(json.dumps({"boot": BOOT, "busy": {f"till/u{n}": ends_s for n in range(count)}}))
    assert len(Run(path, clock).told) == min(count, 32)
