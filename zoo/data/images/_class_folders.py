"""List the images of class folders, <path>/<class>/, with their labels and splits."""

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
    visible_entries,
    walk_files,
)
from zoo.data.images.suffixes import is_image_name

KIND = "images, such as .jpg or .png"


class ImageListing(NamedTuple):
    """Image files, each with its labels and the split that its folder or table names, "" if none.

    `labels` has a text of each file for every one of `headings`, which is one unless a table has several targets.
    """

    paths: list[Path]
    labels: list[tuple[str, ...]]
    splits: list[str]
    headings: tuple[str, ...] = ("class",)

    def select(self, rows: Sequence[int]) -> "ImageListing":
        """The files of these rows."""
        paths, labels, splits = ([column[row] for row in rows] for column in self[:3])
        return ImageListing(paths, labels, splits, self.headings)  # type: ignore[arg-type]


def list_images(folder: Path) -> list[Path]:
    """List the image files in a folder and its subfolders, sorted, except hidden ones."""
    return [path for path in list_files(folder) if is_image_name(path.name)]


def list_class_folders(root: Path) -> ImageListing:
    """List the files of <root>/<class>/, or of <root>/train/<class>/, val/ and test/.

    Raises:
        UserError: when there is no image in a class folder, or a class is missing in train/.
    """
    skipped: list[str] = []
    files = {
        (split, folder / label): sorted(walk_files(folder / label, skipped))
        for split, folder in (_split_folders(root) or {"": root}).items()
        for label in list_folders(folder)
    }
    report_skipped_links(skipped)
    images = {place: [path for path in paths if is_image_name(path)] for place, paths in files.items()}
    if empty := [str(folder.relative_to(root)) for (_, folder), paths in images.items() if not paths]:
        echo(f"not classes, as they hold no {KIND}: {', '.join(empty[:5])}")
    others = [path for place, paths in files.items() if images[place] for path in paths if not is_image_name(path)]
    report_other_files(others, KIND)
    rows = [(Path(path), (folder.name,), split) for (split, folder), paths in images.items() for path in paths]
    if not rows:
        raise _no_images(root)
    paths, labels, splits = map(list, zip(*rows, strict=True))
    listing = ImageListing(paths, labels, splits)
    _check_classes(listing, root)
    return listing


def _no_images(root: Path) -> UserError:
    outside = "; the images lie outside such folders" if list_images(root) else ""
    return UserError(
        f"data.path holds a folder of images for each class, as <path>/<class>/1.png; {root} has none{outside}\n"
        "sort them into such folders, or give data.labels, a CSV of paths and labels"
    )


def _split_folders(root: Path) -> dict[str, Path]:
    """The folders of splits, by split.

    Empty, and train/ is a class like others, unless one for training has only folders with images in it. Folders with
    other names are left out, with a line that names them.
    """
    named = [(SPLIT_NAMES[name.lower()], root / name) for name in list_folders(root) if name.lower() in SPLIT_NAMES]
    parts = dict(named)
    if "train" not in parts or not _holds_class_folders(parts["train"]):
        return {}
    splits = [split for split, _ in named]
    check_none(
        sorted(path.name for split, path in named if splits.count(split) > 1),
        f"{root} has one folder for each split",
        "it has {}",
        "rename all but one of them, or put their images together",
    )
    parts = {split: path for split, path in parts.items() if _holds_class_folders(path)}
    if others := [name for name in list_folders(root) if root / name not in parts.values()]:
        used = ", ".join(f"{path.name}/" for path in parts.values())
        echo(f"left out, as the classes are those of {used}: {', '.join(others[:5])}")
    return parts


def _holds_class_folders(folder: Path) -> bool:
    """Whether there are images in subfolders and none beside these."""
    beside = any(is_image_name(entry.name) for entry in visible_entries(folder) if not entry.is_dir())
    return not beside and any(map(is_image_name, walk_files(folder, [])))


def _check_classes(listing: ImageListing, root: Path) -> None:
    """Raise UserError for a class that only validation or test images have."""
    pairs = {(label, split) for (label,), split in zip(listing.labels, listing.splits, strict=True)}
    trained = {label for label, split in pairs if split in ("", "train")}
    for label, split in sorted(pairs):
        if label not in trained:
            raise UserError(
                f"{split}/ of {root} has class '{label}', train/ has not; {unknown_name('class', label, trained)}"
            )


def check_none(wrong: Sequence[str], rule: str, what: str, fix: str) -> None:
    """Raise UserError with the first five of `wrong`, if there are any."""
    if wrong:
        more = f" and {len(wrong) - 5} more" if len(wrong) > 5 else ""
        raise UserError(f"{rule}; {what.format(', '.join(wrong[:5]))}{more}\n{fix}")
