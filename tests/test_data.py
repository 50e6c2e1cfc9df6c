"""Every registered data set, and the code they share, keep their promises."""

import functools
import hashlib
import inspect

import numpy as np
import pytest
import torch
from helpers.datasets import AT_HAND, NEED_FILES, ready_data

import zoo
from zoo.core.errors import UserError
from zoo.core.spec import DataSpec
from zoo.data import DATA
from zoo.data.batches import EpochBatches, mix
from zoo.data.module import ZooDataModule
from zoo.data.random_split import carve
from zoo.data.splits import TensorSplit, batches
from zoo.data.tables._row_splits import SplitPlan, split_rows
from zoo.models.moments import Moments

every_set = pytest.mark.parametrize("name", zoo.list_data())
every_data = pytest.mark.parametrize("name", ready_data())
# Duplicates across splits in the published sets themselves.
KNOWN_TWINS = {"cifar10": 3, "adult": 38}


load = functools.cache(zoo.load_data)


def section_of(name):
    return zoo.config("fnn/mlp", f"data={name}")["data"]


def rows(split):
    parts = [value.reshape(len(value), -1).double() for name, value in split.columns.items() if name != "target"]
    return [hashlib.sha256(row.numpy().tobytes()).hexdigest() for row in torch.cat(parts, dim=1)]


@every_data
def test_splits_agree_with_their_spec(name):
    splits = load(name)
    assert splits.spec.name == section_of(name)["name"]
    assert splits.spec.licence
    assert splits.spec.source
    for split in (splits.train, splits.val, splits.test):
        batch = split.__getitems__([0, 1])
        assert set(batch) == {*splits.spec.inputs, "target"}
        for key, an_input in (*splits.spec.inputs.items(), ("target", splits.spec.target)):
            assert str(batch[key].dtype) == f"torch.{an_input.dtype}"
            assert batch[key].dim() == 1 + len(an_input.shape)
            assert all(want in (None, got) for want, got in zip(an_input.shape, batch[key].shape[1:], strict=True))
    assert DataSpec.from_json(splits.spec.to_json()) == splits.spec


@every_data
def test_splits_are_disjoint_and_fixed(name):
    one = load(name)
    two = one if name in AT_HAND else zoo.load_data(name)
    assert all(torch.equal(a, two.train.columns[key]) for key, a in one.train.columns.items())
    train, val, test = (set(rows(split)) for split in (one.train, one.val, one.test))
    assert len(train & val) + len(train & test) + len(val & test) <= KNOWN_TWINS.get(name, 0)


@every_set
def test_the_yaml_of_a_data_set_has_every_option(name):
    section = section_of(name)
    options = {key: p.default for key, p in inspect.signature(DATA.get(name)).parameters.items()}
    loader = set(inspect.signature(ZooDataModule).parameters) - {"splits", "seeds"}
    assert section.pop("reader", section["name"]) == name
    assert set(section) == {"name", "epochs"} | set(options) | loader
    assert {key: section[key] for key in options} == options


@pytest.mark.parametrize(
    ("name", "sizes"),
    [
        ("breast_cancer", (341, 114, 114)),
        ("mnist5k", (3500, 500, 1000)),
        ("japanese_vowels", (243, 27, 370)),
        pytest.param("mnist", (55000, 5000, 10000), marks=NEED_FILES),
        pytest.param("cifar10", (45000, 5000, 10000), marks=NEED_FILES),
    ],
)
def test_splits_have_their_stated_sizes(name, sizes):
    splits = load(name)
    assert (len(splits.train), len(splits.val), len(splits.test)) == sizes


@NEED_FILES
def test_cifar10_has_its_published_labels():
    test = load("cifar10").test.columns
    assert test["target"][:10].tolist() == [3, 8, 8, 0, 6, 6, 1, 6, 3, 1]


def test_preprocessing_is_fitted_on_train_only():
    for name, model_name in (("breast_cancer", "fnn/mlp"), ("mnist5k", "cnn/small")):
        splits = zoo.load_data(name)
        model = zoo.create_model(model_name, splits.spec)
        model.preprocess.fit(batches(splits.train, 100))
        ((key, scale),) = model.preprocess.scales.items()
        train = splits.train.columns[key].double()
        axes = [0] if name == "breast_cancer" else [0, 2, 3]
        torch.testing.assert_close(scale.mean.flatten().double(), train.mean(axes), rtol=1e-5, atol=1e-5)
        torch.testing.assert_close(scale.std.flatten().double(), train.std(axes, unbiased=False), rtol=1e-4, atol=1e-5)


def test_padded_steps_do_not_count_in_the_statistics():
    splits = zoo.load_data("japanese_vowels")
    model = zoo.create_model("rnn/gru", splits.spec)
    model.preprocess.fit(batches(splits.train, 50))
    columns = splits.train.columns
    valid = torch.cat([s[:n] for s, n in zip(columns["sequence"], columns["lengths"], strict=True)])
    torch.testing.assert_close(model.preprocess.scales["sequence"].mean, valid.mean(0), rtol=1e-4, atol=1e-5)


def test_a_constant_column_is_only_centred():
    moments = Moments(2)
    for n in (300, 401):
        moments.update(torch.tensor([3.3, 1e6]).expand(n, 2) + torch.tensor([0.0, 1e-3]) * torch.arange(n)[:, None])
    mean, std = moments.mean_and_std()
    assert std[0] == 0 and mean[0] == torch.tensor(3.3).double()
    assert std[1] > 0


def test_regression_targets_are_standardised_inside_the_model():
    splits = zoo.load_data("diabetes")
    model = zoo.create_model("fnn/mlp", splits.spec)
    model.preprocess.fit(batches(splits.train))
    target = splits.train.columns["target"]
    scaled = model.preprocess.scale_target(target)
    assert abs(scaled.mean()) < 1e-4
    torch.testing.assert_close(model.preprocess.restore(scaled), target)


@pytest.mark.parametrize(("n", "batch_size"), [(129, 128), (10, 3), (7, 100), (1, 1)])
@pytest.mark.parametrize("world_size", [1, 2, 3])
def test_an_epoch_holds_each_sample_once_for_any_number_of_processes(n, batch_size, world_size):
    parts = [list(EpochBatches(n, batch_size, [0], rank, world_size)) for rank in range(world_size)]
    assert sorted(int(i) for part in parts for batch in part for i in batch) == list(range(n))
    whole = [sorted(torch.cat(step).tolist()) for step in zip(*parts, strict=True)]
    assert whole == [sorted(batch.tolist()) for batch in EpochBatches(n, batch_size, [0])]
    assert max(map(len, whole)) - min(map(len, whole)) <= 1


def test_the_order_of_samples_depends_on_seed_and_epoch_alone():
    def order(seed, epoch):
        return torch.cat(list(EpochBatches(50, 8, [seed], position=lambda: (epoch, 0)))).tolist()

    assert order(0, 3) == order(0, 3)
    assert len({tuple(order(seed, epoch)) for seed in (0, 1) for epoch in (0, 1)}) == 4
    assert len({mix(a, b) for a in range(20) for b in range(20)}) == 400


def test_a_stratified_split_keeps_class_shares():
    labels = torch.tensor([0] * 80 + [1] * 20).numpy()
    rest, carved = carve(100, 0.2, stratify=labels)
    assert labels[carved].sum() == 4
    assert set(rest) | set(carved) == set(range(100))


@pytest.mark.parametrize(
    ("sizes", "parts"), [([3] * 300, (540, 180, 180)), ([7] * 300, (1260, 420, 420)), ([50, 60, 70], (108, 36, 36))]
)
@pytest.mark.parametrize("how", ["a table's rows", "carved out"])
def test_many_small_classes_keep_their_shares_in_each_split(sizes, parts, how):
    """Of each class up to a sample, and of all together; each class is trained on."""
    classes = np.random.default_rng(0).permutation(np.repeat(np.arange(len(sizes)), sizes))
    if how == "carved out":
        rest, test = carve(len(classes), parts[2], stratify=classes)
        train, val = carve(len(rest), parts[1], stratify=classes[rest])
        rows = (rest[train], rest[val], test)
    else:
        rows = split_rows(SplitPlan(kind="stratified"), classes)
    assert tuple(map(len, rows)) == parts
    assert sorted(np.concatenate(rows)) == list(range(len(classes)))
    assert set(classes[rows[0]]) == set(classes)
    for part in rows[1:]:
        assert (np.abs(np.bincount(classes[part], minlength=len(sizes)) - 0.2 * np.array(sizes)) < 1).all()


def test_ten_folds_of_five_rows_a_class_have_equal_sizes():
    classes = np.repeat(np.arange(100), 5)
    plans = [SplitPlan(kind="stratified", test_share=None, fold=fold, n_folds=10) for fold in range(10)]
    tested = [split_rows(plan, classes).test for plan in plans]
    assert [len(rows) for rows in tested] == [50] * 10
    assert sorted(np.concatenate(tested)) == list(range(500))


def test_a_class_of_one_sample_is_trained_on():
    classes = np.array([0] * 30 + [1] * 30 + list(range(2, 12)))
    train, *_ = split_rows(SplitPlan(kind="stratified"), classes)
    rest, _ = carve(70, 14, stratify=classes)
    assert set(classes[train]) == set(classes[rest]) == set(classes)


def test_columns_of_unequal_length_are_refused():
    with pytest.raises(ValueError, match="as many samples"):
        TensorSplit(a=torch.zeros(3), target=torch.zeros(2))


def test_unknown_names_and_options_get_the_nearest():
    with pytest.raises(UserError, match="nearest: mnist"):
        zoo.load_data("minst")
    with pytest.raises(UserError, match="split_seed"):
        zoo.load_data("wine", split_sed=1)
