"""Combine several trained models into one weights file."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from zoo.core.atomic_files import check_output_path
from zoo.core.errors import UserError
from zoo.core.spec import DataSpec
from zoo.data.module import what_decides
from zoo.inference.evaluation import calibrate_and_evaluate
from zoo.inference.held_out import LEARNED_VALIDATION
from zoo.inference.training_data import data_section
from zoo.inference.weights_file import load_weights, save_weights
from zoo.models.ensemble import Ensemble, Trained, sizes
from zoo.tasks import trained_task

COPIED = ("model", "spec", "config", "fingerprints", "precision", "device", "hardware", "versions", LEARNED_VALIDATION)


def ensemble(weights: Sequence[Path], output: Path) -> dict[str, Any]:
    """Combine trained models into one file whose outputs are their mean, and measure it.

    Args:
        weights: files of one model trained on one data set, such as with several seeds.
        output: the file to write.

    Returns:
        The file's card, with its calibration on the validation split, and `metrics` on that and the test split.

    Raises:
        UserError: for fewer than two files, different models, data or splits, ensembles, and files that `zoo.load`
            refuses.
    """
    check_output_path(output, weights, "ensemble.safetensors")
    loaded = [load_weights(path) for path in weights]
    if len(loaded) < 2:
        raise UserError(f"an ensemble has two trained models or more; got {len(loaded)}")
    _, spec, first = loaded[0]
    for path, (_, other, header) in zip(weights, loaded, strict=True):
        if "members" in header:
            raise UserError(f"an ensemble is made of single models; {path} is an ensemble itself")
        for key, same in (("model", header["model"] == first["model"]), ("spec", other == spec)):
            if not same:
                raise UserError(f"an ensemble is of one {key}; {path} has another than {weights[0]}")
        if _training_split(header, path) != _training_split(first, weights[0]):
            raise UserError(
                "an ensemble's models are trained on the same split, or some would have seen what it is measured on; "
                f"{path} has other data, or other settings of them, than {weights[0]}"
            )
    model, card = combine(loaded)
    save_weights(output, model, card)
    card |= calibrate_and_evaluate(output, weights[0])
    save_weights(output, model, card)
    return card


def combine(loaded: Sequence[tuple[Trained, DataSpec, Mapping[str, Any]]]) -> tuple[Ensemble, dict[str, Any]]:
    """Combine models of one architecture and spec, as `load_weights` returns them, with their cards, into one model and
    its card."""
    _, spec, first = loaded[0]
    model = Ensemble([member for member, _, _ in loaded], combine=trained_task(spec, first).combine)  # type: ignore[misc]
    card = {key: first[key] for key in COPIED if key in first}
    members = {"members": len(loaded), "seeds": [header["seed"] for _, _, header in loaded]}
    return model, {**card, **members, **sizes(model)}


def _training_split(card: Mapping[str, Any], path: Path) -> tuple[Any, Any]:
    """What determines the samples that a model was trained on."""
    return what_decides(data_section(card, path)), card.get("fingerprints")
