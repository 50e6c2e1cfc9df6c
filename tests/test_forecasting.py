"""Networks that forecast: the linear forecast they start from, normalisation by window, and decodings."""

import pandas as pd
import pytest
import torch

import zoo
from zoo.core.errors import UserError
from zoo.data.sequences.splits.windows import Window, series_splits
from zoo.data.splits import Batches, batches, each_value_once
from zoo.inference.predictor import Predictor
from zoo.models.rnn._linear_path import LinearPath, Products, find_season, folds, repeating
from zoo.tasks.forecasting import repeat

STEPS = torch.arange(240)


def splits_of(values, look_back=24, horizon=6):
    n = len(values)
    ends = [(round(0.7 * n), round(0.8 * n), n)]
    names = [f"c{i}" for i in range(values.shape[1])]
    return series_splits("made", [values], names, ends, Window(look_back, horizon), reading={})


def growing_season():
    """A season of 12 steps whose amplitude grows with its level, with noise, in two channels."""
    noise = torch.randn(240, 2, generator=torch.Generator().manual_seed(0))
    season = 1 + 0.3 * torch.sin(STEPS[:, None] * torch.pi / 6)
    return season * 1.005 ** STEPS[:, None] * torch.tensor([1.0, 50.0]) * (1 + 0.01 * noise)


def model_of(splits, **choices):
    torch.manual_seed(0)
    model = zoo.create_model("rnn/segrnn", splits.spec, **choices)
    model.fit(each_value_once(splits.train), batches(splits.train))
    return model.eval()


def squared_error(forecast, splits):
    batch = next(batches(splits.test))
    scale = splits.train.series.std(0)
    return float(((forecast(batch["sequence"]) - batch["target"]) / scale).square().mean())


def test_the_network_starts_as_a_linear_forecast_ahead_of_the_last_season():
    splits = splits_of(growing_season())
    model = model_of(splits)
    with torch.no_grad():
        error = squared_error(lambda sequence: model(sequence=sequence), splits)
    assert error < 0.5 * squared_error(lambda sequence: repeat(sequence, 12, 6), splits)
    assert error < 0.1 * squared_error(lambda sequence: repeat(sequence, 1, 6), splits)


def test_noise_is_forecast_as_its_mean():
    splits = splits_of(torch.randn(400, 1, generator=torch.Generator().manual_seed(0)))
    model = model_of(splits)
    with torch.no_grad():
        error = squared_error(lambda sequence: model(sequence=sequence), splits)
    assert error < 1.1 * squared_error(lambda sequence: 0 * sequence[:, :6], splits)


def test_errors_of_linear_forecasts_follow_from_sums_of_products():
    split = splits_of(growing_season()).train
    batch = next(batches(split))
    products = Products.of(batch["sequence"], batch["target"])
    weights = torch.randn(3, 25, 6, dtype=torch.float64)
    path = LinearPath(24, 6, 2)
    for weight, error in zip(weights, products.errors(weights), strict=True):
        path.weight.data = weight.float().repeat(2, 1, 1)
        forecast = path(batch["sequence"])
        torch.testing.assert_close((forecast - batch["target"]).square().sum().double(), error, rtol=1e-4, atol=0.0)
    assert find_season(products) == 12
    path.weight.data = repeating(12, 24, 6).float().repeat(2, 1, 1)
    torch.testing.assert_close(path(batch["sequence"]), repeat(batch["sequence"], 12, 6))


def test_candidates_are_weighed_by_forecasts_that_begin_after_all_those_they_were_fitted_to():
    none = torch.zeros(2, 6, dtype=torch.float64)
    parts = [Products(none, none, torch.tensor(2.0**k, dtype=torch.float64), 1) for k in range(48)]  # a window each
    found = [[[k for k in range(48) if int(sums.yy) >> k & 1] for sums in fold] for fold in folds(parts, 5)]
    assert [block for _, block in found] == [list(range(6 * k, 6 * k + 6)) for k in range(3, 8)]
    assert all(before == list(range(block[0] - 5)) for before, block in found)


def test_after_training_the_linear_forecast_is_fitted_to_the_validation_split_too(tmp_path):
    pd.DataFrame(growing_season().numpy()[:120], columns=["a", "b"]).to_csv(tmp_path / "made.csv", index=False)
    settings = ["model=rnn", "data=series", f"data.path={tmp_path}/made.csv", "trainer.max_epochs=1", "baseline=false"]
    result = zoo.train(zoo.config(*settings), tmp_path / "run")
    splits = zoo.load_data("series", path=tmp_path / "made.csv")
    start = model_of(splits)
    before = zoo.evaluate(Predictor(start, splits.spec, {"config": {}}), splits.val)[0]["loss"]
    assert result.metrics["val"]["loss"] == pytest.approx(before, rel=1e-2)
    start.refit(Batches(splits.train, splits.val))
    torch.testing.assert_close(result.predictor.model.network.linear.weight, start.network.linear.weight)


@pytest.mark.parametrize("n", [31, 33, 60])
def test_few_training_windows_are_enough(n):
    splits = splits_of(growing_season()[:n], look_back=3, horizon=2)
    assert torch.cat([model_of(splits)(sequence=x["sequence"]) for x in batches(splits.test)]).isfinite().all()


def test_a_random_walk_is_forecast_about_as_its_last_value_whatever_few_windows_taught():
    walk = torch.randn(900, 2, generator=torch.Generator().manual_seed(3)).cumsum(0)
    splits = splits_of(walk)
    model = model_of(splits)
    torch.nn.init.normal_(model.network.head.bias, std=0.3)  # learnt from noise
    with torch.no_grad():
        error = squared_error(lambda sequence: model(sequence=sequence), splits)
    assert error < 1.1 * squared_error(lambda sequence: repeat(sequence, 1, 6), splits)
    assert not any(name.startswith("network.linear") for name, _ in model.named_parameters())


def test_a_network_adds_nothing_where_few_windows_would_be_learned_by_heart():
    splits = splits_of(growing_season())
    model, batch = model_of(splits), next(batches(splits.test))
    start = model(sequence=batch["sequence"])
    torch.nn.init.normal_(model.network.head.weight)
    torch.testing.assert_close(model(sequence=batch["sequence"]), start)


@pytest.mark.parametrize("decoding", ["segments", "steps", "direct"])
@pytest.mark.parametrize("options", [{}, {"segment": 1, "cell": "lstm"}, {"segment": 5, "linear": False}])
def test_each_decoding_learns_from_every_weight(decoding, options):
    splits = splits_of(growing_season())
    model, batch = model_of(splits, decoding=decoding, width=8, **options), next(batches(splits.train))
    torch.nn.init.normal_(model.network.head.weight)
    if model.network.linear is not None:
        model.network.linear.share.fill_(1.0)  # as with many windows
    model(sequence=batch["sequence"]).square().mean().backward()
    assert all(weight.grad.abs().sum() > 0 for weight in model.parameters())


@pytest.mark.parametrize(("instance_norm", "change"), [("last", (1.0, 3.0)), ("mean_std", (2.0, 3.0))])
@pytest.mark.parametrize("decoding", ["segments", "steps", "direct"])
def test_a_window_of_another_level_is_forecast_at_that_level(instance_norm, change, decoding):
    splits = splits_of(growing_season())
    network = model_of(splits, instance_norm=instance_norm, decoding=decoding, linear=False).network
    sequence, (factor, offset) = 10 * torch.randn(5, 24, 2), change
    forecast, other = network(sequence), network(factor * sequence + offset)
    torch.testing.assert_close(other, factor * forecast + offset, rtol=1e-2, atol=1e-2)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"decoding": "all"}, "one of segments, steps, direct; got all"),
        ({"instance_norm": "std"}, "one of none, last, mean_std; got std"),
        ({"width": 7}, "width is even"),
        ({"segment": 0}, "segment at least 1"),
        ({"cell": "gruu"}, "nearest: rnn/gru"),
    ],
)
def test_choices_that_do_not_exist_are_refused(options, message):
    with pytest.raises(UserError, match=message):
        zoo.create_model("rnn/segrnn", splits_of(growing_season()).spec, **options)


def test_intervals_of_a_forecast_hold_each_step_and_channel_as_often_as_asked():
    walks = torch.randn(4000, 2, generator=torch.Generator().manual_seed(0)).cumsum(0)
    walks[torch.rand(4000, generator=torch.Generator().manual_seed(1)) < 0.1, 1] = torch.nan
    splits = splits_of(walks * torch.tensor([1.0, 20.0]))
    model = Predictor(model_of(splits), splits.spec, {"model": {"name": "rnn/segrnn"}})
    with pytest.raises(UserError, match="not calibrated"):
        model.predict_interval(splits.test.series.numpy()[:24])
    calibration = model.calibrate(splits.val).calibration
    assert calibration["n"] < len(splits.val)  # of a value that was not always measured
    batch = splits.test.__getitems__(range(len(splits.test)))
    bounds = torch.from_numpy(model.predict_interval(batch["sequence"].numpy(), coverage=0.8))
    assert bounds.shape == (len(splits.test), 6, 2, 2)
    measured = ~batch["target"].isnan()
    within = (bounds[..., 0] <= batch["target"]) & (batch["target"] <= bounds[..., 1])
    assert 0.7 < within[measured].float().mean() < 0.9
    widths = (bounds[..., 1] - bounds[..., 0]).mean(0)
    assert (widths[5] > 1.5 * widths[0]).all()  # random walks go further in more steps
    table = model.tabulate(batch["sequence"].numpy()[:2], coverage=0.8)
    assert list(table) == ["step", "c0", "c1", "c0 lower", "c0 upper", "c1 lower", "c1 upper"]
    assert all(len(column) == 12 for column in table.values())
    assert table["c1 lower"][7] == pytest.approx(float(bounds[1, 1, 1, 0]))
