"""Rows as a Markdown table, and its place in a README."""

from __future__ import annotations

from collections.abc import Sequence

from flowhub_assets_tests.benchmarks.row import Row

BEGIN = "<!-- make bench writes this table -->"
END = "<!-- until here -->"


def as_markdown(rows: Sequence[Row]) -> str:
    """The rows with both sides, their ratio and, where one is expected, the most that it should be."""
    cells = [("figure", "ours", "compared with", "theirs", "ratio", "expected"), *(_cells(row) for row in rows)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(cells[0]))]
    lines = [
        "| " + " | ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)) + " |" for line in cells
    ]
    rule = "|" + "|".join("-" * (width + 2) for width in widths) + "|"
    return "\n".join([lines[0], rule, *lines[1:]])


def _cells(row: Row) -> tuple[str, ...]:
    expected = "" if row.at_most is None else f"≤ {row.at_most:g}"
    return (
        row.what,
        _number(row.ours, row.unit),
        row.other_name,
        _number(row.other, row.unit),
        f"{row.ratio:.2f}" if row.ratio >= 0.1 else f"{row.ratio:.2g}",
        expected,
    )


def _number(value: float, unit: str) -> str:
    return f"{value:,.0f} {unit}" if value >= 100 else f"{value:.3g} {unit}"


def replace_table(text: str, table: str, name: str) -> str:
    """``text`` with ``table`` between the two markers. Raises ValueError, naming the file, if they are not there."""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{name} has no place for the table: write {BEGIN} and {END} on lines of their own")
    return f"{before}{BEGIN}\n\n{table}\n\n{END}{after}"
