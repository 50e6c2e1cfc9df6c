"""Tables of texts: a column of them, and one of labels."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from zoo.core.console import echo
from zoo.core.errors import UserError, unknown_name
from zoo.data.columns.arrow import is_text, to_array
from zoo.data.columns.text import as_text
from zoo.data.formats.dialect import DELIMITERS
from zoo.data.formats.table_file import place_in, read_table
from zoo.data.options import match_heading
from zoo.data.sequences.files.samples import Samples, cell_reading, list_columns
from zoo.data.sequences.files.step_table import named_column


def read_text_table(path: Path, reading: Mapping[str, Any], labelled: bool) -> Samples:
    """Read the texts of a table, and their labels.

    Without `headings` or `target` in `reading`, a first line that holds a label of other rows is a row, not a header.
    """
    named = [str(reading[role]) for role in ("text", "target") if reading.get(role) is not None]
    table = read_table(path, cell_reading(reading, named))
    header = dict(zip([f"column {k + 1}" for k in range(table.num_columns)], table.column_names, strict=True))
    headerless = reading.get("headings") is False
    table = table.rename_columns(list(header)) if headerless else table
    column, label = _find_columns(table, reading, path, labelled)
    if labelled and _header_is_row(table, str(label), reading):
        numbers = {heading: number for number, heading in header.items()}
        options = {**reading, "text": numbers[column], "target": numbers[str(label)], "headings": False}
        return read_text_table(path, options, labelled)
    samples = _texts(path, table, (column, label), reading, labelled)
    if labelled:
        _report_columns(path, table, samples.reading)
        _refuse_open_quotes(table, samples, str(label))
    return _with_first_row(samples, header, (column, label), reading, path) if headerless else samples


def _texts(
    path: Path, table: pa.Table, columns: tuple[str, str | None], reading: Mapping[str, Any], labelled: bool
) -> Samples:
    """The texts and labels in the columns of a table."""
    column, label = columns
    texts = as_text(to_array(table[column])).fill_null("").to_pylist()
    place = place_in(path, reading.get("encoding"))
    options: dict[str, Any] = {"text": column, "target": label} if labelled else {}
    if labelled and reading.get("headings") is False:
        options["headings"] = False
    labels = to_array(table[label]) if labelled else None
    return Samples(texts, labels, list(map(place, range(len(texts)))), [], reading=options)


def _header_is_row(table: pa.Table, label: str, reading: Mapping[str, Any]) -> bool:
    """Whether the header is a row of values, as its heading of the labels is a label; False where options say so."""
    if reading.get("target") is not None or reading.get("headings") is not None:
        return False
    return label in as_text(to_array(table[label])).unique().to_pylist()


def _with_first_row(
    samples: Samples,
    header: Mapping[str, str],
    columns: tuple[str, str | None],
    reading: Mapping[str, Any],
    path: Path,
) -> Samples:
    """The samples with that of the first line, which was read as the header, in front."""
    marks = cell_reading(reading).marks()
    cells = {name: None if cell in marks else cell for name, cell in header.items()}
    column, label = columns
    labels = samples.labels
    if labels is not None:
        labels = pa.concat_arrays([pa.array([cells[str(label)]], pa.string()), as_text(labels)])
    places = [f"row 1 of {path.name}", *samples.places]
    return Samples([cells[column] or "", *samples.values], labels, places, [], reading=samples.reading)


def _find_columns(table: pa.Table, reading: Mapping[str, Any], path: Path, labelled: bool) -> tuple[str, str | None]:
    """The columns of texts and of labels: those named, else that of the longest texts, and one of a usual name or the
    only other one."""
    column = None if reading.get("text") is None else match_heading(reading["text"], table.column_names)
    label = named_column(table, reading.get("target"), "target", labelled)
    if reading.get("headings") is False and column not in table.column_names:  # new texts without a label
        label, column = None, None
    texts = _text_columns(table, path, label)
    if column is None:
        column = max(texts, key=lambda name: pc.mean(pc.utf8_length(texts[name])).as_py() or 0)
    if column not in table.column_names:
        raise unknown_name("column (data.text)", column, table.column_names)
    others = [name for name in table.column_names if name != column]
    if labelled and label is None and len(others) != 1:
        raise UserError(f"a table of texts has a column of labels; say which it is of {', '.join(others[:8])}: "
                        "data.target=")  # fmt: skip
    return column, others[0] if labelled and label is None else label


def _text_columns(table: pa.Table, path: Path, label: str | None) -> dict[str, pa.Array]:
    """The columns of text beside that of labels; UserError where there are none."""
    columns = {name: to_array(table[name]) for name in table.column_names if name != label}
    texts = {name: as_text(array) for name, array in columns.items() if is_text(array.type)}
    if not texts:
        raise UserError(f"a table of texts has a column of text; {path.name} has {', '.join(table.column_names[:8])}")
    return texts


def _report_columns(path: Path, table: pa.Table, reading: Mapping[str, Any]) -> None:
    text, target = reading["text"], reading["target"]
    rest = [name for name in table.column_names if name not in (text, target)]
    more = f"; left out are the columns {list_columns(rest)}" if rest else ""
    headerless = " without headings (data.headings=true if it has some)" if "headings" in reading else ""
    echo(f"{path.name}{headerless}: texts of '{text}' (data.text), target '{target}' (data.target){more}")


def _refuse_open_quotes(table: pa.Table, samples: Samples, label: str) -> None:
    """Raise UserError where a text holds rows of the table, which a quote that is never closed causes."""
    index, n_columns = table.column_names.index(label), table.num_columns
    labels = set(as_text(samples.labels).drop_null().to_pylist())
    for place, text in zip(samples.places, samples.values, strict=True):
        if any(len(cells) == n_columns and cells[index].strip('" ') in labels for cells in _rows_in(text)):
            raise UserError(f"a quoted text is never closed, and holds the rows after it; it begins {text[:40]!r} in "
                            f"{place}: double or remove the quote before it")  # fmt: skip


def _rows_in(text: str) -> Iterator[list[str]]:
    """The lines of a text below its first one, split by each delimiter."""
    return (line.split(delimiter) for line in text.splitlines()[1:] for delimiter in DELIMITERS)
