"""The golden transcripts, replayed against the simulated printer."""

from __future__ import annotations

import pytest

from tests.golden.format import Knobs, Received, Sent, Transcript, dump, load_all
from tests.simulator.bench import Bench

TRANSCRIPTS = [transcript for transcript in load_all("escpos") if transcript.driver_only is None]


def test_there_are_transcripts_for_the_simulator() -> None:
    assert len(TRANSCRIPTS) >= 10


@pytest.mark.parametrize("transcript", TRANSCRIPTS, ids=lambda transcript: transcript.name)
def test_replay(transcript: Transcript) -> None:
    bench = Bench()
    heard, last = b"", "the start"
    for step in transcript.steps:
        if isinstance(step, Received):
            # A transcript may break one answer over lines; each line takes its share of what was heard.
            share = step.pattern.match(heard)
            assert share, f"after {last}: heard {heard.hex(' ') or 'nothing'} in place of {dump(step)}"
            heard = heard[share.end() :]
        elif isinstance(step, Knobs | Sent):
            assert not heard, f"after {last}: heard {heard.hex(' ')} beyond the transcript"
            last = dump(step)
            if isinstance(step, Knobs):
                bench.set(*step.settings)
                heard = bench.hear()
            else:
                heard = bench.ask(step.data)
    assert not heard, f"after {last}: heard {heard.hex(' ')} beyond the transcript"
