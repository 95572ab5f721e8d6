"""Log lines, for the journal and for people."""

from __future__ import annotations

import io
import logging
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent import logs


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    root = logging.getLogger()
    level, handlers = root.level, root.handlers[:]
    root.handlers.clear()  # so that `force` closes none of pytest's
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


def test_for_a_person_a_line_has_its_time_and_level() -> None:
    stream = io.StringIO()
    logs.setup("info", stream, env={"JOURNAL_STREAM": "1:2"})
    logging.getLogger("tillwatch.x").warning("paper: %s", "end")
    logging.getLogger("tillwatch.x").debug("not asked for")
    assert re.fullmatch(r"\d\d:\d\d:\d\d WARNING tillwatch.x: paper: end\n", stream.getvalue())


def test_for_the_journal_each_line_has_its_priority(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    with path.open("w+") as stream:
        where = os.fstat(stream.fileno())
        logs.setup("debug", stream, env={"JOURNAL_STREAM": f"{where.st_dev}:{where.st_ino}"})
        log = logging.getLogger("tillwatch.x")
        for level in (logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR, logging.CRITICAL):
            log.log(level, "one\ntwo")
    assert path.read_text().splitlines() == [
        line for n in (7, 6, 4, 3, 2) for line in (f"<{n}>tillwatch.x: one", f"<{n}>two")
    ]


@pytest.mark.parametrize("value", ["", "nonsense", "0:0"])
def test_a_stream_that_is_not_the_journal(value: str) -> None:
    assert not logs.goes_to_journal(sys.__stderr__ or sys.stderr, {"JOURNAL_STREAM": value})


def test_setting_up_again_replaces() -> None:
    first, second = io.StringIO(), io.StringIO()
    logs.setup("error", first, env={})
    logs.setup("info", second, env={})
    logging.getLogger("tillwatch.x").info("once")
    assert first.getvalue() == ""
    assert second.getvalue().count("once") == 1
