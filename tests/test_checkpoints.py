"""A checkpoint restores what was saved, with types and bit for bit, and never runs code."""

import math
from collections import OrderedDict

import pytest
import torch
from lightning.pytorch.callbacks import Callback
from safetensors import safe_open
from torch import nn

import zoo
from zoo.core import checkpoint_file as module
from zoo.core.checkpoint_file import checkpoints, is_sound, newest
from zoo.core.errors import UserError
from zoo.engine.checkpoint_io import SafeCheckpointIO
from zoo.engine.families import FNNModule

IO = SafeCheckpointIO()
VALUES = {
    "none and bools": [None, True, False],
    "ints": [0, -1, 2**63, -(10**400)],
    "floats": [0.1, 1.0, -0.0, 1e300, 5e-324, math.nan, math.inf, -math.inf],
    "strings": ["", "é😀", "\0", "\ud800", '"'],
    "tuples and lists": [(), [], (1, [2, (3,)])],
    "dicts": [{}, {0: 1, "0": 2, None: 3, 2.5: 4, (1, 2): 5}, {"$tensor": {"$tuple": 1}}],
    "odd names": {"a.b": 1, "a": {"b": 2}, "__metadata__": 3, "\ud800": 4},
}
DTYPES = [
    *(torch.bool, torch.uint8, torch.int8, torch.int16, torch.uint16, torch.int32, torch.int64, torch.uint64),
    *(torch.float16, torch.bfloat16, torch.float32, torch.float64, torch.complex64, torch.complex128),
    *(torch.float8_e4m3fn, torch.float8_e5m2),
]
TENSORS = {
    "a scalar": torch.tensor(math.nan),
    "empty": torch.empty(3, 0, 2).transpose(0, 2),
    "channels last": torch.randn(2, 3, 4, 5).to(memory_format=torch.channels_last),
    "channels last of one channel": torch.randn(4, 1, 3, 3).to(memory_format=torch.channels_last),
    "transposed": torch.randn(3, 4).t(),
    "part of a larger one": torch.arange(20)[5:9],
    "with gaps": torch.arange(20).view(4, 5)[:, ::2],
    "expanded": torch.ones(1, 3).expand(4, 3),
    "conjugate": torch.randn(3, dtype=torch.complex64).conj(),
    "a parameter": nn.Parameter(torch.randn(3)),
} | {str(dtype): torch.tensor([[0, 1, 1]]).to(torch.float32).to(dtype) for dtype in DTYPES}


def again(content, path):
    """Save and load a content."""
    IO.save_checkpoint(content, path)
    return IO.load_checkpoint(path)


def kinds(value):
    """Pair a value with the types of its parts."""
    if isinstance(value, dict):
        return [(kinds(key), kinds(part)) for key, part in value.items()]
    return (type(value), [kinds(part) for part in value] if isinstance(value, list | tuple) else repr(value))


def bits(tensor):
    return tensor.detach().resolve_conj().flatten().view(torch.uint8).tolist() if tensor.numel() else []


@pytest.mark.parametrize("what", VALUES)
def test_plain_values_come_back_with_their_types(tmp_path, what):
    content = {"value": VALUES[what]}
    assert kinds(again(content, tmp_path / "one.ckpt")) == kinds(content)


@pytest.mark.parametrize("what", TENSORS)
def test_tensors_come_back_with_their_bits_and_memory_format(tmp_path, what):
    tensor = TENSORS[what]
    found = again({"a": [tensor]}, tmp_path / "one.ckpt")["a"][0]
    assert (type(found), found.dtype, found.shape) == (torch.Tensor, tensor.dtype, tensor.shape)
    assert bits(found) == bits(tensor)
    assert found.stride() == torch.empty_like(tensor).stride() and not found.requires_grad


def test_shared_tensors_are_stored_once_and_shared_again(tmp_path):
    weight = torch.randn(30, 40)
    found = again({"a": weight, "b": [weight, weight.t(), weight.view(1200)]}, tmp_path / "one.ckpt")
    found["b"][0][0, 1] = 7.0
    assert found["a"][0, 1] == found["b"][1][1, 0] == found["b"][2][1] == 7.0
    with safe_open(tmp_path / "one.ckpt", framework="pt") as file:
        assert list(file.keys()) == ["a"] and torch.equal(file.get_tensor("a"), weight)


def test_a_modules_state_keeps_the_versions_of_its_layers(tmp_path):
    state = nn.Sequential(nn.BatchNorm1d(2)).state_dict()
    found = again({"state_dict": state}, tmp_path / "one.ckpt")["state_dict"]
    assert isinstance(found, OrderedDict) and list(found) == list(state)
    assert found._metadata == state._metadata


@pytest.mark.parametrize(
    "value", [{1}, b"x", len, torch.Size([1]), torch.ones(2).to_sparse(), torch.ones(2, device="meta"), range(3)]
)
def test_other_values_are_refused_when_saving_with_their_path(tmp_path, value):
    with pytest.raises(UserError, match=r"callbacks\.Mine\.1\.x is of type"):
        IO.save_checkpoint({"callbacks": {"Mine": (0, {"x": value})}}, tmp_path / "one.ckpt")
    assert list(tmp_path.iterdir()) == []


def test_circular_values_are_refused(tmp_path):
    loop = []
    loop.append(loop)
    with pytest.raises(UserError, match=r"at most 100 levels deep; loop\.0\.0"):
        IO.save_checkpoint({"loop": loop}, tmp_path / "one.ckpt")


def test_more_plain_values_than_safetensors_reads_are_refused_when_saving(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "LARGEST_HEADER", 1000)
    with pytest.raises(UserError, match="take at most 1,000 bytes"):
        IO.save_checkpoint({"rows": ["x" * 1000]}, tmp_path / "one.ckpt")
    assert list(tmp_path.iterdir()) == []


class Mine(Callback):
    """A callback whose state cannot be saved."""

    def state_dict(self):
        return {"seen": {1, 2}}


def test_a_callback_whose_state_cannot_be_saved_is_named(config, tmp_path):
    with pytest.raises(UserError, match=r"callbacks\.Mine\.seen is of type set"):
        zoo.train(config("model=fnn/mlp", "trainer.max_epochs=1"), tmp_path, callbacks=[Mine()])


def test_checkpoints_of_torch_save_are_refused_by_a_resume(config, tmp_path):
    settings = ("model=fnn/mlp", "trainer.max_epochs=1", "resume=auto")
    zoo.train(config(*settings), tmp_path)
    (tmp_path / "metrics.json").unlink()
    for path in checkpoints(tmp_path / "checkpoints"):
        torch.save(IO.load_checkpoint(path), path)
    with pytest.raises(UserError, match=r"is a pickle, .*; give another run_dir$"):
        zoo.train(config(*settings), tmp_path)


def test_a_file_has_its_hash_in_it_and_no_other_beside_it(runs, tmp_path):
    folder, copy = runs["fnn"] / "checkpoints", tmp_path / "one.ckpt"
    assert {path.suffix for path in folder.iterdir()} <= {".ckpt", ".npz", ""}
    content = newest(folder).read_bytes()
    for place in range(0, len(content), max(1, len(content) // 200)):
        copy.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
        assert not is_sound(copy)
    copy.write_bytes(content)
    assert is_sound(copy)


def test_a_training_and_its_resume_pickle_nothing(config, tmp_path, monkeypatch):
    for name in ("load", "save"):
        monkeypatch.setattr(torch, name, lambda *_, **__: pytest.fail("a pickle"))
    zoo.train(config("model=fnn/mlp", "trainer.max_epochs=1"), tmp_path)
    zoo.train(config("model=fnn/mlp", "trainer.max_epochs=2", "resume=changed"), tmp_path)
    FNNModule.load_from_checkpoint(newest(tmp_path / "checkpoints"))
