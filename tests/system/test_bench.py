"""The bench runs and says what it found; the figures themselves are nobody's verdict."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

pytestmark = pytest.mark.system


def test_a_section_prints_its_table() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench", "--quick", "--only", "outbox", "drain"],
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert re.search(r"^one event a transaction +20 +\d+ +\d+ +\d+\.\d\d$", done.stdout, re.M), done.stdout
    assert re.search(r"^bare paho: sent, acknowledged +\d+ +1\.00$", done.stdout, re.M), done.stdout


@pytest.mark.soak
def test_the_pass_through_is_measured() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench", "--quick", "--only", "pass-through"],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert re.search(r"^tty: status, ms +5 +\d+\.\d+ ", done.stdout, re.M), done.stdout
    assert re.search(r"^tcp: memory of 2 processes, PSS MiB +1 ", done.stdout, re.M), done.stdout
