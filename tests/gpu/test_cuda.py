"""Training and prediction on CUDA; skipped without it."""

import random

import pytest
import torch
from helpers.commands import in_this_process
from helpers.models import build, spec_of
from soaking.kills import Chain, config_of

import zoo
from zoo.engine.families import ZooModule
from zoo.inference.cards import probe_inputs
from zoo.inference.evaluation import evaluate_weights

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
FAMILIES = ("fnn", "cnn", "rnn")


@pytest.mark.parametrize("name", zoo.list_models())
def test_outputs_equal_those_of_the_cpu(name):
    model, inputs = build(name).eval(), probe_inputs(spec_of(name), 4)
    on_cpu = model(**inputs)
    on_gpu = model.cuda()(**{key: value.cuda() for key, value in inputs.items()})
    torch.testing.assert_close(on_gpu.cpu(), on_cpu, rtol=1e-2, atol=1e-3)  # TensorFloat-32 convolutions


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("precision", ["32", "bf16-mixed"])
def test_trains_on_cuda_and_measures_the_same_on_cpu(config, tmp_path, family, precision):
    settings = (f"model={family}", "trainer=gpu", "trainer.max_epochs=5", f"trainer.precision='{precision}'")
    metrics = zoo.train(config(*settings), tmp_path)
    assert metrics["val"]["accuracy"] > 0.5
    again = evaluate_weights(tmp_path, device="cpu")
    assert again["test"]["accuracy"] == pytest.approx(metrics["test"]["accuracy"], abs=0.01)


def test_out_of_memory_ends_in_one_line_of_advice(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(ZooModule, "training_step", lambda *_: torch.empty(2**50, device="cuda"))
    arguments = ["model=fnn/mlp", "trainer=gpu", "data.batch_size=32", f"run_dir={tmp_path}"]
    assert in_this_process("train", arguments, monkeypatch) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.endswith("data.batch_size=16 trainer.accumulate_grad_batches=2")


def test_resident_data_gives_the_same_result(config, tmp_path):
    settings = ("model=fnn/mlp", "trainer=gpu", "trainer.max_epochs=3")
    resident = zoo.train(config(*settings), tmp_path / "resident")
    moved = zoo.train(config(*settings, "data.resident=false"), tmp_path / "moved")
    assert resident["val"] == moved["val"]


def test_compiled_equals_eager(config, tmp_path):
    settings = ("model=cnn", "trainer=gpu", "trainer.max_epochs=2", "trainer.precision=32-true")
    eager = zoo.train(config(*settings), tmp_path / "eager")
    compiled = zoo.train(config(*settings, "trainer.compile=default"), tmp_path / "compiled")
    assert compiled["val"]["accuracy"] == pytest.approx(eager["val"]["accuracy"], abs=0.03)
    on_cpu = evaluate_weights(tmp_path / "compiled", device="cpu")
    assert on_cpu["test"]["accuracy"] == pytest.approx(compiled["test"]["accuracy"], abs=0.01)


@pytest.mark.parametrize("family", FAMILIES)
def test_cuda_graphs_train_like_single_launches(config, tmp_path, family):
    settings = (f"model={family}", "trainer=gpu", "trainer.max_epochs=3", "trainer.precision=32-true", "optim.ema=0.9")
    plain = zoo.train(config(*settings), tmp_path / "plain")
    graphs = zoo.train(config(*settings, "trainer.tricks=[all,cuda_graphs]"), tmp_path / "graphs")
    assert graphs["val"]["loss"] == pytest.approx(plain["val"]["loss"], rel=0.05)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_step_never_waits_for_the_device(config, tmp_path, family):
    """After warm-up, the steps of an epoch never synchronise with the device."""
    import zoo.engine.module as base

    step = base.ZooModule.training_step

    def watched(self, group, number):
        torch.cuda.set_sync_debug_mode("error" if self.trainer.current_epoch else "default")
        try:
            step(self, group, number)
        finally:
            torch.cuda.set_sync_debug_mode("default")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(base.ZooModule, "training_step", watched)
        zoo.train(config(f"model={family}", "trainer=gpu", "trainer.max_epochs=2"), tmp_path)


def test_a_run_resumes_on_another_device(config, tmp_path):
    """Half a training on the CPU and half on the GPU ends near a whole one on the GPU."""
    import os
    import signal

    from lightning.pytorch.callbacks import Callback

    from zoo.core.errors import InterruptedTraining

    class Stop(Callback):
        def on_train_epoch_end(self, trainer, *args):
            if trainer.current_epoch == 1:
                os.kill(os.getpid(), signal.SIGTERM)

    settings = ("model=fnn/mlp", "trainer.max_epochs=4", "trainer.precision=32-true")
    whole = zoo.train(config(*settings, "trainer=gpu"), tmp_path / "whole")
    with pytest.raises(InterruptedTraining):
        zoo.train(config(*settings, "trainer=cpu"), tmp_path / "parts", callbacks=[Stop()])
    parts = zoo.train(config(*settings, "trainer=gpu", "resume=changed"), tmp_path / "parts")
    assert parts["val"]["loss"] == pytest.approx(whole["val"]["loss"], rel=0.05)
    assert whole["peak_gpu_gib"] > 0


@pytest.mark.parametrize("family", FAMILIES)
def test_a_killed_run_resumes_to_the_same_bits(tmp_path, family):
    chain = Chain(tmp_path, config_of(family, "trainer=gpu", "trainer.deterministic=true"), random.Random(0))
    for _ in range(3):
        list(chain.to_the_end())
        assert chain.differences() == []
