"""A table of image files with their labels, and perhaps with their splits."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath

import pyarrow as pa

from zoo.core.console import echo
from zoo.core.errors import UserError, unknown_name
from zoo.data.folders import SPLIT_NAMES, walk_files
from zoo.data.formats.delimited import read_as_text
from zoo.data.formats.table_file import is_text_file, read_table
from zoo.data.formats.text_encoding import check_encoding, undecodable
from zoo.data.images._folder import Listing, is_image, refuse

PATHS = (
    *("path", "file", "filename", "file_name", "filepath", "file_path", "image", "image_path", "image_name", "img"),
    *("img_path", "image_id", "id", "id_code", "name", "photo", "picture", "datei"),
)
LABELS = ("label", "class", "target", "labels", "category", "class_name", "klasse")


def list_table(table: Path, root: Path | None, target: str | None, encoding: str | None = None) -> Listing:
    """The files that a table names, with their labels in column `target` or one of a usual name, and their splits where
    a column holds such words. Paths are relative to `root`, or to the table's folder."""
    columns = _read_table(table, encoding)
    root = table.parent if root is None else root
    split = next((name for name, column in columns.items() if name != target and _holds_splits(column)), None)
    path, label = _path_and_label([name for name in columns if name != split], target)
    if is_image(path):
        raise UserError(f"{table} begins with a file, {path}; write headings above it, such as file,label")
    splits = [""] * len(columns[path])
    if split is not None:
        splits = list(map(_split, columns[split]))
        parts = " / ".join(f"{splits.count(part):,}" for part in ("train", "val", "test"))
        echo(f"splits are those of column '{split}': {parts} rows to train, validate and test")
    labels = _labels(columns[label], label, table)
    paths = _find(columns[path], root, table)
    repeated = [str(path) for path, n in Counter(paths).items() if n > 1]
    refuse(repeated, f"a file has one row in {table}", "twice or more: {}", "leave one row of each")
    return Listing(paths, labels, splits)


def _read_table(table: Path, encoding: str | None) -> dict[str, list[str]]:
    """The columns by their headings, as text."""
    try:
        check_encoding(encoding)
        rows = read_as_text(table, encoding) if is_text_file(table) else read_table(table)
    except UnicodeDecodeError as error:
        raise undecodable(table, encoding) from error
    except (UserError, pa.ArrowException, ValueError, OSError, EOFError) as error:
        raise UserError(f"data.labels={table} is not a CSV of paths and labels: {error}") from error
    if rows.num_columns < 2:
        raise UserError(
            f"data.labels={table} has a heading, a column of paths, one of labels, and a row for each image; "
            f"it has {rows.num_columns} columns and {len(rows)} rows"
        )
    return {
        str(name): ["" if cell is None else str(cell) for cell in column] for name, column in rows.to_pydict().items()
    }


def _path_and_label(columns: Sequence[str], target: str | None) -> tuple[str, str]:
    """The columns of paths and of labels: by their names, else the first that are left. Which is told where it is not
    plain."""
    if target is not None and target not in columns:
        raise unknown_name("column (data.target)", target, columns)
    known = {column.lower(): column for column in reversed(columns) if column != target}
    path = next((known[name] for name in PATHS if name in known), None)
    label = target or next((known[name] for name in LABELS if name in known), None)
    rest = [column for column in columns if column not in (path, label)]
    if len(rest) < (path is None) + (label is None):
        raise UserError(f"a table of images has columns of paths and of labels; it has only {', '.join(columns)}")
    sure = path is not None and label is not None and not rest
    path, label = (rest.pop(0) if column is None else column for column in (path, label))
    if not sure:
        unused = f"; not used: {', '.join(rest[:5])}" if rest else ""
        echo(f"files are read from column '{path}', labels from '{label}' (data.target){unused}")
    return path, label


def _holds_splits(words: Iterable[str]) -> bool:
    """Whether these are names of splits, that to train among them and another."""
    found = set(map(_split, set(words))) - {""}
    return "train" in found and len(found) > 1 and "?" not in found


def _split(word: str) -> str:
    """The split that a word names, "" for none, "?" for something else."""
    return SPLIT_NAMES.get(word.strip().lower(), "?" if word.strip() else "")


def _labels(column: Sequence[str], heading: str, table: Path) -> list[str]:
    """The labels without spaces around them; what is odd about them is refused or said."""
    labels = [label.strip() for label in column]
    blank = [str(number) for number, label in enumerate(labels, 2) if not label]
    refuse(blank, f"every row of {table} has a label", "row {}", f"fill column {heading}, or leave the row out")
    if n := sum(label != given for label, given in zip(labels, column, strict=True)):
        echo(f"spaces around labels are left out, in {n:,} rows of {table.name}")
    alike = defaultdict(set)
    for label in labels:
        alike[label.casefold().lstrip("0")].add(label)
    if groups := [" and ".join(sorted(group)) for group in alike.values() if len(group) > 1]:
        echo(f"labels that differ in capitals or leading zeros alone stay apart: {', '.join(groups[:5])}")
    return labels


def _find(names: Sequence[str], root: Path, table: Path) -> list[Path]:
    """The file of each name: at this path of `root`, also written with backslashes; else the only image in it whose
    path ends so, whatever its ending and capitals."""
    paths = [root / name for name in names]
    lost = [row for row, path in enumerate(paths) if not path.is_file()]
    ends = _by_name(root) if lost else {}
    missing: list[str] = []
    several: list[str] = []
    by_end: list[str] = []
    for row in lost:
        paths[row] = root / names[row].strip().replace("\\", "/")
        if paths[row].is_file():
            continue
        found = _candidates(PurePosixPath(names[row].strip().replace("\\", "/").lower()), ends)
        if len(found) == 1:
            by_end.append(f"{names[row]} is {found[0]}")
            paths[row] = root / found[0]
        else:
            (several if found else missing).append(" or ".join([*found[:3]] or [str(paths[row])]))
    refuse(
        missing,
        f"every path of {table} is a file's",
        "there is no {}",
        f"paths are relative to {root}; set data.path to another folder",
    )
    refuse(several, f"every path of {table} leads to one file", "it may be {}", "write the path in full")
    if by_end:
        echo(f"{len(by_end):,} of {len(paths):,} files of {table.name} are found by their names, such as {by_end[0]}")
    return paths


def _by_name(root: Path) -> dict[str, list[str]]:
    """The images of a folder by name and by name without ending, in small letters; as paths relative to it."""
    ends = defaultdict(list)
    for path in walk_files(root, []):
        relative = PurePosixPath(Path(path).relative_to(root).as_posix())
        if is_image(path):
            for name in {relative.name.lower(), relative.stem.lower()}:
                ends[name].append(str(relative))
    return ends


def _candidates(wanted: PurePosixPath, ends: dict[str, list[str]]) -> list[str]:
    """The images whose path ends as `wanted`, or which end an absolute one of another machine."""
    absolute = wanted.is_absolute() or re.match("[a-z]:/", str(wanted))

    def fits(path: str) -> bool:
        whole = PurePosixPath(path.lower())
        tails = [f"/{one}" for one in (whole, whole.with_suffix(""))]
        return any(tail.endswith(f"/{wanted}") or (absolute and str(wanted).endswith(tail)) for tail in tails)

    return sorted(path for path in ends.get(wanted.name, ()) if fits(path))
