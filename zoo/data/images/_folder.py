"""What a folder of images holds: files with their labels, by class folders."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from zoo.core.console import echo
from zoo.core.errors import UserError, unknown_name
from zoo.data.folders import (
    SPLIT_NAMES,
    list_files,
    list_folders,
    report_other_files,
    report_skipped_links,
    suffix,
    visible_entries,
    walk_files,
)
from zoo.data.images._pixels import EXTENSIONS


class Listing(NamedTuple):
    """Image files, each with its label and the split that its folder names, or ""."""

    paths: list[Path]
    labels: list[str]
    splits: list[str]

    def some(self, rows: Sequence[int]) -> "Listing":
        """The files of these rows."""
        return Listing(*([column[row] for row in rows] for column in self))  # type: ignore[arg-type]


def image_files(folder: Path) -> list[Path]:
    """The image files in a folder and the folders in it, sorted; hidden ones and files of other kinds are left out."""
    return [path for path in list_files(folder) if is_image(path.name)]


def list_folder(root: Path) -> Listing:
    """The files of <root>/<class>/, or of <root>/train/<class>/, val/ and test/."""
    parts = _split_folders(root) or {"": root}
    passed: list[str] = []
    files = {
        (split, part / label): sorted(walk_files(part / label, passed))
        for split, part in parts.items()
        for label in list_folders(part)
    }
    report_skipped_links(passed)
    folders = {place: [Path(path) for path in paths if is_image(path)] for place, paths in files.items()}
    found = [(path, folder.name, split) for (split, folder), images in folders.items() for path in images]
    bare = [str(folder.relative_to(root)) for (_, folder), images in folders.items() if not images]
    if bare:
        echo(f"no class, as there are no images in it, such as .jpg or .png: {', '.join(bare[:5])}")
    others = (path for place, paths in files.items() if folders[place] for path in paths if not is_image(path))
    report_other_files(others, "images, such as .jpg or .png")
    if not found:
        loose = "; the images lie outside such folders" if image_files(root) else ""
        raise UserError(
            f"data.path holds a folder of images for each class, as <path>/<class>/1.png; {root} has none{loose}\n"
            "sort them into such folders, or give data.labels, a CSV of paths and labels"
        )
    listing = Listing(*map(list, zip(*found, strict=True)))
    _check_classes(listing, root)
    return listing


def _split_folders(root: Path) -> dict[str, Path]:
    """The folders of splits by split, where one to train holds folders of images and no image beside these. Folders of
    other names are left out then, and named. Else none, and train/ is a class among others."""
    named = [(SPLIT_NAMES[name.lower()], root / name) for name in list_folders(root) if name.lower() in SPLIT_NAMES]
    parts = dict(named)
    if "train" not in parts or not _holds_folders_of_images(parts["train"]):
        return {}
    refuse(
        sorted(path.name for split, path in named if [other for other, _ in named].count(split) > 1),
        f"{root} has one folder for each split",
        "it has {}",
        "rename all but one of them, or put their images together",
    )
    parts = {split: path for split, path in parts.items() if _holds_folders_of_images(path)}
    if others := [name for name in list_folders(root) if root / name not in parts.values()]:
        taken = ", ".join(f"{path.name}/" for path in parts.values())
        echo(f"left out, as the classes are taken from {taken}: {', '.join(others[:5])}")
    return parts


def existing(path: str | Path, option: str) -> Path:
    """A path of the user's that is there, absolute; UserError with the nearest name where it is not."""
    found = Path(path).expanduser().absolute()
    if not found.exists():
        parent = next(parent for parent in found.parents if parent.exists())
        wrong = found.relative_to(parent).parts[0]
        near = unknown_name(f"file or folder in {parent}", wrong, os.listdir(parent))
        raise UserError(f"data.{option}={path} is not there: {near}")
    return found


def _check_classes(listing: Listing, root: Path) -> None:
    pairs = set(zip(listing.labels, listing.splits, strict=True))
    trained = {label for label, split in pairs if split in ("", "train")}
    for label, split in sorted(pairs):
        if label not in trained:
            raise UserError(
                f"{split}/ of {root} has class '{label}', train/ has not; {unknown_name('class', label, trained)}"
            )


def refuse(wrong: Sequence[str], rule: str, what: str, fix: str) -> None:
    """Raise UserError with the first five of `wrong`, where there are any."""
    if wrong:
        more = f" and {len(wrong) - 5} more" if len(wrong) > 5 else ""
        raise UserError(f"{rule}; {what.format(', '.join(wrong[:5]))}{more}\n{fix}")


def _holds_folders_of_images(folder: Path) -> bool:
    """Whether there are images in its folders and none beside these."""
    beside = any(is_image(entry.name) for entry in visible_entries(folder) if not entry.is_dir())
    return not beside and any(map(is_image, walk_files(folder, [])))


def is_image(path: str) -> bool:
    """Whether a file is named as one of the kinds of image that are read."""
    return suffix(path) in EXTENSIONS
