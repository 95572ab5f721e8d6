"""What a till says: read right, refused in one clause, never too much of it."""

from __future__ import annotations

import logging
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.diagnosis.sale import SaleWord
from agent.till.complaints import EACH_S, Complaints
from agent.till.kept import KeptWords
from agent.till.latest import LOST_S, Latest
from agent.till.speakers import SOURCES_EACH_MOST, SOURCES_MOST, Speakers
from agent.till.words import LASTS_MOST_S, LASTS_S, Said, Unclear, from_assignments, from_json
from tests.clock import TurnedClock


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"X_TILLWATCH_BUSY=1", Said(busy=True)),
        (b"X_TILLWATCH_BUSY=0\n", Said(busy=False)),
        (b"READY=1\nX_TILLWATCH_BUSY=1\nSTATUS=open", Said(busy=True)),
        (b"X_TILLWATCH_BUSY=1\nX_TILLWATCH_BUSY_S=600", Said(busy=True, lasts_s=600.0)),
        (b"X_TILLWATCH_BUSY=1\nX_TILLWATCH_BUSY_S=1e9", Said(busy=True, lasts_s=LASTS_MOST_S)),
        (b"X_TILLWATCH_BUSY=1\nX_TILLWATCH_SOURCE=till-2", Said(busy=True, name="till-2")),
        (b"X_TILLWATCH_BUSY=1\nX_TILLWATCH_BUSY=0", Said(busy=False)),
        (b"READY=1", None),
        (b"BARRIER=1", None),
        (b"", None),
    ],
)
def test_assignments(data: bytes, said: Said | None) -> None:
    assert from_assignments(data) == said


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"X_TILLWATCH_BUSY=yes", "1 or 0"),
        (b"X_TILLWATCH_BUSY", "NAME=value"),
        (b"X_TILLWATCH_BUSY=1\nX_TILLWATCH_BUSY_S=soon", "number of seconds"),
        (b"X_TILLWATCH_BUSY=1\nX_TILLWATCH_BUSY_S=0", "above 0"),
        (b"X_TILLWATCH_BUSY=1\nX_TILLWATCH_BUSY_S=nan", "above 0"),
        (b"X_TILLWATCH_BUSY=1\nX_TILLWATCH_BUSY_S=inf", "above 0"),
        (b"X_TILLWATCH_BUSY=1\nX_TILLWATCH_SOURCE=a b", "a letter or digit"),
        (b"X_TILLWATCH_BUSY=1\nX_TILLWATCH_SOURCE=", "a letter or digit"),
        (b"\xff=1", "UTF-8"),
        (b"A=1\n" * 2000, "longer"),
    ],
)
def test_assignments_that_are_not_understood(data: bytes, why: str) -> None:
    with pytest.raises(Unclear, match=why):
        from_assignments(data)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b'{"busy": true}', Said(busy=True)),
        (b'{"busy": false, "lasts_s": 30, "source": "web-1"}', Said(busy=False, lasts_s=30.0, name="web-1")),
        (b'{"busy": true, "lasts_s": null, "source": null}', Said(busy=True)),
    ],
)
def test_json(body: bytes, said: Said) -> None:
    assert from_json(body) == said


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"", "not JSON"),
        (b"\xff", "not JSON"),
        (b"[" * 4000, "not JSON"),
        (b"7", "expected an object"),
        (b'{"busy": 1}', "expected an object"),
        (b'{"busy": true, "card": "x"}', 'unknown key "card"'),
        (b'{"busy": true, "lasts_s": true}', "number of seconds"),
        (b'{"busy": true, "lasts_s": -1}', "above 0"),
        (b'{"busy": true, "lasts_s": NaN}', "above 0"),
        (b'{"busy": true, "lasts_s": 1' + b"0" * 400 + b"}", "above 0"),
        (b'{"busy": true, "source": 7}', "a letter or digit"),
    ],
)
def test_json_that_is_not_understood(body: bytes, why: str) -> None:
    with pytest.raises(Unclear, match=why):
        from_json(body)


@given(st.binary(max_size=300))
def test_anything_is_understood_or_refused(data: bytes) -> None:
    for read in (from_assignments, from_json):
        with suppress(Unclear):
            said = read(data)
            assert said is None or isinstance(said.busy, bool)


# -- who speaks --------------------------------------------------------------------------------------


NOWHERE = KeptWords(Path("/nowhere/words"), "a-boot")


def words_and_speakers() -> tuple[list[SaleWord], Speakers, TurnedClock]:
    told: list[SaleWord] = []
    clock = TurnedClock()
    return told, Speakers(told.append, clock, NOWHERE), clock


def test_a_word_names_its_source_and_how_long_it_lasts() -> None:
    told, speakers, _ = words_and_speakers()
    assert speakers.say("1000", Said(busy=True)) == "till/1000"
    assert speakers.say("http", Said(busy=False, lasts_s=30, name="two")) == "till/http/two"
    assert told == [
        SaleWord("till/1000", busy=True, sees="whole", lasts_s=LASTS_S),
        SaleWord("till/http/two", busy=False, sees="whole", lasts_s=30),
    ]


def test_what_is_withdrawn_is_unknown_and_said_once() -> None:
    told, speakers, _ = words_and_speakers()
    speakers.say("1000", Said(busy=True))
    speakers.withdraw("till/1000")
    speakers.withdraw("till/1000")
    assert [word.busy for word in told] == [True, None]


def test_one_speaker_has_few_places_and_all_have_not_many() -> None:
    told, speakers, clock = words_and_speakers()
    for number in range(SOURCES_EACH_MOST):
        assert speakers.say("1", Said(busy=True, name=f"n{number}"))
    assert speakers.say("1", Said(busy=True)) is None
    assert speakers.say("1", Said(busy=False, name="n0")), "one that has its place keeps it"
    for number in range(SOURCES_MOST - SOURCES_EACH_MOST):
        assert speakers.say(f"user{number}", Said(busy=True))
    assert speakers.say("one-more", Said(busy=True)) is None
    count = len(told)
    clock.advance(LASTS_S)
    assert speakers.say("one-more", Said(busy=True)), "those that ran out have left"
    assert len(told) == count + 1


def test_a_sale_takes_the_place_of_one_of_its_speakers_words_that_there_is_none() -> None:
    told, speakers, clock = words_and_speakers()
    speakers.say("1", Said(busy=True, name="n0"))
    for number in range(1, SOURCES_EACH_MOST):
        clock.advance(1)
        speakers.say("1", Said(busy=False, name=f"n{number}"))
    speakers.say("2", Said(busy=False))
    assert speakers.say("1", Said(busy=False, name="more")) is None
    told.clear()
    assert speakers.say("1", Said(busy=True, name="more")) == "till/1/more"
    assert [(word.source, word.busy) for word in told] == [("till/1/n1", None), ("till/1/more", True)]


def test_a_new_source_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    _, speakers, _ = words_and_speakers()
    with caplog.at_level(logging.INFO, "tillwatch.till"):
        for busy in (True, False, True):
            speakers.say("1000", Said(busy=busy))
    assert caplog.messages == ["till/1000 says when a sale is in progress"]


def test_complaints_are_one_line_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    clock = TurnedClock()
    complaints = Complaints("here", clock)
    for _ in range(50):
        complaints.note("bad")
        clock.advance(EACH_S / 40)
    assert caplog.messages == ["here: bad", "here: bad (40 times since the last line)"]


# -- on the way to the judging thread ------------------------------------------------------------------


def test_of_each_source_the_latest_word_goes_in_one_message() -> None:
    posted: list[Any] = []
    taken: list[SaleWord] = []
    latest = Latest(posted.append, taken.append, TurnedClock())
    for number in range(1000):
        latest.tell(SaleWord("till/1", busy=bool(number % 2), sees="whole"))
    latest.tell(SaleWord("input", busy=False, sees="whole"))
    assert len(posted) == 1
    posted.pop()()
    assert [(word.source, word.busy) for word in taken] == [("till/1", True), ("input", False)]
    latest.tell(SaleWord("till/1", busy=False, sees="whole"))
    posted.pop()()
    assert taken[-1].busy is False


def test_a_message_that_was_let_go_is_made_up_for() -> None:
    posted: list[Any] = []
    taken: list[SaleWord] = []
    clock = TurnedClock()
    latest = Latest(lambda _work: None, taken.append, clock)
    latest.tell(SaleWord("till/1", busy=True, sees="whole"))
    latest._post = posted.append
    latest.tell(SaleWord("till/2", busy=True, sees="whole"))
    assert not posted
    clock.advance(LOST_S)
    latest.tell(SaleWord("till/3", busy=True, sees="whole"))
    posted.pop()()
    assert [word.source for word in taken] == ["till/1", "till/2", "till/3"]
