"""Predictions as a table for a terminal."""

from collections.abc import Sequence
from typing import Any

from zoo.core.formatting import format_column
from zoo.core.table_layout import fit_columns, text_table

MOST_LIKELY = ("most likely", "second", "third")  # headings of the classes shown where there are more


def answers_table(
    header: Sequence[str], rows: Sequence[Sequence[Any]], class_names: Sequence[str], width: int | None
) -> str:
    """Format predictions; of more than three classes the three most likely are shown, each with its probability.

    Args:
        header: of the table.
        rows: of the table; a row ends with the probability of each class, or is empty there.
        class_names: of the classes; none where the answers are no classes.
        width: of the terminal; columns beyond it are left out, which a line says.
    """
    n = len(class_names)
    if n > len(MOST_LIKELY):
        header = (*header[:-n], *MOST_LIKELY)
        rows = [(*row[:-n], *_most_likely(row[-n:], class_names)) for row in rows]
    columns = [format_column(column) for column in zip(*rows, strict=True)]
    shown, n_more = fit_columns([[name, *column] for name, column in zip(header, columns, strict=True)], width)
    top, *lines = zip(*shown, strict=True)
    n_left = 1 if n <= len(MOST_LIKELY) else len(shown)
    note = f"\n{n_more} more column{'s' * (n_more > 1)}; output=FILE.csv writes all" * (n_more > 0)
    return text_table(top, lines, n_left=n_left) + note


def _most_likely(probabilities: Sequence[Any], names: Sequence[str]) -> list[str]:
    """The three most likely classes with their probabilities; empty where the sample was not read."""
    if "" in probabilities:
        return [""] * len(MOST_LIKELY)
    ranked = sorted(zip(probabilities, names, strict=True), key=lambda pair: -pair[0])
    return [f"{name} ({probability:.3f})" for probability, name in ranked[: len(MOST_LIKELY)]]
