"""Start a training from the weights of a trained model."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from zoo.core.errors import UserError
from zoo.core.spec import DataSpec
from zoo.inference.predictor import Predictor
from zoo.models.candidates import CANDIDATES
from zoo.models.ensemble import Ensemble
from zoo.models.model import Model
from zoo.models.ridge import FITTED

HEAD = "network.head.", "network.target_value."  # the layers of outputs, and of targets as inputs
OF_DATA = CANDIDATES, FITTED  # what a network takes from these data
TARGET_SCALE = "preprocess.target_scale."  # other targets may change both


def copy_weights(model: Model, spec: DataSpec, trained: Predictor, name: str) -> list[str]:
    """Copy a trained network's weights into `model`, except a head for other classes or outputs.

    Args:
        model: of the same architecture.
        spec: of its data.
        trained: what `load` returned for `name`.
        name: its name or path.

    Returns:
        The names of the tensors that were not copied.

    Raises:
        UserError: when anything but the head or the target's scale differs in name or shape, for data with other
            columns or characters, and for an ensemble.
    """
    if isinstance(trained.model, Ensemble):
        raise UserError(
            f"finetune={name} is an ensemble and a training starts from one model; it may be distill.teacher="
        )
    _check_reading(spec, trained, name)
    source, ours = trained.model.state_dict(), model.state_dict()
    source = {key: value for key, value in source.items() if not key.startswith(OF_DATA)}
    kept = {key for key in ours if key.startswith(OF_DATA)}
    not_copied = {key for key in {*ours, *source} - kept if _shape(ours, key) != _shape(source, key)}
    if others := sorted(key for key in not_copied if not key.startswith((*HEAD, TARGET_SCALE))):
        raise _other_network(trained, spec, name, others)
    if spec.class_names != trained.spec.class_names:
        not_copied |= {key for key in ours if key.startswith(HEAD)}
    copied = {key: value for key, value in source.items() if key not in not_copied and "target_scale" not in key}
    ours.update(copied)  # in place, to keep the versions of layers that a state dict has beside its tensors
    model.load_state_dict(ours)
    return sorted(not_copied)


def _check_reading(spec: DataSpec, trained: Predictor, name: str) -> None:
    """Raise UserError for data whose numbers mean something else to the trained weights, whatever their shapes."""
    if "sequence" in spec.inputs:
        return  # whose channels have names in some files only
    differ = [one.name for one, other in zip(spec.columns, trained.spec.columns, strict=False) if one != other]
    for what, ours, theirs in (
        ("columns", spec.column_names, trained.spec.column_names),
        ("kinds or categories", differ, ["other values"] if differ else []),
        ("characters", spec.reading.get("alphabet"), trained.spec.reading.get("alphabet")),
        ("pieces of text", _merged(spec), _merged(trained.spec)),
    ):
        if ours != theirs:
            where = f"{_short(ours)} here, {_short(theirs)} there"
            raise UserError(f"finetune={name} was trained on other {what}; {where}: train a new model")


def _merged(spec: DataSpec) -> list[str]:
    return ["".join(pair) for pair in spec.reading.get("merges", ())]


def _short(names: Any) -> str:
    text = names if isinstance(names, str) else ", ".join(names or ()) or "none"
    return repr(text) if len(text) <= 60 else repr(text[:60]) + "..."


def _other_network(trained: Predictor, spec: DataSpec, name: str, different: list[str]) -> UserError:
    card, inputs = trained.card["model"], trained.spec.input_shapes
    if spec.input_shapes != inputs:
        reason = f"finetune={name} reads {inputs}; these data are {spec.input_shapes}"
    else:
        reason = f"finetune={name} is another network, or has other sizes; they differ in {', '.join(different[:5])}"
    settings = " ".join(f"model.{key}={value}" for key, value in card.items() if key != "name")
    return UserError(f"{reason}\nit is model={card['name']} {settings}\nfor {inputs}; without model= this is chosen")


def _shape(tensors: Mapping[str, Tensor], key: str) -> torch.Size | None:
    return tensors[key].shape if key in tensors else None
