"""What a benchmark found, and how it is written down."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Spread:
    """Repeated measurements of one quantity."""

    values: tuple[float, ...]

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        return cls(tuple(values))

    @property
    def median(self) -> float:
        return statistics.median(self.values)

    def text(self, scale: float = 1.0) -> str:
        """Median, then the range.

        >>> Spread.of([1234.0, 1500.0, 1300.0]).text()
        '1,300 (1,234–1,500)'
        """
        low, high = min(self.values), max(self.values)
        if low == high:
            return number(low * scale)
        return f"{number(self.median * scale)} ({number(low * scale)}–{number(high * scale)})"


@dataclass(frozen=True, slots=True)
class Goal:
    """Something that was promised, and whether it was kept."""

    promise: str
    measured: str
    met: bool


@dataclass(frozen=True, slots=True)
class Table:
    columns: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Section:
    """One benchmark in the report."""

    title: str
    method: str
    tables: list[Table]
    goals: list[Goal]
    remarks: list[str] = field(default_factory=list)


def number(value: float) -> str:
    """Three significant digits, thousands apart.

    >>> number(512_345.0), number(1.402), number(42.31), number(0.0312)
    ('512,345', '1.40', '42.3', '0.031')
    """
    for digits, from_value in ((0, 100), (1, 10), (2, 1)):
        if abs(value) >= from_value:
            return f"{value:,.{digits}f}"
    return f"{value:.3f}"


def section_text(section: Section) -> str:
    parts = [f"## {section.title}", section.method]
    parts += [_table_text(table) for table in section.tables]
    if section.goals:
        rows = [(goal.promise, goal.measured, "met" if goal.met else "**missed**") for goal in section.goals]
        parts.append(_table_text(Table(("goal", "measured", ""), rows)))
    parts += section.remarks
    return "\n\n".join(parts)


def _table_text(table: Table) -> str:
    lines = [table.columns, tuple("---" for _ in table.columns), *table.rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
