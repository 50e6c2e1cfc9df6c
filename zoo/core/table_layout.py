"""Lay out tables of text, for a terminal and as HTML."""

from collections.abc import Iterable, Sequence
from html import escape

from zoo.core.console import printable

ONE_LINE = str.maketrans({"\n": "\\n", "\t": "\\t"})


def text_table(header: Sequence[str], rows: Iterable[Sequence[str]], n_left: int = 1, last_left: bool = False) -> str:
    """Align cells in columns: the first `n_left`, and the last one with `last_left`, to the left, the others to the
    right. Line breaks are escaped."""
    lines = [[printable(cell).translate(ONE_LINE) for cell in line] for line in (header, *rows)]
    widths = [max(12 * (i == 0 and n_left > 0), *map(len, column)) for i, column in enumerate(zip(*lines, strict=True))]
    last = len(widths) - 1 if last_left else len(widths)
    return "\n".join(
        "  ".join(
            cell.ljust(width) if i < n_left or i == last else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )


def fit_columns(
    columns: Sequence[Sequence[str]], width: int | None, at_least: int = 2
) -> tuple[Sequence[Sequence[str]], int]:
    """The first columns of a table that fit a width, and how many others there are.

    Args:
        columns: each with its heading.
        width: None takes all.
        at_least: so many columns, also where they do not fit.
    """
    n, sizes = len(columns), [max(len(printable(cell)) for cell in column) + 2 for column in columns]
    sizes[0] = max(sizes[0], 14)  # as `text_table` has it
    while width is not None and n > at_least and sum(sizes[:n]) - 2 > width:
        n -= 1
    return columns[:n], len(columns) - n


def html_table(header: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """An HTML table of plain text."""
    head = "".join(f"<th>{escape(cell)}" for cell in header)
    body = "".join("<tr>" + "".join(f"<td>{escape(cell)}" for cell in row) for row in rows)
    return f'<div class="scroll"><table><tr>{head}{body}</table></div>'
