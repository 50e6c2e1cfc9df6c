"""Checkpoints that lose nothing: whole or not at all, checked by hash when read, and free of code."""

from pathlib import Path
from typing import Any

import torch
from lightning.fabric.plugins.io.torch_io import TorchCheckpointIO

from zoo.errors import UserError
from zoo.files import TEMPORARY, sha256_of, write_text, write_whole


class SafeCheckpointIO(TorchCheckpointIO):
    """Writes a checkpoint whole, its sha256 and size beside it; reads it only if they hold, and runs no code."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:
        """Write `path`, and just before it takes its place `path`.sha256: a checkpoint of a new name is never there
        without."""
        path = Path(path)
        write_whole(path, lambda file: torch.save(checkpoint, file), lambda ready: write_text(_seal(path), _sum(ready)))

    def load_checkpoint(self, path: Any, map_location: Any = "cpu", weights_only: bool | None = True) -> dict[str, Any]:
        """The checkpoint at `path`; refuses anything that is not tensors and plain values."""
        if not is_sound(Path(path)):
            raise UserError(f"checkpoint {path} is damaged: its hash does not hold; use resume=auto or another file")
        try:
            return super().load_checkpoint(path, map_location, weights_only=True)
        except Exception as error:  # of any kind, as the bytes may be anything
            raise UserError(f"checkpoint {path} is none, or holds more than tensors and plain values") from error

    def remove_checkpoint(self, path: Any) -> None:
        """Remove the checkpoint and its hash."""
        super().remove_checkpoint(path)
        _seal(Path(path)).unlink(missing_ok=True)


def is_sound(path: Path) -> bool:
    """Whether the checkpoint is the one that was written."""
    return path.is_file() and _seal(path).is_file() and _seal(path).read_text() == _sum(path)


def checkpoints(folder: Path) -> list[Path]:
    """The checkpoints in `folder`, sound or not, the newest first."""
    return sorted(folder.glob("*.ckpt"), key=lambda path: path.stat().st_mtime_ns, reverse=True)


def newest(folder: Path) -> Path | None:
    """The newest sound checkpoint in `folder`, or None where there is none."""
    for path in checkpoints(folder):
        if is_sound(path):
            return path
        print(f"skipping {path}: its hash does not hold")
    return None


def tidy(folder: Path) -> None:
    """Remove from `folder` what a killed training left: half-written files and lone hashes."""
    for path in folder.glob(f".*{TEMPORARY}"):
        path.unlink()
    for path in folder.glob("*.ckpt.sha256"):
        if not path.with_suffix("").exists():
            path.unlink()


def _seal(path: Path) -> Path:
    return path.with_name(path.name + ".sha256")


def _sum(path: Path) -> str:
    return f"{sha256_of(path)} {path.stat().st_size}\n"
