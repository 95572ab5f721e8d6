"""The paper that a simulated printer keeps."""

from __future__ import annotations

from simulator.devices.printer.paper import KEPT_BYTES, KEPT_CHARACTERS, Paper


def test_all_is_counted_and_the_tail_is_kept() -> None:
    paper = Paper()
    for number in range(5):
        paper.mark(bytes([number]) * KEPT_BYTES, "x" * KEPT_CHARACTERS)
    paper.mark(b"end", "end")
    assert paper.count == 5 * KEPT_BYTES + 3
    assert paper.bytes() == b"\x04" * (KEPT_BYTES - 3) + b"end"
    assert paper.text() == "x" * (KEPT_CHARACTERS - 3) + "end"


def test_many_small_marks_are_bounded_too() -> None:
    paper = Paper()
    for _ in range(3 * KEPT_CHARACTERS):
        paper.mark(b"", "")
    assert paper.text() == ""
    assert len(paper._text) <= KEPT_CHARACTERS + 1
