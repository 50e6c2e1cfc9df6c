"""Checkpoints that lose nothing: whole or not at all, checked by hash when read, and free of code."""

from pathlib import Path
from typing import Any

import torch
from lightning.fabric.plugins.io.torch_io import TorchCheckpointIO

from zoo.errors import UserError
from zoo.files import sha256_of, write_text, write_whole


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
