"""Checkpoints that lose nothing: whole or not at all, checked by hash when read, and free of code."""

from pathlib import Path
from typing import Any

import torch
from lightning.fabric.plugins.io.torch_io import TorchCheckpointIO

from zoo.errors import UserError
from zoo.files import TEMPORARY, sha256_of, write_text, write_whole
from zoo.terminal import print


class SafeCheckpointIO(TorchCheckpointIO):
    """Writes a checkpoint whole, beside it its sha256, its size and its number, one more than the largest in its
    folder; reads it only if hash and size hold, and runs no code."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:
        """Write `path`, and just before it takes its place `path`.sha256: a checkpoint of a new name is never there
        without."""
        path = Path(path)
        number = 1 + max(map(_number, path.parent.glob("*.ckpt")), default=0)

        def seal(ready: Path) -> None:
            write_text(_seal(path), f"{_sum(ready)} {number}\n")

        write_whole(path, lambda file: torch.save(checkpoint, file), seal)

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
    return path.is_file() and " ".join(_sealed(path)[:2]) == _sum(path)


def checkpoints(folder: Path) -> list[Path]:
    """The checkpoints in `folder`, sound or not, the one saved last first, whatever clocks said and also in a copy."""
    return sorted(folder.glob("*.ckpt"), key=_number, reverse=True)


def newest(folder: Path) -> Path | None:
    """The newest sound checkpoint in `folder`, or None where there is none."""
    for path in sorted(checkpoints(folder), key=lambda path: _number(path) > 0):  # first those without, to tell
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


def _sealed(path: Path) -> list[str]:
    seal = _seal(path)
    return seal.read_text(errors="replace").split() if seal.is_file() else []


def _number(path: Path) -> int:
    """The place of a checkpoint in the order of saving; 0 where its seal does not say. Seals written before there
    were numbers have the nanoseconds of a clock in their place, from which the numbers go on."""
    number = _sealed(path)[2:]
    return int(number[0]) if number and number[0].isdecimal() else 0


def _sum(path: Path) -> str:
    return f"{sha256_of(path)} {path.stat().st_size}"
