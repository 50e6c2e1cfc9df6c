"""Measure a model only on samples that it was not trained on: choose them, remove seen ones, warn about leakage.

A card has fingerprints of the data that a model was trained on, by which changed data are noticed; the run folder has
the hashes of all samples (`zoo.data.fingerprints`), by which the seen ones among them are known.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from zoo.core.config_paths import base_name, map_paths
from zoo.core.errors import UserError
from zoo.core.rank_zero import rank_zero_print
from zoo.core.spec import DataSpec, Input
from zoo.data.fingerprints import SplitHashes, describe_changes, fingerprints, read_hashes, sample_hashes
from zoo.data.leakage import earlier_hashes_key, seen_hashes, without_seen
from zoo.data.module import load_section, what_decides
from zoo.data.splits import Split, Splits
from zoo.inference.predictor import Predictor
from zoo.inference.training_data import data_name, data_section_or_none, locate_training_data, run_of
from zoo.tasks import create_task

LEARNED_VALIDATION = "learned_validation"  # of a card: whether a part was fitted to that split too, in the end


def samples_to_measure(
    predictor: Predictor, weights: str, section: Mapping[str, Any] | None, split: str
) -> tuple[str, Split]:
    """The samples to measure a model on, and the name of their data set.

    Args:
        predictor: of the model.
        weights: the name or path it was loaded from.
        section: a config's data section; None for the data that the model was trained on.
        split: "train", "val" or "test".
    """
    from zoo.data.readers import read_labelled

    if section is None:
        return _own_samples(predictor, weights, split)
    if (samples := read_labelled(predictor.spec, section)) is not None:
        warn_about_seen_samples(weights, [samples])
        return Path(section["path"] or section["labels"]).name, samples
    splits = load_section(section)
    check_compatible(predictor.spec, splits.spec)
    has_official_test = "n_val" in section
    if not (split == "test" and has_official_test):
        warn_about_leakage(predictor, weights, splits, section)
    return splits.spec.name, getattr(splits, split)


def _own_samples(predictor: Predictor, weights: str, split: str) -> tuple[str, Split]:
    """A split of the data that a model was trained on; if these changed since, without the samples it has seen.

    Raises:
        UserError: when the data changed and no run folder says which samples were seen.
    """
    if split == "val" and (folds := _folds(predictor.card)):
        raise UserError(
            f"each of the {folds} models of {weights} was validated on another fold and trained on the others; their "
            f"mean score out of fold is in metrics.json, and that of one: zoo evaluate {weights}/fold=0 val"
        )
    if split == "val" and predictor.card.get(LEARNED_VALIDATION):
        rank_zero_print(
            f"warning: {weights} was fitted to the validation split too once that had chosen its weights; the score "
            "from before is in its metrics.json"
        )
    run = run_of(weights)
    section = locate_training_data(predictor.card, run, weights)
    splits = _load_training_data(predictor, weights, section)
    hashes = read_hashes(run.samples) if run else {}
    if earlier_hashes_key(split) in hashes:
        splits = remove_seen(splits, {split: hashes[earlier_hashes_key(split)]})
    changes = _changes_since_training(predictor.card, split, getattr(splits, split))
    if changes and not hashes and split != "train":
        raise UserError(
            f"{_is_changed(section, weights)}: {changes}; only its run folder knows which of them it was trained on\n"
            f"{_advice(section)}"
        )
    if changes:
        rank_zero_print(f"{_is_changed(section, weights)}: {changes}")
        splits = remove_seen(splits, {split: seen_hashes(hashes, split)})
    return splits.spec.name, getattr(splits, split)


def _load_training_data(predictor: Predictor, weights: str, section: Mapping[str, Any]) -> Splits:
    """Load the data that a model was trained on. UserError if they cannot be read, or are of another kind now."""
    try:
        splits = load_section(section)
    except (TypeError, AttributeError, KeyError) as error:  # a card may say anything
        raise UserError(f"{weights} was trained on {dict(section)!r:.200}, which cannot be read") from error
    try:
        check_compatible(predictor.spec, splits.spec)
    except UserError as error:
        difference = str(error).splitlines()[0].rstrip(":")
        raise UserError(f"{_is_changed(section, weights)}: {difference}\n{_advice(section)}") from error
    return splits


def _folds(card: Mapping[str, Any]) -> Any:
    """How many folds a card's models were trained on; None for one model."""
    config = card.get("config")
    return config.get("folds") if isinstance(config, Mapping) else None


def _changes_since_training(card: Mapping[str, Any], name: str, split: Split) -> str:
    """Describe how a split differs from the one in the card's fingerprints; "" if it does not, or nothing is known."""
    before, hashes = card.get("fingerprints"), sample_hashes(split)
    if not isinstance(before, Mapping) or hashes is None:
        return ""
    return describe_changes(before, fingerprints({name: hashes}))


def _is_changed(section: Mapping[str, Any], weights: str) -> str:
    return f"{data_name(section)} is not what {weights} was trained on"


def _advice(section: Mapping[str, Any]) -> str:
    name = section.get("reader", section["name"])
    return f"restore it, or say what to measure on: data={name} with its settings"


def remove_seen(splits: Splits, seen: SplitHashes) -> Splits:
    """Remove from each split the samples whose hashes are in `seen`; print how many.

    Raises:
        UserError: when none is left, or samples cannot be compared, as of a text that is cut at other places.
    """
    parts: dict[str, Any] = {name: _unseen(splits, name, hashes) for name, hashes in seen.items() if len(hashes)}
    return replace(splits, **parts)


def _unseen(splits: Splits, name: str, seen: np.ndarray) -> Split:
    split: Any = getattr(splits, name)
    if create_task(splits.spec).stream or sample_hashes(split) is None:
        raise UserError(
            f"it is unknown which parts of {splits.spec.name} the training saw; use other data, or train again"
        )
    rest: Any = without_seen(split, seen)
    n_seen = len(split) - len(rest)
    if not len(rest):
        raise UserError(
            f"all {n_seen:,} samples of the {name} split were seen in training, which leaves nothing to measure on"
        )
    if n_seen:
        rank_zero_print(f"left out of the {name} split, as seen in training: {n_seen:,} of {len(split):,} samples")
    return rest


def warn_about_leakage(trained: Predictor, name: str, splits: Splits, section: Mapping[str, Any]) -> None:
    """Print a warning if a model has seen samples of the validation or test split, or may have, as it was trained on
    other splits of the same data.

    Args:
        trained: the model.
        name: its name or path.
        splits: of the data.
        section: the data section of their config.
    """
    trained_on = data_section_or_none(trained.card)
    if warn_about_seen_samples(name, [splits.val, splits.test]) or trained_on is None:
        return
    here, there = (map_paths(what_decides(one), base_name) for one in (section, trained_on))
    different = [key for key in here if here[key] != there.get(key)]
    origins = {source.partition(";")[0] for source in (splits.spec.source, trained.spec.source)}
    if different and len(origins) == 1 and "path" not in different:
        settings = ", ".join(f"data.{key}={there.get(key)}" for key in different)
        rank_zero_print(f"warning: {name} was trained with {settings} and may have seen samples held out here")


def warn_about_seen_samples(name: str, splits: Sequence[Split]) -> bool:
    """Print a warning if a model was trained on samples of `splits`; return whether its run folder says so or not."""
    run = run_of(name)
    seen = seen_hashes(read_hashes(run.samples) if run else {}, "test")
    hashes = [found for split in splits if (found := sample_hashes(split)) is not None] if len(seen) else []
    if not hashes:
        return False
    is_seen = np.isin(np.concatenate(hashes), seen)
    if is_seen.any():
        rank_zero_print(
            f"warning: {name} was trained on {is_seen.sum():,} of the {len(is_seen):,} samples measured here"
        )
    return True


def check_compatible(spec: DataSpec, data: DataSpec) -> None:
    """Raise UserError unless `data` has the inputs and classes that a model with `spec` was trained on."""
    for what, ours, theirs in (
        ("inputs", spec.input_shapes, data.input_shapes),
        ("columns", spec.column_names, data.column_names),
        ("inputs", *(_without_width(some.inputs) for some in (spec, data))),
        ("columns", spec.columns, data.columns),
        ("classes", spec.class_names, data.class_names),
        ("characters", spec.reading.get("alphabet"), data.reading.get("alphabet")),
        ("task", spec.task, data.task),
    ):
        if ours != theirs:
            raise UserError(
                f"{data.name} has other {what} than {spec.name}, on which the model was trained:\n{theirs}; not {ours}"
            )


def _without_width(inputs: Mapping[str, Input]) -> dict[str, Input]:
    """Inputs without the width of floating-point numbers, as a model takes either."""
    return {name: replace(one, dtype="float32") if one.is_floating else one for name, one in inputs.items()}
