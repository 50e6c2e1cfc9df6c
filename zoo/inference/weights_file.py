"""Weights files: weights, preprocessing and card in one verified safetensors file.

A weights file needs no code but the zoo's: its header holds, as JSON, the names and keywords that rebuild the model,
the data's spec, how it was trained, how good it is, and a hash over all this and the tensors. It is never unpickled."""

import contextlib
import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.core.errors import UserError

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from zoo.core.spec import DataSpec
    from zoo.inference.predictor import Predictor
    from zoo.models.ensemble import Trained
    from zoo.models.model import Model

FORMAT = 2
SLACK = 64  # times the parameters of a file that a model may register, some twice


def save_file(path: Path, model: "Trained", card: Mapping[str, Any], *, halved: bool = False) -> None:
    """Write a weights file.

    Args:
        path: of the file; written whole or not at all.
        model: whose weights and preprocessing to save.
        card: plain JSON; `card["model"]` and `card["spec"]` rebuild the model.
        halved: store weights in 16 bits, all but those of vectors (biases, norms), which are few.
    """
    import torch
    from safetensors.torch import save

    from zoo.core.atomic_files import write_atomically

    tensors = {name: value.detach().cpu().contiguous() for name, value in model.state_dict().items()}
    if halved:
        weights = {name for name, parameter in model.named_parameters(remove_duplicate=False) if parameter.ndim > 1}
        tensors |= {name: tensors[name].to(torch.float16) for name in weights}
    header = {"format": FORMAT, **card}
    content = save(tensors, metadata={"zoo": json.dumps({**header, "sha256": _digest(header, tensors)})})
    write_atomically(path, lambda file: file.write(content))


def load_file(path: Path) -> tuple["Trained", Any, dict[str, Any]]:
    """The model, or several that answer together, the data's spec, and the card in a weights file's header. Raises
    UserError as `load` does."""
    from zoo.core.spec import DataSpec
    from zoo.models import create_model
    from zoo.models.ensemble import Ensemble
    from zoo.tasks import create_task

    tensors, header = read_tensors(path)
    try:
        spec = DataSpec.from_json(header["spec"])
        task = create_task(spec)
        with _no_larger_than(tensors):
            members = [create_model(**header["model"], spec=spec) for _ in range(header.get("members", 1))]
        model = members[0] if len(members) == 1 else Ensemble(members, combine=task.combine)
    except (KeyError, UserError) as error:
        raise UserError(f"{path} says of no model how to build it: {error}") from error
    except Exception as error:  # choices of any kind, in constructors of any kind
        raise UserError(f"{path} has choices that its model does not take: {type(error).__name__}: {error}") from error
    _load_state(model, tensors, path)
    return model, spec, header


@contextlib.contextmanager
def _no_larger_than(tensors: Mapping[str, "Tensor"]) -> Iterator[None]:
    """Refuse, before its parameters are filled, a model that is being built of far more than there is in the file."""
    from torch.nn.modules.module import register_module_parameter_registration_hook

    n_left, size_left = (SLACK * (1 + n) for n in (len(tensors), sum(tensor.numel() for tensor in tensors.values())))

    def count(_: object, __: str, parameter: "Tensor") -> None:
        nonlocal n_left, size_left
        n_left, size_left = n_left - 1, size_left - parameter.numel()
        if min(n_left, size_left) < 0:
            raise UserError("the model is larger than its weights")

    hook = register_module_parameter_registration_hook(count)
    try:
        yield
    finally:
        hook.remove()


def read_tensors(path: Path) -> tuple[dict[str, "Tensor"], dict[str, Any]]:
    """The tensors of a weights file as they are stored, and its card. Raises UserError as `load` does."""
    from safetensors import SafetensorError
    from safetensors.torch import load as parse

    content = read_bytes(path)
    try:
        tensors = parse(content)
        length = int.from_bytes(content[:8], "little")
        header = dict(json.loads(json.loads(content[8 : 8 + length])["__metadata__"]["zoo"]))
    except (SafetensorError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise UserError(f"{path} is damaged or not a file of the zoo's ({error}); train or fetch it again") from error
    found = header.get("format")
    if found != FORMAT:
        fix = "upgrade the zoo" if isinstance(found, int) and found > FORMAT else "train or fetch it again"
        raise UserError(f"{path} has format {found}; this zoo reads format {FORMAT}: {fix}")
    if header.pop("sha256", None) != _digest(header, tensors):
        raise UserError(f"{path} is damaged: its hash does not hold; train or fetch it again")
    return tensors, header


def _load_state(model: "Trained", tensors: Mapping[str, "Tensor"], path: Path) -> None:
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
    ours.update(tensors)  # which has the versions of layers, such as MNASNet's, beside its tensors
    model.load_state_dict(ours)


def finetune(model: "Model", spec: "DataSpec", trained: "Predictor", name: str) -> list[str]:
    """Copy a trained network's weights into `model`, all but a head for other classes or outputs.

    Args:
        model: of the same architecture.
        spec: of the data that it is for.
        trained: what `load` gave, for `name`.
        name: that its user knows it by.

    Returns:
        The names of the tensors that were left as they are.

    Raises:
        UserError: when anything but the head or the target's scale differs in name or shape, and for an ensemble.
    """
    from zoo.models.ensemble import Ensemble

    if isinstance(trained.model, Ensemble):
        raise UserError(
            f"finetune={name} is an ensemble and a training starts from one model; it may be distill.teacher="
        )
    source, ours = trained.model.state_dict(), model.state_dict()
    left = {key for key in {*ours, *source} if _shape(ours, key) != _shape(source, key)}
    if others := sorted(key for key in left if not key.startswith(("network.head.", "preprocess.target_scale."))):
        sizes = ", ".join(f"{what} {' x '.join(map(str, one.shape))}" for what, one in trained.spec.inputs.items())
        settings = " ".join(f"model.{key}={value}" for key, value in trained.card["model"].items() if key != "name")
        raise UserError(
            f"finetune={name} is of another network, or of other sizes; they differ in {', '.join(others[:5])}\n"
            f"it is model={trained.card['model']['name']} {settings}\nfor {sizes}"
        )
    if spec.class_names != trained.spec.class_names:
        left |= {key for key in ours if key.startswith("network.head.")}
    ours.update({key: value for key, value in source.items() if key not in left and "target_scale" not in key})
    model.load_state_dict(ours)
    return sorted(left)


def _shape(tensors: Mapping[str, "Tensor"], key: str) -> "torch.Size | None":
    return tensors[key].shape if key in tensors else None


def read_bytes(path: Path) -> bytes:
    """What a file holds; UserError where it cannot be read."""
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
