"""The words that a person types beside `key=value`, and what they stand for."""

import re
import shlex
from pathlib import Path

import pytest

from zoo.cli.command_words import as_override, read_words
from zoo.cli.data_words import evaluation_settings, training_settings
from zoo.cli.help import LEFT, settings_help
from zoo.cli.predict import prediction_settings
from zoo.core.errors import UserError
from zoo.core.spec import DataSpec, Input
from zoo.inference.untrained import create_model
from zoo.settings import config as zoo_config
from zoo.settings.hydra_private import flags
from zoo.settings.mistakes import setting_names

PLAIN = """
from torch import nn
from zoo.models import MODELS
from zoo.models.layers import Network

@MODELS.register("fnn/plain")
class Plain({base}):
    def forward(self, x):
        return x
"""
SPEC = DataSpec("rows", "regression", {"numeric": Input((3,), axes=("n_numeric",))}, 1)
MEANINGS = {"train": training_settings, "evaluate": evaluation_settings, "predict": prediction_settings}


@pytest.fixture(autouse=True)
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [f"{k / 7:.2f},{'ab'[k % 2]},{k}" for k in range(40)]
    (tmp_path / "table.csv").write_text("\n".join(["area,district,price", *rows]))
    days = [f"2024-01-{day:02d},{day}" for day in range(1, 31)]
    (tmp_path / "sales.csv").write_text("\n".join(["date,sold", *days]))
    (tmp_path / "poems.txt").write_text("Shall I compare thee to a summer's day?\n")
    for name in ("photos/disc/1.png", "photos/box/1.png", "cnn/disc/1.png", "runs/first/checkpoints/.lock"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "runs/first/config.yaml").touch()
    monkeypatch.chdir(tmp_path)


def understood(line: str) -> str:
    command, *words = shlex.split(line)
    read = read_words(words, flags(), lambda: setting_names(command, ["model=fnn/mlp"] * (command == "train")))
    return " ".join(as_override(key, value) for key, value in MEANINGS[command](read).items())


@pytest.mark.parametrize(
    ("line", "settings"),
    [
        ("train fnn table.csv price", "model=fnn data=csv data.path=table.csv data.target=price"),
        ("train price table.csv", "model=fnn data=csv data.path=table.csv data.target=price"),
        ("train table.csv price district", "model=fnn data=csv data.path=table.csv data.target=[price,district]"),
        ("train table.csv data.target=price -m seed=0,1", "model=fnn data=csv data.path=table.csv"),
        ("train data.path=table.csv trainer=cpu price", "model=fnn data=csv data.target=price"),
        ("train data=csv ./table.csv price", "model=fnn data.path=./table.csv data.target=price"),
        ("train model=fnn/mlp data=csv data.path=table.csv data.target=price", ""),
        ("train photos/", "model=cnn data=imagefolder data.path=photos/"),
        ("train cnn ./cnn", "model=cnn data=imagefolder data.path=./cnn"),
        ("train photos finetune=cnn/resnet20.cifar10", "data=imagefolder data.path=photos"),
        ("train rnn sales.csv", "model=rnn data=series data.path=sales.csv"),
        ("train rnn/gru sales.csv sold", "model=rnn/gru data=series data.path=sales.csv data.columns=[sold]"),
        ("train sales.csv", "model=rnn data=series data.path=sales.csv"),
        ("train poems.txt", "model=rnn data=text data.path=poems.txt"),
        ("train mnist", "model=cnn data=mnist"),
        ("train -m cnn,cnn/resnet mnist", "model=cnn,cnn/resnet data=mnist"),
        ("train data=wine", "model=fnn"),
        ("train rnn", "model=rnn"),
        ("train experiment=cnn/tiny.mnist", ""),
        ("train resume=auto run_dir=runs/text", ""),
        ("evaluate runs/first", "weights=runs/first"),
        ("evaluate cnn/small.mnist5k val", "weights=cnn/small.mnist5k split=val"),
        ("evaluate cnn/small.mnist5k mnist", "weights=cnn/small.mnist5k data=mnist"),
        ("evaluate fnn/mlp.breast_cancer table.csv", "weights=fnn/mlp.breast_cancer data=csv data.path=table.csv"),
        ("evaluate weights=cnn/small.mnist5k ./photos", "data=imagefolder data.path=./photos"),
        ("predict cnn/small.mnist photo.jpg", "weights=cnn/small.mnist input=photo.jpg"),
        ("predict runs/first new.csv answers.csv", "weights=runs/first input=new.csv output=answers.csv"),
        ("predict new.csv weights=runs/first", "input=new.csv"),
        ("predict runs/poems 'Shall I' length=60", "weights=runs/poems input='Shall I'"),
        ("predict runs/poems 'x = y, or null'", "weights=runs/poems input='x = y, or null'"),
    ],
)
def test_bare_words_stand_for_settings(line: str, settings: str) -> None:
    assert understood(line) == settings


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("train cnnn photos", "no model or data set 'cnnn'; the nearest: cnn"),
        ("train fnnn table.csv price", "'fnnn'; the nearest: fnn"),
        ("train fnn table.csv prise", "column of table.csv 'prise'; the nearest: price"),
        ("train tabel.csv price", "no file 'tabel.csv'; the nearest: table.csv"),
        ("train cnn phtos/", "'phtos/'; the nearest: photos"),
        ("train table.csv sales.csv", "one file or folder; got table.csv and sales.csv"),
        ("train table.csv", "which column .* area, district, price"),
        ("train runs/first", "finetune=runs/first .* run_dir=runs/first resume=auto"),
        ("train cnn/small.mnist", "finetune=cnn/small.mnist"),
        ("train --model cnn", "without dashes: model=cnn"),
        ("train --model=cnn", "without dashes: model=cnn"),
        ("train --data.path table.csv", "without dashes: data.path=table.csv"),
        ("train --batch-size 32", "without dashes: data.batch_size=32"),
        ("train --max-epochs=3", r"without dashes: trainer\.max_epochs=3"),
        ("train --foo", "no flag or setting '--foo'"),
        ("train model = cnn", "without spaces: model=cnn"),
        ("evaluate cnn/small.mnist5k phtos", "'phtos'; the nearest: photos"),
        ("evaluate runs/first a b", "'b' too"),
        ("predict runs/first new.csv table.csv", "table.csv is there already: output=table.csv"),
        ("predict runs/first a.jpg b.jpg c.jpg", "one input; got a.jpg, b.jpg, c.jpg"),
    ],
)
def test_a_word_that_stands_for_nothing_is_refused_with_the_right_form(line: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        understood(line)


@pytest.mark.parametrize(
    ("base", "yaml", "message"),
    [
        ("nn.Module", True, "derives from zoo.models.layers.Network.*'fnn/plain' is a Plain"),
        ("Network", False, "settings go in conf/model/fnn/plain.yaml"),
    ],
)
def test_a_model_of_a_users_that_lacks_something_is_refused_with_what(base, yaml, message, tmp_path, own_code):
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "plain.py").write_text(PLAIN.format(base=base))
    if yaml:
        path = tmp_path / "own" / "conf" / "model" / "fnn" / "plain.yaml"
        path.parent.mkdir(parents=True)
        path.write_text("# @package _global_\ndefaults:\n  - override /data: wine\nmodel:\n  name: fnn/plain\n")
    assert understood("train fnn/plain zoo_path=own") == "model=fnn/plain"
    with pytest.raises(UserError, match=message):
        create_model(zoo_config("fnn/plain", "zoo_path=own")["model"]["name"], SPEC)


def test_the_help_of_a_command_explains_its_own_settings_and_ends_with_examples() -> None:
    train, predict = settings_help("train", ["model=fnn/mlp", "data=csv"]), settings_help("predict", [])
    assert "data.target=null                column to predict" in train and "model.depth=2" in train
    assert "hydra" not in train.lower() and "trainer" not in predict and "CSV file" in predict
    bare = [line for text in (train, predict) for line in text.splitlines() if re.fullmatch(r"  [\w.]+=\S+", line)]
    assert not [line for line in bare if len(line) < LEFT + 2]  # each has a sentence, a long one in the next line
    assert all(line.startswith("  zoo ") for text in (train, predict) for line in text.splitlines()[-3:])
