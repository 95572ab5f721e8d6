"""The simulated counter's till says busy where an agent hears it that the same user runs."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from agent.config.file import load
from simulator.counter import agents_socket

TEXT = """\
config_version = 1
[terminal]
id = "T-0001"
[mqtt]
url = "mqtt://broker"
[agent]
state_dir = "{folder}/state"
"""


@pytest.mark.parametrize("runtime", ["/run/user/1000", ""])
def test_the_till_speaks_where_the_agent_listens(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, runtime: str
) -> None:
    monkeypatch.delenv("RUNTIME_DIRECTORY", raising=False)
    monkeypatch.setenv("XDG_RUNTIME_DIR", runtime)
    file = tmp_path / "tillwatch.toml"
    file.write_text(TEXT.format(folder=tmp_path), encoding="utf-8")
    assert agents_socket(tmp_path) == load(file, os.environ).agent.runtime_dir / "till" / "notify"
