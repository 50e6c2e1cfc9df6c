"""The run folder: its files, its lock, and the checkpoint to resume from."""

import contextlib
import csv
import errno
import json
import math
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from zoo.core.atomic_files import write_text
from zoo.core.checkpoint_file import checkpoints, is_sound, newest, tidy
from zoo.core.config_paths import absolute_if_exists, map_paths, relocated
from zoo.core.console import echo
from zoo.core.errors import DivergedError, InterruptedTraining, LostProcessError, UserError
from zoo.core.new_folders import missing_folders, removed_if_empty
from zoo.core.rank_zero import is_rank_zero
from zoo.core.run_listing import MAY_DIFFER, flat
from zoo.core.safe_yaml import read_yaml, to_yaml

DRAFTS = "drafts.txt"
PARTS = ("seed=*", "fold=*")  # folders of the runs of several seeds, or of folds
NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)  # errors of a file system without locks
ENDINGS = (DivergedError, InterruptedTraining, LostProcessError)  # of trainings that were not refused


@dataclass(frozen=True)
class Run:
    """The files of one run folder.

    Attributes:
        folder: which need not exist yet.
        made: it and its parents, if they were made for this run; removed again where its training is refused.
    """

    folder: Path
    made: Sequence[Path] = ()

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
    def data(self) -> Path:
        """What a training was given in memory."""
        return self.folder / "data"

    @property
    def samples(self) -> Path:
        return self.checkpoints / "samples.npz"

    @property
    def drafts(self) -> Path:
        """What a language model wrote while it learned."""
        return self.folder / DRAFTS

    @property
    def report(self) -> Path:
        return self.folder / "report.html"

    @property
    def parts(self) -> list["Run"]:
        """The runs in it of several seeds, or of folds."""
        return [Run(path) for kind in PARTS for path in sorted(self.folder.glob(kind))]

    def read_metrics(self) -> dict[str, Any]:
        """Read metrics.json, which a finished training has."""
        return json.loads(self.metrics.read_text())

    def read_history(self) -> dict[str, list[tuple[float, float]]]:
        """Read each column of metrics.csv as points (epoch, value), without missing values; none of folds together."""
        if not self.history.exists():
            return {}
        with open(self.history, newline="") as file:
            rows = list(csv.DictReader(file))
        return {
            name: [
                (float(row["epoch"]), float(row[name])) for row in rows if row[name] and math.isfinite(float(row[name]))
            ]
            for name in rows[0]
        }

    @contextlib.contextmanager
    def claim(self, config: Mapping[str, Any]) -> Iterator[Path | None]:
        """Lock the folder for this training within the context, and give the checkpoint to resume from, or None.

        Raises:
            UserError: when it cannot be written, is in use, holds another run, or has no such checkpoint.
        """
        if not is_rank_zero():
            yield self._checkpoint(config["resume"])
            return
        new, before = [*missing_folders(self.checkpoints), *self.made], self._contents()
        with removed_if_empty(new), self._locked(), self._restored_if_refused(before):
            self._prepare(config)
            yield self._checkpoint(config["resume"])

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        """Create the folder if necessary, and lock it against other processes and threads. The system releases the lock
        when the process ends. Its file stays: removing it would let two trainings in.

        Raises:
            UserError: when another training holds it, or it cannot be written.
        """
        lock = FileLock(self.checkpoints / ".lock", timeout=0.2)  # `zoo runs` holds it for a moment
        try:
            self.checkpoints.mkdir(parents=True, exist_ok=True)
            lock.acquire()
        except Timeout as error:
            raise UserError(f"run_dir={self.folder} is in use by another training; give another run_dir") from error
        except OSError as error:
            if error.errno not in NO_LOCKS:
                raise UserError(
                    f"cannot write run_dir={self.folder}: {error.strerror}; give another run_dir"
                ) from error
        try:
            yield
        finally:
            lock.release()

    @contextlib.contextmanager
    def _restored_if_refused(self, contents: set[Path]) -> Iterator[None]:
        """Restore the folder when a training is refused before its first checkpoint: what it wrote goes, and its config
        and metrics are those of before. `contents` is what was in it."""
        files, paths = self.all_checkpoints(), [self.config, *self._all_metrics()]
        before = {path: path.read_text() for path in paths if path.exists()}
        try:
            yield
        except Exception as error:
            if self.all_checkpoints() == files and not isinstance(error, ENDINGS):
                written = self._contents() if not contents else {self.checkpoints, self.config, self.history}
                for path in written - contents:
                    shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)
                for path, text in before.items():
                    write_text(path, text)
            raise

    def _contents(self) -> set[Path]:
        """The files and folders in it."""
        return set(self.folder.iterdir()) if self.folder.is_dir() else set()

    def _all_metrics(self) -> list[Path]:
        """metrics.json of the training, and of each of its parts."""
        return [run.metrics for run in (self, *self.parts)]

    def all_checkpoints(self) -> list[Path]:
        """The checkpoints of the training, and of each of its parts."""
        return [path for run in (self, *self.parts) for path in checkpoints(run.checkpoints)]

    def _prepare(self, config: Mapping[str, Any]) -> None:
        """Remove what a killed training left, check that this one may resume, and write its config."""
        for run in (self, *self.parts):
            tidy(run.folder)
            tidy(run.checkpoints)
        begun = self.metrics.exists() or bool(self.all_checkpoints())
        if begun and config["resume"] is None:
            raise UserError(
                f"run_dir={self.folder} holds a run already; add resume=auto to continue it, or give another run_dir"
            )
        changes = self._changes(config) if begun else []
        if changes and config["resume"] != "changed":
            raise UserError(
                f"run_dir={self.folder} holds a run of another config; resume=changed continues anyway\n"
                + "\n".join([*changes[:2], f"and {len(changes) - 2} more"] if len(changes) > 3 else changes)
            )
        if changes:
            echo("\n".join(["continuing with other settings", *changes]), flush=True)
            for metrics in self._all_metrics():
                metrics.unlink(missing_ok=True)
        self.write_config(config)

    def _changes(self, config: Mapping[str, Any]) -> list[str]:
        """Describe the settings that differ from those of the run in the folder."""
        before = dict(flat(map_paths(self.read_config(), relocated) if self.config.exists() else {}))
        now = dict(flat(map_paths(config, absolute_if_exists)))
        keys = sorted({*before, *now} - MAY_DIFFER)
        different = [key for key in keys if before.get(key) != now.get(key)]
        return [f"{key}: {before.get(key)} before, {now.get(key)} now" for key in different]

    def write_config(self, config: Mapping[str, Any]) -> None:
        """Write a training's config, with absolute paths."""
        write_text(self.config, to_yaml(map_paths(config, absolute_if_exists)))

    def read_config(self) -> Mapping[str, Any]:
        """Read the training's config; UserError if the file holds something else.

        Paths of data in a folder that was moved lead to where it is now.
        """
        config = read_yaml(self.config)
        if not isinstance(config, Mapping):
            raise UserError(f"{self.config} is not the config of a training: it holds {config!r:.80}")
        return map_paths(config, self._moved)

    def _moved(self, path: str) -> str:
        """A path; if it does not exist any more, that of the file of its name in `data`, if there is one."""
        inside = self.data / Path(path).name
        return str(inside) if not os.path.exists(path) and inside.is_file() else path

    def _checkpoint(self, resume: str | None) -> Path | None:
        if resume is None:
            return None
        if resume in ("auto", "changed"):
            return newest(self.checkpoints)
        path = Path(str(resume)).expanduser()
        if not path.is_file():
            raise UserError(
                f"resume={resume}: there is no such checkpoint; resume=auto takes the newest of the run folder"
            )
        return path

    def chosen(self, keep: str) -> Path:
        """Find the checkpoint that becomes the weights file: "best", or "last", the newest sound one."""
        best = self.checkpoints / "best.ckpt"
        chosen = best if keep == "best" and is_sound(best) else newest(self.checkpoints)
        if chosen is None:
            raise UserError(f"no epoch was trained in {self.folder}; raise trainer.max_epochs or budget")
        return chosen


def finished_runs(folder: Path) -> list[Run]:
    """List the finished trainings in a folder and in all below it."""
    runs = [Run(path.parent) for path in sorted(folder.rglob("metrics.json"))]
    return [run for run in runs if run.config.exists()]  # an evaluation leaves none
