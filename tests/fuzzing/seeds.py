"""Small valid inputs of every kind."""

import bz2
import functools
import gzip
import hashlib
import io
import json
import lzma
import math
import tempfile
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import torch
from PIL import Image

from zoo.core.checkpoint_file import SEAL, UNKNOWN
from zoo.core.serialization import flatten
from zoo.core.spec import Column, DataSpec, Input
from zoo.data.columns.encode import table_inputs
from zoo.data.sequences.inputs.padding import sequence_inputs
from zoo.data.sequences.inputs.tokens import token_inputs
from zoo.engine.checkpoint_io import SafeCheckpointIO
from zoo.inference import weights_file
from zoo.inference.untrained import create_model
from zoo.models.model import Model

_COLUMNS = [
    Column("a", missing=True),
    Column("b", "boolean"),
    Column("c", "categorical", ("x", "y")),
    Column("d", "date"),
]
_CLASSES: dict[str, Any] = {"n_outputs": 2, "class_names": ["no", "yes"]}
_SOUND = {"n_mels": 4, "window": 4.0, "hop": 2.0, "rate": 8000}
SPECS = {
    "table": DataSpec("table", "classification", table_inputs(_COLUMNS), columns=_COLUMNS, **_CLASSES),
    "sequence": DataSpec(
        "sequence", "classification", sequence_inputs(2), columns=[Column("u"), Column("v")], **_CLASSES
    ),
    "sound": DataSpec("sound", "classification", sequence_inputs(4), reading=_SOUND, **_CLASSES),
    "image": DataSpec(
        "image",
        "classification",
        {"image": Input((3, 8, 8), "uint8", ("in_channels", "image_height", "image_width"), scaled_axis=0)},
        **_CLASSES,
    ),
    "text": DataSpec("text", "classification", token_inputs("abc"), reading={"alphabet": "abc"}, **_CLASSES),
    "value": DataSpec(
        "value", "regression", table_inputs(_COLUMNS[:1]), 1, Input((1,), scaled_axis=0), columns=_COLUMNS[:1]
    ),
}
_ROWS = [f"{n}.5,{n % 2},{'xy'[n % 2]},2024-01-{n + 10},{'no' if n % 3 else 'yes'}" for n in range(15)]
CSV = [
    "\n".join(["a,b,c,d,kind", *_ROWS]).encode(),
    "\r\n".join(["a;b;c;d;kind", *(row.replace(",", ";").replace(".", ",") for row in _ROWS)]).encode("utf-8-sig"),
    "\n".join(["a\tb\tc\td\tkind", *(row.replace(",", "\t") for row in _ROWS)]).encode("utf-16"),
]
SCHEMA = b"target: kind\ncolumns:\n  a: numeric\n  b: boolean\n  c: categorical\n  d: date\n"
TS = b"@problemName x\n@classLabel true no yes\n@data\n" + b"1,2,?:3,4,5:no\n1,2:3,4.5:yes\n" * 5
SERIES = "\n".join(["date,u,v", *(f"2024-01-{n:02},{n}.5,{n % 3}" for n in range(1, 25))]).encode()
TEXT = "the cat sat; the größte Hut.\r\n".encode() * 5


@functools.cache
def model() -> tuple[Model, dict[str, Any], Any]:
    """A small model, its card, and a sample."""
    spec = SPECS["table"]
    choices = {"depth": 1, "width": 2, "dropout": 0.0}
    sample = {"a": 1.0, "b": True, "c": "x", "d": "2024-01-10"}
    card = {"model": {"name": "fnn/mlp", **choices}, "spec": spec.to_json()}
    return create_model("fnn/mlp", spec, **choices), card, sample


def release_file(network: Model, card: Any) -> bytes:
    """A weights file with any card and a valid hash."""
    from safetensors.torch import save

    tensors = dict(network.state_dict())
    header = {"format": weights_file.FORMAT, **card} if isinstance(card, dict) else card
    digest = weights_file._hash(header, tensors)
    sealed = {**header, "sha256": digest} if isinstance(header, dict) else header
    return save(tensors, metadata={"zoo": json.dumps(sealed)})


def card(path: Path) -> dict[str, Any]:
    """Write a weights file to `path` and return its card."""
    network, header, _ = model()
    content = release_file(network, header)
    path.write_bytes(content)
    metrics = {"test": {"loss": 0.5}}
    return {"name": "model", **header, "sha256": hashlib.sha256(content).hexdigest(), "metrics": metrics}


def checkpoint() -> tuple[bytes, dict[str, Any]]:
    """A checkpoint, and its structure without the tensors."""
    weights = torch.arange(6.0).view(2, 3)
    states = [None, 0.5, math.inf, "x", {1: (1, 2)}, weights.t(), torch.tensor(1j)]
    content = {"epoch": 1, "state_dict": OrderedDict(weight=weights), "states": states}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "one.ckpt"
        SafeCheckpointIO().save_checkpoint(content, path)
        return path.read_bytes(), json.loads(flatten(content)[0])


def sealed(content: bytes) -> bytes:
    """A checkpoint of any content, with a valid hash if it has a place for one."""
    seal = SEAL.match(content)
    if not seal:
        return content
    start, end = content[: seal.start(2)], content[seal.end(2) :]
    return start + hashlib.sha256(start + UNKNOWN.encode() + end).hexdigest().encode() + end


def restructured(content: bytes, structure: str) -> bytes:
    """A checkpoint with another structure, JSON or not, and a valid hash."""
    end = 8 + int.from_bytes(content[:8], "little")
    header = json.loads(content[8:end])
    header["__metadata__"]["structure"] = structure
    text = json.dumps(header).encode()
    return sealed(len(text).to_bytes(8, "little") + text + content[end:])


def packed() -> list[bytes]:
    """A table, compressed in each of three formats."""
    return [gzip.compress(CSV[0], mtime=0), bz2.compress(CSV[0]), lzma.compress(CSV[0])]


def parquet() -> bytes:
    """A table of several types."""
    n = 15
    table = pa.table({
        "a": [i + 0.5 for i in range(n)], "b": [i % 2 == 0 for i in range(n)], "c": ["xy"[i % 2] for i in range(n)],
        "d": pa.array(range(n), pa.int32()).cast(pa.date32()), "kind": ["yes" if i % 3 else "no" for i in range(n)],
    })  # fmt: skip
    file = io.BytesIO()
    pa.parquet.write_table(table, file)
    return file.getvalue()


def npz() -> list[bytes]:
    """Sequences with labels and lengths, stored and compressed, and one as a pickle."""
    arrays: dict[str, Any] = {
        "X": np.arange(80, dtype=np.float32).reshape(10, 4, 2),
        "y": np.array(["no", "yes"] * 5),
        "lengths": np.array([4, 3] * 5),
    }
    contents = []
    for write, more in ((np.savez, {}), (np.savez_compressed, {}), (np.savez, {"X": np.array([{}, None], object)})):
        file = io.BytesIO()
        write(file, **{**arrays, **more})
        contents.append(file.getvalue())
    return contents


def npy() -> list[bytes]:
    """A sequence as an array, and one as a pickle."""
    contents = []
    for one in (np.ones((4, 2), np.float32), np.array([{}, None], object)):
        file = io.BytesIO()
        np.save(file, one)
        contents.append(file.getvalue())
    return contents


def wav() -> list[bytes]:
    """Recordings in several formats, and a FLAC."""
    import soundfile

    samples = 0.5 * np.sin(np.arange(160) / 5)
    contents = []
    for values, rate, kind, form in (
        (samples, 8000, "PCM_16", "WAV"),
        (np.stack([samples, samples], 1), 11025, "FLOAT", "WAV"),
        (samples, 8000, "ULAW", "AU"),
        (samples, 8000, "PCM_16", "FLAC"),
    ):
        file = io.BytesIO()
        soundfile.write(file, values, rate, kind, format=form)
        contents.append(file.getvalue())
    return contents


def images() -> list[bytes]:
    """Images in several formats and colour modes."""
    ramp = np.arange(64, dtype=np.uint8).reshape(8, 8)
    picture = Image.fromarray(np.stack([ramp, ramp.T, ramp], 2))
    contents = []
    for image, form in (
        (picture, "PNG"),
        (picture, "JPEG"),
        (picture.convert("RGBA"), "PNG"),
        (Image.fromarray(ramp.astype(np.uint16) * 257), "PNG"),
        (picture, "GIF"),
        (picture, "BMP"),
        (picture, "TIFF"),
        (picture, "WEBP"),
        (picture, "PPM"),
        (picture, "TGA"),
        (picture.convert("CMYK"), "JPEG"),
    ):
        file = io.BytesIO()
        image.save(file, form)
        contents.append(file.getvalue())
    return contents
