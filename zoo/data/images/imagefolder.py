"""Image folder: pictures of the user's own, in a folder for each class or named in a table with their labels.

Files of all sizes and colours are brought to one shape, once, and kept decoded in the cache folder.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import torch

from zoo.core.console import echo
from zoo.core.errors import UserError, unknown_name
from zoo.core.spec import DataSpec, Input, float_type
from zoo.data import DATA, Facts
from zoo.data.columns.numbers import exceeds_float32, finite_range
from zoo.data.images._folder import Listing, existing, list_folder
from zoo.data.images._images import image_spec, with_look
from zoo.data.images._look import look_in, say_done
from zoo.data.images._store import Size, Store, open_store
from zoo.data.images._table import list_table
from zoo.data.leakage import report_duplicates
from zoo.data.random_split import carve, check_shares
from zoo.data.registry import LABELLED_READERS
from zoo.data.splits import Split, Splits

FACTS = Facts(
    task="any",
    rows="as found; 60 / 20 / 20 % where the folder has no splits",
    inputs="image of measured size, grey or in colour (uint8)",
    licence="that of the files",
    source="files of the user's own",
)


@DATA.register("imagefolder")
def imagefolder(
    *,
    path: str | None = None,
    labels: str | None = None,
    target: str | None = None,
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
        path: the folder; with `labels`, the one that the table's paths are relative to.
        labels: a CSV of paths and labels, in columns of such names or the first two. A column of splits (train, val,
            test) is used. Paths may be written as in Windows, without endings, or as names alone.
        target: its column of labels.
        encoding: of a table that is not UTF-8, such as shift_jis; None is Windows-1252.
        task: "classification", or "regression" of a table's numbers.
        size: side, or [height, width], in pixels; None measures it.
        channels: 1 or 3; None measures it.
        corrupt: "skip" or "refuse" files that cannot be read.
        cache: keep decoded images on disk; "auto" does so where they take no more than half of its free space.
        test_share: share of the images that test, where there is no test/.
        val_share: share of the images that validate, where there is no val/.
        split_seed: of the splits carved out.
    """
    check_shares(val_share, test_share)
    _check_options(size, task=task, channels=channels, corrupt=corrupt, cache=cache)
    listing = _listing(path, labels, target, encoding, task)
    store = open_store(listing.paths, size, channels, cache)
    _check_files(listing, store, corrupt)
    names, own_splits = (np.array(column)[store.rows] for column in (listing.labels, listing.splits))
    classes = _classes(names, own_splits) if task == "classification" else []
    spec = image_spec("imagefolder", store.shape, classes, FACTS)
    if classes:
        answers = torch.from_numpy(np.searchsorted(classes, names))
    else:
        numbers = _numbers(names)
        dtype = float_type(finite_range(numbers))
        answers = torch.from_numpy(numbers.astype(dtype))
        spec = replace(spec, task=task, n_outputs=1, target=Input((1,), dtype, scaled_axis=0), target_name="label")
    rows = _parts(own_splits, names if classes else None, test_share, val_share, split_seed)
    train, val, test = (store.split(some, answers[some]) for some in rows)
    shape = " x ".join(map(str, store.shape))
    echo(
        f"{len(names):,} images{f' of {len(classes)} classes' if classes else ''}; "
        f"{len(train):,} / {len(val):,} / {len(test):,} to train, validate and test; {shape}"
    )
    group_of = {row: number for number, group in enumerate(store.copies) for row in group}
    report_duplicates(*([group_of[store.rows[i]] for i in some if store.rows[i] in group_of] for some in rows))
    return Splits(
        with_look(spec, train),
        train,
        val,
        test,
        files={"skipped.txt": "\n".join(store.skipped)} if store.skipped else {},
    )


@LABELLED_READERS.register("imagefolder")
def read_labelled(spec: DataSpec, data: Mapping[str, Any]) -> Split:
    """Every image of another folder or table, as a model with `spec` was trained to read them."""
    if "image" not in spec.inputs:
        raise UserError(f"data=imagefolder has images; this model takes {', '.join(spec.inputs)}")
    shape: Any = spec.inputs["image"].shape
    channels, height, width = shape
    path, labels, target, encoding = (data.get(option) for option in ("path", "labels", "target", "encoding"))
    listing = _to_measure(_listing(path, labels, target, encoding, spec.task), data)
    store = open_store(listing.paths, (height, width), channels, data.get("cache", "auto"), look_in(spec))
    say_done(store.done)
    if store.look and store.pixels is None:
        echo("pictures unlike those of training are brought to their look whenever they are read")
    _check_files(listing, store, data.get("corrupt", "skip"))
    names = np.array(listing.labels)[store.rows]
    codes = {name: code for code, name in enumerate(spec.class_names)}
    if codes and (strange := set(names.tolist()) - set(codes)):
        raise unknown_name("class of the model", min(strange), spec.class_names)
    answers = np.array([codes[name] for name in names]) if codes else _numbers(names).astype(spec.target.dtype)
    echo(f"all {len(names):,} images, as {channels} x {height} x {width}")
    return store.split(np.arange(len(names)), torch.from_numpy(answers))


def _to_measure(listing: Listing, data: Mapping[str, Any]) -> Listing:
    """The rows of a table's test split, or all where there are no splits; those of folders have a path of their own."""
    rows = [row for row, split in enumerate(listing.splits) if split == "test"]
    if any(listing.splits) and data.get("labels") is None:
        raise UserError(f"{data['path']} has splits; say which to measure on, such as data.path={data['path']}/test")
    if any(listing.splits) and not rows:
        raise UserError(f"{data['labels']} has splits and none to test; leave that column out to measure on all rows")
    return listing.some(rows) if rows else listing


CHOICES = {
    "task": ("classification", "regression"),
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


def _listing(path: str | None, labels: str | None, target: str | None, encoding: str | None, task: str) -> Listing:
    """The files with their labels, wherever these stand."""
    root = None if path is None else existing(path, "path")
    if root and not root.is_dir():
        raise UserError(f"data.path is a folder; {path} is a file\na CSV of paths and labels goes in data.labels")
    if labels is not None:
        inside = root and root / labels
        table = inside if inside and inside.is_file() else existing(labels, "labels")
        return list_table(table, root, None if target is None else str(target), encoding)  # a heading may be a number
    if target is not None:
        raise UserError(f"data.target is a column of the table data.labels, which is not given; got {target}")
    if root is None:
        raise UserError("data imagefolder needs data.path=<a folder of class folders>, or data.labels=<a CSV>")
    if task == "regression":
        raise UserError("data.task=regression needs data.labels=<a CSV of paths and numbers>; got class folders")
    return list_folder(root)


def _check_files(listing: Listing, store: Store, corrupt: str) -> None:
    """Refuse or name the files that cannot be read, and say which lie in two classes."""
    if store.skipped:
        count = f"{len(store.skipped):,} of {len(listing.paths):,} image files cannot be read"
        if corrupt == "refuse":
            raise UserError("\n".join([f"{count}; remove them, or set data.corrupt=skip", *store.skipped[:3]]))
        echo("\n  ".join([f"left out: {count}", *store.skipped[:5]]))
        if len(store.skipped) > 5:
            echo("  skipped.txt of the run folder lists all")
    double = [group for group in store.copies if len({listing.labels[row] for row in group}) > 1]
    if double:
        pair = " and ".join(str(listing.paths[row]) for row in double[0][:2])
        count = f"{len(double):,} time{'s' * (len(double) > 1)}"
        echo(f"the same file lies in two classes, {count}; such as {pair}")


def _numbers(names: np.ndarray) -> np.ndarray:
    """Labels as numbers (n, 1), float64."""
    numbers = pd.to_numeric(pd.Series(names), errors="coerce").to_numpy(dtype=np.float64)
    wrong = [str(name) for name in names[np.isnan(numbers) | exceeds_float32(numbers)][:5]]
    if wrong:
        raise UserError(
            f"regression takes labels that are finite numbers, such as 2.5; got {'; '.join(wrong)}\n"
            "write a point for a comma, and leave out rows without a number"
        )
    return numbers[:, None]


def _classes(names: np.ndarray, own_splits: np.ndarray) -> list[str]:
    """The classes, sorted, of which each has an image for every split that it must fill."""
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
    few = min(counts, key=lambda name: counts[name])
    if counts[few] < needed:
        raise UserError(
            f"each class has an image at least for each split carved from it, so {needed}; "
            f"class '{few}' has {counts[few]}\nadd images to it, or take it out"
            "; numbers to predict need data.task=regression"
        )
    return sorted(counts)


def _parts(
    own_splits: np.ndarray, names: np.ndarray | None, test_share: float, val_share: float, split_seed: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Positions of the images that train, in random order, validate and test; those that the folder does not name are
    carved out."""
    train = np.flatnonzero(np.isin(own_splits, ("", "train")))
    whole, parts = len(train), {}
    too_few = UserError(
        f"each class has an image at least to train; data.test_share={test_share} and data.val_share={val_share} leave "
        f"too few of {whole}\nadd images, or lower data.test_share and data.val_share"
    )
    for split, share in (("test", test_share), ("val", val_share)):
        parts[split] = np.flatnonzero(own_splits == split)
        if not len(parts[split]):
            size = max(round(share * whole), 1)
            if size >= len(train):
                raise too_few
            rest, carved = carve(len(train), size, seed=split_seed, stratify=None if names is None else names[train])
            train, parts[split] = train[rest], train[carved]
    if names is not None and set(names[train]) != set(names):
        raise too_few
    return np.random.default_rng(split_seed).permutation(train), parts["val"], parts["test"]
