"""What a display shows: rows of cells, and a cursor as the command sets of pole displays move it."""

from __future__ import annotations

from typing import Literal

BLANK = 0x20
_FIRST, _CELLS = 0x20, 95  #: the printable characters
_SHIFT = 13

Mode = Literal["overwrite", "vertical", "horizontal"]


class Glass:
    """`rows` by `columns`; `cursor` counts cells from the upper left.

    Mode `overwrite`: after the last cell comes the first. `vertical`: below the last row everything moves up
    one. `horizontal`: a full row moves left one for each character.
    """

    def __init__(self, rows: int, columns: int) -> None:
        self.rows, self.columns = rows, columns
        self.cells = bytearray()
        self.cursor = 0
        self.mode: Mode = "overwrite"
        self._full = False  #: the last cell has been written, and nothing has moved since
        self.clear()

    def clear(self) -> None:
        self.cells = bytearray([BLANK]) * (self.rows * self.columns)
        self.go(0)

    def put(self, character: int) -> None:
        if self._full:
            self._make_room()
        self.cells[self.cursor] = character
        end_of_row = self.cursor % self.columns == self.columns - 1
        end = {"horizontal": end_of_row, "vertical": self.cursor == len(self.cells) - 1}
        if end.get(self.mode):
            self._full = True
        else:
            self.cursor = (self.cursor + 1) % len(self.cells)

    def _make_room(self) -> None:
        self._full = False
        if self.mode == "vertical":
            self.scroll_up()
            self.cursor = self._row_start()
        else:
            start = self._row_start()
            del self.cells[start]
            self.cells.insert(start + self.columns - 1, BLANK)

    def scroll_up(self) -> None:
        del self.cells[: self.columns]
        self.cells += bytes([BLANK]) * self.columns

    def go(self, cell: int) -> None:
        """Outside the glass: the cursor stays."""
        if 0 <= cell < len(self.cells):
            self.cursor, self._full = cell, False

    def place(self, column: int, row: int) -> None:
        """Both count from 1."""
        if 1 <= column <= self.columns and 1 <= row <= self.rows:
            self.go((row - 1) * self.columns + column - 1)

    def step(self, cells: int) -> None:
        """Left (-1) or right (1), past an end to the other."""
        self.go((self.cursor + cells) % len(self.cells))

    def line(self, rows: int) -> None:
        """Up (-1) or down (1) in the same column; in vertical mode the text moves in the cursor's place."""
        row = self.cursor // self.columns + rows
        if self.mode == "vertical" and row >= self.rows:
            self._full = False
            self.scroll_up()
        else:
            self.go((self.cursor + rows * self.columns) % len(self.cells))

    def left_end(self) -> None:
        self.go(self._row_start())

    def right_end(self) -> None:
        self.go(self._row_start() + self.columns - 1)

    def back(self) -> None:
        """One to the left, and blank it."""
        self.step(-1)
        self.cells[self.cursor] = BLANK

    def clear_row(self) -> None:
        self.write(self.cursor // self.columns, b"")

    def write(self, row: int, text: bytes) -> None:
        """A whole row: cut, or filled up with blanks. The cursor stands at its beginning."""
        start = row * self.columns
        self.cells[start : start + self.columns] = text[: self.columns].ljust(self.columns)
        self.go(start)

    def shown(self, *, nonsense: bool = False) -> bytes:
        """Every cell; where it shows `nonsense`, each is something else."""
        return bytes(_other(cell) for cell in self.cells) if nonsense else bytes(self.cells)

    def lines(self, *, nonsense: bool = False) -> list[str]:
        """The same in words, one string a row."""
        cells = self.shown(nonsense=nonsense)
        text = "".join(_word(cell) for cell in cells)
        return [text[start : start + self.columns] for start in range(0, len(text), self.columns)]

    def _row_start(self) -> int:
        return self.cursor // self.columns * self.columns


def _other(cell: int) -> int:
    printable = _FIRST <= cell < _FIRST + _CELLS
    return (cell - _FIRST + _SHIFT) % _CELLS + _FIRST if printable else ord("?")


def _word(cell: int) -> str:
    return bytes([cell]).decode("cp437") if cell >= _FIRST and cell != 0x7F else "."
