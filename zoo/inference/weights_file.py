"""Weights files: weights, preprocessing and card in one verified safetensors file.

The header holds, as JSON, the names and keywords that rebuild the model, the data's spec, how the model was trained,
its metrics, and a hash over all this and the tensors. Nothing is unpickled.
"""

import contextlib
import hashlib
import json
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.core.errors import UserError

if TYPE_CHECKING:
    from torch import Tensor

    from zoo.core.registry import Registry
    from zoo.core.spec import DataSpec
    from zoo.models.ensemble import Trained

FORMAT = 2
TORCH_FILES = (b"PK\3\4", b"\x80\2")  # how files of torch.save, new and old, begin
MAX_RATIO = 64  # of parameters that a model registers, some of them twice, to those in its file


def save_weights(path: Path, model: "Trained", card: Mapping[str, Any], *, halved: bool = False) -> None:
    """Write a weights file atomically.

    Args:
        path: of the file.
        model: whose weights and preprocessing to save.
        card: plain JSON; `card["model"]` and `card["spec"]` rebuild the model.
        halved: store weights in 16 bits, except vectors (biases, norms), which are few, and whole numbers in the
            fewest bits that hold them.
    """
    import torch
    from safetensors.torch import save

    from zoo.core.atomic_files import write_atomically

    tensors = {name: value.detach().cpu().contiguous() for name, value in model.state_dict().items()}
    if halved:
        weights = {name for name, parameter in model.named_parameters(remove_duplicate=False) if parameter.ndim > 1}
        tensors |= {name: tensors[name].to(torch.float16) for name in weights}
        tensors |= {name: _narrow(whole) for name, whole in tensors.items() if whole.dtype == torch.int64}
    header = {"format": FORMAT, **card}
    content = save(tensors, metadata={"zoo": json.dumps({**header, "sha256": _hash(header, tensors)})})
    write_atomically(path, lambda file: file.write(content))


def _narrow(whole: "Tensor") -> "Tensor":
    """Whole numbers in the smallest type that holds them."""
    import torch

    low, high = (int(end) for end in whole.aminmax()) if whole.numel() else (0, 0)
    bounds = {kind: torch.iinfo(kind) for kind in (torch.uint8, torch.int16, torch.int32, torch.int64)}
    return whole.to(next(kind for kind, info in bounds.items() if info.min <= low and high <= info.max))


def load_weights(path: Path) -> tuple["Trained", "DataSpec", dict[str, Any]]:
    """Load the model or ensemble in a weights file, its data's spec, and its card. Raises UserError as `load` does."""
    tensors, header = read_tensors(path)
    model, spec = build_model(tensors, header, path)
    return model, spec, header


def build_model(tensors: Mapping[str, "Tensor"], header: Mapping[str, Any], path: Path) -> tuple["Trained", "DataSpec"]:
    """Build the model or ensemble that a card describes, with its weights, and its data's spec.

    Args:
        tensors: of the model.
        header: the card.
        path: of the file, for messages.
    """
    from zoo.core.spec import DataSpec
    from zoo.models import MODELS, untrained_model
    from zoo.models.ensemble import Ensemble
    from zoo.tasks import TASKS, trained_task

    try:
        spec = DataSpec.from_json(header["spec"])
        choices = dict(header["model"])
        _check_known(MODELS, name := choices.pop("name"))
        _check_known(TASKS, spec.task)
        task = trained_task(spec, header)
        with _limited_parameters(tensors):
            members = [
                untrained_model(name, spec, combine=task.combine, choices=choices)
                for _ in range(header.get("members", 1))
            ]
        model = members[0] if len(members) == 1 else Ensemble(members, combine=task.combine)
        model.temperature = temperature_of(header.get("calibration", {}))
    except (KeyError, UserError) as error:
        raise UserError(f"{path} cannot be loaded: {error}") from error
    except Exception as error:  # any arguments, in any constructor
        raise UserError(f"{path} has options that its model does not take: {type(error).__name__}: {error}") from error
    _load_state(model, tensors, path)
    return model, spec


def temperature_of(calibration: Mapping[str, Any]) -> float:
    """The temperature of a file's calibration, 1 without one. UserError for anything but a positive number."""
    found = calibration.get("temperature", 1.0)
    if not isinstance(found, int | float) or not 0 < found < math.inf:
        raise UserError(f"its temperature is {found}, not a positive number")
    return found


def _check_known(registry: "Registry[Any]", name: str) -> None:
    """Raise UserError for an entry of user code whose folder was not added."""
    if name not in registry.names():
        raise UserError(
            f"{registry.kind} '{name}' is not in the zoo; give the folder of its code, by zoo_path=FOLDER in a command "
            "or zoo.add_path(FOLDER) in Python"
        )


@contextlib.contextmanager
def _limited_parameters(tensors: Mapping[str, "Tensor"]) -> Iterator[None]:
    """Abort the building of a model whose parameters far exceed the file's, before they are filled."""
    from torch.nn.modules.module import register_module_parameter_registration_hook

    size = sum(tensor.numel() for tensor in tensors.values())
    n_left, size_left = MAX_RATIO * (1 + len(tensors)), MAX_RATIO * (1 + size)

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


def _load_state(model: "Trained", tensors: Mapping[str, "Tensor"], path: Path) -> None:
    """Load the tensors of a file; one from before a network had a member that is fitted leaves that unfitted."""
    from zoo.models.ridge import FITTED

    ours = model.state_dict()
    differences = {
        "missing": sorted(key for key in set(ours) - set(tensors) if FITTED not in key),
        "unknown": sorted(set(tensors) - set(ours)),
        "of another shape": sorted(
            key for key in set(ours) & set(tensors) if _shape(ours, key) != _shape(tensors, key)
        ),
    }
    found = "; ".join(f"{what}: {', '.join(keys[:5])}" for what, keys in differences.items() if keys)
    if found:
        raise UserError(
            f"{path} does not fit its model ({found})\nit was written by another version of the model's code"
        )
    ours.update(tensors)  # keeps the versions of layers, such as MNASNet's, that a state dict has beside its tensors
    model.load_state_dict(ours)


def _shape(tensors: Mapping[str, "Tensor"], key: str) -> tuple[int, ...]:
    """The shape of a tensor, without what any file has its own of: the number of rows of candidates, and the sizes of
    what is fitted in closed form."""
    from zoo.models.candidates import CANDIDATES
    from zoo.models.ridge import FITTED

    shape = tuple(tensors[key].shape)
    return () if FITTED in key else shape[1:] if CANDIDATES in key else shape


def read_tensors(path: Path) -> tuple[dict[str, "Tensor"], dict[str, Any]]:
    """Read the tensors of a weights file as they are stored, and its card. Raises UserError as `load` does."""
    from safetensors import SafetensorError
    from safetensors.torch import load as parse

    content = read_bytes(path)
    try:
        tensors = parse(content)
        length = int.from_bytes(content[:8], "little")
        header = dict(json.loads(json.loads(content[8 : 8 + length])["__metadata__"]["zoo"]))
    except (SafetensorError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise _no_weights(path, content, error) from error
    found = header.get("format")
    if found != FORMAT:
        fix = "upgrade the zoo" if isinstance(found, int) and found > FORMAT else "train or fetch it again"
        raise UserError(f"{path} has format {found}; this zoo reads format {FORMAT}: {fix}")
    if header.pop("sha256", None) != _hash(header, tensors):
        raise UserError(f"{path} is damaged: its hash does not match; train or fetch it again")
    return tensors, header


def _no_weights(path: Path, content: bytes, error: Exception) -> UserError:
    """The error for a file that is not a weights file of the zoo, by what it is."""
    own = "the zoo reads the model.safetensors that zoo train writes, and the names of zoo list pretrained"
    if content.startswith(TORCH_FILES):
        return UserError(f"{path} is a file of torch.save, which may run code when it is read; {own}")
    if path.suffix == ".ckpt":
        run = path.parents[1] if path.parent.name == "checkpoints" else Path("RUN")
        return UserError(f"{path} is a checkpoint, from which its training resumes: run_dir={run} resume=auto; the "
                         f"weights of a finished one are {run / 'model.safetensors'}")  # fmt: skip
    if path.suffix != ".safetensors":
        return UserError(f"{path} is no weights file; {own}")
    if isinstance(error, KeyError | TypeError):
        return UserError(f"{path} has tensors, but not the zoo's card, which says what model they are of; {own}")
    return UserError(f"{path} is damaged ({error}); train or fetch it again")


def read_bytes(path: Path) -> bytes:
    """Read a file; UserError if it cannot be read."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise UserError(f"cannot read weights {path}: {error.strerror}") from error


def _hash(header: Mapping[str, Any], tensors: Mapping[str, "Tensor"]) -> str:
    import torch

    digest = hashlib.sha256(json.dumps(header, sort_keys=True).encode())
    for name in sorted(tensors):
        digest.update(name.encode())
        digest.update(tensors[name].contiguous().flatten().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
