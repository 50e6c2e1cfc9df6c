"""Faults 14 to 16 and 19: devices, memory, files from elsewhere, and batches of odd sizes."""

import numpy as np
import pandas as pd
import pytest
import torch
from helpers.commands import in_this_process
from helpers.processes import ONE_PROCESS, SETTINGS, TWO_PROCESSES, assert_same, train_twice

import zoo
from zoo.engine.families import ZooModule
from zoo.inference.evaluation import evaluate_weights


@pytest.mark.long
def test_fault_14_a_missing_gpu_is_refused(script, tmp_path):
    """Without a GPU, trainer=gpu ends with exit code 2 and one line."""
    done = script(
        "train", "model=fnn/mlp", "trainer=gpu", f"run_dir={tmp_path / 'r'}", env={"CUDA_VISIBLE_DEVICES": ""}
    )
    assert done.code == 2
    assert len(done.err.strip().splitlines()) == 1


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_fault_14_auto_reports_that_it_uses_the_cpu(config, tmp_path, capsys):
    """Without a GPU, a training uses the CPU and says so."""
    zoo.train(config("model=fnn/mlp", "trainer.max_epochs=1"), tmp_path)
    assert "breast_cancer, CPU" in capsys.readouterr().out


def ask_the_cpu(*_):
    torch.empty(2**50)


def ask_a_gpu(*_):
    raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB. GPU 0 has 11.00 GiB in all.")


@pytest.mark.parametrize(
    ("step", "size", "advice"),
    [
        (ask_the_cpu, 33, "data.batch_size=17 trainer.accumulate_grad_batches=2"),
        (ask_a_gpu, 32, "asked for 20.00 GiB; halve"),
        (ask_a_gpu, 1, "take a smaller model"),
    ],
)
def test_fault_15_out_of_memory_says_which_batch_size_may_fit(tmp_path, monkeypatch, capsys, step, size, advice):
    """Out of memory ends with exit code 2 and one line that suggests half the batch size and twice the accumulation."""
    monkeypatch.setattr(ZooModule, "training_step", step)
    arguments = ["model=fnn/mlp", f"data.batch_size={size}", f"run_dir={tmp_path}"]
    assert in_this_process("train", arguments, monkeypatch) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert advice in line


ELSEWHERE = {
    "compiled": ("trainer.compile=default",),
    "in 16 bits": ("trainer.precision=bf16-mixed",),
    "two processes": TWO_PROCESSES[:2],
}


@pytest.mark.long
@pytest.mark.parametrize("made", ELSEWHERE)
def test_fault_16_a_weights_file_of_another_setup_loads(config, tmp_path, monkeypatch, made):
    """A weights file of a compiled, 16-bit or multi-process training loads in one process in 32 bits with the same
    metrics; its accuracy is within 0.03 of a plain training's.
    """
    in_place = torch.nn.Module.compile
    monkeypatch.setattr(torch.nn.Module, "compile", lambda self, **_: in_place(self, backend="aot_eager"))
    settings = ("model=fnn/mlp", "trainer=cpu", "trainer.max_epochs=5")
    plain = zoo.train(config(*settings, "trainer.precision=32-true"), tmp_path / "plain")
    train = train_twice if made == "two processes" else zoo.train
    train(config(*settings, *ELSEWHERE[made]), tmp_path / "made")
    state, other = (zoo.load(tmp_path / run).model.state_dict() for run in ("plain", "made"))
    assert {key: value.dtype for key, value in other.items()} == {key: value.dtype for key, value in state.items()}
    saved = pd.read_json(tmp_path / "made" / "metrics.json", typ="series")
    measured = evaluate_weights(tmp_path / "made", device="cpu")["test"]
    assert measured == pytest.approx(saved["test"], rel=1e-6)
    assert measured["accuracy"] == pytest.approx(plain["test"]["accuracy"], abs=0.03)


@pytest.mark.long
@pytest.mark.parametrize("family", SETTINGS)
@pytest.mark.parametrize("strategy", ["ddp", "fsdp"])
def test_fault_19_two_processes_train_like_one(config, tmp_path, family, strategy):
    """Two processes with unequal shares of a batch and of the data, sharded or not, give the metrics of one process;
    no sample counts twice.
    """
    text = tmp_path / "text.txt"
    text.write_text(" ".join(f"{n * n} bottles of {n % 7} green beer" for n in range(800)))
    settings = (*SETTINGS[family], *([f"data.path={text}"] if family == "rnn" else []))
    zoo.train(config(*settings, *ONE_PROCESS), tmp_path / "one")
    train_twice(config(*settings, *TWO_PROCESSES, f"trainer={strategy}"), tmp_path / "two")
    assert_same(tmp_path / "one", tmp_path / "two")


@pytest.mark.long
def test_fault_30_two_processes_weigh_gaps_like_one(config, tmp_path):
    """Loss, metrics and gradients of two processes equal those of one, even if one process has more missing values."""
    draw = np.random.default_rng(0)
    frame = pd.DataFrame({"a": draw.normal(size=400), "b": draw.normal(3, 5, 400)})
    frame["a"] = frame["a"].where(draw.random(400) > 0.6)
    frame.loc[200:, "b"] = frame["b"].where(draw.random(400) > 0.8)
    frame.to_csv(tmp_path / "gaps.csv", index=False)
    sizes = ("data.look_back=8", "data.horizon=4", "data.batch_size=13", "data.eval_batch_size=7", "model.width=8")
    settings = ("model=rnn/lstm", "data=series", f"data.path={tmp_path}/gaps.csv", *sizes)
    zoo.train(config(*settings, *ONE_PROCESS), tmp_path / "one")
    train_twice(config(*settings, *TWO_PROCESSES), tmp_path / "two")
    assert_same(tmp_path / "one", tmp_path / "two")


def test_fault_19_batchnorm_gets_no_batch_of_one_sample(config, tmp_path):
    """Batch sizes differ by at most one sample, so BatchNorm never gets a last batch of a single sample."""
    settings = ("model=fnn/mlp", "model.norm=batch", "trainer.max_epochs=10")
    assert len(zoo.load_data("breast_cancer").train) % 20 == 1
    assert zoo.train(config(*settings, "data.batch_size=20"), tmp_path)["val"]["accuracy"] > 0.9


def test_fault_19_a_batch_of_one_sample_with_batchnorm_is_refused(tmp_path, monkeypatch, capsys):
    """A batch size that gives BatchNorm single samples ends with exit code 2 and one line."""
    arguments = ["model=fnn/mlp", "model.norm=batch", "data.batch_size=2", f"run_dir={tmp_path}"]
    assert in_this_process("train", arguments, monkeypatch) == 2
    assert "raise data.batch_size" in capsys.readouterr().err


def test_fault_19_metrics_do_not_depend_on_the_validation_batch_size(config, tmp_path):
    """A validation split smaller than a batch, or with a last batch of one sample, gives the same metrics."""
    n = len(zoo.load_data("breast_cancer").val)
    for size in (1000, n - 1, 7):
        zoo.train(config("model=fnn/mlp", "trainer.max_epochs=2", f"data.eval_batch_size={size}"), tmp_path / str(size))
    whole, *others = (
        pd.read_csv(tmp_path / str(size) / "metrics.csv").drop(columns="seconds") for size in (1000, n - 1, 7)
    )
    for other in others:
        pd.testing.assert_frame_equal(whole, other, rtol=1e-5)
