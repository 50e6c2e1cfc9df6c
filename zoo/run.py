"""One run folder: its files, whose it is, and the checkpoint to go on from."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from zoo.checkpoint import is_sound, newest
from zoo.errors import UserError
from zoo.files import write_text


@dataclass(frozen=True)
class Run:
    """The files of one run folder."""

    folder: Path

    @property
    def config(self) -> Path:
        return self.folder / "config.yaml"

    @property
    def history(self) -> Path:
        return self.folder / "metrics.csv"

    @property
    def metrics(self) -> Path:
        return self.folder / "metrics.json"

    @property
    def weights(self) -> Path:
        return self.folder / "model.safetensors"

    @property
    def checkpoints(self) -> Path:
        return self.folder / "checkpoints"

    @property
    def report(self) -> Path:
        return self.folder / "report.html"

    def claim(self, config: Mapping[str, Any]) -> Path | None:
        """Make the folder this training's, and find the checkpoint to go on from.

        Raises:
            UserError: when it cannot be written, holds another run, or has no such checkpoint.
        """
        if not is_first():
            return self._checkpoint(config["resume"])
        try:
            self.checkpoints.mkdir(parents=True, exist_ok=True)
            probe = self.folder / ".probe"
            probe.touch()
            probe.unlink()
        except OSError as error:
            raise UserError(f"cannot write run_dir={self.folder}: {error.strerror}; give another run_dir") from error
        begun = self.metrics.exists() or any(self.checkpoints.glob("*.ckpt"))
        if self.metrics.exists() or (begun and config["resume"] is None):
            raise UserError(
                f"run_dir={self.folder} holds a run already; add resume=auto to go on, or give another run_dir"
            )
        checkpoint = self._checkpoint(config["resume"])
        self.write_config(config)
        return checkpoint

    def write_config(self, config: Mapping[str, Any]) -> None:
        """Write what a training is told."""
        write_text(self.config, yaml.safe_dump(dict(config), sort_keys=False))

    def _checkpoint(self, resume: str | None) -> Path | None:
        if resume is None:
            return None
        if resume == "auto":
            return newest(self.checkpoints)
        if not Path(str(resume)).is_file():
            raise UserError(
                f"resume={resume}: there is no such checkpoint; resume=auto takes the newest of the run folder"
            )
        return Path(resume)

    def chosen(self, keep: str) -> Path:
        """The checkpoint that becomes the release file: "best" or "last", or the newest that is sound."""
        wanted = self.checkpoints / f"{keep}.ckpt"
        chosen = wanted if is_sound(wanted) else newest(self.checkpoints)
        if chosen is None:
            raise UserError(f"no epoch was trained in {self.folder}; raise trainer.max_epochs")
        return chosen


def is_first() -> bool:
    """Whether this is the only process of a training, or the first, as torchrun, SLURM or Lightning's launcher says."""
    names = ("RANK",) if "RANK" in os.environ else ("NODE_RANK", "LOCAL_RANK", "SLURM_PROCID")
    return all(os.environ.get(name, "0") == "0" for name in names)


def say(line: str) -> None:
    """Print a line, once for all processes."""
    if is_first():
        print(line, flush=True)
