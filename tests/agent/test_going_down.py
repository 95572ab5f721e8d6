"""Whether the machine goes down, asked of a systemctl that stands in for the real one."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from agent.going_down import KILL_S, Look

pytestmark = pytest.mark.system


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    return tmp_path


def systemctl(folder: Path, does: str) -> None:
    program = folder / "systemctl"
    program.write_text(f'#!/bin/sh\n[ "$*" = is-system-running ] || exit 9\n{does}\n')
    program.chmod(0o755)


@pytest.mark.parametrize(
    ("does", "down"),
    [
        ("echo stopping; exit 1", True),
        ("echo running", False),
        ("echo degraded; exit 1", False),
        ("echo offline; exit 1", False),
        ("echo Failed to connect to bus >&2; exit 1", False),
    ],
)
def test_it_is_what_systemd_says(path: Path, does: str, down: bool) -> None:
    systemctl(path, does)
    assert Look().machine_goes_down(5.0) is down


def test_an_answer_that_came_in_time_counts_also_if_nobody_had_time_to_read_it(path: Path) -> None:
    systemctl(path, "echo stopping; exit 1")
    look = Look()
    time.sleep(0.3)
    assert look.machine_goes_down(0.2)


def test_one_that_is_stopped_with_the_whole_control_group_is_asked_again(path: Path) -> None:
    systemctl(path, 'if mkdir "$0.once" 2>/dev/null; then kill -TERM $$; fi; echo stopping; exit 1')
    assert Look().machine_goes_down(5.0)


def test_one_that_is_stopped_again_and_again_is_not_asked_for_ever(path: Path) -> None:
    systemctl(path, "kill -TERM $$")
    began_s = time.monotonic()
    assert not Look().machine_goes_down(0.3)
    assert time.monotonic() - began_s < 0.3 + KILL_S + 0.2


def test_one_that_does_not_answer_is_killed_in_time(path: Path) -> None:
    systemctl(path, "exec sleep 60")
    began_s = time.monotonic()
    assert not Look().machine_goes_down(0.2)
    assert time.monotonic() - began_s < 0.2 + KILL_S


def test_without_systemd_nobody_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert not Look().machine_goes_down(1.0)
