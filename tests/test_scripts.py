"""The command line, each command in a process of its own."""

import json
import runpy
import shlex
import sys

import pandas as pd
import pytest
import yaml
from conftest import ROOT

import zoo

pytestmark = pytest.mark.slow
FAST = ("trainer.max_epochs=2", "trainer.accelerator=cpu")


def test_train_then_evaluate_gives_the_same_metrics(script, tmp_path):
    folder = tmp_path / "a folder, ünïcode"
    trained = script("train", "model=fnn", f"run_dir='{folder}'", *FAST)
    assert trained.code == 0, trained.err
    assert "epoch 2" in trained.out  # a line an epoch, where there is no terminal
    assert str(folder / "report.html") in trained.out
    assert trained.err == ""
    measured = script("evaluate", f"weights='{folder / 'model.safetensors'}'", f"run_dir={tmp_path / 'e'}")
    assert measured.code == 0, measured.err
    metrics, again = (json.loads((path / "metrics.json").read_text()) for path in (folder, tmp_path / "e"))
    assert metrics["test"] == again["test"]
    for value in metrics["test"].values():
        assert f"{value:.4g}"[:5] in measured.out


def test_scripts_run_from_any_folder_with_little(script, tmp_path):
    """Another working directory, LANG=C, and no home to write to."""
    env = {"LANG": "C", "LC_ALL": "C", "HOME": "/proc", "XDG_CACHE_HOME": "/proc"}
    done = script("train", "model=rnn", "model.width=8", "trainer=debug", cwd=tmp_path, env=env)
    assert done.code == 0, done.err
    assert list(tmp_path.glob("runs/*/*/*/metrics.json"))


def test_multirun_leaves_a_folder_a_job_and_a_summary(script, tmp_path):
    done = script("train", "-m", "model=fnn,fnn/perceptron", "seed=0,1", f"run_dir={tmp_path}", "trainer.max_epochs=1")
    assert done.code == 0, done.err
    folders = sorted(path.parent for path in tmp_path.rglob("metrics.json"))
    assert len(folders) == 4
    seeds = {yaml.safe_load((folder / "config.yaml").read_text())["seed"] for folder in folders}
    assert seeds == {0, 1}
    summary = (tmp_path / "summary.csv").read_text()
    assert "fnn/perceptron" in summary
    assert "±" in done.out


MISTAKES = {
    "model=cnnn": "nearest: cnn",
    "modle=cnn": "nearest: model",
    "model=cnn model.wdth=3": "nearest: model.width",
    "model=cnn trainer.max_epochs=three": "trainer.max_epochs is a whole number",
    "model=cnn data=japanese_vowels": "takes image; data japanese_vowels offers sequence, lengths",
    "model=fnn run_dir=/proc/nowhere": "/proc/nowhere",
    "model=fnn data=minst": "nearest: mnist",
    "model=fnn optim.schedule.name=cosin": "nearest: cosine",
    "model=fnn optim.lr=fast": "optim.lr is a number",
    "model=fnn data.batch_size=0": "data.batch_size",
    "model=fnn trainer.max_epochs=0": "whole number from 1",
    "model=fnn data.split_seed=-1": "data breast_cancer",
    "model=fnn optim.ema=2": "optim.ema",
    "model=fnn +extra=1": "no setting 'extra'",
    "model=fnn 'seed=[1'": "",
    "model=fnn resume=nowhere.ckpt": "resume=auto",
    "model=fnn finetune=fnn/mpl.breast_cancer": "nearest: fnn/mlp.breast_cancer",
    "model=fnn zoo_path=/nowhere": "models/",
    "data=mnist5k": "say which model",
    "model=fnn data.batch_size=many": "data.batch_size is a whole number",
    "model=fnn optim.weight_decay=much": "optim.weight_decay is a number",
    "model=fnn data=csv": "data.path",
    "model=fnn data=csv data.path=flats.csv data.target=price": "flats.csv",
    "model=cnn data=imagefolder": "data.path",
    "model=rnn data=sequences": "data.path",
    "model=rnn data=series": "data.path",
    "model=rnn data=text data.path=nowhere/book.txt": "book.txt",
    "model=rnn data=ucr data.name=GunPiont": "GunPoint",
    "model=fnn data=wine data.fold=7": "data.fold",
    "model=fnn data=csv data.path=größe(1).csv data.target=y": "größe(1).csv",
}


IN_A_PROCESS_OF_THEIR_OWN = ("model=cnnn", "model=cnn trainer.max_epochs=three")  # the others, faster, in this one


@pytest.mark.parametrize("arguments", MISTAKES)
def test_a_mistake_is_answered_in_a_few_lines(script, tmp_path, monkeypatch, capsys, arguments):
    if arguments in IN_A_PROCESS_OF_THEIR_OWN:
        done = script("train", *shlex.split(arguments), cwd=tmp_path)
        code, err = done.code, done.err
    else:
        monkeypatch.chdir(tmp_path)
        code, err = in_this_process("train", shlex.split(arguments), monkeypatch), capsys.readouterr().err
    assert code == 2, err
    assert len(err.strip().splitlines()) <= 5
    assert "Traceback" not in err
    assert MISTAKES[arguments] in err


def in_this_process(name, arguments, monkeypatch):
    """Run scripts/<name>.py to the end that a mistake brings, and give its exit code."""
    monkeypatch.syspath_prepend(ROOT / "scripts")
    monkeypatch.setattr(sys, "argv", [f"{name}.py", *arguments])
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(ROOT / "scripts" / f"{name}.py"), run_name="__main__")
    return ended.value.code


def test_answers_of_a_file(script, runs, tmp_path):
    splits = zoo.load_data("breast_cancer")
    rows = pd.DataFrame(splits.test.columns["numeric"].numpy(), columns=splits.spec.column_names)
    rows[rows.columns[::-1]].to_csv(tmp_path / "rows.csv", index=False)
    answers = tmp_path / "answers.csv"
    done = script("predict", f"weights={runs['fnn']}", f"input={tmp_path / 'rows.csv'}", f"output={answers}")
    assert done.code == 0, done.err
    assert str(answers) in done.out
    written = pd.read_csv(answers)
    assert written["prediction"].tolist() == zoo.load(runs["fnn"]).predict(rows)
    assert written[splits.spec.class_names].sum(axis=1).to_numpy() == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("input=rows.csv", "say which weights"),
        ("weights={run}", "say which"),
        ("weights={run} input=rosw.csv", "nearest: rows.csv"),
        ("weights={run} input=rows.csv", "lacks a column"),
        ("weights={run} input=rows.csv device=gpu", "no device 'gpu'"),
    ],
)
def test_mistakes_in_asking_for_answers(arguments, message, runs, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "rows.csv").write_text("a,b\n1,2\n")
    assert in_this_process("predict", arguments.format(run=runs["fnn"]).split(), monkeypatch) == 2
    assert message in capsys.readouterr().err


def test_every_data_set_is_listed_with_its_facts(script):
    done = script("list", "data")
    assert done.code == 0, done.err
    lines = {line.split()[0]: line for line in done.out.splitlines()}
    assert set(zoo.list_data()) <= set(lines)
    assert "13,209 / 3,303 / 4,128" in lines["california"]
    assert "fetched" in lines["california"]
    assert "CC BY 4.0" in lines["wine"]


def test_a_gpu_that_is_not_there_is_one_line(script, tmp_path):
    done = script("train", "model=fnn", "trainer=gpu", f"run_dir={tmp_path / 'r'}", env={"CUDA_VISIBLE_DEVICES": ""})
    assert done.code == 2
    assert len(done.err.strip().splitlines()) == 1


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ("", "say which weights"),
        ("nowhere.safetensors", "cannot read"),
        ("fnn/mpl.breast_cancer", "nearest: fnn/mlp"),
        ("damaged", "damaged"),
    ],
)
def test_weights_that_are_missing_or_damaged(script, runs, tmp_path, weights, message):
    if weights == "damaged":
        content = bytearray((runs["fnn"] / "model.safetensors").read_bytes())
        content[-5] ^= 1
        weights = str(tmp_path / "damaged.safetensors")
        (tmp_path / "damaged.safetensors").write_bytes(content)
    done = script("evaluate", *([f"weights={weights}"] if weights else []), cwd=tmp_path)
    assert done.code == 2
    assert message in done.err
    assert len(done.err.strip().splitlines()) <= 5
    assert "Traceback" not in done.err


def test_divergence_ends_with_3(script, tmp_path):
    done = script("train", "model=fnn", "optim=sgd", "optim.lr=1e30", f"run_dir={tmp_path}")
    assert done.code == 3
    assert len(done.err.strip().splitlines()) <= 5


def test_list_is_told_apart_by_pattern(script):
    done = script("list", "cnn/*")
    assert done.code == 0
    assert "cnn/resnet20" in done.out
    assert "rnn/lstm" not in done.out


def test_the_readmes_table_is_up_to_date(script):
    done = script("table", "--check")
    assert done.code == 0, done.err


MODEL = '''
"""A toy."""
from torch import nn
from zoo.models import MODELS
from zoo.models.layers import Network

@MODELS.register("fnn/toy")
class Toy(Network):
    """One hidden layer."""
    def __init__(self, *, n_numeric: int, n_outputs: int, width: int = 32):
        super().__init__()
        self.hidden = nn.Sequential(nn.Linear(n_numeric, width), nn.ReLU())
        self.head = nn.Linear(width, n_outputs)

    def features(self, numeric):
        return self.hidden(numeric)
'''
DATA = '''
"""Points inside and outside a circle."""
import torch
from zoo.data import DATA
from zoo.data.splits import Splits, TensorSplit
from zoo.spec import DataSpec, Input

@DATA.register("circle")
def circle(*, n: int = 900) -> Splits:
    """Two numbers, two classes."""
    points = torch.rand(n, 2, generator=torch.Generator().manual_seed(0)) * 2 - 1
    whole = TensorSplit(numeric=points, target=(points.norm(dim=1) < 0.8).long())
    spec = DataSpec(
        "circle", "classification", {"numeric": Input((2,), axes=("n_numeric",), scaled_axis=0)}, 2,
        class_names=["outside", "inside"], columns=["x", "y"],
    )
    return Splits(spec, *(whole.subset(range(i * n // 3, (i + 1) * n // 3)) for i in range(3)))
'''
SECTION = """
name: circle
n: 900
epochs: 60
batch_size: 32
eval_batch_size: 1000
num_workers: 0
resident: auto
augment: {}
"""


def test_a_model_and_a_data_set_are_added_by_two_files_each(script, tmp_path):
    conf = ROOT / "conf"
    for path, text in {
        "models/fnn/toy.py": MODEL,
        "conf/model/fnn/toy.yaml": (conf / "model/fnn/perceptron.yaml")
        .read_text()
        .replace("perceptron", "toy")
        .replace("name: fnn/toy", "name: fnn/toy\n  width: 32"),
        "data/toys/circle.py": DATA,
        "conf/data/circle.yaml": SECTION,
    }.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    own = f"zoo_path={tmp_path}"
    done = script("train", own, "model=fnn/toy", "data=circle", f"run_dir={tmp_path / 'run'}")
    assert done.code == 0, done.err
    assert json.loads((tmp_path / "run" / "metrics.json").read_text())["test"]["accuracy"] > 0.85
    measured = script("evaluate", own, f"weights={tmp_path / 'run' / 'model.safetensors'}")
    assert measured.code == 0, measured.err
    mistaken = script("train", own, "model=fnn/toyy", "data=circle")
    assert "nearest: fnn/toy" in mistaken.err
