"""Checkpoint files: one safetensors file each, written atomically, verified by hash when read, and free of code.

docs/checkpoints.md says what is saved, when, and who restores it. In short:

    state_dict, optimizer_states                  Lightning's strategy; with trainer=fsdp `Sharded`
    current_model_state, averaging_state          `MovingAverage`, with optim.ema
    lr_schedulers, loops, precision               Lightning; then `RestoreSettings` sets the config's rates
    callbacks                                     each one's load_state_dict()
    epoch_loss                                    `ZooModule`
    hyper_parameters, data                        nobody; `RestoreSettings`, `DataGuard` and training.py compare them

`Best` and `Saving` in zoo/engine/checkpointing.py decide when one is written, `Run` in run_folder.py which one a
training resumes from.
"""

import hashlib
import json
import re
from itertools import chain
from pathlib import Path
from typing import IO, Any

import torch
from torch import Tensor

from zoo.core.atomic_files import TEMPORARY_SUFFIX, write_atomically
from zoo.core.console import echo
from zoo.core.errors import UserError
from zoo.core.serialization import DTYPES, flatten, unflatten

FORMAT = "checkpoint 2"
UNKNOWN = "0" * 64  # in the place of the hash while the file is hashed
SEAL = re.compile(
    rb'.{8}\{"__metadata__": \{"zoo": "%b", "number": "(\d{1,18})", "sha256": "([0-9a-f]{64})"' % FORMAT.encode(),
    re.DOTALL,
)
SEALED = 256  # bytes from the start that hold the seal
LARGEST_HEADER = 100_000_000  # bytes, the limit of safetensors


def write_checkpoint(path: Path, checkpoint: dict[str, Any]) -> None:
    """Write a checkpoint as one file, with its sha256 and its number, one more than the largest in the folder.

    Raises:
        UserError: for a value that is neither plain nor a tensor, with its place.
    """
    number = 1 + max(map(_number, path.parent.glob("*.ckpt")), default=0)
    structure, tensors = flatten(checkpoint)
    write_atomically(path, lambda file: _write(file, number, structure, tensors))


def read_checkpoint(path: Path, map_location: Any = "cpu") -> dict[str, Any]:
    """Read a checkpoint, its tensors to a device.

    Raises:
        UserError: for a damaged file, and for anything else than tensors and plain values.
    """
    from safetensors import safe_open

    _refuse_pickle(path)
    if not is_sound(path):
        raise UserError(f"checkpoint {path} is damaged: its hash does not hold; use resume=auto or another file")
    try:
        with safe_open(path, framework="pt") as file:
            structure = file.metadata()["structure"]
            return dict(unflatten(structure, lambda name: file.get_tensor(name).to(map_location or "cpu")))
    except Exception as error:  # of any kind, as the bytes may be anything
        raise UserError(f"{path} is not a checkpoint, or holds more than tensors and plain values") from error


def is_sound(path: Path) -> bool:
    """Whether the file is a checkpoint whose hash holds."""
    start = _start(path)
    if not (seal := SEAL.match(start)):
        return False
    digest = hashlib.sha256(start[: seal.start(2)] + UNKNOWN.encode() + start[seal.end(2) :])
    with open(path, "rb") as file:
        file.seek(len(start))
        return hashlib.file_digest(file, lambda: digest).hexdigest() == seal[2].decode()


def checkpoints(folder: Path) -> list[Path]:
    """List the checkpoints in `folder`, sound or not, the last saved first, independent of clocks and of copying."""
    return sorted(folder.glob("*.ckpt"), key=_number, reverse=True)


def newest(folder: Path) -> Path | None:
    """Find the newest sound checkpoint in `folder`, or None."""
    # files without a number come first, so that they are reported although a sound one follows
    for path in sorted(checkpoints(folder), key=lambda path: _number(path) > 0):
        _refuse_pickle(path)
        if is_sound(path):
            return path
        echo(f"skipping {path}: its hash does not hold")
    return None


def tidy(folder: Path) -> None:
    """Remove half-written files that a killed training left in `folder`."""
    for path in folder.glob(f".*{TEMPORARY_SUFFIX}"):
        path.unlink()


def _write(file: IO[bytes], number: int, structure: str, tensors: dict[str, Tensor]) -> None:
    """Write a safetensors file, one tensor in memory at a time, and hash it along the way."""
    names = sorted(tensors, key=lambda name: -tensors[name].itemsize)  # so that each is aligned to its dtype
    start = _header(number, structure, {name: tensors[name] for name in names})
    digest = hashlib.sha256()
    for part in chain([start], (_bytes(tensors[name]) for name in names)):
        file.write(part)
        digest.update(part)
    seal = SEAL.match(start)
    assert seal
    file.seek(seal.start(2))
    file.write(digest.hexdigest().encode())


def _header(number: int, structure: str, tensors: dict[str, Tensor]) -> bytes:
    """The header of a safetensors file, with `UNKNOWN` for its hash."""
    metadata = {"zoo": FORMAT, "number": str(number), "sha256": UNKNOWN, "structure": structure}
    header: dict[str, Any] = {"__metadata__": metadata}  # first, so that the seal is at a known place
    end = 0
    for name, tensor in tensors.items():
        begin, end = end, end + tensor.nbytes
        header[name] = {"dtype": DTYPES[tensor.dtype], "shape": list(tensor.shape), "data_offsets": [begin, end]}
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    if len(text) > LARGEST_HEADER:
        raise UserError(
            f"the plain values of a checkpoint take at most {LARGEST_HEADER:,} bytes; got {len(text):,}: save large "
            "values of a callback's state as tensors"
        )
    return len(text).to_bytes(8, "little") + text


def _bytes(tensor: Tensor) -> Any:
    """The memory of a contiguous tensor, copied to the CPU if necessary."""
    return tensor.cpu().flatten().view(torch.uint8).numpy().data


def _start(path: Path) -> bytes:
    """The first bytes of a file; empty without one."""
    if not path.is_file():
        return b""
    with open(path, "rb") as file:
        return file.read(SEALED)


def _number(path: Path) -> int:
    """The number of a checkpoint in the order of saving; 0 for another file."""
    seal = SEAL.match(_start(path))
    return int(seal[1]) if seal else 0


def _refuse_pickle(path: Path) -> None:
    """Raise UserError for a file of torch.save."""
    if _start(path).startswith(b"PK\3\4"):
        raise UserError(f"checkpoint {path} is a pickle, which the zoo no longer reads; give another run_dir")
