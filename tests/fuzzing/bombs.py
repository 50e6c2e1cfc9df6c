"""Malicious inputs: code in pickles, files that unpack or claim to be huge, names that leave the folder."""

import binascii
import gzip
import io
import json
import os
import pickle
import struct
import zipfile
import zlib
from itertools import pairwise
from typing import Any

import numpy as np
import torch

from fuzzing.edits import nested


def _aliases(first: str, line: str) -> bytes:
    """Short yaml in which each line repeats the one before nine times."""
    lines = [
        line.format(one=one, nine=", ".join(f"*{before}" for _ in range(9))) for before, one in pairwise("abcdefghi")
    ]
    return "\n".join([first, *lines]).encode()


ALIASES = _aliases("a: &a [x, x, x, x, x, x, x, x, x]", "{one}: &{one} [{nine}]")
MERGES = _aliases("a: &a {x: 1}", "{one}: &{one} {{<<: [{nine}]}}")
TEXTS = (b"", b"\0" * 1000, nested().encode(), b'"' + b"a,b\n" * 40_000, b"a," * 5_000 + b"\n1", ALIASES, MERGES)
MEGABYTE = 1 << 20


class _Code:
    def __reduce__(self) -> Any:
        return os.system, ("touch executed",)


def pickles() -> list[bytes]:
    """Code in a pickle of every format of torch, and archives with names outside them."""
    contents = [pickle.dumps(_Code(), protocol) for protocol in (0, 2, 4)]
    for new in (True, False):
        file = io.BytesIO()
        torch.save({"state": _Code()}, file, _use_new_zipfile_serialization=new)
        contents.append(file.getvalue())
    for name in ("../data.pkl", "/tmp/data.pkl", "archive/../../data.pkl"):
        contents.append(_archive({name: contents[0]}))
    return [*contents, nested().encode(), b"(" * 100_000, b"\x80\x02" + b"]" * 100_000 + b"."]


def structures() -> list[str]:
    """Structures of a checkpoint that are deeply nested, name missing tensors, or claim more bytes than there are."""
    whole = {"$tensor": "state_dict.weight", "dtype": "float32", "shape": [2, 3], "strides": [3, 1]}
    claims: list[dict[str, Any]] = [
        *({"shape": [1 << 40], "strides": [0]}, {"strides": [1 << 40, 1]}, {"strides": [-1, 1]}, {"shape": [6]}),
        *({"dtype": "load"}, {"dtype": "qint8"}, {"dtype": "float64"}, {"$tensor": "elsewhere"}, {"$tensor": []}),
    ]
    trees = [{"a": {**whole, **claim}} for claim in claims]
    others = [{"a": {"$code": "os.system"}}, {"a": {"$items": [[[], 1]]}}, {"a": {"$state": 1}}, {"$float": "x"}, 5, []]
    return [nested(), "{" * 9, '{"a": ' + "9" * 100_000 + "}", *map(json.dumps, [*trees, *others])]


def header(valid: bytes) -> bytes:
    """A safetensors file that claims a huge header."""
    return struct.pack("<Q", (1 << 63) - 1) + valid[8:]


def deep_header(network: torch.nn.Module) -> bytes:
    """A safetensors file with a deeply nested card."""
    from safetensors.torch import save

    return save(dict(network.state_dict()), metadata={"zoo": nested()})


def npy() -> list[bytes]:
    """Arrays with a shape larger than memory, and larger than any."""
    shapes = ((1 << 30, 1 << 12), (1 << 62, 4), (-1, 2), (1,) * 100)
    return [_npy(str(shape)) for shape in shapes] + [_npy("(" * 3000), _npy("[" * 9000), _npy("(4, 2), 'x': {[]: 1}")]


def npz() -> list[bytes]:
    """Archives with such arrays, and with names outside the folder."""
    contents = [_archive({"X.npy": one, "y.npy": one}) for one in npy()]
    return contents + [_archive({name: npy()[0]}) for name in ("../X.npy", "/tmp/X.npy", "C:\\X.npy")]


def npz_bomb(n: int = 3 << 10) -> list[bytes]:
    """An archive that unpacks to `n` MB."""
    return [_archive({"X.npy": _npy(str((n, MEGABYTE // 8, 2)))}, n)]


def gzip_bomb(n: int = 1 << 10) -> bytes:
    """Rows that unpack to `n` MB."""
    row = b"1.5,1,x,2024-01-10,yes\n"
    part = gzip.compress(row * (MEGABYTE // len(row)), mtime=0)
    return gzip.compress(b"a,b,c,d,kind\n", mtime=0) + part * n


def wav() -> list[bytes]:
    """Recordings that claim hours of sound, or impossible sample rates."""
    import soundfile

    file = io.BytesIO()
    soundfile.write(file, np.zeros(4000), 8000, "PCM_16", format="FLAC")
    flac = bytearray(file.getvalue())
    flac[21:26] = bytes([flac[21] | 0x0F, *b"\xff" * 4])  # the stream's number of samples, 36 bits
    file = io.BytesIO()
    soundfile.write(file, np.zeros(4000), 8000, "PCM_16", format="WAV")
    plain = file.getvalue()
    rates = [plain[:24] + struct.pack("<I", rate) + plain[28:] for rate in (0, 1, 7, 0x7FFFFFFF, 0xFFFFFFFF)]
    return [bytes(flac), *rates, plain[:40] + b"\xff\xff\xff\xff" + plain[44:]]


def claimed_images() -> list[bytes]:
    """Images that claim more pixels than they have."""
    sizes = ((30_000, 30_000), (0x7FFFFFFF, 0x7FFFFFFF), (2_000, 2_000), (0, 8))
    return [_png(*size, 2, 8, b"") for size in sizes]


def images(side: int = 9_000) -> list[bytes]:
    """Small files with nearly as many pixels as PIL allows: in colour, with transparency, and in 16 bits."""
    kinds = ((2, 8, 3), (6, 8, 4), (0, 16, 2))
    return [_png(side, side, kind, bits, zlib.compress(bytes((1 + side * n) * side))) for kind, bits, n in kinds]


def _png(width: int, height: int, kind: int, depth: int, packed: bytes) -> bytes:
    head = struct.pack(">IIBBBBB", width, height, depth, kind, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", binascii.crc32(name + data))
        for name, data in ((b"IHDR", head), (b"IDAT", packed), (b"IEND", b""))
    )


def _npy(shape: str) -> bytes:
    text = f"{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}"
    text += " " * (-(len(text) + 11) % 64) + "\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text.encode()


def _archive(members: dict[str, bytes], n: int = 0) -> bytes:
    """A compressed archive of `members`, each with `n` MB of zeros after it."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compresslevel=1) as archive:
        for name, content in members.items():
            entry = zipfile.ZipInfo(name)
            entry.compress_type = zipfile.ZIP_DEFLATED
            with archive.open(entry, "w", force_zip64=True) as member:
                member.write(content)
                for _ in range(n):
                    member.write(bytes(MEGABYTE))
    return file.getvalue()
