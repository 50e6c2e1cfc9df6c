"""Explanations of models of tables: importance by column, and partial dependence."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
import torch
from helpers.commands import in_this_process

import zoo
from zoo.core.errors import UserError
from zoo.core.spec import Column, DataSpec, Input
from zoo.data.columns.encode import table_inputs
from zoo.inference.column_importance import _integrated_gradients
from zoo.inference.predictor import Predictor
from zoo.inference.table_columns import Answers
from zoo.models.layers import Network
from zoo.models.model import Model
from zoo.tasks import create_task

N = 400
COLUMNS = (
    Column("area"),
    Column("sold", "date"),
    Column("town", "categorical", ("Bonn", "Kiel", "Ulm")),
    Column("floors", missing=True),
    Column("noise"),
)


class Formula(Network):
    """3 area + 2 (in Kiel) + 0.001 days + missing floors."""

    def __init__(self):
        super().__init__()
        self.unused = torch.nn.Parameter(torch.zeros(1))

    def forward(self, numeric, categorical):
        area, days, missing = numeric[:, 0], numeric[:, 1], numeric[:, 6]
        answer = 3 * area + 2 * (categorical[:, 0] == 2) + 0.001 * days + 0.5 * missing
        return answer[:, None] + 0 * self.unused


@pytest.fixture(scope="module")
def predictor():
    target = Input((1,), "float32")
    spec = DataSpec("houses", "regression", table_inputs(COLUMNS), 1, target, "price", columns=COLUMNS)
    return Predictor(Model(spec, Formula(), combine=lambda outputs: outputs.mean(0)), spec, {})


@pytest.fixture(scope="module")
def houses(predictor):
    random = np.random.default_rng(0)
    rows = pd.DataFrame(
        {
            "noise": random.normal(size=N),
            "town": random.choice(["Bonn", "Kiel", "Ulm"], N),
            "sold": pd.Timestamp("2020-01-01") + pd.to_timedelta(random.integers(0, 900, N), "D"),
            "area": random.normal(size=N),
            "floors": np.where(random.random(N) < 0.3, np.nan, 1.0),
        }
    )
    return rows.assign(price=predictor.predict(rows))


@pytest.fixture(scope="module")
def explained(predictor, houses):
    return predictor.explain(houses, n_pictures=3)


def test_the_column_that_decides_comes_first_and_an_ignored_one_has_no_importance(explained, houses):
    frame = explained.frame()
    assert list(frame.index) == ["area", "town", "sold", "floors", "noise"]
    assert (frame.loc["noise"] == 0).all()
    # shuffling doubles the variance of a column's share
    days = (houses.sold - houses.sold.min()).dt.days
    assert frame.permutation["area"] == pytest.approx(2 * 3**2 * houses.area.var(), rel=0.1)
    assert frame.permutation["sold"] == pytest.approx(2 * (0.001 * days).var(), rel=0.15)
    assert frame.permutation["floors"] == pytest.approx(2 * 0.5**2 * 0.3 * 0.7, rel=0.2)
    # and the mean distance from the mean is that of each distribution
    assert frame.gradient["area"] == pytest.approx(3 * (2 / np.pi) ** 0.5, rel=0.1)
    assert frame.gradient["sold"] == pytest.approx(0.9 / 4, rel=0.1)


def test_partial_dependence_follows_the_formula_in_the_targets_unit(explained):
    area, town, sold, *_ = explained.dependence
    slopes = np.diff(area.mean[:, 0]) / np.diff(area.values)
    assert slopes == pytest.approx(3 * np.ones(len(slopes)), abs=1e-3)
    by_town = dict(zip(town.values, town.mean[:, 0].tolist(), strict=True))
    assert by_town["Kiel"] - by_town["Ulm"] == pytest.approx(2, abs=1e-3)
    assert sold.values[-1] - sold.values[0] > 800
    assert (sold.mean[-1] - sold.mean[0]).item() == pytest.approx(0.001 * (sold.values[-1] - sold.values[0]), rel=1e-2)


def test_an_explanation_prints_as_a_table_and_draws_every_kind_of_column(explained):
    assert str(explained).splitlines()[1].split()[0] == "area"
    assert "among 400 of 400 rows, the mean of 5 times" in " ".join(str(explained).split())
    page = explained._repr_html_()
    assert page.count("<svg") == 2 + 3 and ">Kiel<" in page


def test_without_targets_the_gradient_alone_is_measured_and_said(predictor, houses):
    explained = predictor.explain(houses.drop(columns="price"), n_pictures=0)
    assert list(explained.table()) == ["column", "gradient"] and explained.columns[0] == "area"
    assert "these rows have no 'price'" in explained.how


def test_rows_without_their_target_are_left_out(predictor, houses, capsys):
    partly = houses.assign(price=houses.price.where(houses.index < 50))
    assert "50 of 50 rows" in predictor.explain(partly, n_pictures=0).how
    assert "'price' missing: 350 of 400 rows" in capsys.readouterr().out


def test_rows_that_cannot_be_explained_are_refused_with_the_rule(predictor, houses):
    with pytest.raises(UserError, match=r"lacks a column: .*'area'"):
        predictor.explain(houses.rename(columns={"area": "aera"}))
    with pytest.raises(UserError, match="at least 10 rows; got 3"):
        predictor.explain(houses[:3])
    with pytest.raises(UserError, match=r"explain is for tables; .* takes image: heat_maps"):
        zoo.load("cnn/small.mnist5k").explain(houses)


@pytest.mark.parametrize(("head", "scaling"), [("quantiles", "quantile"), ("gaussian", "standard")])
def test_shares_of_all_columns_add_up_to_the_answer_whatever_the_scaling_and_the_head(head, scaling):
    """Integrated gradients are complete, also of a column with two values, whose quantiles jump."""
    torch.manual_seed(0)
    data = zoo.load_data("diabetes")
    n_numbers = len(create_task(data.spec, head=head).numbers)
    spec = dataclasses.replace(data.spec, n_per_value=n_numbers)
    model = zoo.create_model("fnn/mlp", spec, scaling=scaling)
    model.fit([data.train[:]], [data.train[:]])
    predictor = Predictor(model, spec, {"config": {"task": {"head": head}}})
    batch = {"numeric": data.test.columns["numeric"]}
    answers, outputs = Answers(predictor), predictor.outputs(batch)
    shares = _integrated_gradients(predictor, answers, batch, answers.likeliest(outputs))
    total = answers(outputs)[:, 0] - shares[0].sum(-1)
    assert total.std() < 0.05 * answers(outputs).std()  # the answer at the mean, for every row


def test_a_pretrained_classifier_is_explained_by_its_test_split_and_a_smaller_budget_by_fewer_rows_and_columns():
    model, data = zoo.load("fnn/mlp.breast_cancer"), zoo.load_data("breast_cancer")
    explained = model.explain(data.test, n_pictures=1)
    assert set(explained.columns) == set(data.spec.column_names)
    (first,) = explained.dependence
    assert first.unit == "probability" and first.names == [data.spec.class_names[1]]
    assert explained.frame().equals(model.explain(data.test, n_pictures=1).frame())  # by the seed alone
    few = model.explain(data.test, multiply_adds=1e6, n_pictures=0)
    assert len(few.columns) == 20 and "over 32 of 114 rows" in few.how
    assert "for the 20 of 30 columns with the largest gradient" in few.how


@pytest.fixture
def cells(tmp_path, monkeypatch):
    """A folder with the test split's table, without targets, which also is where the process is."""
    monkeypatch.chdir(tmp_path)
    data = zoo.load_data("breast_cancer")
    rows = pd.DataFrame(data.test.columns["numeric"].numpy(), columns=data.spec.column_names)
    rows.to_csv("cells.csv", index=False)
    rows.iloc[:, :3].to_csv("three.csv", index=False)
    return tmp_path


def test_the_command_prints_the_importances_and_writes_a_page_beside_the_table(cells, monkeypatch, capsys):
    assert in_this_process("explain", ["fnn/mlp.breast_cancer", "cells.csv", "n_pictures=1"], monkeypatch) == 0
    out = capsys.readouterr().out
    assert out.splitlines()[0].split() == ["column", "gradient"] and "wrote cells_explained.html" in out
    assert (cells / "cells_explained.html").read_text().count("<svg") == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("fnn/mlp.breast_cancer", "say which weights and which table"),
        ("fnn/mlp.breast_cancer clls.csv", "nearest: cells.csv"),
        ("fnn/mlp.breast_cancer three.csv", "the input lacks a column: no column 'mean area'"),
        ("fnn/mlp.breast_cancer cells.csv three.csv", "explain takes one table; got three.csv"),
        ("cnn/small.mnist5k cells.csv", "explain is for tables; this model takes image"),
    ],
)
def test_mistakes_in_the_command_get_one_message(arguments, message, cells, monkeypatch, capsys):
    assert in_this_process("explain", arguments.split(), monkeypatch) == 2
    assert message in capsys.readouterr().err
