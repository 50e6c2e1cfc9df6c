"""Predictions for a user's files: every readable row gets one, others are reported, and the file written is safe."""

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

import zoo
from zoo.core.atomic_files import check_output_path
from zoo.core.console import echo
from zoo.core.errors import UserError
from zoo.core.formatting import format_column, format_number
from zoo.core.spec import Column, DataSpec, Input
from zoo.data.splits import NamedBatch
from zoo.inference.predict_files import predict_file
from zoo.inference.predictor import Predictor
from zoo.report.answers import answers_table
from zoo.tasks import create_task

N = 40


def trees(**changes) -> pd.DataFrame:
    height = np.linspace(100, 200, N).round(1)
    days = pd.date_range("2020-01-01", periods=N, freq="9D").strftime("%Y-%m-%d")
    frame = pd.DataFrame({"height": height, "kind": ["oak", "ash"] * (N // 2), "sold": days}).astype(object)
    for name, (row, value) in changes.items():
        frame.loc[row, name] = value
    return frame


@pytest.fixture(scope="module")
def model(config, tmp_path_factory):
    folder = tmp_path_factory.mktemp("trees")
    trees().assign(girth=np.arange(N) * 1.5).to_csv(folder / "train.csv", index=False)
    options = (
        "model=fnn/mlp",
        "data=csv",
        f"data.path={folder / 'train.csv'}",
        "data.target=girth",
        "data.split=random",
    )
    zoo.train(config(*options, "trainer=cpu", "trainer.max_epochs=1"), folder / "run")
    return zoo.load(folder / "run")


def answered(model, tmp_path, frame: pd.DataFrame) -> pd.DataFrame:
    frame.to_csv(tmp_path / "new.csv", index=False)
    predict_file(model, tmp_path / "new.csv", tmp_path / "answers.csv")
    return pd.read_csv(tmp_path / "answers.csv")


def test_a_missing_value_is_read_as_the_mean_and_reported(model, tmp_path, capsys):
    answers = answered(model, tmp_path, trees(height=(4, None), kind=(6, None), sold=(7, None)))
    printed = capsys.readouterr().out
    assert answers["prediction"].notna().all() and len(answers) == N
    always = "is missing, which it never was in training, and read as"
    assert f"'height' {always} the mean of training: 1 of {N} rows, such as row 6" in printed
    assert f"'kind' {always} an unseen category: 1 of {N} rows, such as row 8" in printed
    assert f"'sold' {always} the mean of training" in printed
    assert np.isfinite(model.predict({"height": None, "kind": "oak", "sold": "2020-03-01"}))
    assert "1 of 1 rows, such as row 0" in capsys.readouterr().out


@pytest.mark.parametrize("cell", ["inf", "tall", "1e300"])
def test_unreadable_rows_are_named_and_the_others_predicted(model, tmp_path, capsys, cell):
    whole = answered(model, tmp_path, trees())
    capsys.readouterr()
    answers = answered(model, tmp_path, trees(height=(4, cell), sold=(9, "soon")))
    printed = capsys.readouterr().out
    assert f"not answered: 2 of {N} rows" in printed and "row 6" in printed and "'soon' in row 11" in printed
    assert answers["sample"].tolist() == list(range(N))
    assert np.flatnonzero(answers["prediction"].isna()).tolist() == [4, 9]
    pd.testing.assert_frame_equal(answers.dropna(), whole.drop(index=[4, 9]))


def test_a_file_without_a_row_that_can_be_read_is_refused(model, tmp_path):
    with pytest.raises(UserError, match=f"none of {N} rows can be answered"):
        answered(model, tmp_path, trees().assign(height="tall"))


def test_rows_in_memory_with_text_in_a_numeric_column_are_refused(model):
    with pytest.raises(UserError, match="'tall' in row 4"):
        model.predict(trees(height=(4, "tall")))


def test_unseen_values_are_reported(model, tmp_path, capsys):
    strange = trees(height=(4, 9999), kind=(6, "beech"), sold=(7, "2091-01-01"))
    for answer in (lambda: answered(model, tmp_path, strange), lambda: model.predict(strange)):
        answer()
        printed = capsys.readouterr().out
        assert "'height' is far outside of training's 1" in printed and "such as 9999" in printed
        assert f"'kind' has a category that training has not seen: 1 of {N} rows, such as 'beech' in row " in printed
        assert "'sold' is far outside of training's 2020-" in printed
    answered(model, tmp_path, trees(height=(4, 210.0)))
    assert "outside" not in capsys.readouterr().out


def test_a_spec_without_ranges_predicts_without_warnings(model, capsys):
    plain = model.spec.to_json()
    for column in plain["columns"]:
        del column["range"]
    Predictor(model.model, DataSpec.from_json(plain), {}).predict(trees(height=(4, 9999)))
    assert capsys.readouterr().out == ""


def names_of(input: Path) -> dict[str, Path]:
    """Other names of a file."""
    folder = input.parent
    (folder / "link.csv").symlink_to(input)
    os.link(input, folder / "hard.csv")
    return {
        "same": input,
        "spelled": folder / ".." / folder.name / input.name,
        "link": folder / "link.csv",
        "hard": folder / "hard.csv",
        "inside": folder,
    }


@pytest.mark.parametrize("name", ["same", "spelled", "link", "hard", "inside"])
def test_the_input_is_never_written_over(model, tmp_path, name):
    path = tmp_path / "new.csv"
    trees().to_csv(path, index=False)
    before, other = path.read_bytes(), names_of(path)[name]
    source, output = (other, path) if name == "inside" else (path, other)
    with pytest.raises(UserError, match="does not overwrite its input"):
        predict_file(model, source, output)
    assert path.read_bytes() == before
    check_output_path(tmp_path / "answers.csv", [path])
    with pytest.raises(
        UserError, match=r"the output is a file; .* is a folder: name a file in it, such as .*answers.csv"
    ):
        check_output_path(tmp_path, [path])


def classes(*names: str) -> DataSpec:
    return DataSpec("d", "classification", {"numeric": Input((1,), scaled_axis=0)}, len(names), class_names=names)


@pytest.mark.parametrize(
    ("names", "found"),
    [
        (("a", "b"), ["prediction", "a", "b"]),
        (("prediction", "sample"), ["prediction", "probability of prediction", "probability of sample"]),
        (
            ("prediction", "probability of prediction"),
            ["prediction", "probability of probability of prediction", "probability of prediction"],
        ),
    ],
)
def test_columns_of_predictions_never_collide(names, found):
    table = create_task(classes(*names)).tabulate(torch.tensor([[0.0, 5.0]]))
    assert list(table) == found and table["prediction"] == [names[1]]
    assert table[found[2]][0] > 0.9


def test_names_of_samples_never_collide_with_predictions(model):
    names = {"sample": ["a"], "prediction": ["b"], "tree": ["c"]}
    table = model._table(NamedBatch(model.read(trees().iloc[:1])[0], names))
    assert list(table) == ["input sample", "input prediction", "tree", "prediction"]


def test_empty_texts_are_named_and_the_others_predicted(tmp_path, capsys):
    texts = Input((None,), "int64", ("time",), cardinalities=(4,))
    inputs = {"tokens": texts, "lengths": Input(dtype="int64")}
    spec = DataSpec("d", "classification", inputs, 2, class_names=["a", "b"], reading={"alphabet": "xyz"})
    predictor = Predictor(zoo.create_model("rnn/gru", spec), spec, {})
    (tmp_path / "new.txt").write_text("xy\n\nzz\n")
    _, rows = predict_file(predictor, tmp_path / "new.txt")
    assert [row[0] for row in rows] == [0, 1, 2] and rows[1][1:] == ["", "", ""] and rows[2][1] in "ab"
    assert "not answered: 1 of 3 texts\n  no text in line 2" in capsys.readouterr().out


def test_answers_of_many_classes_show_the_three_most_likely_and_fit_the_terminal():
    rows = [["photo.jpg", "cat", 0.1, 0.7, 0.15, 0.05], ["broken.jpg", *[""] * 5]]
    table = answers_table(["sample", "prediction", *"abcd"], rows, ["ant", "cat", "dog", "emu"], None).splitlines()
    assert table[1].split() == ["photo.jpg", "cat", "cat", "(0.700)", "dog", "(0.150)", "ant", "(0.100)"]
    narrow = answers_table(["sample", "prediction", *"abcd"], rows, ["ant", "cat", "dog", "emu"], 40).splitlines()
    assert max(map(len, narrow[:-1])) <= 40 and narrow[-1] == "2 more columns; output=FILE.csv writes all"


def test_columns_of_forecasts_never_collide():
    sequence = Input((4, 2), axes=("time", "n_channels"), scaled_axis=1)
    spec = DataSpec("d", "forecasting", {"sequence": sequence}, 2, Input((1, 2)), columns=[Column("step"), Column("x")])
    table = create_task(spec).tabulate(torch.tensor([[[1.0, 2.0]]]))
    assert table == {"step": [1], "forecast of step": [1.0], "x": [2.0]}


def test_numbers_of_a_column_align_distinguish_values_and_have_no_exponents():
    assert format_column([30000001.294, 30000004.5]) == ["30,000,001.294", "30,000,004.500"]
    assert format_column([1250000.4, 98000.7, ""]) == ["1,250,000", "98,001", ""]
    assert format_column([0.123456, 1e-9, "x"]) == ["0.1235", "0.0000", "x"]
    assert format_column([3e15, 2.0]) == ["3e+15", "2"] and format_column([]) == []
    assert format_number(30000001.294, 5.0) == "30,000,001.294" and format_number(30000001.294) == "30,000,001"


def test_in_the_locale_c_output_has_no_characters_beyond_ascii_of_its_own(monkeypatch, capsys):
    monkeypatch.setenv("LC_ALL", "C")
    echo("0.5 ± 0.1 é")
    monkeypatch.setenv("LC_ALL", "en_GB.UTF-8")
    echo("0.5 ± 0.1")
    assert capsys.readouterr().out == "0.5 +- 0.1 é\n0.5 ± 0.1\n"
