"""Training and prediction on a pretended CUDA device, see helpers/pretended_cuda.py for what that cannot show.

A tensor left on the CPU, a wait for the GPU within a step and a generator of the wrong device fail here.
"""

import os
import signal
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from helpers.models import KNOWN_AHEAD, spec_of, targets_of
from helpers.pretended_cuda import GPU, is_on_gpu, pretended_cuda
from helpers.trainings import SHORT

import zoo
from zoo.core.errors import InterruptedTraining
from zoo.core.run_folder import Run
from zoo.core.spec import DataSpec, Input
from zoo.data.augment import AUGMENTATIONS, augment
from zoo.data.splits import TensorSplit
from zoo.engine.families import create_module
from zoo.engine.fitting import Training, fit
from zoo.engine.load_splits import load_splits
from zoo.engine.means import MeanLoss
from zoo.engine.module import ZooModule
from zoo.engine.resources import fill_auto
from zoo.inference.cards import probe_inputs
from zoo.inference.evaluation import evaluate
from zoo.inference.predictor import Predictor
from zoo.settings.training_config import TrainingConfig

PLAIN = {"name": "constant", "warmup": 0.0}
ADAMW = {"name": "adamw", "lr": 1e-3, "weight_decay": 0.01, "schedule": PLAIN}
CARD = {"model": {"name": "made"}}
SPECS = {
    "regression": {"n_outputs": 1, "target": Input((1,), "float32", scaled_axis=0)},
    "multi_label": {"n_outputs": 3, "target": Input((3,)), "class_names": "abc"},
    "forecasting": {"n_outputs": 6, "target": Input((3, 2), "float32", ("horizon", "n_channels"), 1)},
}
FEW = ("trainer.max_epochs=2", "trainer.limit_train_batches=4", "trainer.limit_val_batches=1")
AUGMENT = {
    "flip": {"alternate": True},
    "colour": {"brightness": 0.2, "contrast": 0.1, "saturation": 0.2},
    "warp": {"shift": 0.1, "rotate": 10.0, "scale": 0.1, "bend": 0.04},
    "noise": {"name": "image", "std": 1.0},
    "resize": {"start": 20, "epochs": 2},
}  # others need no options
SETTINGS = {
    "every option of fnn": ("model=fnn/mlp", "model.norm=batch", "model.dropout=0.2", "model.scaling=quantile",
                            "model.embedding=piecewise_linear_tree", "optim.ema=0.9", "optim.lookahead=2",
                            "optim.anneal=flat_cosine", "optim.clip=1", "optim.sam=0.05",
                            "task.class_weights=[1,3]", "task.label_smoothing=0.1",
                            "distill.teacher=fnn/mlp.breast_cancer", "trainer.tricks=[]", "data.resident=false"),
    "muon, accumulated": ("model=fnn/mlp", "data=diabetes", "task.head=quantiles", "optim=muon",
                          "trainer.accumulate_grad_batches=2",
                          "trainer.precision=bf16-mixed"),
    "several seeds": ("model=fnn/mlp", "seeds=[0,1]", "model.scaling=robust", "model.embedding=pbld",
                      "optim=nesterov", "optim.clip=1", "model.dropout=0.2"),
    "retrieval": ("model=fnn/tabr", "data=breast_cancer", "optim.ema=0.9", "distill.teacher=fnn/mlp.breast_cancer"),
    "recurrent": ("model=rnn/lstm", "model.width=4", "data.batch_size=16"),
    "language model": ("model=rnn/lstm", "data=text", "data.path={text}", "model.width=8", "model.dropout=0.2"),
}  # fmt: skip


@pytest.fixture
def gpu():
    with pretended_cuda() as gpu:
        yield gpu


@pytest.fixture
def steps_never_wait(gpu, monkeypatch):
    """Let a step that waits for the GPU fail, from the second epoch."""
    step = ZooModule.training_step

    def watched(module, batch, batch_idx):
        if module.trainer.current_epoch == 0:
            return step(module, batch, batch_idx)
        with gpu.never_waits():
            return step(module, batch, batch_idx)

    monkeypatch.setattr(ZooModule, "training_step", watched)


def on_gpu(batch):
    return {name: value.cuda() for name, value in batch.items()}


def test_the_pretended_device_fails_as_a_real_one(gpu):
    there, here = torch.ones(3, device="cuda", requires_grad=True), torch.ones(3)
    (there * there).sum().backward()
    assert (there.device, there.grad.device, here.device) == (GPU, GPU, torch.device("cpu"))
    with pytest.raises(RuntimeError, match="same device"):
        there + here
    with pytest.raises(RuntimeError, match="generator"):
        torch.rand(3, device="cuda", generator=torch.Generator())
    with pytest.raises(TypeError, match="numpy"):
        there.detach().numpy()
    for wait in (there.sum().item, there.tolist, there.nonzero, there.cpu, here.cuda, lambda: there[there > 0]):
        with gpu.never_waits(), pytest.raises(AssertionError, match="waits for the GPU"):
            wait()


@pytest.mark.parametrize("name", zoo.list_models())
def test_a_model_trains_on_the_gpu_without_waiting_for_it(gpu, name):
    trains_on_the_gpu(gpu, name, spec_of(name), targets_of(name, 2))


@pytest.mark.parametrize("name", ["rnn/segrnn", "rnn/gru"])
def test_what_is_known_ahead_is_read_on_the_gpu(gpu, name):
    trains_on_the_gpu(gpu, name, KNOWN_AHEAD, torch.randn(2, 3, 2))


def trains_on_the_gpu(gpu, name, spec, target):
    module = create_module({"name": name}, spec=spec.to_json(), task={}, optim=ADAMW).to("cuda")
    module.trainer, module.manual_backward = SimpleNamespace(world_size=1), torch.Tensor.backward
    batch = on_gpu({**probe_inputs(spec, 2), "target": target})
    optimizer, mean = torch.optim.AdamW(module.parameters(), fused=True), MeanLoss()
    with gpu.never_waits():
        module.add_gradient(batch, 1.0, mean)
        optimizer.step()
    assert is_on_gpu(mean.sum) and all(is_on_gpu(weight.grad) for weight in module.parameters())


@pytest.mark.parametrize("name", AUGMENTATIONS.names())
def test_an_augmentation_draws_on_the_gpu_without_waiting_for_it(gpu, name):
    image, target = torch.randint(256, (15, 3, 28, 28)).byte(), torch.arange(15) % 3
    batch = on_gpu(
        {"image": image, "sequence": torch.rand(15, 20, 4), "lengths": torch.arange(1, 16), "target": target}
    )
    with gpu.never_waits():
        changed = augment(batch, {name: AUGMENT.get(name, {})}, mixable=lambda target: F.one_hot(target, 3).float())
    assert all(map(is_on_gpu, changed.values()))


@pytest.mark.parametrize("name", SPECS)
def test_a_task_is_trained_and_measured_on_the_gpu(gpu, name):
    spec = DataSpec("made", name, {"numeric": Input((4,), axes=("n_numeric",), scaled_axis=0)}, **SPECS[name])
    module = create_module({"name": "fnn/mlp", "width": 4}, spec=spec.to_json(), task={}, optim=ADAMW)
    target = torch.rand(20, *spec.target.shape).round() if name == "multi_label" else torch.rand(20, *spec.target.shape)
    split = TensorSplit(numeric=torch.randn(20, 4), target=target.to(getattr(torch, spec.target.dtype)))
    module.trainer, module.manual_backward = SimpleNamespace(world_size=1), torch.Tensor.backward
    values, _, _ = evaluate(Predictor(module.model, spec, CARD), split)
    module.to("cuda")
    batch = on_gpu(split[:])
    with gpu.never_waits():
        module.add_gradient(batch, 1.0, MeanLoss())
    assert evaluate(Predictor(module.model, spec, CARD), split)[0] == pytest.approx(values)


def fitted(settings, folder):
    """Fit a model as a training does, without its report."""
    checked, run = TrainingConfig.of(settings), Run(folder)
    with run.claim(checked.plain()):
        data = load_splits(run, checked, None)
        return fit(Training(fill_auto(checked, len(data.splits.train), data.splits.spec), run), data, None)


def assert_same_bits(model, other):
    torch.testing.assert_close(model.cpu().state_dict(), other.cpu().state_dict(), rtol=0, atol=0)


def test_a_training_resumes_on_the_gpu_to_the_bits_of_one_on_the_cpu(config, runs, steps_never_wait, tmp_path):
    """Interrupted in mid-epoch, with dropout and a moving average."""
    settings, add_gradient = config(*SHORT["fnn"], "trainer=gpu", "resume=auto"), ZooModule.add_gradient
    steps = []

    def interrupted(*arguments):
        steps.append(os.kill(os.getpid(), signal.SIGUSR1) if len(steps) == 30 else None)
        add_gradient(*arguments)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ZooModule, "add_gradient", interrupted)
        with pytest.raises(InterruptedTraining):
            zoo.train(settings, tmp_path)
    result = zoo.train(settings, tmp_path)
    assert result.metrics["device"].startswith("pretended GPU")
    assert_same_bits(result.predictor.model, zoo.load(runs["fnn"]).model)


def test_a_convolutional_network_trains_on_the_gpu_to_the_bits_of_the_cpu(config, runs, steps_never_wait, tmp_path):
    module = fitted(config(*SHORT["cnn"], "trainer=gpu"), tmp_path / "run").module
    assert_same_bits(module.model, zoo.load(runs["cnn"]).model)


@pytest.mark.parametrize("family", SHORT)
def test_cuda_graphs_give_the_same_training(config, runs, gpu, steps_never_wait, tmp_path, family):
    """Except for learning rates rounded to 32 bits: with Adam, dropout and a moving average, with SGD, and with batches
    of two sizes. Each size has three plain steps at first."""
    settings = config(*SHORT[family], "trainer=gpu", "trainer.tricks=[all,cuda_graphs]")
    module = fitted(settings, tmp_path / "run").module
    assert gpu.replays == {"fnn": 33 - 3, "cnn": 10 - 3, "rnn": 32 - 2 * 3}[family]
    theirs = zoo.load(runs[family]).model.state_dict()
    torch.testing.assert_close(module.model.cpu().state_dict(), theirs, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("name", SETTINGS)
def test_options_of_a_training_run_on_the_gpu(config, steps_never_wait, tmp_path, name):
    (tmp_path / "text.txt").write_text("a rose is a rose is a rose. " * 100)
    words = [word.replace("{text}", str(tmp_path / "text.txt")) for word in SETTINGS[name]]
    module = fitted(config(*words, *FEW, "trainer=gpu"), tmp_path / "run").module
    assert all(weight.isfinite().all() for weight in module.parameters())
    if module.task.generates:
        assert len(Predictor(module.model_of().cuda(), module.task.spec, CARD).generate("a rose", n=3)) == 3


@pytest.mark.parametrize("family", SHORT)
def test_predictions_on_the_gpu_equal_those_on_the_cpu(runs, gpu, family):
    predictor = zoo.load(runs[family])
    batch = probe_inputs(predictor.spec, 3)
    raw = next(iter(batch.values())).numpy()
    before = predictor.predict_proba(raw), predictor.features(raw), predictor.predict(raw)
    predictor.to("cuda")
    after = predictor.predict_proba(raw), predictor.features(raw), predictor.predict(raw)
    for value, other in zip(before, after, strict=True):
        np.testing.assert_array_equal(value, other)


def test_waits_for_the_gpu_do_not_grow_with_the_batches(config, gpu, tmp_path):
    waits = []
    settings = config("model=fnn/mlp", "optim.ema=0.9", "optim.lookahead=2", "trainer=gpu", "trainer.max_epochs=1")
    for n in (3, 6):
        gpu.waits.clear()
        settings["trainer"]["limit_train_batches"] = n
        fitted(settings, tmp_path / str(n))
        waits.append(dict(gpu.waits))
    assert waits[0] == waits[1]
