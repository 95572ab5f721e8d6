"""The glass of a pole display: where characters go."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.devices.display.glass import Glass, Mode


def put(glass: Glass, text: str) -> list[str]:
    for character in text.encode():
        glass.put(character)
    return glass.lines()


def test_overwriting_goes_from_the_last_cell_to_the_first() -> None:
    glass = Glass(2, 4)
    assert put(glass, "abcdefgh") == ["abcd", "efgh"]
    assert put(glass, "ij") == ["ijcd", "efgh"]


def test_vertical_scrolling_moves_up_when_the_next_character_comes() -> None:
    glass = Glass(2, 4)
    glass.mode = "vertical"
    assert put(glass, "abcdefgh") == ["abcd", "efgh"]
    assert put(glass, "i") == ["efgh", "i   "]


def test_horizontal_scrolling_stays_in_its_row() -> None:
    glass = Glass(2, 4)
    glass.mode = "horizontal"
    assert put(glass, "abcdef") == ["cdef", "    "]


@pytest.mark.parametrize(
    ("steps", "cell"),
    [((-1,), 7), ((1,), 1), ((1, -1, -1), 7)],
)
def test_the_cursor_goes_round(steps: tuple[int, ...], cell: int) -> None:
    glass = Glass(2, 4)
    for step in steps:
        glass.step(step)
    assert glass.cursor == cell


def test_moves_ends_and_rows() -> None:
    glass = Glass(2, 4)
    put(glass, "abcdef")
    glass.line(-1)
    assert glass.cursor == 2
    glass.line(-1)
    assert glass.cursor == 6
    glass.left_end()
    assert glass.cursor == 4
    glass.right_end()
    assert glass.cursor == 7
    glass.go(99)
    assert glass.cursor == 7
    glass.clear_row()
    assert glass.lines() == ["abcd", "    "]
    glass.write(0, b"xyzuv")
    assert glass.lines() == ["xyzu", "    "]
    glass.back()
    assert (glass.cursor, glass.lines()) == (7, ["xyzu", "    "])


@settings(deadline=None)
@given(st.binary(max_size=8))
def test_nonsense_differs_in_every_cell(text: bytes) -> None:
    glass = Glass(2, 4)
    for character in text:
        glass.put(character)
    shown, nonsense = glass.shown(), glass.shown(nonsense=True)
    # Outside the printable characters everything is "?", which is printable itself.
    assert all(ours != theirs for ours, theirs in zip(shown, nonsense, strict=True))


@settings(deadline=None)
@given(st.sampled_from(["overwrite", "vertical", "horizontal"]), st.lists(st.integers(-2, 255), max_size=60))
def test_it_keeps_its_size_whatever_is_done(mode: Mode, doings: list[int]) -> None:
    glass = Glass(2, 4)
    glass.mode = mode
    for doing in doings:
        if doing < 0:
            glass.line(doing + 1)
        elif doing < 32:
            glass.go(doing - 4)
        else:
            glass.put(doing)
        assert len(glass.cells) == 8
        assert 0 <= glass.cursor < 8
