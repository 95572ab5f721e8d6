"""A till's tty that cannot be offered: one line, and what to do."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from agent.pass_through.tty import TtyTill
from drivers.errors import TillwatchError
from drivers.link.address import TillTty

pytestmark = pytest.mark.system


def refused(path: Path, group: str = "") -> tuple[str, str]:
    with pytest.raises(TillwatchError) as told:
        TtyTill(TillTty(path=str(path), group=group), 9600)
    return str(told.value), told.value.hint


def test_a_group_that_is_not_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def not_permitted(*_: Any) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "chown", not_permitted)
    told = refused(tmp_path / "till", "root")
    assert told == (f"tty:{tmp_path}/till: this user may not give it to the group 'root'", "make it a member")


def test_a_group_that_is_not_there(tmp_path: Path) -> None:
    told = refused(tmp_path / "till", "no-such-group")
    assert told == (f"tty:{tmp_path}/till: there is no group 'no-such-group'", "make it, or name another")


def test_a_folder_that_is_closed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(_: Path) -> bool:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "exists", denied)
    told = refused(tmp_path / "till")
    assert told == (f"tty:{tmp_path}/till: Permission denied", "its folder must be writable for this user")


def test_a_folder_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert refused(tmp_path / "file" / "till")[0] == f"tty:{tmp_path}/file/till: File exists"


def test_a_place_that_is_taken(tmp_path: Path) -> None:
    (tmp_path / "till").touch()
    told = refused(tmp_path / "till")
    assert told == (f"tty:{tmp_path}/till: a file stands there that is no link", "choose another path")
