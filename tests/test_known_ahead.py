"""Series with columns known ahead, such as promotions, and with the calendar of their dates."""

import numpy as np
import pandas as pd
import pytest
import torch
from helpers.models import KNOWN_AHEAD

import zoo
from zoo.core.errors import UserError
from zoo.data.readers import read_labelled
from zoo.data.sequences.inputs.known_ahead import find_cycles
from zoo.data.splits import Batches, batches, each_value_once
from zoo.inference.predict_files import predict_file
from zoo.inference.predictor import Predictor

N, HORIZON = 400, 6
rng = np.random.default_rng(0)
DAYS = pd.date_range("2023-01-01", periods=N, freq="D")
PROMOTION, PRICE = (rng.random(N) < 0.2).astype(int), rng.normal(10, 1, N).round(2)
SALES = (20 + 5 * PROMOTION - PRICE + 3 * (DAYS.dayofweek > 4) + rng.normal(0, 0.5, N)).round(3)
SHOP = pd.DataFrame({"date": DAYS, "promotion": PROMOTION, "price": PRICE, "sales": SALES})
PLANNED = SHOP.assign(sales=SHOP.sales.where(SHOP.index < N - HORIZON))  # empty in the rows to forecast


def load(folder, frame=SHOP, **options):
    frame.to_csv(folder / "sales.csv", index=False)
    options = {"known": ["promotion", "price"], "look_back": 14, "horizon": HORIZON} | options
    return zoo.load_data("series", path=str(folder / "sales.csv"), **options)


def fitted(splits):
    """A model before its first step: a linear forecast and the effect of what is known, in closed form."""
    model = zoo.create_model("rnn/segrnn", splits.spec)
    model.fit(each_value_once(splits.train), Batches(splits.train))
    return Predictor(model, splits.spec, {"model": {"name": "rnn/segrnn"}})


def squared_error(predictor, split):
    errors = [(predictor.outputs(batch) - batch["target"]).square() for batch in batches(split)]
    return float(torch.cat(errors).mean())


def test_a_window_holds_what_is_known_over_the_horizon_too_and_forecasts_the_rest(tmp_path):
    splits = load(tmp_path)
    assert splits.spec.column_names == ["sales"]
    first = splits.train[0]
    assert first["sequence"].shape == (14, 1) and first["target"].shape == (HORIZON, 1)
    expected = torch.tensor(SHOP[["promotion", "price"]].to_numpy()[: 14 + HORIZON], dtype=torch.float32)
    assert torch.equal(first["known"], expected)
    whole = next(each_value_once(splits.train))
    assert whole["known"].shape[:2] == whole["sequence"].shape[:2]


@pytest.mark.parametrize(
    ("freq", "n", "cycles"),
    [
        ("h", 600, {"day": 4, "week": 3}),
        ("h", 200, {"day": 4}),  # one week of them
        ("15min", 2000, {"day": 4, "week": 3}),
        ("D", 800, {"week": 3, "year": 3}),
        ("D", 400, {"week": 3}),
        ("W", 200, {"year": 3}),
        ("MS", 48, {"year": 3}),
        ("QS", 48, {"year": 2}),
        ("YS", 48, {}),
    ],
)
def test_the_calendar_has_the_cycles_that_matter_to_a_step_and_were_seen_twice(freq, n, cycles):
    assert find_cycles(pd.date_range("2020-01-01", periods=n, freq=freq)) == cycles


def test_the_effect_of_what_is_known_is_learnt_without_training(tmp_path, capsys):
    def error(**options):
        splits = load(tmp_path, columns=["sales"], look_back=3, **options)
        return squared_error(fitted(splits), splits.val)

    without, columns, both = error(known=None), error(), error(calendar=True)
    assert columns < 0.5 * without
    assert both < 0.5 * columns  # as three days do not show what day of the week it is
    assert both < 0.4  # of which 0.25 are noise
    assert "of the calendar: the week" in capsys.readouterr().out


def test_what_is_known_but_does_not_matter_has_next_to_no_effect(tmp_path):
    noise = np.random.default_rng(1).normal(0, 1, (3, N))
    frame = SHOP.assign(promotion=noise[0], price=noise[1], sales=noise[2])
    weight = fitted(load(tmp_path, frame)).model.network.effect.weight
    assert weight.abs().max() < 0.02


def test_planned_rows_are_forecast_from_what_is_known_of_them(tmp_path):
    predictor = fitted(load(tmp_path, PLANNED, calendar=True))
    PLANNED.to_csv(tmp_path / "planned.csv", index=False)
    predict_file(predictor, tmp_path / "planned.csv", tmp_path / "forecast.csv")
    forecast = pd.read_csv(tmp_path / "forecast.csv")
    assert forecast["date"].tolist() == DAYS[-HORIZON:].strftime("%Y-%m-%d").tolist()
    assert np.abs(forecast["sales"] - SALES[-HORIZON:]).max() < 2
    assert np.allclose(predictor.predict(PLANNED), forecast[["sales"]], atol=1e-4)
    other_plan = PLANNED.assign(promotion=np.where(PLANNED.index == N - 2, 1 - PROMOTION, PROMOTION))
    change = np.array(predictor.predict(other_plan)) - np.array(predictor.predict(PLANNED))
    assert abs(change[-2, 0]) > 3 > 0.1 > np.abs(np.delete(change[:, 0], -2)).max()


def test_each_series_of_a_table_is_forecast_by_its_own_plan(tmp_path):
    plans = [PLANNED.assign(shop=name, promotion=promotion) for name, promotion in (("a", 0), ("b", PROMOTION))]
    predictor = fitted(load(tmp_path, pd.concat(plans), series_id="shop"))
    table = predictor.tabulate(pd.concat(plans))
    assert table["shop"] == ["a"] * HORIZON + ["b"] * HORIZON
    short = pd.concat([plans[0], plans[1][:-2]])
    with pytest.raises(
        UserError, match=r"steps to forecast, and series b of this table has 4 rows for them\nadd 2 rows"
    ):
        predictor.predict(short)


def test_gaps_in_what_is_known_are_filled_from_the_past_and_reported(tmp_path, capsys):
    gapped = SHOP.assign(price=SHOP.price.where(SHOP.index != 5))
    known = load(tmp_path, gapped).train[0]["known"]
    assert known[5, 1] == known[4, 1]
    assert "in what is known ahead, 1 missing value is filled with the last one before" in capsys.readouterr().out


def test_another_file_is_measured_with_what_is_known(tmp_path):
    splits = load(tmp_path, calendar=True)
    SHOP[100:].to_csv(tmp_path / "new.csv", index=False)
    split = read_labelled(splits.spec, {"name": "series", "path": str(tmp_path / "new.csv")})
    assert torch.equal(split[0]["known"], splits.train[100]["known"])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"known": ["promotoin"]}, r"column in .*sales.csv.* 'promotoin'"),
        ({"columns": ["sales", "price"]}, "'price' is in data.known and in data.columns: leave it out of one"),
        ({"time": "date", "known": ["date"]}, "'date' is in data.known and in data.time: leave it out of one"),
        ({"known": ["promotion", "price", "sales"]}, "has no column of numbers to forecast"),
        ({"known": ["day"]}, r"'Sun' in row .*\nwrite what is known ahead as numbers, or as yes and no"),
        ({"known": ["empty"]}, "column 'empty' has no value at all; fill it in, or leave it out of data.known"),
    ],
)
def test_columns_that_cannot_be_known_ahead_are_refused(tmp_path, options, message):
    with pytest.raises(UserError, match=message):
        load(tmp_path, SHOP.assign(day=DAYS.strftime("%a"), empty=np.nan), **options)


def test_a_calendar_needs_dates(tmp_path):
    with pytest.raises(UserError, match="calendar=true reads dates, and here is no column of them; name one: data"):
        load(tmp_path, SHOP.drop(columns="date"), calendar=True)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda plan: plan[:-2], r"price over the 6 steps to forecast, and this table has 4 rows for them\nadd 2 rows"),
        (
            lambda plan: plan.assign(price=plan.price.where(plan.index < N - 3)),
            "'price' has none in step 4 of this table",
        ),
        (lambda plan: plan.drop(columns="price"), "column in this table.* 'price'"),
        (lambda plan: plan.drop(columns="date"), "give the dates of the series, as in the training file"),
        (lambda plan: plan.sales.to_numpy(), r"known ahead \(promotion, price\): give a file or a DataFrame"),
    ],
)
def test_a_plan_that_lacks_something_is_refused(tmp_path, change, message):
    predictor = fitted(load(tmp_path, calendar=True))
    with pytest.raises(UserError, match=message):
        predictor.predict(change(PLANNED))


@pytest.mark.parametrize("name", zoo.list_models(spec=KNOWN_AHEAD))
def test_each_model_that_takes_what_is_known_reads_that_of_the_last_step_too(name):
    torch.manual_seed(0)
    choices = {"linear": False} if name == "rnn/segrnn" else {}
    model = zoo.create_model(name, KNOWN_AHEAD, **choices).eval()
    sequence, known = torch.randn(2, 8, 2), torch.randn(2, 11, 3).requires_grad_()
    (slope,) = torch.autograd.grad(model(sequence=sequence, known=known).square().sum(), known)
    assert (slope[:, -1] != 0).all()


@pytest.mark.parametrize("decoding", ["segments", "steps", "direct"])
def test_each_decoding_reads_what_is_known(decoding):
    model = zoo.create_model("rnn/segrnn", KNOWN_AHEAD, decoding=decoding, segment=2, linear=False).eval()
    sequence, known = torch.randn(1, 8, 2), torch.randn(1, 11, 3)
    other = known.clone()
    other[:, -1] += 1  # of the last of two segments
    moved = (model(sequence=sequence, known=other) - model(sequence=sequence, known=known)).abs().view(3, 2).sum(1)
    assert moved[-1] > 0
    assert decoding == "direct" or moved[:2].max() == 0


def test_a_model_that_cannot_read_what_is_known_is_refused():
    with pytest.raises(
        UserError, match="rnn/rocket_gru takes sequence, lengths; data known_ahead offers sequence, known"
    ):
        zoo.create_model("rnn/rocket_gru", KNOWN_AHEAD)
