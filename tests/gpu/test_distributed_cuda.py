"""Training on every CUDA device at once; skipped without CUDA."""

import json

import pytest
import torch

import zoo

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")


@pytest.mark.parametrize("strategy", ["ddp", "fsdp"])
def test_all_devices_train_like_one(config, script, tmp_path, strategy):
    settings = (
        "model=fnn/mlp",
        "data.batch_size=37",
        "optim.clip=1",
        "trainer.max_epochs=3",
        "trainer.precision=32-true",
    )
    one = zoo.train(config(*settings, "trainer=gpu"), tmp_path / "one")
    devices = ("trainer.accelerator=gpu", f"trainer.devices={torch.cuda.device_count()}")
    done = script("train", *settings, f"trainer={strategy}", *devices, f"run_dir={tmp_path / 'all'}")
    assert done.code == 0, done.err
    every = json.loads((tmp_path / "all" / "metrics.json").read_text())
    assert every["val"] == pytest.approx(one["val"], rel=1e-3)
    assert every["test"] == pytest.approx(one["test"], rel=1e-3)
