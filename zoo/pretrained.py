"""Release files: weights, preprocessing and card in one verified safetensors file; and those that come with the zoo.

A release file needs no code but the zoo's: its header holds, as JSON, the names and keywords that rebuild the model,
the data's spec, how it was trained, how good it is, and a hash over all this and the tensors. It is never unpickled.
"""

import hashlib
import json
from collections.abc import Mapping
from fnmatch import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.errors import UserError, unknown

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from zoo.models.model import Model
    from zoo.prediction import Predictor

FORMAT = 2
FOLDER = Path(__file__).parent
CARDS, WEIGHTS = FOLDER / "cards", FOLDER / "weights"


def list_pretrained(pattern: str = "*") -> list[str]:
    """Names of the pretrained files that match a shell pattern, such as "*mnist*"."""
    names = [path.relative_to(CARDS).with_suffix("").as_posix() for path in CARDS.rglob("*.yaml")]
    return sorted(name for name in names if fnmatch(name, pattern))


def load_card(name: str) -> dict[str, Any]:
    """The card of a pretrained file; an unknown name raises UserError with the nearest."""
    import yaml

    if name not in list_pretrained():
        raise unknown("pretrained file", name, list_pretrained())
    return yaml.safe_load((CARDS / f"{name}.yaml").read_text())


def load(name_or_path: str | Path) -> "Predictor":
    """A trained model, ready to answer raw input.

    Args:
        name_or_path: a name of `list_pretrained`, or a run folder, or the path of its `model.safetensors`.

    Raises:
        UserError: when there is no such name or file, or the file is damaged, of another kind, or of a newer format.
    """
    from zoo.prediction import Predictor

    name = str(name_or_path)
    if name in list_pretrained():
        card = load_card(name)
        path = WEIGHTS / f"{name}.safetensors"
        if hashlib.sha256(_read(path)).hexdigest() != card["sha256"]:
            raise UserError(f"{path} is not the published file: its sha256 is not the card's; install the zoo anew")
    elif Path(name).exists() or name.endswith(".safetensors"):
        card, path = {}, Path(name) / "model.safetensors" if Path(name).is_dir() else Path(name)
    else:
        raise unknown("file or pretrained file", name, list_pretrained())
    model, spec, header = load_file(path)
    return Predictor(model, spec, card or header)


def save_file(path: Path, model: "Model", card: Mapping[str, Any]) -> None:
    """Write a release file.

    Args:
        path: of the file; written whole or not at all.
        model: whose weights and preprocessing to save.
        card: plain JSON; `card["model"]` and `card["spec"]` rebuild the model.
    """
    from safetensors.torch import save

    from zoo.files import write_whole

    tensors = {name: value.detach().cpu().contiguous() for name, value in model.state_dict().items()}
    header = {"format": FORMAT, **card}
    content = save(tensors, metadata={"zoo": json.dumps({**header, "sha256": _digest(header, tensors)})})
    write_whole(path, lambda file: file.write(content))


def load_file(path: Path) -> tuple["Model", Any, dict[str, Any]]:
    """The model, its data's spec, and the card in a release file's header. Raises UserError as `load` does."""
    from zoo.models import create_model
    from zoo.spec import DataSpec

    tensors, header = _tensors_and_header(path)
    try:
        spec = DataSpec.from_json(header["spec"])
        name, choices = header["model"]["name"], {k: v for k, v in header["model"].items() if k != "name"}
    except (KeyError, TypeError, AttributeError) as error:
        raise UserError(f"{path} is damaged: its header lacks {error}; train or fetch it again") from error
    model = create_model(name, spec, **choices)
    _load_state(model, tensors, path)
    return model, spec, header


def _tensors_and_header(path: Path) -> tuple[dict[str, "Tensor"], dict[str, Any]]:
    from safetensors import SafetensorError
    from safetensors.torch import load as parse

    content = _read(path)
    try:
        tensors = parse(content)
        length = int.from_bytes(content[:8], "little")
        header = dict(json.loads(json.loads(content[8 : 8 + length])["__metadata__"]["zoo"]))
    except (SafetensorError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"{path} is damaged or not a file of the zoo's ({error}); train or fetch it again") from error
    found = header.get("format", 0)
    if found != FORMAT:
        fix = "upgrade the zoo" if found > FORMAT else "train or fetch it again"
        raise UserError(f"{path} has format {found}; this zoo reads format {FORMAT}: {fix}")
    if header.pop("sha256", None) != _digest(header, tensors):
        raise UserError(f"{path} is damaged: its hash does not hold; train or fetch it again")
    return tensors, header


def _load_state(model: "Model", tensors: Mapping[str, "Tensor"], path: Path) -> None:
    ours = model.state_dict()
    wrong = {
        "missing": sorted(set(ours) - set(tensors)),
        "unknown": sorted(set(tensors) - set(ours)),
        "of another shape": sorted(key for key in set(ours) & set(tensors) if ours[key].shape != tensors[key].shape),
    }
    found = "; ".join(f"{what}: {', '.join(keys[:5])}" for what, keys in wrong.items() if keys)
    if found:
        raise UserError(
            f"{path} does not fit its model ({found})\nit was written by another version of the model's code"
        )
    model.load_state_dict(dict(tensors))


def finetune(model: "Model", name_or_path: str) -> list[str]:
    """Copy a trained network's weights into `model`, all but a head for other outputs.

    Returns:
        The names of the tensors that were left as they are.

    Raises:
        UserError: when anything but the head or the target's scale differs in name or shape.
    """
    source = load(name_or_path).model.state_dict()
    ours = model.state_dict()
    left = sorted(key for key in {*ours, *source} if _shape(ours, key) != _shape(source, key))
    if any(not key.startswith(("network.head.", "preprocess.target_scale.")) for key in left):
        raise UserError(f"finetune={name_or_path} is of another network; they differ in {', '.join(left[:5])}")
    taken = {key: value for key, value in source.items() if key not in left and "target_scale" not in key}
    model.load_state_dict(taken, strict=False)
    return left


def _shape(tensors: Mapping[str, "Tensor"], key: str) -> "torch.Size | None":
    return tensors[key].shape if key in tensors else None


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UserError(f"cannot read weights {path}: {error.strerror}") from error


def _digest(header: Mapping[str, Any], tensors: Mapping[str, "Tensor"]) -> str:
    import torch

    digest = hashlib.sha256(json.dumps(header, sort_keys=True).encode())
    for name in sorted(tensors):
        digest.update(name.encode())
        digest.update(tensors[name].contiguous().flatten().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
