"""Pretrained files match their cards, predict from raw input, and are refused when damaged."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

import zoo
from zoo.core.errors import UserError
from zoo.core.run_folder import flat
from zoo.data import facts
from zoo.inference.cards import verify
from zoo.inference.evaluation import evaluate, evaluate_weights
from zoo.inference.pretrained import CARDS, WEIGHTS, load_card
from zoo.inference.test_time_augmentation import VIEWS
from zoo.models import MODELS


@pytest.mark.parametrize("name", zoo.list_pretrained())
def test_card_file_and_model_agree(name):
    assert verify(name) == []
    card = load_card(name)
    assert card["spec"]["licence"]
    assert card["name"] == name
    digits = "0123456789"  # with its size, as in resnet20
    assert name.partition(".")[0].rstrip(digits) == card["model"]["name"].rstrip(digits)


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=pytest.mark.long if ".cifar10" in name or name.endswith("_ensemble") else ())
        for name in zoo.list_pretrained()
    ],
)
def test_published_metrics_are_reproduced(name):
    card = load_card(name)
    if facts(card["spec"]["name"]).network == "fetched" and "ZOO_DATA" not in os.environ:
        pytest.skip("set ZOO_DATA to a folder with the data set")
    measured = evaluate_weights(name, device="cpu")["test"]
    for metric, value in card["file"]["test"].items():
        assert measured[metric] == pytest.approx(value, abs=1e-4), metric


def test_every_card_has_its_recipe_and_every_recipe_its_card():
    from helpers.commands import ROOT

    recipes = {path.relative_to(ROOT / "conf" / "experiment").with_suffix("").as_posix()
               for path in (ROOT / "conf" / "experiment").rglob("*.yaml")}  # fmt: skip
    assert recipes == set(zoo.list_pretrained())
    assert {path.relative_to(WEIGHTS).with_suffix("").as_posix() for path in WEIGHTS.rglob("*.safetensors")} == recipes
    assert {path.suffix for path in CARDS.rglob("*.*")} == {".yaml"}


@pytest.mark.parametrize("name", zoo.list_pretrained())
def test_a_recipe_has_the_settings_of_its_card(config, name):
    recipe, card = config(f"experiment={name}", f"run_dir={name}"), load_card(name)["config"]
    by_size = {"batch_size", "weight_decay", "max_epochs", "schedule.name", "patience", "keep"}
    chosen = by_size | {"accelerator", "precision", "threads"}  # in a card, where a recipe may have auto
    assert recipe["finetune"] == card["finetune"]
    for section in ("model", "data", "optim", "task", "trainer", "distill"):
        settings = {key: value for key, value in flat(recipe[section]) if value != "auto" or key not in chosen}
        settings.pop("tricks", None)  # which changes no result
        later = MODELS.get(card["model"]["name"]).defaults() if section == "model" else {}
        published = {**later, **dict(flat(card[section]))}  # an older one lacks settings that are null, and keywords
        assert settings == {key: published.get(key) for key in settings}, section


def test_an_image_is_predicted_in_each_layout():
    predictor = zoo.load("cnn/small.mnist5k")
    split = zoo.load_data("mnist5k").test
    image = split.columns["image"][0, 0].numpy()
    answer = predictor.predict(image)
    assert answer in predictor.spec.class_names
    assert predictor.predict(image[None]) == answer
    assert predictor.predict(image[:, :, None]) == answer
    assert predictor.predict(torch.as_tensor(image)) == answer
    assert predictor.predict(np.stack([image, image])) == [answer, answer]
    assert predictor.predict(np.stack([image, image])[..., None]) == [answer, answer]
    probabilities = predictor.predict_proba(image)
    assert probabilities.shape == (10,)
    assert probabilities.sum() == pytest.approx(1, abs=1e-5)
    assert predictor.features(image).ndim == 1
    with pytest.raises(UserError, match="uint8"):
        predictor.predict(image / 255)
    assert predictor.predict(np.kron(image, np.ones((2, 2), np.uint8))) == answer
    with pytest.raises(UserError, match="height, width"):
        predictor.predict(image[0])


def test_convolutions_run_channels_last_as_in_training():
    """Up to three times as fast."""
    model, read = zoo.load("cnn/fast.mnist").model, []
    for layer in model.modules():
        if isinstance(layer, torch.nn.Conv2d):
            layer.register_forward_pre_hook(lambda layer, inputs: read.extend((layer.weight, *inputs)))
    with torch.no_grad():
        model(image=torch.zeros(2, 1, 28, 28, dtype=torch.uint8))
    assert len(read) == 12
    assert all(tensor.is_contiguous(memory_format=torch.channels_last) for tensor in read)


def test_a_row_is_predicted_by_column_name_in_any_order(capsys):
    import pandas as pd

    predictor = zoo.load("fnn/mlp.breast_cancer")
    rows = zoo.load_data("breast_cancer").test.columns["numeric"][:3].numpy()
    answers = predictor.predict(rows)
    frame = pd.DataFrame(rows, columns=predictor.spec.column_names)
    assert predictor.predict(frame[frame.columns[::-1]]) == answers
    assert predictor.predict(dict(zip(predictor.spec.column_names, rows[0], strict=True))) == answers[0]
    assert predictor.predict(rows[0]) == predictor.predict(frame[frame.columns[::-1]].iloc[0]) == answers[0]
    assert predictor.predict(frame.to_dict("records")) == answers
    with pytest.raises(UserError, match="mean radius"):
        predictor.predict(frame.rename(columns={"mean radius": "radius"}))
    gaps = np.where(np.arange(3)[:, None] == 1, np.nan, rows)
    assert predictor.predict(gaps)[::2] == answers[::2]
    assert "25 more columns have missing values" in capsys.readouterr().out
    with pytest.raises(UserError, match="30 values"):
        predictor.predict(rows[:, :5])


def test_sequences_of_any_lengths_are_predicted():
    predictor = zoo.load("rnn/lstm.japanese_vowels")
    columns = zoo.load_data("japanese_vowels").test.columns
    sequences = [s[:n].numpy() for s, n in zip(columns["sequence"][:4], columns["lengths"][:4], strict=True)]
    assert predictor.predict(sequences) == [predictor.predict(sequence) for sequence in sequences]
    with pytest.raises(UserError, match="with at least one step"):
        predictor.predict(sequences[0][:0])
    with pytest.raises(UserError, match="time, 12"):
        predictor.predict(sequences[0][:, :3])


def test_a_regression_predicts_in_the_targets_units(config, tmp_path):
    zoo.train(config("model=fnn/mlp", "data=diabetes", "trainer.max_epochs=5"), tmp_path)
    predictor, split = zoo.load(tmp_path / "model.safetensors"), zoo.load_data("diabetes").test
    answers = predictor.predict(split.columns["numeric"])
    assert 50 < np.mean(answers) < 300
    with pytest.raises(UserError, match="needs classes"):
        predictor.predict_proba(split.columns["numeric"])


# -- what is refused


@pytest.fixture
def file(runs, tmp_path):
    path = tmp_path / "model.safetensors"
    path.write_bytes((runs["fnn"] / "model.safetensors").read_bytes())
    return path


def test_truncated_corrupted_and_foreign_files_are_refused(file, tmp_path):
    from safetensors.torch import save_file as save_plain

    content = file.read_bytes()
    for position in (3, 50, len(content) - 3):
        flipped = bytearray(content)
        flipped[position] ^= 4
        file.write_bytes(flipped)
        with pytest.raises(UserError):
            zoo.load(file)
    for size in (0, 4, 100, len(content) - 1):
        file.write_bytes(content[:size])
        with pytest.raises(UserError, match="damaged"):
            zoo.load(file)
    save_plain({"a": torch.zeros(2)}, file)
    with pytest.raises(UserError, match="tensors, but not the zoo's card"):
        zoo.load(file)


def test_a_file_of_another_kind_is_named_as_what_it_is(runs, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save(torch.zeros(2), "state.pt")
    Path("new.csv").write_text("a,b\n1,2\n")
    checkpoint = next((runs["fnn"] / "checkpoints").glob("*.ckpt"))
    for path, message in [
        ("state.pt", "file of torch.save"),
        ("new.csv", "no weights file; the zoo reads the model.safetensors"),
        (checkpoint, f"is a checkpoint.*run_dir={runs['fnn']} resume=auto"),
        ("nwe.csv", "nearest: new.csv"),
    ]:
        with pytest.raises(UserError, match=message):
            zoo.load(path)


def test_test_time_views_are_the_mirror_image_and_shifts_by_a_pixel():
    image = torch.zeros(1, 1, 7, 7)
    image[..., 3, 2] = 1.0
    places = {name: [tuple(view.nonzero()[0, 2:].tolist()) for view in views(image)] for name, views in VIEWS.items()}
    shifted = [(3, 2), (4, 3), (2, 1)]
    assert places["mirror"] == [(3, 2), (3, 4)]
    assert places["shift"] == shifted
    assert places["mirror_shift"] == [place for y, x in shifted for place in ((y, x), (y, 6 - x))]


def test_test_time_augmentation_averages_outputs_over_views():
    predictor, split = zoo.load("cnn/small.mnist5k"), zoo.load_data("mnist5k").test
    image = split.columns["image"][:1000]
    _, outputs, _ = evaluate(predictor, split, views=VIEWS["mirror"])
    both = [predictor.outputs({"image": view}) for view in (image, image.flip(3))]
    torch.testing.assert_close(outputs, torch.stack(both).mean(0))


def test_test_time_augmentation_is_reported_beside_the_plain_metrics():
    name = "cnn/small.mnist5k"
    plain, augmented = evaluate_weights(name), evaluate_weights(name, tta="mirror_shift")
    assert augmented["test"] == plain["test"]
    assert augmented["test tta"]["accuracy"] > 0.9
    assert augmented["test tta"] != plain["test"]
    with pytest.raises(UserError, match="nearest: mirror"):
        evaluate_weights(name, tta="miror")
    with pytest.raises(UserError, match="tta=mirror is for images"):
        evaluate_weights("fnn/mlp.breast_cancer", tta="mirror")


def test_data_of_another_kind_is_refused(file):
    with pytest.raises(UserError, match="other inputs than breast_cancer"):
        evaluate_weights(file, data={"name": "wine"})
    with pytest.raises(UserError, match="nearest: test"):
        evaluate_weights(file, split="tests")


def test_unknown_names_get_the_nearest_and_missing_files_are_refused():
    with pytest.raises(UserError, match=r"nearest: cnn/small.mnist"):
        zoo.load("cnn/smal.mnist")
    with pytest.raises(UserError, match="cannot read"):
        zoo.load("nowhere/model.safetensors")


@pytest.mark.parametrize(
    ("code", "unneeded"),
    [
        ("zoo.list_models(); zoo.list_data(); zoo.list_pretrained()", {"torch", "lightning"}),
        ("zoo.load('fnn/mlp.breast_cancer')", {"lightning", "sklearn", "pandas", "pyarrow"}),
        ("from zoo.data import facts; facts('breast_cancer')", {"lightning", "sklearn"}),
    ],
    ids=["importing and listing", "loading", "facts"],
)
def test_heavy_packages_are_imported_only_when_needed(code, unneeded):
    code = f"import sys, zoo; {code}; print(*{unneeded} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


def test_cards_are_plain_json():
    for name in zoo.list_pretrained():
        assert json.loads(json.dumps(load_card(name))) == load_card(name)
