"""Several seeds trained at once as one batched model give the results of separate trainings."""

import json

import pytest
import torch

import zoo
from zoo.core.errors import InterruptedTraining, UserError
from zoo.engine.speed.stacked import Stacked

SETTINGS = {
    "fnn": ("model=fnn/mlp", "trainer.max_epochs=6", "optim.ema=0.9", "optim.clip=0.5"),
    "fnn, of classes that weigh unlike": ("model=fnn/mlp", "trainer.max_epochs=3", "task.class_weights=[1,20]"),
    "cnn": (
        *("model=cnn", "trainer.max_epochs=1", "~data.augment.warp", "data.batch_size=750", "trainer.keep=best"),
        "trainer.precision=32-true",  # "auto" rounds to 16 bits on some processors
    ),
    "cnn, over sequences of many lengths": (
        *("model=cnn/inception_time", "model.width=4", "trainer.max_epochs=1", "data.augment.noise=null"),
        *("data.batch_size=81", "trainer.precision=32-true"),
    ),
}


@pytest.mark.parametrize("family", SETTINGS)
def test_each_model_equals_one_trained_alone(config, tmp_path, family):
    """Up to rounding: the order of sums differs. Batch normalisation's statistics are each model's own."""
    alone = [zoo.train(config(*SETTINGS[family], f"seed={seed}"), tmp_path / str(seed)) for seed in (3, 5)]
    both = zoo.train_seeds(config(*SETTINGS[family], "seeds=[3,5]"), tmp_path / "both")
    assert [metrics["seed"] for metrics in both] == [3, 5]
    for seed, one, metrics in zip((3, 5), alone, both, strict=True):
        assert metrics["epoch"] == one["epoch"]
        assert metrics["test"]["loss"] == pytest.approx(one["test"]["loss"], rel=1e-3)
        first = zoo.load(tmp_path / str(seed) / "model.safetensors").model.state_dict()
        second = zoo.load(tmp_path / "both" / f"seed={seed}" / "model.safetensors").model.state_dict()
        for name, value in first.items():
            torch.testing.assert_close(second[name], value, rtol=1e-2, atol=1e-3)
    assert (tmp_path / "both" / "seed=5" / "report.html").exists()


def test_finished_seeds_resume_with_other_settings(config, tmp_path):
    for n, resume in ((1, ()), (3, ("resume=changed",))):
        zoo.train_seeds(config("model=fnn/mlp", "seeds=[0,1]", f"trainer.max_epochs={n}", *resume), tmp_path)
        history = (tmp_path / "seed=1" / "metrics.csv").read_text().splitlines()
        assert len(history) == 1 + n


def test_several_seeds_of_a_table_with_categories(config, tmp_path):
    path = tmp_path / "fruit.csv"
    path.write_text("colour,size,sweet\n" + "red,1.5,yes\ngreen,2.5,no\nred,0.5,yes\ngreen,1.0,no\n" * 20)
    table = ("data=csv", f"data.path={path}", "data.target=sweet", "trainer.max_epochs=20")
    for metrics in zoo.train_seeds(config("model=fnn/mlp", *table, "seeds=[0,1]"), tmp_path / "run"):
        assert metrics["test"]["accuracy"] == 1


def test_an_interrupted_training_of_seeds_resumes_bit_for_bit(config, tmp_path):
    from lightning.pytorch.callbacks import Callback

    class Interrupt(Callback):
        def on_train_epoch_end(self, trainer, *args):
            if trainer.current_epoch == 1:
                raise InterruptedTraining(15, "test")

    settings = (
        "model=fnn/mlp",
        "seeds=[0,1,2]",
        "trainer.max_epochs=4",
        "model.dropout=0.1",
        "optim.anneal=flat_cosine",
    )
    zoo.train_seeds(config(*settings), tmp_path / "whole")
    with pytest.raises(InterruptedTraining):
        zoo.train_seeds(config(*settings), tmp_path / "parts", callbacks=[Interrupt()])
    zoo.train_seeds(config(*settings, "resume=auto"), tmp_path / "parts")
    for seed in (0, 1, 2):
        whole, parts = (zoo.load(tmp_path / run / f"seed={seed}") for run in ("whole", "parts"))
        assert whole.card["metrics"] == parts.card["metrics"]
        again = parts.model.state_dict()
        assert all(torch.equal(value, again[name]) for name, value in whole.model.state_dict().items())
    again = zoo.train_seeds(config(*settings, "resume=auto"), tmp_path / "parts")
    assert [metrics["test"] for metrics in again] == [
        json.loads((tmp_path / "parts" / f"seed={seed}" / "metrics.json").read_text())["test"] for seed in (0, 1, 2)
    ]


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (("model=fnn/mlp", "seeds=[1,1]"), "all different"),
        (("model=fnn/mlp", "seeds=3"), "two numbers at least"),
        (("model=fnn/mlp", "seeds=[1,-2]"), "whole number from 0"),
        (("model=rnn/lstm", "seeds=[0,1]"), "recurrent"),
        (("model=fnn/mlp", "seeds=[0,1]", "optim=muon"), "one seed at a time"),
        (("model=fnn/mlp", "seeds=[0,1]", "optim.sam=0.05"), "one seed at a time"),
        (("model=fnn/mlp", "seeds=[0,1]", "trainer.compile=default"), "without trainer.compile"),
    ],
)
def test_models_that_cannot_be_trained_at_once_are_refused(config, tmp_path, overrides, message):
    with pytest.raises(UserError, match=message):
        zoo.train_seeds(config(*overrides), tmp_path)


def test_gradients_of_stacked_models_are_clipped_each_by_its_own_norm():
    spec = zoo.load_data("breast_cancer").spec
    models = [zoo.create_model("fnn/mlp", spec, width=4) for _ in range(2)]
    stacked, x = Stacked(models), torch.randn(2, 8, 30)
    losses = stacked.scaled(numeric=x.flatten(0, 1)).unflatten(0, (2, 8)).square().mean((1, 2)) * torch.tensor([1, 100])
    losses.sum().backward()
    stacked.clip_gradient(0.1)
    for index, (model, scale) in enumerate(zip(models, (1, 100), strict=True)):
        (model.scaled(numeric=x[index]).square().mean() * scale).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 0.1)
        for name, value in model.network.named_parameters():
            gradient = getattr(stacked.network, name.replace(".", "/")).grad[index]
            torch.testing.assert_close(gradient, value.grad)


@pytest.mark.long
def test_the_command_leaves_one_folder_per_seed_and_a_summary(script, tmp_path):
    done = script("train", "model=fnn/mlp", "seeds=[0,1]", "trainer.max_epochs=1", f"run_dir={tmp_path}")
    assert done.code == 0, done.err
    assert sorted(path.parent.name for path in tmp_path.glob("*/metrics.json")) == ["seed=0", "seed=1"]
    assert "±" in (done.out)
    assert (tmp_path / "summary.csv").exists()
