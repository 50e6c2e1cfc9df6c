"""Serialise nested plain values and tensors as JSON and flat tensors by name, and back, equal in every type and bit.

None, bools, ints, strings, finite floats, lists and dicts with string keys are written as they are. An object with a
key that begins with "$" stands for what JSON lacks:

    {"$tensor": name}                    with dtype, shape and strides where the stored tensor's differ
    {"$tuple": [...]}
    {"$items": [[key, value], ...]}      a dict with other keys
    {"$state": {...}, "versions": ...}   an OrderedDict such as a module's `state_dict()`, with its layers' versions
    {"$float": "nan"}
"""

import functools
import json
import math
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from zoo.core._torch import layer_versions, set_layer_versions
from zoo.core.errors import UserError

MAX_DEPTH = 100  # levels, which a value that contains itself exceeds
DTYPES = {  # of every version of safetensors; tensors of others are stored as bytes
    torch.float64: "F64",
    torch.float32: "F32",
    torch.float16: "F16",
    torch.bfloat16: "BF16",
    torch.int64: "I64",
    torch.int32: "I32",
    torch.int16: "I16",
    torch.int8: "I8",
    torch.uint8: "U8",
    torch.bool: "BOOL",
}
Place = tuple[Any, ...]


def flatten(tree: Any) -> tuple[str, dict[str, Tensor]]:
    """Separate a tree into its structure and its tensors.

    Args:
        tree: nested dicts, lists and tuples of None, bools, ints, floats, strings and dense tensors.

    Returns:
        The structure as JSON, and the tensors by their place: contiguous, of one of `DTYPES`, on their devices. Tensors
        that share memory are stored once.

    Raises:
        UserError: for any other value, with its place.
    """
    flattening = _Flattening()
    return json.dumps(flattening.encode(tree, ())), flattening.tensors


def unflatten(structure: str, tensor_of: Callable[[str], Tensor]) -> Any:
    """Rebuild a tree, its tensors in memory of their own.

    Args:
        structure: from `flatten`.
        tensor_of: returns the tensor of a name.

    Raises:
        Exception: of any kind for a structure that is not from `flatten`; no code runs and little memory is used.
    """

    @functools.cache
    def stored(name: str) -> Tensor:
        return tensor_of(name).clone()  # aligned, unlike a mapped file's

    def decode(value: Any) -> Any:
        if isinstance(value, list):
            return [decode(part) for part in value]
        if not isinstance(value, dict):
            return value
        kind = next((key for key in value if key.startswith("$")), None)
        if kind is None:
            return {key: decode(part) for key, part in value.items()}
        if kind == "$tensor":
            return _restored(stored(value[kind]), **{key: part for key, part in value.items() if key != kind})
        content = decode(value[kind])
        if kind == "$state":
            return _state(content, decode(value["versions"]))
        return {"$tuple": tuple, "$items": dict, "$float": float}[kind](content)

    return decode(json.loads(structure))


class _Flattening:
    """Encodes values and collects their tensors."""

    def __init__(self) -> None:
        self.tensors: dict[str, Tensor] = {}
        self._names: dict[tuple[Any, ...], str] = {}  # by their memory

    def encode(self, value: Any, place: Place) -> Any:
        """Encode a value for JSON."""
        kind = type(value)
        if len(place) > MAX_DEPTH:
            raise UserError(
                f"a checkpoint is nested at most {MAX_DEPTH} levels deep; {_dotted(place):.60}... is deeper"
            )
        if value is None or kind in (bool, int, str) or (kind is float and math.isfinite(value)):
            return value
        if kind is float:
            return {"$float": repr(value)}
        if kind is list:
            return [self.encode(part, (*place, index)) for index, part in enumerate(value)]
        if kind is tuple:
            return {"$tuple": self.encode(list(value), place)}
        if kind is dict:
            return self._dict(value, place)
        if kind is OrderedDict:
            versions = self.encode(layer_versions(value), (*place, "_metadata"))
            return {"$state": self.encode(dict(value), place), "versions": versions}
        if kind in (Tensor, nn.Parameter) and _has_numbers(value):
            return self._tensor(value.detach().resolve_conj().resolve_neg(), place)
        name = f"{kind.__module__}.{kind.__qualname__}".removeprefix("builtins.")
        raise UserError(
            f"a checkpoint holds tensors and plain values, and {_dotted(place)} is of type {name}; a callback's "
            "state_dict() may return dicts, lists, tuples, numbers, strings and dense tensors"
        )

    def _dict(self, value: dict[Any, Any], place: Place) -> Any:
        if all(type(key) is str and not key.startswith("$") for key in value):
            return {key: self.encode(part, (*place, key)) for key, part in value.items()}
        return {"$items": [[self.encode(key, place), self.encode(part, (*place, key))] for key, part in value.items()]}

    def _tensor(self, tensor: Tensor, place: Place) -> Any:
        if (
            torch.empty_like(tensor, device="meta").stride() != tensor.stride()
        ):  # with gaps, or elements that share memory
            tensor = tensor.contiguous()
        flat = tensor.as_strided((tensor.numel(),), (1,))
        memory = (flat.device, flat.data_ptr(), flat.numel(), flat.dtype) if len(flat) else place
        if memory not in self._names:
            plain = tensor.stride() == torch.empty(tensor.shape, device="meta").stride()
            self._names[memory] = name = self._unused(place)
            self.tensors[name] = (tensor if plain else flat) if tensor.dtype in DTYPES else flat.view(torch.uint8)
        stored = self.tensors[self._names[memory]]
        reference: dict[str, Any] = {"$tensor": self._names[memory]}
        if (stored.dtype, stored.shape, stored.stride()) != (tensor.dtype, tensor.shape, tensor.stride()):
            dtype = str(tensor.dtype).removeprefix("torch.")
            reference |= {"dtype": dtype, "shape": list(tensor.shape), "strides": list(tensor.stride())}
        return reference

    def _unused(self, place: Place) -> str:
        name = _dotted(place)
        while name in self.tensors or name == "__metadata__":
            name += "_"
        return name


def _has_numbers(tensor: Tensor) -> bool:
    """Whether a tensor's memory holds one number for each element."""
    return tensor.layout == torch.strided and not tensor.is_quantized and not tensor.is_meta


def _dotted(place: Place) -> str:
    """A place as one name, in ASCII, because not every string can be UTF-8."""
    return ".".join(map(str, place)).encode("ascii", "backslashreplace").decode() or "it"


def _restored(
    stored: Tensor, dtype: str | None = None, shape: list[int] | None = None, strides: list[int] | None = None
) -> Tensor:
    """View a stored tensor with its original dtype, shape and strides."""
    if dtype is None or shape is None or strides is None:
        return stored.detach()
    kind = getattr(torch, dtype)
    if not isinstance(kind, torch.dtype):
        raise ValueError(f"{dtype} is not a dtype")
    whole = stored.view(kind)
    if math.prod(shape) != whole.numel():
        raise ValueError(f"a tensor of {whole.numel()} numbers cannot have the shape {shape}")
    return whole.as_strided(shape, strides)  # refuses to leave the memory


def _state(content: dict[str, Any], versions: Any) -> OrderedDict[str, Any]:
    state = OrderedDict(content)
    if versions is not None:
        set_layer_versions(state, versions)
    return state
