"""Saving that loses nothing: whole or not at all, checked by hash when read, and free of code."""

import hashlib
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

import torch
from lightning.fabric.plugins.io.torch_io import TorchCheckpointIO

from zoo.errors import UserError


def write_whole(path: Path, write: Callable[[IO[bytes]], object]) -> None:
    """Write a file so that `path` is always either the old content or the new, on disk.

    Raises:
        OSError: when the disk is full or the folder read-only; `path` is then as it was.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
            os.fchmod(file.fileno(), 0o666 & ~_umask())
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _umask() -> int:
    """The permissions that new files are made without."""
    mask = os.umask(0)
    os.umask(mask)
    return mask


def write_text(path: Path, text: str) -> None:
    """`write_whole` for text."""
    write_whole(path, lambda file: file.write(text.encode()))


def sha256_of(path: Path) -> str:
    """The file's sha256 in hexadecimal."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class SafeCheckpointIO(TorchCheckpointIO):
    """Writes a checkpoint whole, with its sha256 beside it; reads it only if the hash holds, and never runs code."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:
        """Write `path` and `path`.sha256."""
        path = Path(path)
        write_whole(path, lambda file: torch.save(checkpoint, file))
        write_text(_digest(path), sha256_of(path))

    def load_checkpoint(self, path: Any, map_location: Any = None, weights_only: bool | None = True) -> dict[str, Any]:
        """The checkpoint at `path`; refuses anything that is not tensors and plain values."""
        if not is_sound(Path(path)):
            raise UserError(f"checkpoint {path} is damaged: its hash does not hold; use resume=auto or another file")
        return super().load_checkpoint(path, map_location, weights_only=True)

    def remove_checkpoint(self, path: Any) -> None:
        """Remove the checkpoint and its hash."""
        super().remove_checkpoint(path)
        _digest(Path(path)).unlink(missing_ok=True)


def is_sound(path: Path) -> bool:
    """Whether the checkpoint is the one that was written."""
    return path.is_file() and _digest(path).is_file() and _digest(path).read_text() == sha256_of(path)


def newest(folder: Path) -> Path | None:
    """The newest sound checkpoint in `folder`, or None where there is none."""
    paths = sorted(folder.glob("*.ckpt"), key=lambda path: path.stat().st_mtime_ns, reverse=True)
    for path in paths:
        if is_sound(path):
            return path
        print(f"skipping {path}: its hash does not hold")
    return None


def _digest(path: Path) -> Path:
    return path.with_name(path.name + ".sha256")
