"""The golden transcripts, replayed against the simulated devices: a folder each, named for the model."""

from __future__ import annotations

import pytest

from simulator.devices.models import MODELS
from tests.golden.format import Knobs, Received, Sent, Transcript, dump, load_all
from tests.simulator.bench import Bench

LEAST = {"escpos": 10, "star": 10, "ccid": 8, "zvt": 15}
"""How many a model has at least; 3 where it is not named."""
SILENT = ("host",)
"""Models that speak no protocol."""

TRANSCRIPTS = [
    pytest.param(model, transcript, id=f"{model}-{transcript.name}")
    for model in MODELS
    for transcript in load_all(model)
    if transcript.driver_only is None
]


@pytest.mark.parametrize("model", [model for model in MODELS if model not in SILENT])
def test_there_are_transcripts_for_each_model(model: str) -> None:
    assert len(load_all(model)) >= LEAST.get(model, 3)


@pytest.mark.parametrize(("model", "transcript"), TRANSCRIPTS)
def test_replay(model: str, transcript: Transcript) -> None:
    bench = Bench(model=model)
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
