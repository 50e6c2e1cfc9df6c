"""One release file of several trained models."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from zoo.core.atomic_files import check_output_path
from zoo.core.errors import UserError
from zoo.data.module import what_decides
from zoo.inference.evaluation import measure
from zoo.inference.provenance import data_of
from zoo.inference.weights_file import load_file, save_file
from zoo.models.ensemble import Ensemble
from zoo.tasks import create_task

KEPT = ("model", "spec", "config", "fingerprints", "precision", "device", "hardware", "versions")


def ensemble(weights: Sequence[Path], output: Path) -> dict[str, Any]:
    """Put trained models into one file that answers with their mean, and measure it.

    Args:
        weights: release files of one model on one data set, such as a training with each seed leaves.
        output: the file to write.

    Returns:
        The file's card, with `metrics` on the validation and the test split.

    Raises:
        UserError: for fewer than two files, files of other models, data or splits, ensembles, and files that `zoo.load`
            refuses.
    """
    check_output_path(output, weights, "ensemble.safetensors")
    loaded = [load_file(path) for path in weights]
    if len(loaded) < 2:
        raise UserError(f"an ensemble has two trained models or more; there are {len(loaded)}")
    _, spec, first = loaded[0]
    for path, (_, other, header) in zip(weights, loaded, strict=True):
        if "members" in header:
            raise UserError(f"an ensemble is made of single models; {path} is an ensemble itself")
        for key, same in (("model", header["model"] == first["model"]), ("spec", other == spec)):
            if not same:
                raise UserError(f"the models of an ensemble are of one {key}; {path} has another than {weights[0]}")
        told = [(what_decides(data_of(one, path)), one.get("fingerprints")) for one in (header, first)]
        if told[0] != told[1]:
            raise UserError(
                "the models of an ensemble are trained on the same split, or some would know what it is measured on; "
                f"{path} has other data, or other settings of them, than {weights[0]}"
            )
    model = Ensemble([member for member, _, _ in loaded], combine=create_task(spec).combine)  # type: ignore[misc]
    card: dict[str, Any] = {key: first[key] for key in KEPT if key in first}
    card |= {
        "members": len(loaded),
        "seeds": [header["seed"] for _, _, header in loaded],
        "n_parameters": sum(parameter.numel() for parameter in model.parameters()),
    }
    save_file(output, model, card)
    card["metrics"] = measure(output, weights[0])
    save_file(output, model, card)
    return card
