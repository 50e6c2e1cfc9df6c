"""List the images that a table names, with their labels and, if it has them, splits."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath

import pyarrow as pa

from zoo.core.console import echo
from zoo.core.errors import UserError, unknown_name
from zoo.data.columns.text import quoted_list
from zoo.data.folders import SPLIT_NAMES, walk_files
from zoo.data.formats.delimited import read_as_text
from zoo.data.formats.table_file import is_text_file, read_table
from zoo.data.formats.text_encoding import check_encoding, undecodable
from zoo.data.images._class_folders import ImageListing, check_none
from zoo.data.images.suffixes import is_image_name

PATH_HEADINGS = (  # in lower case, as are those of labels
    *("path", "file", "filename", "file_name", "filepath", "file_path", "image", "image_path", "image_name", "img"),
    *("img_path", "image_id", "id", "id_code", "name", "photo", "picture", "datei"),
)
LABEL_HEADINGS = ("label", "class", "target", "labels", "category", "class_name", "klasse")


def list_label_table(
    table: Path,
    root: Path | None,
    targets: Sequence[str],
    encoding: str | None = None,
    *,
    empty_allowed: bool = False,
) -> ImageListing:
    """List the files that a table names.

    Args:
        table: with a column of paths and one of labels; a column of names of splits is used too.
        root: the folder that paths are relative to; None for the table's.
        targets: headings of the labels; none finds a usual one.
        encoding: of the table; None for UTF-8 or Windows-1252.
        empty_allowed: whether a label may be empty.
    """
    columns = _read_table(table, encoding)
    split = next((name for name, column in columns.items() if name not in targets and _is_split_column(column)), None)
    path, labels = _path_and_labels([name for name in columns if name != split], targets)
    if is_image_name(path):
        raise UserError(f"{table} begins with a file, {path}; write headings above it, such as file,label")
    splits = [""] * len(columns[path])
    if split is not None:
        splits = list(map(_split_of, columns[split]))
        sizes = " / ".join(f"{splits.count(name):,}" for name in ("train", "val", "test"))
        echo(f"splits are those of column '{split}': {sizes} rows to train, validate and test")
    stripped = [_strip_labels(columns[label], label, table, empty_allowed) for label in labels]
    paths = _find_files(columns[path], table.parent if root is None else root, table)
    repeated = [str(path) for path, n in Counter(paths).items() if n > 1]
    check_none(repeated, f"a file has one row in {table}", "two or more: {}", "keep one row of each")
    return ImageListing(paths, list(zip(*stripped, strict=True)), splits, tuple(labels))


def _read_table(table: Path, encoding: str | None) -> dict[str, list[str]]:
    """The columns of a table as text, by heading."""
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


def _path_and_labels(columns: Sequence[str], targets: Sequence[str]) -> tuple[str, list[str]]:
    """The headings of paths and labels: usual ones, else the first that are left. Prints which, unless it is clear."""
    for target in targets:
        if target not in columns:
            raise unknown_name("column (data.target)", target, columns)
    by_lower = {column.lower(): column for column in reversed(columns) if column not in targets}
    path = next((by_lower[name] for name in PATH_HEADINGS if name in by_lower), None)
    labels = list(targets) or [by_lower[name] for name in LABEL_HEADINGS if name in by_lower][:1]
    rest = [column for column in columns if column not in (path, *labels)]
    if len(rest) < (path is None) + (not labels):
        raise UserError(f"a table of images has columns of paths and of labels; it has only {', '.join(columns)}")
    is_clear = path is not None and labels and not rest
    path = path or rest.pop(0)
    labels = labels or [rest.pop(0)]
    if not is_clear:
        unused = f"; not used: {', '.join(rest[:5])}" if rest else ""
        echo(f"files are read from column '{path}', labels from {quoted_list(labels)} (data.target){unused}")
    return path, labels


def _is_split_column(cells: Iterable[str]) -> bool:
    """Whether cells are names of splits, train and another one."""
    found = set(map(_split_of, set(cells))) - {""}
    return "train" in found and len(found) > 1 and "?" not in found


def _split_of(cell: str) -> str:
    """The split that a cell names, "" for an empty cell, "?" for anything else."""
    return SPLIT_NAMES.get(cell.strip().lower(), "?" if cell.strip() else "")


def _strip_labels(column: Sequence[str], heading: str, table: Path, empty_allowed: bool) -> list[str]:
    """The labels without surrounding spaces. UserError for empty ones; prints which ones differ only slightly."""
    labels = [label.strip() for label in column]
    empty = [str(number) for number, label in enumerate(labels, 2) if not label and not empty_allowed]
    check_none(empty, f"every row of {table} has a label", "row {} has none", f"fill column {heading}, or remove it")
    if n := sum(label != cell for label, cell in zip(labels, column, strict=True)):
        echo(f"spaces around labels are removed, in {n:,} rows of {table.name}")
    similar = defaultdict(set)
    for label in labels:
        similar[label.casefold().lstrip("0")].add(label)
    if groups := [" and ".join(sorted(group)) for group in similar.values() if len(group) > 1]:
        echo(f"labels that differ only in capitals or leading zeros are different classes: {', '.join(groups[:5])}")
    return labels


def _find_files(names: Sequence[str], root: Path, table: Path) -> list[Path]:
    """The file of each name: at that path in `root`, backslashes allowed; else the only image in `root` whose path
    ends so, whatever its suffix and capitals."""
    paths = [root / name for name in names]
    unresolved = [row for row, path in enumerate(paths) if not path.is_file()]
    by_name = _images_by_name(root) if unresolved else {}
    missing: list[str] = []
    ambiguous: list[str] = []
    found_by_name: list[str] = []
    for row in unresolved:
        name = names[row].strip().replace("\\", "/")
        paths[row] = root / name
        if paths[row].is_file():
            continue
        candidates = _candidates(PurePosixPath(name.lower()), by_name)
        if len(candidates) == 1:
            found_by_name.append(f"{names[row]} is {candidates[0]}")
            paths[row] = root / candidates[0]
        elif candidates:
            ambiguous.append(" or ".join(candidates[:3]))
        else:
            missing.append(str(paths[row]))
    fix = f"paths are relative to {root}; set data.path to another folder"
    check_none(missing, f"every path of {table} is a file's", "there is no {}", fix)
    check_none(ambiguous, f"every path of {table} leads to one file", "it may be {}", "write the path in full")
    if found_by_name:
        n = len(found_by_name)
        echo(f"{n:,} of {len(paths):,} files of {table.name} are found by their names, such as {found_by_name[0]}")
    return paths


def _images_by_name(root: Path) -> dict[str, list[str]]:
    """The images of a folder by name and by name without suffix, in lower case; as paths relative to it."""
    by_name = defaultdict(list)
    for path in walk_files(root, []):
        relative = PurePosixPath(Path(path).relative_to(root).as_posix())
        if is_image_name(path):
            for name in {relative.name.lower(), relative.stem.lower()}:
                by_name[name].append(str(relative))
    return by_name


def _candidates(wanted: PurePosixPath, by_name: dict[str, list[str]]) -> list[str]:
    """The images whose path ends like `wanted`, or that an absolute `wanted` of another machine ends like."""
    is_absolute = wanted.is_absolute() or re.match("[a-z]:/", str(wanted))

    def fits(path: str) -> bool:
        whole = PurePosixPath(path.lower())
        ends = [f"/{one}" for one in (whole, whole.with_suffix(""))]
        return any(end.endswith(f"/{wanted}") or (is_absolute and str(wanted).endswith(end)) for end in ends)

    return sorted(path for path in by_name.get(wanted.name, ()) if fits(path))
