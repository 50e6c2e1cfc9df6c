"""Embeddings of numbers and encodings of categories: the published formulas, column by column."""

import itertools
import math

import numpy as np
import pytest
import torch

import zoo
from zoo.core.errors import UserError
from zoo.core.spec import DataSpec, Input
from zoo.models.fnn.embeddings import EMBEDDINGS, create_embedding
from zoo.models.fnn.table_input import Categories, TableInput
from zoo.models.row_sample import RowSample

every_embedding = pytest.mark.parametrize("name", EMBEDDINGS.names())


def rows(n=400):
    """Numbers with ties, two values, one value, and many; and a target that depends on the first."""
    random = np.random.default_rng(0)
    x = random.normal(size=(n, 5))
    x[:, 1], x[:, 2], x[:, 3] = x[:, 1].round(), x[:, 2] > 1, 0.5
    x = torch.from_numpy(x).float()
    return x, (x[:, 0] > -0.5).long() + (x[:, 0] > 0.5).long()


def fitted(name, **options):
    torch.manual_seed(0)
    x, target = rows()
    embedding = create_embedding(name, x.shape[1], options)
    embedding.fit(x, target)
    for parameter in embedding.parameters():  # also those that start at 0
        torch.nn.init.normal_(parameter)
    return embedding, x, target


def encoded(x, edges):
    """The piecewise-linear encoding of one number, as in equation 1 of the paper."""
    parts = [(x - low) / (high - low) for low, high in itertools.pairwise(edges)]
    return [
        part if len(parts) == 1 else min(part, 1) if t == 0 else max(part, 0) if t == len(parts) - 1
        else min(max(part, 0), 1) for t, part in enumerate(parts)
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["piecewise_linear", "piecewise_linear_tree"])
def test_piecewise_linear_embeddings_equal_the_papers_formula(name):
    embedding, x, target = fitted(name, n_bins=8, d_embedding=3)
    x = torch.cat([x[:20], 10 * x[:3]])  # also outside of training's range
    output = embedding(x)
    for column in range(x.shape[1]):
        edges = embedding.edges(rows()[0][:, column], target).unique().tolist()
        weight = embedding.bins.weight[column]
        for row in range(len(x)):
            number = x[row, column].item()
            code = torch.tensor(encoded(number, edges))
            used = weight[[*range(len(code) - 1), -1]] if len(code) else weight[:0]
            expected = embedding.linear_weight[column] * number + embedding.linear_bias[column] + code @ used
            torch.testing.assert_close(output[row, column], expected, atol=1e-4, rtol=1e-4)


def test_a_value_that_most_rows_have_leaves_the_bins_to_others():
    gains = torch.cat([torch.zeros(900), torch.arange(1.0, 101)])
    embedding = create_embedding("piecewise_linear", 1, {"n_bins": 10})
    embedding.fit(gains[:, None], torch.zeros(1000))
    edges = embedding.edges(gains, torch.zeros(1000))
    assert (edges > 0).sum() >= 5
    torch.testing.assert_close(embedding.edges(gains[900:], torch.zeros(100)), torch.linspace(1, 100, 11))


def test_bins_of_a_tree_are_where_the_target_changes():
    embedding, x, target = fitted("piecewise_linear_tree")
    edges = embedding.edges(x[:, 0], target)
    assert all((edges - change).abs().min() < 0.05 for change in (-0.5, 0.5))
    values = torch.where(x[:, :2] > 0.3, 1.0, float("nan"))  # two targets, missing in some rows
    assert (embedding.edges(x[:, 0], values) - x[:, 0].min()).min() == 0


@pytest.mark.parametrize("name", ["plr", "plr_lite", "pbld"])
def test_periodic_embeddings_equal_the_papers_formula(name):
    embedding, x, _ = fitted(name, n_frequencies=3, d_embedding=4)
    output = embedding(x)
    for column in range(x.shape[1]):
        angle = 2 * math.pi * x[:, column, None] * embedding.frequency[column]
        if name == "pbld":
            waves = torch.cos(angle + embedding.phase[column])
        else:
            waves = torch.cat([torch.cos(angle), torch.sin(angle)], 1)
        linear = embedding.linear
        is_shared = name == "plr_lite"
        weight, bias = (linear.weight.T, linear.bias) if is_shared else (linear.weight[column], linear.bias[column])
        vectors = waves @ weight + bias
        expected = torch.cat([vectors, x[:, column, None]], 1) if name == "pbld" else vectors.relu()
        torch.testing.assert_close(output[:, column], expected, atol=1e-5, rtol=1e-4)


@every_embedding
def test_a_networks_embedding_gives_each_column_a_vector_and_learns(name):
    x, target = rows()
    table = TableInput(5, (3, 20), embedding=name, d_category=8)
    table.fit([{"numeric": x[:300], "target": target[:300]}, {"numeric": x[300:], "target": target[300:]}])
    codes = torch.tensor([[1, 7]]).expand(len(x), -1)
    output = table(x, codes)
    assert output.shape == (len(x), table.width)
    assert output.isfinite().all()
    torch.testing.assert_close(table.numeric(x).flatten(1), output[:, : 5 * table.numeric.d_embedding])
    output.sum().backward()
    assert all(parameter.grad.isfinite().all() for parameter in table.parameters())


@every_embedding
def test_a_model_with_an_embedding_gives_the_same_answers_once_saved(name, tmp_path):
    from zoo.inference.weights_file import load_weights, save_weights

    spec = DataSpec(
        "made", "classification", {"numeric": Input((5,), "float32", ("n_numeric",), 0)}, 3, class_names="abc"
    )
    x, target = rows()
    keywords = {"name": "fnn/mlp", "embedding": name}
    model = zoo.create_model(spec=spec, **keywords)
    batch = {"numeric": x, "target": target}
    model.fit([batch], [batch])
    save_weights(tmp_path / "m.safetensors", model, {"model": keywords, "spec": spec.to_json()})
    again, _, _ = load_weights(tmp_path / "m.safetensors")
    assert torch.equal(model.eval()(numeric=x), again.eval()(numeric=x))


def test_tables_of_categories_alone_need_no_embedding_of_numbers():
    codes = Input((2,), "int64", ("n_categorical",), cardinalities=(3, 30))
    spec = DataSpec("made", "classification", {"categorical": codes}, 3, class_names="abc")
    model = zoo.create_model("fnn/mlp", spec, embedding="piecewise_linear", d_category=4)
    batch = {"categorical": torch.tensor([[1, 2], [2, 29]]), "target": torch.tensor([0, 1])}
    model.fit([batch], [batch])
    assert model(categorical=batch["categorical"]).shape == (2, 3)


def test_categories_of_columns_with_many_become_vectors_and_unseen_ones_zeros():
    categories = Categories((4, 10, 9, 300), d_category=6)
    assert categories.widths == [3, 8, 6, 6]
    assert not categories(torch.zeros(2, 4, dtype=torch.int64)).any()
    codes = torch.tensor([[1, 9, 8, 299], [3, 9, 1, 1]])
    output = categories(codes)
    torch.testing.assert_close(output[:, :11].nonzero()[:, 1], torch.tensor([0, 10, 2, 3]))
    assert torch.equal(output[0, 11:17], output[1, 11:17])
    assert not torch.equal(output[0, 17:], output[1, 17:])
    assert Categories((4, 300)).widths == [3, 299]


def test_a_sample_of_rows_is_the_same_however_they_come():
    rows = torch.arange(1000)
    samples = []
    for size in (7, 100, 1000):
        sample = RowSample(most=50)
        for batch in rows.split(size):
            sample.update(batch, 2 * batch)
        samples.append(sample.rows())
    for one, twice in samples:
        assert torch.equal(one, samples[0][0]) and torch.equal(twice, 2 * one)
    assert len(samples[0][0]) == 50 and torch.equal(samples[0][0], samples[0][0].sort().values)


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({"embedding": "plrs"}, "plr"),
        ({"embedding": "plr", "embedding_options": {"n_bins": 3}}, "keyword of embedding plr"),
        ({"embedding": "plr", "embedding_options": {"frequency_std": 0}}, "above 0"),
        ({"embedding": "piecewise_linear", "embedding_options": {"n_bins": 1}}, "at least 2"),
        ({"d_category": -1}, "at least 0"),
    ],
)
def test_mistakes_in_embeddings_name_the_fix(keywords, message):
    spec = DataSpec(
        "made", "classification", {"numeric": Input((5,), "float32", ("n_numeric",), 0)}, 3, class_names="abc"
    )
    with pytest.raises(UserError, match=message):
        zoo.create_model("fnn/mlp", spec, **keywords)
