"""Load the splits of a training, and exclude samples that a checkpoint of other data has seen."""

import contextlib
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from zoo.core.atomic_files import write_text
from zoo.core.errors import UserError
from zoo.core.rank_zero import is_rank_zero, rank_zero_print
from zoo.core.run_folder import Run
from zoo.core.spec import DataSpec
from zoo.data.fingerprints import (
    SPLIT_ORDER,
    SplitHashes,
    describe_changes,
    fingerprints,
    read_hashes,
    split_hashes,
)
from zoo.data.leakage import earlier_hashes_key, seen_hashes
from zoo.data.module import load_section
from zoo.data.splits import Splits
from zoo.engine.checkpoint_io import SafeCheckpointIO
from zoo.engine.task_settings import spec_with_head
from zoo.inference.held_out import check_compatible, remove_seen
from zoo.inference.training_data import data_name
from zoo.settings.training_config import TrainingConfig

HELD_OUT = ("val", "test")


@dataclass(frozen=True)
class TrainingSplits:
    """The splits that a training learns from and is measured on.

    Attributes:
        splits: without held-out samples that the checkpoint's training has seen.
        hashes: of the samples of each split before that, and of those that trainings on other data have seen.
    """

    splits: Splits
    hashes: SplitHashes

    def fingerprints(self) -> Mapping[str, Any]:
        """Return the fingerprints of the splits, for the card."""
        is_reduced = any(len(self.hashes[earlier_hashes_key(name)]) for name in HELD_OUT)
        return fingerprints(split_hashes(self.splits) if is_reduced else self.hashes)


def load_splits(
    run: Run, config: TrainingConfig, checkpoint: Path | None, splits: Splits | None = None
) -> TrainingSplits:
    """Load the config's data, unless they are given, and compare them with what `checkpoint` was trained on.

    Files that come with the splits, such as schema.yaml, are written to the run folder.

    Raises:
        UserError: for data that changed since the checkpoint, unless resume=changed.
    """
    if splits is None:
        with contextlib.redirect_stdout(sys.stdout if is_rank_zero() else None):  # readers print in one process alone
            splits = load_section(config.data)
    splits = replace(splits, spec=spec_with_head(config, splits.spec))
    for name, text in splits.files.items() if is_rank_zero() else ():
        write_text(run.folder / name, text)
    hashes, seen = split_hashes(splits), dict.fromkeys(HELD_OUT, np.empty(0, np.uint64))
    if checkpoint is not None:
        seen |= _seen(run, config, splits, hashes, checkpoint)
    earlier = {earlier_hashes_key(name): values for name, values in seen.items()}
    return TrainingSplits(remove_seen(splits, seen), {**hashes, **earlier})


def _seen(run: Run, config: TrainingConfig, splits: Splits, hashes: SplitHashes, checkpoint: Path) -> SplitHashes:
    """Return the samples of other data that the checkpoint's training may not measure on; nothing for the same data."""
    saved = SafeCheckpointIO().load_checkpoint(checkpoint)
    trained_on, before = saved.get("data", {}), read_hashes(checkpoint.parent / run.samples.name)
    changes = describe_changes(trained_on, fingerprints(hashes))
    are_checkpoints = not describe_changes(trained_on, fingerprints(before))
    if changes:
        _allow(config, checkpoint, changes)
        check_compatible(DataSpec.from_json(saved["hyper_parameters"]["spec"]), splits.spec)
    if not (changes and are_checkpoints):  # then the splits among them are of this data already
        before = {name: values for name, values in before.items() if name not in SPLIT_ORDER}
    return {name: seen_hashes(before, name) for name in HELD_OUT} if changes or are_checkpoints else {}


def _allow(config: TrainingConfig, checkpoint: Path, changes: str) -> None:
    """Print that a training resumes on other data, or raise UserError where the config does not allow it."""
    line = f"{data_name(config.data)} is not what {checkpoint} was trained on: {changes}"
    if config.resume != "changed":
        raise UserError(
            f"{line}\nrestore the data, or give another run_dir; resume=changed continues anyway, and evaluates "
            "only samples that were not in the training"
        )
    rank_zero_print(f"continuing anyway: {line}; the best epoch is selected again")
