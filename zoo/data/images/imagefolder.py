"""Image folder: a user's images, in one folder for each class or in a table with their labels.

Files of any size and mode are brought to one shape, once, and kept decoded in the cache.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from zoo.core.console import echo
from zoo.core.errors import UserError
from zoo.core.spec import DataSpec
from zoo.data import DATA, Facts
from zoo.data.columns.targets import ArrowTargets
from zoo.data.folders import existing_path
from zoo.data.images._class_folders import ImageListing, list_class_folders
from zoo.data.images._drawings import report_changes, style_in
from zoo.data.images._image_spec import image_spec, with_drawing_style
from zoo.data.images._image_store import ImageStore, Size, open_images
from zoo.data.images._label_table import list_label_table
from zoo.data.leakage import report_duplicate_hashes
from zoo.data.options import as_strings
from zoo.data.random_split import carve, check_shares
from zoo.data.registry import LABELLED_READERS
from zoo.data.splits import Split, Splits
from zoo.tasks import TASKS, Task, create_task

FACTS = Facts(
    task="any",
    rows="as found; 60 / 20 / 20 % where the folder has no splits",
    inputs="image of measured size, grey or in colour (uint8)",
    licence="that of the files",
    source="your files",
)


@DATA.register("imagefolder")
def imagefolder(
    *,
    path: str | None = None,
    labels: str | None = None,
    target: str | Sequence[str] | None = None,
    encoding: str | None = None,
    task: str = "classification",
    size: Size = None,
    channels: int | None = None,
    corrupt: str = "skip",
    cache: bool | str = "auto",
    test_share: float = 0.2,
    val_share: float = 0.2,
    split_seed: int = 0,
) -> Splits:
    """Images in <path>/<class>/, in <path>/train/<class>/ with val/ and test/ beside it, or in a table.

    Args:
        path: the folder; with `labels`, the folder that the table's paths are relative to.
        labels: a CSV of paths and labels, in columns with such headings or the first two. A column of splits (train,
            val, test) is used. Paths may be written as in Windows, without suffixes, or as names alone.
        target: heading of its column of labels, or several headings; None finds it.
        encoding: of a table that is not UTF-8, such as shift_jis; None is Windows-1252.
        task: the name of a task, such as "classification", or "regression" of a table's numbers.
        size: side, or [height, width], in pixels; None measures it.
        channels: 1 or 3; None measures it.
        corrupt: "skip" or "refuse" files that cannot be read.
        cache: keep decoded images on disk; "auto" does so where they take at most half of its free space.
        test_share: share of the images for testing, where there is no test/.
        val_share: share of the images for validation, where there is no val/.
        split_seed: of the splits that are drawn.
    """
    check_shares(val_share, test_share)
    learnt = TASKS.get(task)
    _check_options(size, channels=channels, corrupt=corrupt, cache=cache)
    listing = _list_images(path, labels, target, encoding, learnt)
    store = open_images(listing.paths, size, channels, cache)
    _report_files(listing, store, corrupt)
    listing = listing.select(store.rows)
    own_splits, columns = np.array(listing.splits), _target_columns(listing)
    groups = np.array(columns[0].texts()) if learnt.stratified else None
    targets, fields = learnt.encode(columns, None if groups is None else _classes(groups, own_splits))
    fields = {"task": task, "target_name": ", ".join(listing.headings), **fields}
    name = Path(path or labels or "").expanduser().absolute().name.partition(".")[0] or "imagefolder"
    spec = image_spec(name, store.shape, fields.pop("class_names", []), FACTS, **fields)
    rows = _split_rows(own_splits, groups, test_share, val_share, split_seed)
    train, val, test = (store.split(part, targets[part]) for part in rows)
    _report_splits(spec, store, rows)
    skipped = {"skipped.txt": "\n".join(store.skipped)} if store.skipped else {}
    return Splits(with_drawing_style(spec, train), train, val, test, files=skipped)


@LABELLED_READERS.register("imagefolder")
def read_labelled(spec: DataSpec, data: Mapping[str, Any]) -> Split:
    """Read every image of another folder or table as a model with `spec` was trained to."""
    if "image" not in spec.inputs:
        raise UserError(f"data=imagefolder has images; this model takes {', '.join(spec.inputs)}")
    shape: Any = spec.inputs["image"].shape
    channels, height, width = shape
    path, labels, target, encoding = (data.get(option) for option in ("path", "labels", "target", "encoding"))
    task = create_task(spec)
    listing = _test_rows(_list_images(path, labels, target, encoding, type(task)), data)
    store = open_images(listing.paths, (height, width), channels, data.get("cache", "auto"), style_in(spec))
    report_changes(store.changes)
    if store.style and store.pixels is None:
        echo("images unlike the training images are redrawn whenever they are read")
    _report_files(listing, store, data.get("corrupt", "skip"))
    targets = task.targets(_target_columns(listing.select(store.rows)))
    echo(f"all {len(targets):,} images, as {channels} x {height} x {width}")
    return store.split(np.arange(len(targets)), targets)


def _target_columns(listing: ImageListing) -> list[ArrowTargets]:
    """The labels of a listing as columns of targets."""
    train = np.flatnonzero(np.isin(listing.splits, ("", "train")))
    return [
        ArrowTargets(heading, pa.array(labels), lambda row: str(listing.paths[row]), train, class_rows=train)
        for heading, labels in zip(listing.headings, zip(*listing.labels, strict=True), strict=True)
    ]


def _test_rows(listing: ImageListing, data: Mapping[str, Any]) -> ImageListing:
    """The test split of a table, or all rows if there are no splits. UserError for a folder with splits."""
    rows = [row for row, split in enumerate(listing.splits) if split == "test"]
    if any(listing.splits) and data.get("labels") is None:
        raise UserError(f"{data['path']} has splits; say which to measure on, such as data.path={data['path']}/test")
    if any(listing.splits) and not rows:
        raise UserError(f"{data['labels']} has splits and none to test; remove that column to measure on all rows")
    return listing.select(rows) if rows else listing


CHOICES = {
    "channels": (None, 1, 3),
    "corrupt": ("skip", "refuse"),
    "cache": ("auto", True, False),
}


def _check_options(size: Size, **options: object) -> None:
    for option, value in options.items():
        if value not in CHOICES[option]:
            raise UserError(f"data.{option} is one of {', '.join(map(str, CHOICES[option]))}; got {value}")
    sides = size if isinstance(size, list | tuple) else [1 if size is None else size] * 2
    if len(sides) != 2 or not all(type(side) is int and side > 0 for side in sides):
        raise UserError(f"data.size is a number of pixels, or [height, width]; got {size}")


def _list_images(
    path: str | None,
    labels: str | None,
    target: str | Sequence[str] | None,
    encoding: str | None,
    task: type[Task],
) -> ImageListing:
    """List the files with their labels, from a table or from class folders."""
    root = None if path is None else existing_path(path, "path")
    if root and not root.is_dir():
        raise UserError(f"data.path is a folder; {path} is a file\na CSV of paths and labels goes in data.labels")
    if labels is not None:
        inside = root and root / labels
        table = inside if inside and inside.is_file() else existing_path(labels, "labels")
        targets = as_strings(target)
        empty_allowed = task.reads_empty(len(targets) or 1)
        return list_label_table(table, root, targets, encoding, empty_allowed=empty_allowed)
    if target is not None:
        raise UserError(f"data.target is a column of the table data.labels, which is not given; got {target}")
    if root is None:
        raise UserError("data imagefolder needs data.path=<a folder of class folders>, or data.labels=<a CSV>")
    listing = list_class_folders(root)
    folders = [replace(column, given_kind="categorical") for column in _target_columns(listing)]
    if not task.fits(folders).score:
        raise UserError("this data.task needs data.labels=<a CSV of paths and targets>; got class folders")
    return listing


def _report_files(listing: ImageListing, store: ImageStore, corrupt: str) -> None:
    """Print, or refuse, the files that cannot be read, and print which are in two classes."""
    if store.skipped:
        count = f"{len(store.skipped):,} of {len(listing.paths):,} image files cannot be read"
        if corrupt == "refuse":
            raise UserError("\n".join([f"{count}; remove them, or set data.corrupt=skip", *store.skipped[:3]]))
        echo("\n  ".join([f"left out: {count}", *store.skipped[:5]]))
        if len(store.skipped) > 5:
            echo("  skipped.txt of the run folder lists all")
    ambiguous = [group for group in store.duplicates if len({listing.labels[row] for row in group}) > 1]
    if ambiguous:
        example = " and ".join(str(listing.paths[row]) for row in ambiguous[0][:2])
        count = f"{len(ambiguous):,} time{'s' * (len(ambiguous) > 1)}"
        echo(f"the same file is in two classes, {count}; such as {example}")


def _report_splits(spec: DataSpec, store: ImageStore, rows: Sequence[np.ndarray]) -> None:
    """Print the sizes of the splits, and how many duplicate files they share."""
    classes = f" of {len(spec.class_names)} classes" if spec.class_names else ""
    sizes = " / ".join(f"{len(part):,}" for part in rows)
    shape = " x ".join(map(str, store.shape))
    echo(f"{len(store.rows):,} images{classes}; {sizes} to train, validate and test; {shape}")
    group_of = {row: number for number, group in enumerate(store.duplicates) for row in group}
    report_duplicate_hashes(*([group_of[store.rows[i]] for i in part if store.rows[i] in group_of] for part in rows))


def _classes(names: np.ndarray, own_splits: np.ndarray) -> list[str]:
    """The classes, sorted. UserError unless each has an image for training and for each split that is drawn."""
    counts = Counter(names[np.isin(own_splits, ("", "train"))].tolist())
    untrained = set(names.tolist()) - set(counts)
    if untrained:
        raise UserError(f"each class has a readable image to train; class '{min(untrained)}' has none")
    if len(counts) < 2:
        raise UserError(
            f"a classification has two classes or more; all images are of class '{next(iter(counts))}'\n"
            "give as data.path the folder that holds a folder for each class"
        )
    needed = 3 - len({"val", "test"} & set(own_splits.tolist()))
    rarest = min(counts, key=lambda name: counts[name])
    if counts[rarest] < needed:
        raise UserError(
            f"each class has at least one image for each split drawn from it, so {needed}; "
            f"class '{rarest}' has {counts[rarest]}\nadd images to it, or remove it"
            "; numbers to predict need data.task=regression"
        )
    return sorted(counts)


def _split_rows(
    own_splits: np.ndarray, names: np.ndarray | None, test_share: float, val_share: float, split_seed: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Positions of the images for training, in random order, validation and testing; splits that the folder or table
    lacks are drawn from those for training, stratified by the classes `names`, if given."""
    train = np.flatnonzero(np.isin(own_splits, ("", "train")))
    n_before, parts = len(train), {}
    too_few = UserError(
        f"each class has at least one image to train; data.test_share={test_share} and data.val_share={val_share} "
        f"leave too few of {n_before}\nadd images, or lower data.test_share and data.val_share"
    )
    for split, share in (("test", test_share), ("val", val_share)):
        parts[split] = np.flatnonzero(own_splits == split)
        if not len(parts[split]):
            size = max(round(share * n_before), 1)
            if size >= len(train):
                raise too_few
            rest, drawn = carve(len(train), size, seed=split_seed, stratify=None if names is None else names[train])
            train, parts[split] = train[rest], train[drawn]
    if names is not None and set(names[train]) != set(names):
        raise too_few
    return np.random.default_rng(split_seed).permutation(train), parts["val"], parts["test"]
