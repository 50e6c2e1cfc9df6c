"""The command line: the scripts and what their words mean."""

import json
import re

import pandas as pd
import pytest
import yaml
from helpers.commands import ROOT, in_this_process
from helpers.own_code import MODEL

import zoo
from zoo.cli.config_command import read_overrides
from zoo.cli.list import listing
from zoo.core.errors import UserError
from zoo.inference.reproduction import Comparison

pytestmark = pytest.mark.slow


@pytest.mark.long
def test_multirun_leaves_one_folder_per_job_and_a_summary(script, tmp_path):
    done = script(
        "train", "-m", "model=fnn/mlp,fnn/perceptron", "seed=0,1", f"run_dir={tmp_path}", "trainer.max_epochs=1"
    )
    assert done.code == 0, done.err
    folders = sorted(path.parent for path in tmp_path.rglob("metrics.json"))
    assert len(folders) == 4
    seeds = {yaml.safe_load((folder / "config.yaml").read_text())["seed"] for folder in folders}
    assert seeds == {0, 1}
    summary = (tmp_path / "summary.csv").read_text()
    assert "fnn/perceptron" in summary
    assert "±" in done.out


LONG = [
    *("trainer=cpu", "optim.lr=0.001", "optim.schedule.name=constant", "optim.clip=1.0", "data.batch_size=32"),
    *("data.eval_batch_size=500", "trainer.threads=1", "model.width=32", "model.depth=1", "model.dropout=0.1"),
    *("task.label_smoothing=0.1", "trainer.save_every=30", "trainer.n_checkpoints=1", "trainer.max_epochs=1"),
]


def test_a_sweep_is_named_by_the_settings_that_differ_wherever_its_flag_stands(tmp_path, monkeypatch):
    words = ["model=fnn/mlp", "-m", "seed=0,1", *LONG, f"run_dir={tmp_path}"]
    assert in_this_process("train", words, monkeypatch) == 0
    assert {path.parent.name for path in tmp_path.rglob("metrics.json")} == {"seed=0", "seed=1"}


def excluded(words):
    """Return the settings that a sweep's folders omit from their names, and whether they are numbered."""
    _, overrides = read_overrides(words, "train", lambda _: {})
    (keys,) = [word.partition("=")[2] for word in overrides if "exclude_keys" in word] or [""]
    return set(re.findall(r"'([\w.]+)'", keys)), any("job.num" in word for word in overrides)


@pytest.mark.parametrize(
    ("words", "left_out", "numbered"),
    [
        (
            ["-m", "logger.mlflow.tracking_uri=http://me:secret@host", "seed=0,1"],
            {"logger.mlflow.tracking_uri"},
            False,
        ),
        (["-m", "data=csv", "data.path=/home/jane/a.csv", "seed=0,1"], {"data.path"}, False),
        (
            ["-m", "model=fnn/mlp", f"run_dir={'d' * 250}", f"+note={'c' * 190}", "optim.lr=1,2", "seed=3"],
            {"model", "note"},
            False,
        ),
        (["-m", "+logger.wandb.api_key=secret,other"], set(), True),
        (["-m", f"data.path={'a' * 150},{'b' * 150}", f"+note={'c' * 99},d"], set(), True),
        (["-m", "model=fnn/mlp", f"seed={','.join(map(str, range(200)))}"], set(), False),
        (["seed=0"], set(), False),
    ],
)
def test_a_sweeps_folders_have_short_names_without_paths_and_a_loggers_settings(words, left_out, numbered):
    assert excluded(words) == (left_out, numbered)


def test_an_unknown_flag_is_refused_in_one_line(monkeypatch, capsys):
    assert in_this_process("train", ["model=fnn/mlp", "--foo", "seed=0"], monkeypatch) == 2
    err = capsys.readouterr().err
    assert "--foo" in err and len(err.strip().splitlines()) <= 5


def test_a_file_is_predicted_to_a_csv(runs, tmp_path, monkeypatch, capsys):
    splits = zoo.load_data("breast_cancer")
    rows = pd.DataFrame(splits.test.columns["numeric"].numpy(), columns=splits.spec.column_names)
    rows[rows.columns[::-1]].to_csv(tmp_path / "rows.csv", index=False)
    answers = tmp_path / "answers.csv"
    words = [f"weights={runs['fnn']}", f"input={tmp_path / 'rows.csv'}", f"output={answers}"]
    assert in_this_process("predict", words, monkeypatch) == 0
    assert str(answers) in capsys.readouterr().out
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
def test_mistakes_in_predict_get_one_message(arguments, message, runs, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "rows.csv").write_text("a,b\n1,2\n")
    assert in_this_process("predict", arguments.format(run=runs["fnn"]).split(), monkeypatch) == 2
    assert message in capsys.readouterr().err


def test_every_data_set_is_listed_with_its_facts(script):
    done = script("list", "data", env={"COLUMNS": "500"})
    assert done.code == 0, done.err
    lines = {line.split()[0]: line for line in done.out.splitlines()}
    assert set(zoo.list_data()) <= set(lines)
    assert "13,209 / 3,303 / 4,128" in lines["california"]
    assert "fetched" in lines["california"]
    assert "CC BY 4.0" in lines["wine"]


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ("", "say which weights"),
        ("nowhere.safetensors", "cannot read"),
        ("fnn/mpl.breast_cancer", "nearest: fnn/mlp"),
        ("damaged", "damaged"),
        ("unfinished", "its training is not finished; resume it with resume=auto"),
        ("sweep", "name one of the runs in it, such as sweep/seed=0"),
    ],
)
def test_missing_or_damaged_weights_are_refused(runs, tmp_path, monkeypatch, capsys, weights, message):
    monkeypatch.chdir(tmp_path)
    for folder in ("unfinished/checkpoints", "sweep/seed=0"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "sweep/seed=0/model.safetensors").touch()
    if weights == "damaged":
        content = bytearray((runs["fnn"] / "model.safetensors").read_bytes())
        content[-5] ^= 1
        weights = str(tmp_path / "damaged.safetensors")
        (tmp_path / "damaged.safetensors").write_bytes(content)
    assert in_this_process("evaluate", [f"weights={weights}"] if weights else [], monkeypatch) == 2
    err = capsys.readouterr().err
    assert message in err
    assert len(err.strip().splitlines()) <= 5


def test_a_setting_of_a_model_can_be_reset_to_null(tmp_path, monkeypatch, capsys):
    optim = ("optim=nesterov_fast", "optim.lookahead=null")
    settings = ("model=cnn/fast", "model.width=8", "task.label_smoothing=null", *optim, "trainer=debug")
    assert in_this_process("train", [*settings, f"run_dir={tmp_path / 'run'}"], monkeypatch) == 0
    assert capsys.readouterr().err == ""
    config = yaml.safe_load((tmp_path / "run" / "config.yaml").read_text())
    assert config["task"]["label_smoothing"] is None and config["optim"]["lookahead"] is None


def test_divergence_exits_with_3(tmp_path, monkeypatch, capsys):
    arguments = ["model=fnn/mlp", "optim=sgd", "optim.lr=1e30", f"run_dir={tmp_path}"]
    assert in_this_process("train", arguments, monkeypatch) == 3
    assert len(capsys.readouterr().err.strip().splitlines()) <= 5


def test_a_pretrained_file_is_reproduced(tmp_path, monkeypatch, capsys):
    arguments = ["fnn/mlp.breast_cancer", f"run_dir={tmp_path}"]
    assert in_this_process("reproduce", arguments, monkeypatch) == 0
    out = capsys.readouterr().out
    assert out.count("within") == 8
    assert "weights of seed 0" in out
    assert in_this_process("reproduce", [*arguments, "seed=x"], monkeypatch) == 2
    assert in_this_process("reproduce", ["fnn/mpl.breast_cancer"], monkeypatch) == 2


@pytest.mark.parametrize(
    ("metric", "std", "now", "n_now", "within"),
    [
        *(("loss", 0.1, 1.5, 1, True), ("loss", 0.1, 0.49, 1, False)),
        *(("loss", 0.1, 1.28, 5, True), ("loss", 0.1, 1.3, 5, False)),
        *(("loss", 0.0, 1.04, 1, True), ("loss", 0.0, 1.06, 1, False), ("accuracy", 0.0, 1.02, 1, False)),
    ],
)
def test_a_reproduction_within_the_deviation_agrees(metric, std, now, n_now, within):
    """Student's t of 4 degrees is 4.604 at 99.5 %: of five and one runs 5.04 deviations, of five and five 2.91."""
    numbers = {"mean": 1.0, "std": std, "n": 5, "file": 1.0, "now": now, "n_now": n_now}
    assert Comparison(split="test", metric=metric, **numbers).within is within


def test_threads_change_nothing_beyond_rounding(config, tmp_path):
    settings = ("model=fnn/mlp", "trainer.max_epochs=2")
    one, two = (zoo.train(config(*settings, f"trainer.threads={n}"), tmp_path / str(n)) for n in (1, 2))
    assert two["test"] == pytest.approx(one["test"], rel=1e-3)


def test_list_filters_by_pattern(script):
    done = script("list", "cnn/*")
    assert done.code == 0
    assert "cnn/resnet" in done.out
    assert "rnn/lstm" not in done.out


def test_a_list_fits_the_terminal_and_a_pattern_matches_something(monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    assert max(map(len, listing(["data"]).splitlines())) == 80
    for words, message in [
        (["modles"], "nearest: models"),
        (["data", "mnits*"], "data set 'mnits\\*'; the nearest: mnist"),
    ]:
        with pytest.raises(UserError, match=message):
            listing(words)


def test_generated_pages_are_up_to_date(monkeypatch, capsys):
    assert in_this_process("maintain/pages", ["--check"], monkeypatch) == 0, capsys.readouterr().err


DATA = '''
"""Points inside and outside a circle."""
import torch
from zoo.data import DATA
from zoo.data.splits import Splits, TensorSplit
from zoo.core.spec import DataSpec, Input

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
defaults: [/loader@_here_, _self_]
name: circle
n: 900
epochs: 60
batch_size: 32
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
    report = (tmp_path / "run" / "report.html").read_text()
    assert "zoo.add_path(" in report and f" zoo_path={tmp_path.name}" in report
    measured = script("evaluate", own, f"weights={tmp_path / 'run' / 'model.safetensors'}")
    assert measured.code == 0, measured.err
    forgotten = script("evaluate", f"weights={tmp_path / 'run'}")
    assert forgotten.code == 2 and "model 'fnn/toy' is not in the zoo" in forgotten.err
    assert "zoo_path=FOLDER" in forgotten.err
