"""The transcripts themselves: each is of the format, has a source, and tells its two sides apart."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.golden.format import BadTranscript, Knobs, Known, Received, Sent, Transcript, dump, load, load_all


@pytest.mark.parametrize("transcript", load_all("escpos"), ids=lambda t: t.name)
def test_every_transcript_says_something_to_somebody(transcript: Transcript) -> None:
    kinds = {type(step) for step in transcript.steps}
    if transcript.simulator_only is None:
        assert Known in kinds, "a driver learns nothing from it"
    if transcript.driver_only is None:
        assert Sent in kinds, "a simulator is asked nothing in it"


def test_there_are_transcripts_for_both_sides() -> None:
    both = [t for t in load_all("escpos") if t.driver_only is None and t.simulator_only is None]
    assert len(both) >= 10


def test_a_file_is_read_as_written(tmp_path: Path) -> None:
    path = tmp_path / "one.txt"
    path.write_text(
        "# source: a manual p1\n\n# driver only: no such model\n! paper=end cover=open\n"
        '> 1D 49 43\n< 5F "TM T" 00\n= paper_end:true fact.pin3:high head_hot:null\n'
    )
    transcript = load(path)
    assert transcript.sources == ("a manual p1",)
    assert transcript.driver_only == "no such model"
    assert transcript.simulator_only is None
    knobs, sent, received, known = transcript.steps
    assert knobs == Knobs(("paper=end", "cover=open"))
    assert sent == Sent(b"\x1dIC")
    assert isinstance(received, Received)
    assert received.data == b"\x5fTM T\x00"
    assert isinstance(known, Known)
    assert known.conditions() == {"paper_end": True, "head_hot": None}
    assert known.of("fact") == {"pin3": "high"}
    assert [dump(step)[0] for step in transcript.steps] == ["!", ">", "<", "="]


@pytest.mark.parametrize(
    ("line", "matching", "not_matching"),
    [
        ('< 5F "TM-T88III" 00', b"\x5fRP-80\x00", b"\x5f\x00"),
        ('< 5F "1024" 00', b"\x5f7\x00", b"\x5fmany\x00"),
        ("< 12", b"\x12", b"\x12\x12"),
    ],
)
def test_what_a_device_may_say_in_place_of_the_example(
    tmp_path: Path, line: str, matching: bytes, not_matching: bytes
) -> None:
    path = tmp_path / "one.txt"
    path.write_text(f"# source: x\n{line}\n")
    (step,) = load(path).steps
    assert isinstance(step, Received)
    assert step.matches(step.data)
    assert step.matches(matching)
    assert not step.matches(not_matching)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("> 10\n", "names no source"),
        ("# source: x\n? 10\n", "one.txt:2: a line starts with"),
        ("# source: x\n> 1\n", "one.txt:2: neither hex"),
        ("# source: x\n>\n", "one.txt:2: no bytes"),
        ("# source: x\n! paper\n", "one.txt:2: not knob=value"),
        ("# source: x\n= paper_end\n", "one.txt:2: not name:value"),
        ("# source: x\n= paper_end:maybe\n", "one.txt:2: a condition is"),
        ("# source: x\n# driver only: a\n# simulator only: b\n", "neither driver nor simulator"),
    ],
)
def test_a_bad_file_is_named(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "one.txt"
    path.write_text(text)
    with pytest.raises(BadTranscript, match=said):
        load(path)
