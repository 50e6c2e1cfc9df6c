"""Scalings of inputs: the published formulas, columns of every kind, missing values."""

import math

import numpy as np
import pytest
import torch
from sklearn.preprocessing import QuantileTransformer

import zoo
from zoo.core.errors import UserError
from zoo.core.spec import DataSpec, Input
from zoo.models.preprocess import Preprocess
from zoo.models.scaling import SCALINGS

every_scaling = pytest.mark.parametrize("name", SCALINGS.names())


def spec_of(dtype="float32", n=4):
    return DataSpec("made", "classification", {"numeric": Input((n,), dtype, ("n_numeric",), 0)}, 3, class_names="abc")


def fitted(name, x, batch_size=100):
    preprocess = Preprocess(spec_of(str(x.dtype).removeprefix("torch."), x.shape[1]), name)
    preprocess.fit([{"numeric": part} for part in x.split(batch_size)])
    return lambda rows: preprocess({"numeric": rows})["numeric"]


def sklearn_quantile(x, noise=0.0):
    transformer = QuantileTransformer(
        n_quantiles=min(max(len(x) // 30, 10), 1000), output_distribution="normal", subsample=None
    )
    return transformer.fit(x.double().numpy() + noise * np.random.default_rng(0).normal(size=x.shape)).transform


@pytest.mark.parametrize("n", [20, 250, 5000, 40_000])
def test_quantile_scaling_equals_scikit_learns(n):
    random = np.random.default_rng(n)
    x = torch.from_numpy(np.stack([random.normal(size=n), random.exponential(size=n)], axis=1)).float()
    x[x[:, 0].abs() < 0.5, 0] = 0.25  # ties in the middle
    new = torch.cat([x[:1000], 3 * x[:100], x.amin(0)[None], x.amax(0)[None]])
    expected = torch.from_numpy(sklearn_quantile(x)(new.double().numpy())).float()
    torch.testing.assert_close(fitted("quantile", x)(new), expected, atol=1e-5, rtol=0)


def test_quantile_scaling_of_few_values_equals_scikit_learns_with_the_authors_noise():
    x = torch.from_numpy(np.random.default_rng(0).choice(4, size=(50_000, 1), p=[0.4, 0.1, 0.2, 0.3])).float()
    values = torch.arange(4.0)[:, None]
    spread = sklearn_quantile(x, noise=1e-5)(values.numpy() + 1e-9)
    torch.testing.assert_close(fitted("quantile", x)(values), torch.from_numpy(spread).float(), atol=0.05, rtol=0)


def test_robust_scaling_equals_realmlps():
    x = torch.randn(501, 3, generator=torch.Generator().manual_seed(0)) * 5 + 2
    x[:, 1] = (torch.arange(501) < 100).float() * 8  # the quartiles are equal
    x[:, 2] = 7.0
    scaled = fitted("robust", x)(x)
    first, median, third = np.quantile(x[:, 0], [0.25, 0.5, 0.75])
    z = torch.stack([(x[:, 0] - median) / (third - first), x[:, 1] / 4, torch.zeros(501)], 1)
    torch.testing.assert_close(scaled, z / (1 + (z / 3) ** 2).sqrt())
    assert fitted("robust", x)(torch.full((1, 3), 1e35))[0, 0] == pytest.approx(3)


@every_scaling
def test_missing_values_are_in_the_middle_and_columns_of_one_value_are_zero(name):
    x = torch.rand(300, 4, generator=torch.Generator().manual_seed(0))
    x[::2, 0], x[:, 1], x[:, 2] = math.nan, 3.0, math.nan
    scale = fitted(name, x)
    assert not scale(torch.full((2, 4), math.nan)).any()
    scaled = scale(x)
    assert scaled.isfinite().all()
    assert not scaled[:, 1:3].any()
    torch.testing.assert_close(scaled[1::2, 0], fitted(name, x[1::2])(x[1::2])[:, 0], atol=0.03, rtol=0)


@every_scaling
def test_statistics_do_not_depend_on_the_batches(name):
    x = torch.randn(1000, 4, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(fitted(name, x, 7)(x), fitted(name, x, 1000)(x))


@every_scaling
def test_values_that_float32_cannot_tell_apart_stay_apart(name):
    x = 30_000_000 + torch.rand(1000, 1, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    scaled = fitted(name, x)(x)
    assert scaled.dtype == torch.float32
    torch.testing.assert_close(scaled, fitted(name, x - 30_000_000)(x - 30_000_000), atol=1e-4, rtol=1e-4)


@every_scaling
def test_a_model_with_a_scaling_gives_the_same_answers_once_saved(name, tmp_path):
    from zoo.inference.weights_file import load_weights, save_weights

    keywords = {"name": "fnn/mlp", "scaling": name}
    model = zoo.create_model(spec=spec_of(), **keywords)
    batch = {"numeric": torch.randn(500, 4).exp(), "target": torch.randint(3, (500,))}
    model.fit([batch], [batch])
    save_weights(tmp_path / "m.safetensors", model, {"model": keywords, "spec": spec_of().to_json()})
    again, _, _ = load_weights(tmp_path / "m.safetensors")
    assert torch.equal(model.eval()(numeric=batch["numeric"]), again.eval()(numeric=batch["numeric"]))


def test_an_unknown_scaling_is_refused_with_the_nearest():
    with pytest.raises(UserError, match="quantile"):
        zoo.create_model("fnn/mlp", spec_of(), scaling="quantiles")


def test_sequences_are_scaled_by_their_channels_without_the_padding():
    inputs = {"sequence": Input((None, 4), "float32", ("time", "n_channels"), 1), "lengths": Input((), "int64")}
    spec = DataSpec("made", "classification", inputs, 3, class_names="abc")
    sequence = torch.randn(50, 6, 4).exp()
    padded = torch.cat([sequence, torch.full((50, 2, 4), 1e6)], 1)
    preprocess = Preprocess(spec, "quantile")
    preprocess.fit([{"sequence": padded, "lengths": torch.full((50,), 6)}])
    expected = fitted("quantile", sequence.flatten(0, 1))(sequence.flatten(0, 1)).view_as(sequence)
    lengths = torch.full((50,), 6)
    torch.testing.assert_close(preprocess({"sequence": sequence, "lengths": lengths})["sequence"], expected)
