"""The settings that a file to start from brings: `finetune=NAME` needs no `model=`, no size and no rate beside it."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from zoo.core.errors import UserError, unknown_name
from zoo.core.safe_yaml import read_yaml
from zoo.settings.conf_files import CONF, compose_file, options

WEIGHTS = Path(__file__).parents[1] / "weights"
RATE = 0.1  # of the model's learning rate, which suits random weights
EPOCHS, BATCH_SIZE = 10, 64
LONGEST_HEADER = 10_000_000  # bytes


def settings_of_finetuning(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings that the file of `finetune` brings, beside those given; none without it, or where a model is
    chosen.

    They are the file's network; the size and channels of its images, or how its recordings were read; a tenth of the
    network's learning rate; few epochs, of which the best is kept; and batches large enough for the statistics of batch
    normalisation.

    Args:
        given: the values of settings by key.

    Raises:
        UserError: for a name or path that is no trained file.
    """
    name = given.get("finetune")
    if name in (None, "null") or {"model", "experiment"} & set(given):
        return {}
    card = _read_card(str(name).strip("'\""))
    model = dict(card["model"])
    found = {"model": model.pop("name"), **{f"model.{key}": value for key, value in model.items()}}
    found |= _reading(card["spec"], given.get("data"))
    found |= {"data.batch_size": BATCH_SIZE, "trainer.keep": "best", "optim.lr": _rate(found["model"], given)}
    if "trainer.max_epochs" not in given:
        found["data.epochs"] = EPOCHS
    return {key: value for key, value in found.items() if key not in given}


def _rate(model: str, given: Mapping[str, Any]) -> float:
    """A share of the learning rate that the model or the chosen optimiser brings."""
    optim = [f"optim={given['optim']}"] if "optim" in given else []
    return float(f"{RATE * compose_file('train', [f'model={model}', *optim]).optim.lr:.3g}")


def _reading(spec: Mapping[str, Any], data: Any) -> dict[str, Any]:
    """The options of a data set that bring a user's files to the form that the file was trained on."""
    if data not in options("data"):
        return {}
    known = read_yaml(CONF / "data" / f"{data}.yaml")
    found = {key: spec["reading"][key] for key in ("rate", "n_mels", "window", "hop") if key in spec["reading"]}
    if "image" in spec["inputs"]:
        channels, *size = spec["inputs"]["image"]["shape"]
        found |= {"size": size[0] if size[0] == size[1] else size, "channels": channels}
    return {f"data.{key}": value for key, value in found.items() if key in known}


def _read_card(name: str) -> dict[str, Any]:
    """The card in the header of a weights file, by the name of a pretrained file or a path; reads no tensor."""
    path = WEIGHTS / f"{name}.safetensors"
    if not path.is_file():
        path = Path(name).expanduser()
        path = path / "model.safetensors" if path.is_dir() else path
    if (path.parent / "config.yaml").is_file() and not path.is_file():
        raise UserError(
            f"finetune={name} is a training that is not finished; resume it first: run_dir={name} resume=auto"
        )
    if not path.is_file():
        names = [str(file.relative_to(WEIGHTS).with_suffix("")) for file in WEIGHTS.rglob("*.safetensors")]
        raise unknown_name("file or pretrained file", name, names)
    try:
        with open(path, "rb") as file:
            length = min(int.from_bytes(file.read(8), "little"), LONGEST_HEADER)
            card = json.loads(json.loads(file.read(length))["__metadata__"]["zoo"])
        return {"model": {"name": str(card["model"]["name"]), **card["model"]}, "spec": card["spec"]}
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise UserError(f"{path} is no weights file of the zoo; name a run folder or a pretrained file") from error
