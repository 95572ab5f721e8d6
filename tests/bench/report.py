"""What a section of the bench found, and how it is printed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

Cell = str | float | None


@dataclass(frozen=True, slots=True)
class Budget:
    """A limit of the design beside what was measured."""

    what: str
    measured: float
    limit: float
    unit: str

    def line(self) -> str:
        share = self.measured / self.limit
        word = "within" if share <= 1 else "OVER"
        of = f"{number(self.measured)} of {number(self.limit)} {self.unit}"
        return f"{word:<6} {self.what}: {of} ({share:.2f})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Rows side by side; the first cell of each is its name. None is "not measured"."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    budgets: Sequence[Budget] = ()
    notes: Sequence[str] = field(default_factory=tuple)

    def text(self) -> str:
        cells = [list(self.columns), *([_cell(cell) for cell in row] for row in self.rows)]
        widths = [max(len(row[column]) for row in cells) for column in range(len(self.columns))]
        lines = [self.title, "-" * len(self.title)]
        for name, *values in cells:
            right = (value.rjust(width) for value, width in zip(values, widths[1:], strict=True))
            lines.append("  ".join([name.ljust(widths[0]), *right]).rstrip())
        lines += [f"  {budget.line()}" for budget in self.budgets]
        lines += [f"  ({note})" for note in self.notes]
        return "\n".join(lines)


def number(value: float) -> str:
    """Three digits that count, no exponent."""
    if abs(value) >= 100:
        return f"{value:.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def _cell(cell: Cell) -> str:
    if cell is None:
        return "-"
    return cell if isinstance(cell, str) else number(cell)
