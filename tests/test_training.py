"""Whole trainings: run folders, resume, configs, optimisers, metrics, early stopping, distillation."""

import copy
import csv
import dataclasses
import json
import math
import os
import shutil
import signal
import time
import warnings
from typing import ClassVar

import lightning as L
import pytest
import torch
import yaml
from helpers.commands import in_this_process
from helpers.trainings import SHORT

import zoo
from zoo.core.checkpoint_file import newest
from zoo.core.errors import UserError
from zoo.core.library_warnings import ignore_library_warnings
from zoo.core.spec import DataSpec, Input
from zoo.data.module import ZooDataModule
from zoo.data.splits import Splits
from zoo.engine.checkpoint_io import SafeCheckpointIO
from zoo.engine.distillation import Distillation
from zoo.engine.families import ZooModule, create_module
from zoo.engine.history import History
from zoo.engine.resources import batch_work, fit_machine
from zoo.engine.speed.stacked import Stacked
from zoo.inference.evaluation import evaluate_weights
from zoo.inference.finetuning import copy_weights
from zoo.models.cost import multiply_adds
from zoo.models.fnn.mlp import MLP
from zoo.models.model import Model
from zoo.optim.annealing import Annealing
from zoo.optim.averaging import Lookahead
from zoo.optim.factory import OPTIMIZERS, OPTIONAL, create_optimizer
from zoo.optim.muon import Muon, orthogonalize
from zoo.optim.schedules import SCHEDULES, Progress, create_schedule
from zoo.optim.sharpness import perturbed
from zoo.tasks import create_task
from zoo.tasks.base import TASKS

FAMILIES = ("fnn", "cnn", "rnn")


@pytest.mark.parametrize("family", FAMILIES)
def test_a_run_folder_has_all_documented_files(runs, family):
    folder = runs[family]
    assert {path.name for path in folder.iterdir()} == {
        "config.yaml", "metrics.csv", "metrics.json", "model.safetensors", "checkpoints", "report.html",
    }  # fmt: skip
    metrics = json.loads((folder / "metrics.json").read_text())
    assert {"val", "test", "n_parameters", "seconds", "device"} <= set(metrics)
    assert {"loss", "accuracy"} <= set(metrics["test"])
    rows = (folder / "metrics.csv").read_text().splitlines()
    epochs = yaml.safe_load((folder / "config.yaml").read_text())["trainer"]["max_epochs"]
    assert len(rows) == 1 + epochs
    assert {"epoch", "train/loss", "val/loss", "val/accuracy"} <= set(rows[0].split(","))


@pytest.mark.parametrize("family", FAMILIES)
def test_the_weights_file_alone_gives_the_same_metrics(runs, family, tmp_path):
    alone = tmp_path / "alone.safetensors"
    alone.write_bytes((runs[family] / "model.safetensors").read_bytes())
    with pytest.raises(UserError, match="holds a training"):
        evaluate_weights(alone, run_dir=runs[family])
    again = evaluate_weights(alone, run_dir=tmp_path)
    metrics = json.loads((runs[family] / "metrics.json").read_text())
    assert again["test"] == metrics["test"] == zoo.load(alone).card["metrics"]["test"]
    assert json.loads((tmp_path / "metrics.json").read_text())["test"] == metrics["test"]


@pytest.mark.parametrize("family", FAMILIES)
def test_checkpoints_load_without_code(runs, family):
    for path in (runs[family] / "checkpoints").glob("*.ckpt"):
        content = SafeCheckpointIO().load_checkpoint(path)
        assert content["hyper_parameters"]["model"]["name"].startswith(family)
        assert isinstance(content["hyper_parameters"]["optim"], dict)


def test_a_module_is_rebuilt_from_its_checkpoint_alone(runs):
    from zoo.engine.families import CNNModule

    module = CNNModule.load_from_checkpoint(newest(runs["cnn"] / "checkpoints"), weights_only=True)
    assert module.hparams["model"]["name"] == "cnn/small"


def weights_of(folder):
    return SafeCheckpointIO().load_checkpoint(newest(folder / "checkpoints"))


def test_a_history_has_no_metrics_of_epochs_that_were_not_validated(config, tmp_path):
    zoo.train(config("model=fnn/mlp", "trainer.max_epochs=3", "trainer.check_val_every_n_epoch=2"), tmp_path)
    header, *rows = [line.split(",") for line in (tmp_path / "metrics.csv").read_text().splitlines()]
    assert [row[header.index("val/loss")] != "" for row in rows] == [False, True, False]


def test_the_learning_rate_does_not_depend_on_callbacks_that_follow_batches(config, tmp_path):
    from lightning.pytorch.callbacks import Callback

    from zoo.core.errors import InterruptedTraining

    class Stop(Callback):
        def on_train_epoch_end(self, trainer, *args):
            if trainer.current_epoch == 0:
                os.kill(os.getpid(), signal.SIGTERM)

    class Follow(Callback):
        def on_train_batch_end(self, *args):
            """Lightning is handed every batch alone."""

    settings = ("model=fnn/mlp", "trainer.max_epochs=3", "resume=auto", "optim.schedule.name=cosine")
    zoo.train(config(*settings), tmp_path / "whole")
    with pytest.raises(InterruptedTraining):
        zoo.train(config(*settings), tmp_path / "parts", callbacks=[Stop()])
    zoo.train(config(*settings), tmp_path / "parts", callbacks=[Follow()])
    rates = [
        [line.split(",")[2] for line in (tmp_path / folder / "metrics.csv").read_text().splitlines()]
        for folder in ("whole", "parts")
    ]
    assert rates[0] == rates[1] and float(rates[1][2]) > 0


def test_a_resume_with_larger_batches_keeps_its_place_in_the_schedule(config, tmp_path):
    """If the schedule counted updates, the learning rate would be 0 for the rest, and lookahead would diverge."""
    settings = config("model=fnn/mlp", "trainer=cpu", "trainer.max_epochs=2", "data.batch_size=16", "optim.lookahead=2")
    zoo.train(settings, tmp_path / "run")
    settings["trainer"]["max_epochs"], settings["data"]["batch_size"], settings["resume"] = 4, 128, "changed"
    zoo.train(settings, tmp_path / "run")
    zoo.train({**settings, "resume": None}, tmp_path / "whole")
    rates, whole = (
        [float(row["lr"]) for row in csv.DictReader((tmp_path / name / "metrics.csv").open())]
        for name in ("run", "whole")
    )
    assert rates[2] == pytest.approx(whole[2]) and rates[2] > 0


@pytest.mark.parametrize("batch_size", [32, 4])  # 11 batches per epoch, in one group; 86, in several
def test_gradients_are_accumulated_over_batches(config, tmp_path, batch_size):
    settings = ("model=fnn/mlp", "trainer.max_epochs=1", "optim=sgd", f"data.batch_size={batch_size}")
    zoo.train(config(*settings, "trainer.accumulate_grad_batches=3"), tmp_path / "accumulated")
    n_batches = -(-341 // batch_size)
    assert weights_of(tmp_path / "accumulated")["global_step"] == -(-n_batches // 3)
    zoo.train(config(*settings, f"trainer.accumulate_grad_batches={n_batches}"), tmp_path / "whole")
    zoo.train(config(*settings[:-1], "data.batch_size=341"), tmp_path / "one")
    whole, one = weights_of(tmp_path / "whole")["state_dict"], weights_of(tmp_path / "one")["state_dict"]
    for key, value in one.items():
        torch.testing.assert_close(whole[key], value, rtol=0.02, atol=1e-3)  # batches differ in length by one


class Follow(L.Callback):
    """Follows every batch, so that none are grouped."""

    def on_train_batch_end(self, *args):
        pass


@pytest.mark.parametrize("callbacks", [[], [Follow()]], ids=["grouped", "alone"])
def test_the_last_update_of_an_epoch_is_the_mean_of_its_own_batches(config, tmp_path, callbacks):
    """If fewer batches are left than are accumulated, the gradient is divided by their number."""
    settings = ("model=fnn/mlp", "trainer.max_epochs=1", "optim=sgd", "trainer.keep=last")
    for n in (1, 4):
        more = ("trainer.limit_train_batches=1", f"trainer.accumulate_grad_batches={n}")
        zoo.train(config(*settings, *more), tmp_path / str(n), callbacks)
    one, four = (weights_of(tmp_path / str(n))["state_dict"] for n in (1, 4))
    assert all(torch.equal(value, four[key]) for key, value in one.items())


@pytest.mark.parametrize(
    ("settings", "n_batches", "n_updates"),
    [
        (("trainer.limit_train_batches=1",), 1, 1),
        (("trainer.limit_train_batches=2",), 2, 2),
        (("trainer.limit_train_batches=1.0",), 11, 11),
        (("trainer.limit_train_batches=0.5",), 5, 5),
        (("trainer.limit_train_batches=3", "trainer.accumulate_grad_batches=2"), 3, 2),
        (("trainer.accumulate_grad_batches=4",), 11, 3),
        (("+trainer.overfit_batches=1",), 1, 1),
        (("+trainer.fast_dev_run=2",), 2, 2),
        (("+trainer.max_steps=1", "trainer.accumulate_grad_batches=4"), 4, 1),
        (("+trainer.val_check_interval=1",), 11, 11),
    ],
)
def test_limits_count_batches_and_the_schedule_ends_with_the_last_update(
    config, tmp_path, monkeypatch, settings, n_batches, n_updates
):
    """A whole number counts batches, a fraction is their share, and the schedule ends with the last update."""
    batches, add_gradient = [], ZooModule.add_gradient
    monkeypatch.setattr(ZooModule, "add_gradient", lambda *args: batches.append(args) or add_gradient(*args))
    training = config(
        "model=fnn/mlp", "data.batch_size=32", "trainer.max_epochs=1", "optim.schedule.name=cosine", *settings
    )
    zoo.train(training, tmp_path)
    header, *rows = [line.split(",") for line in (tmp_path / "metrics.csv").read_text().splitlines()]
    assert len(batches) == n_batches
    assert int(rows[-1][header.index("step")]) == n_updates
    assert float(rows[-1][header.index("lr")]) == 0


def test_overfit_batches_repeats_the_same_batches_in_each_epoch(config, tmp_path, monkeypatch):
    first, add_gradient = [], ZooModule.add_gradient
    monkeypatch.setattr(
        ZooModule, "add_gradient", lambda *args: first.append(float(args[1]["numeric"][0].sum())) or add_gradient(*args)
    )
    zoo.train(config("model=fnn/mlp", "trainer.max_epochs=2", "+trainer.overfit_batches=2"), tmp_path)
    assert len(first) == 4 and first[:2] == first[2:]


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("trainer.limit_train_batches=0", "limit_train_batches is a number of batches from 1"),
        ("+trainer.val_check_interval=3", "multiple of trainer.accumulate_grad_batches=2; got 3"),
    ],
)
def test_impossible_numbers_of_batches_are_refused(config, tmp_path, setting, message):
    with pytest.raises(UserError, match=message):
        zoo.train(config("model=fnn/mlp", "trainer.accumulate_grad_batches=2", setting), tmp_path)


def test_the_same_command_gives_the_same_file_for_any_number_of_workers(config, tmp_path):
    settings = ("model=fnn/mlp", "trainer.max_epochs=2")
    zoo.train(config(*settings), tmp_path / "one")
    zoo.train(config(*settings), tmp_path / "two")
    zoo.train(config(*settings, "data.num_workers=2", "data.resident=false"), tmp_path / "workers")
    one, two, workers = (tmp_path / part / "model.safetensors" for part in ("one", "two", "workers"))
    assert one.read_bytes() == two.read_bytes()
    first, second = zoo.load(one).model.state_dict(), zoo.load(workers).model.state_dict()
    assert all(torch.equal(value, second[key]) for key, value in first.items())


def test_compiling_reaches_the_network_that_trains(config, tmp_path, monkeypatch):
    compiled = []
    monkeypatch.setattr(torch.nn.Module, "compile", lambda self, *args, **kwargs: compiled.append(type(self).__name__))
    zoo.train(config("model=fnn/mlp", "trainer=debug", "trainer.compile=default"), tmp_path)
    assert compiled == ["MLP"]


def test_a_finished_run_is_not_overwritten(runs, config):
    with pytest.raises(UserError, match="resume=auto"):
        zoo.train(config("model=fnn/mlp"), runs["fnn"])
    before = (runs["fnn"] / "model.safetensors").read_bytes()
    assert zoo.train(config(*SHORT["fnn"], "resume=auto"), runs["fnn"])["test"]
    assert (runs["fnn"] / "model.safetensors").read_bytes() == before


def test_training_leaves_the_process_as_it_was(config, tmp_path):
    """The number of threads and the signal handlers are restored, and any thread may train."""
    import threading

    def state():
        return torch.get_num_threads(), *map(signal.getsignal, (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1))

    before = state()
    worker = threading.Thread(target=zoo.train, args=(config("model=fnn/mlp", "trainer=debug"), tmp_path / "run"))
    worker.start()
    worker.join()
    zoo.train(config("model=fnn/mlp", "trainer=debug"), tmp_path / "main")
    assert (tmp_path / "run" / "metrics.json").exists()
    assert state() == before


def test_a_config_without_its_sections_is_refused(tmp_path):
    with pytest.raises(UserError, match="optim is missing"):
        zoo.train({"model": {}, "data": {}, "trainer": {}}, tmp_path)


def test_finetuning_loads_the_weights_and_refuses_another_network(config, runs, tmp_path, capsys):
    weights = str(runs["cnn"] / "model.safetensors")
    zoo.train(
        config("model=cnn", f"finetune={weights}", "trainer=debug", "trainer.precision=32-true"), tmp_path / "same"
    )
    assert f"weights from {weights}\n" in capsys.readouterr().out
    with pytest.raises(UserError, match="another network"):
        zoo.train(config("model=cnn/lenet5", f"finetune={weights}", "trainer=debug"), tmp_path / "other")


def test_a_finetuned_network_has_the_trained_body_and_a_new_head():
    spec = zoo.load_data("mnist5k").spec
    fewer = dataclasses.replace(spec, n_outputs=3, class_names=("0", "1", "2"))
    trained = zoo.Predictor(zoo.create_model("cnn/lenet5", spec), spec, card={"model": {"name": "cnn/lenet5"}})
    model = zoo.create_model("cnn/lenet5", fewer)
    head = {key: value.clone() for key, value in model.state_dict().items() if key.startswith("network.head.")}
    assert copy_weights(model, fewer, trained, "mnist") == ["network.head.bias", "network.head.weight"]
    for key, value in model.state_dict().items():
        assert torch.equal(value, head.get(key, trained.model.state_dict()[key])), key


def test_the_head_for_other_classes_is_new_even_if_their_number_is_the_same():
    spec = zoo.load_data("mnist5k").spec
    letters = dataclasses.replace(spec, class_names=tuple("abcdefghij"))
    trained = zoo.Predictor(zoo.create_model("cnn/lenet5", spec), spec, card={})
    for data, left in ((letters, ["network.head.bias", "network.head.weight"]), (spec, [])):
        assert copy_weights(zoo.create_model("cnn/lenet5", data), data, trained, "mnist") == left


def test_a_file_to_start_from_brings_its_network_size_and_rate(config):
    photos = ("data=imagefolder", "data.path=photos")
    brought = config("finetune=cnn/resnet20.cifar10", *photos)
    assert brought["model"] == {"name": "cnn/resnet", "depth": 20, "width": 16}
    assert (brought["data"]["size"], brought["data"]["channels"]) == (32, 3)
    assert brought["optim"]["lr"] < config("cnn/resnet", *photos)["optim"]["lr"] / 5
    own = config("finetune=cnn/resnet20.cifar10", *photos, "data.size=40", "optim.lr=0.5", "trainer.max_epochs=7")
    assert (own["data"]["size"], own["optim"]["lr"], own["trainer"]["max_epochs"]) == (40, 0.5, 7)
    chosen = config("model=cnn/resnet", "finetune=cnn/resnet20.cifar10", *photos)
    assert chosen == {**config("cnn/resnet", *photos), "finetune": "cnn/resnet20.cifar10"}
    with pytest.raises(UserError, match=r"file 'cnn/resnet21.cifar10'; the nearest: cnn/resnet20"):
        config("finetune=cnn/resnet21.cifar10", *photos)


def test_a_new_head_is_fitted_on_the_features_of_the_trained_body():
    from zoo.engine.new_head import fit_new_head

    splits, predictor = zoo.load_data("mnist5k"), zoo.load("cnn/small.mnist5k")
    few = splits.train.subset(range(200))
    torch.nn.init.zeros_(predictor.model.network.head.weight)
    assert fit_new_head(predictor.model, predictor.task, few)
    assert zoo.evaluate(predictor, splits.val.subset(range(200)))[0]["accuracy"] > 0.97


@pytest.mark.parametrize("kind", ["columns", "kinds or categories", "characters"])
def test_weights_that_would_mean_something_else_are_refused(kind):
    spec = zoo.load_data("wine").spec
    first, *rest = spec.columns
    ours = {
        "columns": {"columns": [dataclasses.replace(first, name="acid"), *rest]},
        "kinds or categories": {"columns": [dataclasses.replace(first, kind="boolean"), *rest]},
        "characters": {"reading": {"alphabet": "abc"}},
    }
    data = dataclasses.replace(spec, **ours[kind])
    trained = zoo.Predictor(zoo.create_model("fnn/mlp", spec), spec, card={"model": {"name": "fnn/mlp"}})
    with pytest.raises(UserError, match=f"finetune=runs/wine was trained on other {kind}"):
        copy_weights(zoo.create_model("fnn/mlp", data), data, trained, "runs/wine")


def test_the_error_of_finetuning_names_the_model_and_inputs_of_the_file():
    spec = zoo.load_data("mnist5k").spec
    colours = dataclasses.replace(spec, inputs={"image": Input((3, 28, 28), "uint8", spec.inputs["image"].axes, 0)})
    with pytest.raises(UserError, match=r"reads image 1 x 28 x 28; these data are image 3(.|\n)*model.width=16"):
        copy_weights(zoo.create_model("cnn/small", colours), colours, zoo.load("cnn/small.mnist5k"), "digits")
    with pytest.raises(UserError, match="ten is an ensemble"):
        copy_weights(zoo.create_model("cnn/fast", spec), spec, zoo.load("cnn/fast.mnist_ensemble"), "ten")


@pytest.mark.parametrize(
    ("weights", "split", "changed", "warns"),
    [
        ("fnn/mlp.breast_cancer", "test", {"split_seed": 3}, True),
        ("fnn/mlp.breast_cancer", "test", {"split_seed": 0}, False),
        ("rnn/lstm.japanese_vowels", "val", {"n_val": 27, "split_seed": 3}, True),
        ("rnn/lstm.japanese_vowels", "test", {"n_val": 27, "split_seed": 3}, False),  # an official one
    ],
)
def test_an_evaluation_warns_about_possible_leakage(capsys, weights, split, changed, warns):
    evaluate_weights(weights, data={"name": weights.split(".")[1], **changed}, split=split)
    assert (f"warning: {weights} was trained with data.split_seed=0" in capsys.readouterr().out) == warns


def test_a_network_whose_layers_have_versions_is_trained_saved_and_finetuned(config, tmp_path):
    mnasnet = ("model=cnn/torchvision", "model.architecture=mnasnet0_5", "trainer=debug")
    zoo.train(config(*mnasnet, "optim.ema=0.9"), tmp_path / "first")
    zoo.train(config(*mnasnet, f"finetune={tmp_path / 'first'}"), tmp_path / "second")
    assert zoo.load(tmp_path / "second").predict(zoo.load_data("mnist5k").test[:2]["image"]) is not None


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_a_sample_has_the_weight_of_its_class(smoothing):
    """This holds for smoothed targets and for shares of classes; mixed samples are weighted by their shares."""
    task = create_task(zoo.load_data("breast_cancer").spec, class_weights=[1, 20], label_smoothing=smoothing)
    torch.manual_seed(0)
    output, target = torch.randn(6, 2), torch.tensor([0, 1, 1, 0, 1, 0])
    weights = torch.tensor([1.0, 20.0])[target]
    losses = torch.nn.functional.cross_entropy(output, target, label_smoothing=smoothing, reduction="none")
    torch.testing.assert_close(task.loss(output, target), (weights * losses).sum() / weights.sum())
    shares = torch.nn.functional.one_hot(target).float()
    torch.testing.assert_close(task.loss(output, shares), task.loss(output, target))
    assert float(task.count(shares)) == float(task.count(target)) == 63
    other = target.flip(0)  # a mixed sample's loss is the sum over its parts, weighted by their shares
    mixed = 0.7 * shares + 0.3 * shares.flip(0)
    parts = [share * task.loss(output, one) * task.count(one) for share, one in ((0.7, target), (0.3, other))]
    torch.testing.assert_close(task.loss(output, mixed) * task.count(mixed), sum(parts))


def test_smoothing_with_class_weights_still_favours_the_own_class():
    """The optimal logits of a smoothed target predict its class, whatever the weights of the others."""
    task = create_task(zoo.load_data("breast_cancer").spec, class_weights=[1, 25], label_smoothing=0.1)
    output = torch.zeros(1, 2, requires_grad=True)
    (gradient,) = torch.autograd.grad(task.loss(output, torch.tensor([0])), output)
    assert gradient[0, 0] < 0 < gradient[0, 1]


@pytest.mark.parametrize("weights", [[0, 0], [-1, 2], [1, float("nan")], [1, float("inf")]])
def test_impossible_class_weights_are_refused(weights):
    with pytest.raises(UserError, match="class_weights"):
        create_task(zoo.load_data("breast_cancer").spec, class_weights=weights)


@pytest.mark.parametrize("how", ["finetune", "distill.teacher"])
def test_finetuning_and_distillation_warn_about_possible_leakage(config, tmp_path, capsys, how):
    zoo.train(config("model=cnn", f"{how}=cnn/small.mnist", "trainer=debug"), tmp_path)
    assert "cnn/small.mnist was trained with data.name=mnist" in capsys.readouterr().out


@pytest.mark.parametrize(
    "overrides", [("optim=muon",), ("optim=nesterov",), ("optim=adam", "optim.clip=1"), ("optim.sam=0.05",)]
)
def test_every_optimiser_learns_through_the_trainer(config, tmp_path, overrides):
    metrics = zoo.train(config("model=fnn/mlp", "trainer.max_epochs=8", *overrides), tmp_path)
    assert metrics["val"]["accuracy"] > 0.9


def test_the_options_of_tasks_change_what_is_learnt(config, tmp_path):
    zoo.train(
        config("model=fnn/mlp", "trainer=debug", "task.label_smoothing=0.1", "task.class_weights=[1,2]"), tmp_path / "a"
    )
    for loss in ("mse", "mae", "huber"):
        zoo.train(config("model=fnn/mlp", "data=diabetes", "trainer=debug", f"task.loss={loss}"), tmp_path / loss)
    assert len({(tmp_path / loss / "model.safetensors").read_bytes()[-4000:] for loss in ("mse", "mae", "huber")}) == 3
    with pytest.raises(UserError, match="label_smoothing"):
        zoo.train(config("model=fnn/mlp", "data=diabetes", "task.label_smoothing=0.1"), tmp_path / "c")


def test_bf16_trains_with_clipping(config, tmp_path):
    settings = ("trainer.max_epochs=5", "trainer.precision=bf16-mixed", "optim.clip=1")
    metrics = zoo.train(config("model=fnn/mlp", *settings), tmp_path)
    assert metrics["precision"] == "bf16-mixed"
    assert metrics["val"]["accuracy"] > 0.9


# -- optimisers and schedules


def quadratic():
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.Tanh(), torch.nn.Linear(8, 1))


def options_of(name):
    section = zoo.config("fnn/mlp", f"optim={name}")["optim"]
    return {key: value for key, value in section.items() if key not in ("schedule", *OPTIONAL)}


@pytest.mark.parametrize("name", OPTIMIZERS.names())
def test_an_optimiser_lowers_a_loss_and_restores_its_state(name):
    model, x = quadratic(), torch.randn(32, 4)
    optimizer = create_optimizer(model, **options_of(name))
    losses = []
    for _ in range(60):
        loss = (model(x) - x[:, :1]).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0] / 2
    again = create_optimizer(model, **options_of(name))
    again.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    before = {key: value.clone() for key, value in model.state_dict().items()}
    results = []
    for one in (optimizer, again):
        model.load_state_dict(before)
        one.step()
        results.append({key: value.clone() for key, value in model.state_dict().items()})
    assert all(torch.equal(value, results[1][key]) for key, value in results[0].items())


@pytest.mark.parametrize("shape", [(12, 20), (20, 12), (16, 16)])
def test_muon_equals_torchs_and_treats_convolutions_as_matrices(shape):
    torch.manual_seed(0)
    ours, theirs, convolution = (torch.nn.Parameter(torch.ones(shape)) for _ in range(3))
    convolution.data = convolution.data.view(shape[0], -1, 2, 2).contiguous(memory_format=torch.channels_last)
    optimizers = [Muon([{"params": [weight], "weight_decay": 0.1}], lr=0.5) for weight in (ours, convolution)]
    optimizers.append(torch.optim.Muon([theirs], lr=0.5, weight_decay=0.1))
    for _ in range(3):
        ours.grad = torch.randn(shape)
        theirs.grad, convolution.grad = ours.grad.clone(), ours.grad.view_as(convolution).clone()
        for optimizer in optimizers:
            optimizer.step()
    assert torch.equal(convolution.flatten(1), ours)
    torch.testing.assert_close(ours, theirs, rtol=0, atol=0.03)  # both are rounded to 16 bits on the way


def test_a_step_of_muon_has_the_same_length_in_every_direction():
    values = torch.linalg.svdvals(orthogonalize(torch.randn(8, 64)).float())
    assert (values > 0.6).all() and (values < 1.3).all()


def test_only_weights_that_multiply_decay():
    groups = create_optimizer(quadratic(), name="adamw", lr=1.0, weight_decay=0.5).param_groups
    assert [(group["weight_decay"], {p.dim() for p in group["params"]}) for group in groups] == [(0.5, {2}), (0.0, {1})]


def test_biases_may_have_their_own_learning_rate():
    groups = create_optimizer(quadratic(), name="sgd", lr=0.5, weight_decay=0.64, bias_lr=64).param_groups
    assert [group["lr"] for group in groups] == [0.5, 32.0]
    assert [group["weight_decay"] for group in groups] == [0.64, 0.01]  # as much each step


@pytest.mark.parametrize("name", SCHEDULES.names())
def test_schedule_stays_in_bounds_and_warms_up(name):
    optimizer = torch.optim.SGD(quadratic().parameters(), lr=1.0)
    rises = SCHEDULES.get(name)(0.0) == 0
    schedule = create_schedule(optimizer, Progress(1000), name=name, warmup=0.0 if rises else 0.1)
    rates = []
    for _ in range(1000):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    assert all(0 < rate <= 1 for rate in rates)
    assert rates[0] < 0.2
    assert math.isclose(max(rates), 1, rel_tol=0.2)
    assert name == "constant" or rates[-1] < 0.2


def test_a_network_has_factors_for_some_parameters():
    """On learning rate and weight decay, of one model and of several seeds at once."""

    class Scaled(MLP):
        factors: ClassVar = {"layers.0.*": (0.5, 3.0), "*.bias": (0.1, 0.0)}  # the first that matches counts

    spec = zoo.load_data("breast_cancer").spec
    models = [Model(spec, Scaled(n_numeric=30, cardinalities=(), n_outputs=2), combine=torch.mean) for _ in range(2)]
    for model in (models[0], Stacked(models)):
        groups = create_optimizer(model, name="adamw", lr=1.0, weight_decay=0.5).param_groups
        assert [(group["lr"], group["weight_decay"], len(group["params"])) for group in groups] == [
            (1.0, 0.5, 2),
            (0.5, 1.5, 2),
            (0.1, 0.0, 2),
        ]


def test_waves_of_a_rate_grow_twice_as_long():
    peaks = [(2 ** (n + 0.5) - 1) / 15 for n in range(4)]
    assert [SCHEDULES.get("log_cosine")(peak) for peak in peaks] == pytest.approx([1] * 4)
    assert [SCHEDULES.get("log_cosine")((2**n - 1) / 15) for n in range(5)] == pytest.approx([0] * 5)
    with pytest.raises(UserError, match="cycles is a number of waves"):
        SCHEDULES.get("log_cosine")(0.5, cycles=0)


def test_weight_decay_and_dropout_follow_a_schedule():
    model = torch.nn.Sequential(quadratic(), torch.nn.Dropout(0.4))
    optimizer = create_optimizer(model, name="adamw", lr=1.0, weight_decay=0.5)
    anneal, options = Annealing("flat_cosine", optimizer, model.modules()), copy.deepcopy(optimizer.param_groups)
    for progress, factor in ((0.3, 1), (0.75, 0.5), (0.5, 1), (1.0, 0)):
        anneal(progress, options)
        assert [group["weight_decay"] for group in optimizer.param_groups] == pytest.approx([0.5 * factor, 0])
        assert model[1].p == pytest.approx(0.4 * factor)


def test_one_cycle_has_no_second_warmup():
    optimizer = torch.optim.SGD(quadratic().parameters(), lr=1.0)
    with pytest.raises(UserError, match="one_cycle rises by itself"):
        create_schedule(optimizer, Progress(100), name="one_cycle", warmup=0.1)
    with pytest.raises(UserError, match="peak is a share"):
        create_schedule(optimizer, Progress(100), name="one_cycle", warmup=0.0, peak=1)
    with pytest.raises(UserError, match="no option of schedule one_cycle 'progress'"):
        create_schedule(optimizer, Progress(100), name="one_cycle", warmup=0.0, progress=0.5)


LION = """
from collections.abc import Iterable
from typing import Any

import torch
from torch.optim import Optimizer

from zoo.optim.factory import OPTIMIZERS
from zoo.optim.schedules import SCHEDULES


class Lion(Optimizer):
    def __init__(self, groups: Iterable[dict[str, Any]], lr: float, beta: float):
        super().__init__(groups, {"lr": lr, "beta": beta})

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:
        for group in self.param_groups:
            for weight in group["params"]:
                momentum = self.state[weight].setdefault("momentum", torch.zeros_like(weight))
                momentum.lerp_(weight.grad, 1 - group["beta"])
                weight.mul_(1 - group["lr"] * group["weight_decay"]).sub_(momentum.sign(), alpha=group["lr"])


@OPTIMIZERS.register("lion")
def lion(groups: list[dict[str, Any]], *, lr: float, beta: float = 0.9) -> Optimizer:
    return Lion(groups, lr, beta)


@SCHEDULES.register("falling")
def falling(progress: float, power: float = 1.0) -> float:
    return (1 - progress) ** power
"""
LION_YAML = """
defaults: [/optimizer@_here_, _self_]
name: lion
lr: 0.001
weight_decay: 0.01
beta: 0.8
schedule:
  name: falling
  power: 2.0
"""


@pytest.mark.usefixtures("own_code")
def test_an_optimiser_and_a_schedule_of_the_users_own_train_and_resume(config, tmp_path):
    (tmp_path / "own" / "conf" / "optim").mkdir(parents=True)
    (tmp_path / "own" / "lion.py").write_text(LION)
    (tmp_path / "own" / "conf" / "optim" / "lion.yaml").write_text(LION_YAML)
    zoo.add_path(tmp_path / "own")
    training = config("fnn/mlp", f"zoo_path={tmp_path / 'own'}", "optim=lion", "trainer=cpu", "trainer.max_epochs=3")
    assert zoo.train(training, tmp_path / "run")["val"]["accuracy"] > 0.9
    rows = list(csv.DictReader((tmp_path / "run" / "metrics.csv").open()))
    assert float(rows[0]["lr"]) > float(rows[1]["lr"]) > float(rows[2]["lr"])
    training["trainer"]["max_epochs"], training["resume"] = 4, "changed"
    zoo.train(training, tmp_path / "run")
    assert len((tmp_path / "run" / "metrics.csv").read_text().splitlines()) == 5


def test_lookahead_moves_the_weights_back_to_their_slow_copy():
    module = torch.nn.Linear(1, 1, bias=False)
    torch.nn.init.zeros_(module.weight)
    module.n_updates, module.updated = 4, True
    optimizer, lookahead = torch.optim.SGD(module.parameters(), lr=1.0), Lookahead(2)
    lookahead.on_train_start(None, module)
    seen = []
    for _ in range(4):
        module.weight.grad = -torch.ones_like(module.weight)
        optimizer.step()
        lookahead.on_train_batch_end(None, module)
        seen.append(module.weight.item())
    halfway, end = 2 * (1 - 0.95**2 / 8), 2 * (1 - 0.95**2)
    assert seen == pytest.approx([1, halfway, halfway + 1, halfway + end])


def test_a_config_without_the_optional_settings_still_trains(config, tmp_path):
    training = config("model=fnn/mlp", "trainer=debug")
    training["optim"] = {key: value for key, value in training["optim"].items() if key not in OPTIONAL}
    assert zoo.train(training, tmp_path)["test"]["accuracy"] > 0


@pytest.mark.parametrize(
    "setting", ["clip: -1", "clip: much", "lookahead: true", "sam: true", "ema: 1", "lookahead: 0.5"]
)
def test_impossible_options_of_optim_are_refused(config, tmp_path, setting):
    name, _, value = setting.partition(": ")
    with pytest.raises(UserError, match=f"optim.{name} is a"):
        zoo.train(config("model=fnn/mlp", f"optim.{name}={value}"), tmp_path)


def test_weights_are_perturbed_along_the_gradient_and_restored():
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.BatchNorm1d(8), torch.nn.Linear(8, 1))
    x = torch.randn(32, 4)

    def gradients(of):
        model(x).square().mean().backward()
        return torch.cat([parameter.grad.flatten() for parameter in of.parameters()])

    gradient = gradients(model)
    before = copy.deepcopy(model.state_dict())
    with perturbed(model, 0.1):
        moved = torch.cat([(p - before[name]).flatten() for name, p in model.named_parameters()])
        there = gradients(model)
    torch.testing.assert_close(moved.detach(), 0.1 * gradient / gradient.norm())
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    kept = torch.cat([parameter.grad.flatten() for parameter in model.parameters()])
    assert torch.equal(kept, there)
    assert not torch.allclose(there, gradient, rtol=1e-3)


def test_sharpness_aware_minimisation_changes_the_training(config, tmp_path):
    settings = "model=fnn/mlp", "trainer=debug"
    losses = [zoo.train(config(*settings, f"optim.sam={radius}"), tmp_path / radius)["val"]["loss"]
              for radius in ("null", "0.5")]  # fmt: skip
    assert losses[0] != losses[1]


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (("optim.sam=-1",), "optim.sam is a length above 0"),
        (("optim.sam=1", "trainer.accumulate_grad_batches=2"), "one batch"),
    ],
)
def test_sharpness_aware_minimisation_refuses_accumulation(config, tmp_path, overrides, message):
    with pytest.raises(UserError, match=message):
        zoo.train(config("model=fnn/mlp", *overrides), tmp_path)


# -- tasks


def test_metrics_are_those_of_scikit_learn():
    from sklearn.metrics import accuracy_score, f1_score, roc_auc_score

    torch.manual_seed(0)
    target, output = torch.randint(3, (200,)), torch.randn(200, 3)
    task = create_task(DataSpec("made", "classification", {}, 3, class_names=("a", "b", "c")))
    metrics = task.metrics()
    metrics.update(output, target)
    found = {name: float(value) for name, value in metrics.compute().items()}
    assert found["accuracy"] == pytest.approx(accuracy_score(target, output.argmax(1)))
    assert found["f1"] == pytest.approx(f1_score(target, output.argmax(1), average="macro"))
    assert found["auroc"] == pytest.approx(roc_auc_score(target, output.softmax(1), multi_class="ovr"), abs=1e-5)
    assert task.decode(torch.eye(3)) == ["a", "b", "c"]


def test_auroc_of_absent_classes_is_silent(recwarn):
    metrics = create_task(DataSpec("made", "classification", {}, 5, class_names="abcde")).metrics()
    metrics.update(torch.eye(5)[:3], torch.tensor([0, 1, 1]))
    assert 0 < float(metrics.compute()["auroc"]) <= 1
    assert not recwarn


def test_auroc_does_not_depend_on_the_batches():
    """A batch whose logits all lie in [0, 1] is not mistaken for probabilities."""
    from sklearn.metrics import roc_auc_score

    torch.manual_seed(0)
    target, output = torch.randint(3, (200,)), torch.randn(200, 3).sort(0).values
    output[:50] = torch.rand(50, 3)
    task = create_task(DataSpec("made", "classification", {}, 3, class_names=("a", "b", "c")))
    for size in (200, 50, 7):
        metrics = task.metrics()
        for part in zip(output.split(size), target.split(size), strict=True):
            task.measure(metrics, *part, scale=torch.clone)
        expected = roc_auc_score(target, output.softmax(1), multi_class="ovr")
        assert float(metrics.compute()["auroc"]) == pytest.approx(expected, abs=1e-5)


def test_two_logits_are_logistic_regression():
    task = create_task(DataSpec("made", "classification", {}, 2, class_names="ab"))
    output, target = torch.randn(20, 2), torch.randint(2, (20,))
    logit = output[:, 1] - output[:, 0]
    expected = torch.nn.functional.binary_cross_entropy_with_logits(logit, target.float())
    torch.testing.assert_close(task.loss(output, target), expected)


# -- checkpoints


def test_data_sets_without_batch_indexing_give_the_same_weights(config, tmp_path):
    """A split without `__getitems__` is collated item by item, with the same batches."""

    class Items(torch.utils.data.Dataset):
        def __init__(self, split):
            self.split = split

        def __len__(self):
            return len(self.split)

        def __getitem__(self, index):
            return self.split[index]

    import lightning as L

    from zoo.engine.families import create_module

    splits = zoo.load_data("wine")
    items = Splits(splits.spec, *(Items(split) for split in (splits.train, splits.val, splits.test)))
    states = []
    for one in (splits, items):
        settings = config("model=fnn/mlp", "data=wine", "optim=adamw", "optim.schedule.name=one_cycle")
        L.seed_everything(0, verbose=False)
        module = create_module(settings["model"], spec=splits.spec.to_json(), task={}, optim=settings["optim"])
        trainer = L.Trainer(
            max_epochs=2, logger=False, enable_checkpointing=False, enable_progress_bar=False, accelerator="cpu"
        )
        trainer.fit(module, ZooDataModule(one, seeds=[0], batch_size=16))
        states.append(module.state_dict())
    assert all(torch.equal(value, states[1][key]) for key, value in states[0].items())


# -- early stopping


def test_a_val_check_interval_longer_than_an_epoch_is_refused(config, tmp_path):
    with pytest.raises(UserError, match=r"val_check_interval is at most the batches of an epoch: .*300.*"):
        zoo.train(config("model=fnn/mlp", "trainer=debug", "+trainer.val_check_interval=300"), tmp_path)


@pytest.mark.parametrize("name", TASKS.names())
def test_every_metric_has_higher_is_better(name):
    """Reports use it; that of the score is the task's."""
    spec = DataSpec("made", name, {}, 3, class_names=("a", "b", "c"), target=Input((1,), scaled_axis=0))
    task = TASKS.get(name)(spec)
    higher = {name: metric.higher_is_better for name, metric in task.metrics().items()}
    assert None not in higher.values()
    assert higher[task.score] == (task.score_mode == "max")


# -- auto settings


@pytest.mark.parametrize(("work", "alone"), [(10**5, True), (10**9, False)])
def test_small_models_train_on_one_thread_and_in_32_bits(monkeypatch, work, alone):
    monkeypatch.setattr("zoo.engine.resources.has_fast_bf16", lambda on_cpu: True)
    chosen = fit_machine({"accelerator": "cpu", "precision": "auto", "threads": "auto"}, work)
    assert chosen["threads"] == (1 if alone else torch.get_num_threads())
    assert chosen["precision"] == ("32" if alone else "bf16-mixed")
    given = {"accelerator": "cpu", "precision": "16-mixed", "threads": 3}
    assert fit_machine(given, work) == given


def test_bf16_is_for_processors_that_are_fast_at_it(monkeypatch):
    monkeypatch.setattr("torch.cpu._is_avx512_bf16_supported", lambda: False)
    assert fit_machine({"accelerator": "cpu", "precision": "auto", "threads": 1}, 10**9)["precision"] == "32"


def test_distillation_follows_the_teacher(config, tmp_path, capsys):
    """The student of an uncertain teacher is uncertain too."""
    short = ("model=fnn/mlp", "trainer.max_epochs=5", "data.batch_size=64", "task.temperature=1")
    zoo.train(config(*short, "task.label_smoothing=0.6"), tmp_path / "teacher")
    teacher = zoo.load(tmp_path / "teacher")
    numeric = zoo.load_data("breast_cancer").test.columns["numeric"].numpy()
    far, near = (
        abs(zoo.load(folder).predict_proba(numeric) - teacher.predict_proba(numeric)).mean()
        for folder in (
            trained(config(*short, "seed=1"), tmp_path / "alone"),
            trained(
                config(*short, "seed=1", f"distill.teacher={tmp_path / 'teacher'}", "distill.weight=1.0"),
                tmp_path / "taught",
            ),
        )
    )
    assert near < 0.3 * far


def test_a_teacher_of_other_splits_is_reported(config, tmp_path, capsys):
    taught = ("model=fnn/mlp", "trainer=debug", "distill.teacher=fnn/mlp.breast_cancer")
    for settings, warns in (((), False), (("data.split_seed=3",), True)):
        zoo.train(config(*taught, *settings), tmp_path / str(warns))
        assert ("warning: fnn/mlp.breast_cancer was trained with data.split_seed=0" in capsys.readouterr().out) == warns


def trained(config, folder):
    zoo.train(config, folder)
    return folder


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (("distill.teacher=fnn/mpl.breast_cancer",), "nearest: fnn/mlp.breast_cancer"),
        (("distill.teacher=cnn/small.mnist5k",), "not image 1 x 28 x 28"),
        (("distill.teacher=fnn/mlp.breast_cancer", "distill.weight=2.0"), "at most 1"),
    ],
)
def test_impossible_teachers_are_refused(config, tmp_path, settings, message):
    with pytest.raises(UserError, match=message):
        zoo.train(config("model=fnn/mlp", *settings), tmp_path)


def test_a_network_of_one_image_size_refuses_smaller_images(config, tmp_path):
    with pytest.raises(UserError, match="another size"):
        zoo.train(config("model=cnn/lenet5", "+data.augment.resize={start: 20, epochs: 2}", "trainer=cpu"), tmp_path)


def test_images_grow_from_epoch_to_epoch(config, tmp_path):
    sizes = []

    class Sizes(L.Callback):
        def on_fit_start(self, trainer, pl_module):
            pl_module.model.network.whitening.register_forward_pre_hook(self.note)

        def note(self, layer, inputs):
            if layer.training:
                sizes.append(inputs[0].shape[-1])

    settings = ("model.width=8", "trainer=debug", "trainer.max_epochs=3", "+data.augment.resize={start: 20, epochs: 2}")
    zoo.train(config("model=cnn/fast", "data=mnist5k", *settings), tmp_path, [Sizes()])
    assert sorted(set(sizes)) == [20, 24, 28]
    assert sizes == sorted(sizes)


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ((), lambda student, teacher: student),
        (("optim.sam=0.05",), lambda student, teacher: 2 * student),
        (("distill.teacher=cnn/fast.mnist",), lambda student, teacher: student + teacher),
    ],
)
def test_the_work_of_a_batch_counts_every_forward_pass(config, more, expected):
    training, splits = config("model=cnn/tiny", "data.batch_size=64", *more), zoo.load_data("mnist5k")
    module = create_module(spec=splits.spec.to_json(), **{key: training[key] for key in ("model", "task", "optim")})
    if teacher := training["distill"]["teacher"]:
        module.distillation = Distillation(module.task, zoo.load(teacher).model, weight=0.5, temperature=1.0)
    image = {"image": torch.zeros(1, 1, 28, 28, dtype=torch.uint8)}
    each = (multiply_adds(model, **image) for model in (module.model, zoo.load("cnn/fast.mnist").model))
    assert batch_work(module, ZooDataModule(splits, batch_size=64)) == 64 * expected(*each)


def test_without_a_terminal_lines_tell_the_epoch_of_how_many_and_the_time_left(config, tmp_path, capsys):
    short = ("trainer.max_epochs=24", "trainer.limit_train_batches=1", "trainer=cpu", "trainer.precision=16-mixed")
    result = zoo.train(config("model=fnn/mlp", *short), tmp_path, start=time.perf_counter() - 100)
    out = capsys.readouterr().out
    assert "trainer.precision=16-mixed needs a GPU; training with bf16-mixed" in out
    lines = [line for line in out.splitlines() if line.startswith("epoch ")]
    assert lines[0].startswith("epoch 1/24  val loss ") and lines[0].endswith(" left")
    assert 0 < lines[0].index("  val accuracy ") < lines[0].index("  train loss ")
    assert len(lines) < 24 and lines[-1].startswith("epoch 24/24 ") and not lines[-1].endswith(" left")
    assert result["seconds"]["total"] > 100 > result["seconds"]["fit"]


def test_the_seconds_of_a_training_that_returns_to_its_best_epoch_go_on(tmp_path):
    history = History(tmp_path / "metrics.csv")
    for before in (40.0, 10.0):  # a resume, and a checkpoint to return to
        history.load_state_dict({"rows": [], "seconds": {"training": before, "epoch": 0.0}})
        history.on_fit_start(None, None)
    assert history.resumed == 40 and 40 < history.seconds < 45


def test_warnings_of_libraries_that_are_no_concern_are_ignored_and_others_shown():
    with warnings.catch_warnings(record=True) as shown:
        warnings.resetwarnings()
        ignore_library_warnings()
        warnings.warn("No positive samples in targets, true positive value should be meaningless", stacklevel=1)
        warnings.warn("this column of mine has no positive samples", stacklevel=1)
    assert [str(warning.message) for warning in shown] == ["this column of mine has no positive samples"]


def test_a_run_folder_alone_resumes_and_answers(config, tmp_path, capsys, monkeypatch):
    """An interrupted run answers from its best epoch; resuming it takes its config.yaml, and gives the whole run."""
    from lightning.pytorch.callbacks import Callback

    from zoo.core.errors import InterruptedTraining

    class Stop(Callback):
        def on_train_epoch_end(self, trainer, *args):
            if trainer.current_epoch == 1:
                os.kill(os.getpid(), signal.SIGTERM)

    settings = config("fnn/mlp", "data=wine", "trainer.max_epochs=3", "optim.lr=0.002", width=16)
    with pytest.raises(InterruptedTraining):
        zoo.train(settings, tmp_path / "run", callbacks=[Stop()])
    predictor = zoo.load(tmp_path / "run")
    assert f"{tmp_path / 'run'} is not finished: answers from its best epoch, 2 of 3" in capsys.readouterr().out
    assert predictor.predict(zoo.load_data("wine").test.columns["numeric"][0].numpy()) in predictor.spec.class_names
    assert zoo.evaluate(str(tmp_path / "run"), "val")[0]["loss"] < 2
    shutil.copytree(tmp_path / "run", tmp_path / "python")
    words = (f"run_dir={tmp_path / 'run'}", "resume=auto")
    assert in_this_process("train", [*words, "optim.lr=0.1"], monkeypatch) == 2
    assert "optim.lr: 0.002 before, 0.1 now" in capsys.readouterr().err
    assert in_this_process("train", [*words, "trainer.save_every=30"], monkeypatch) == 0
    assert zoo.train(run_dir=tmp_path / "python")["test"] == zoo.train(run_dir=tmp_path / "run")["test"]
    with pytest.raises(UserError, match="holds no run to resume"):
        zoo.train(run_dir=tmp_path / "none")


def test_a_callback_with_a_state_is_not_lost_in_a_resume(config, tmp_path):
    class Count(L.Callback):
        def state_dict(self):
            return {"n": 1}

    settings = config("fnn/mlp", "data=wine", "trainer.max_epochs=1", "resume=auto")
    zoo.train(settings, tmp_path, callbacks=[Count()])
    (tmp_path / "metrics.json").unlink()
    with pytest.raises(UserError, match=r"had the callback .*Count; name it again"):
        zoo.train(settings, tmp_path)
