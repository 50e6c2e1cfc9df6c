"""Every registered data set, and the one data module."""

import functools
import hashlib
import inspect

import numpy as np
import pytest
import torch
import torch.nn.functional as F
import yaml
from conftest import AT_HAND, NEED_FILES, ROOT, ready_data

import zoo
from zoo.core.errors import UserError
from zoo.core.spec import DataSpec
from zoo.data import DATA
from zoo.data.augment import AUGMENTATIONS, augment
from zoo.data.augment.trivial import CHANGES, _equalize
from zoo.data.batches import EpochBatches, mix
from zoo.data.module import ZooDataModule
from zoo.data.random_split import carve
from zoo.data.splits import TensorSplit, batches
from zoo.data.tables._row_splits import split_rows
from zoo.models.layers import Moments

every_set = pytest.mark.parametrize("name", zoo.list_data())
every_data = pytest.mark.parametrize("name", ready_data())
# Samples of one split that another holds too, in the published sets themselves.
KNOWN_TWINS = {"cifar10": 3, "adult": 38}


load = functools.cache(zoo.load_data)


def section_of(name):
    return yaml.safe_load((ROOT / "conf" / "data" / f"{name}.yaml").read_text())


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
def test_yaml_spells_every_option(name):
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
def test_sizes(name, sizes):
    splits = load(name)
    assert (len(splits.train), len(splits.val), len(splits.test)) == sizes


@NEED_FILES
def test_cifar10_is_read_as_published():
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


def test_order_is_a_function_of_seed_and_epoch():
    def order(seed, epoch):
        return torch.cat(list(EpochBatches(50, 8, [seed], position=lambda: (epoch, 0)))).tolist()

    assert order(0, 3) == order(0, 3)
    assert len({tuple(order(seed, epoch)) for seed in (0, 1) for epoch in (0, 1)}) == 4
    assert len({mix(a, b) for a in range(20) for b in range(20)}) == 400


def test_carve_keeps_class_shares():
    labels = torch.tensor([0] * 80 + [1] * 20).numpy()
    rest, carved = carve(100, 0.2, stratify=labels)
    assert labels[carved].sum() == 4
    assert set(rest) | set(carved) == set(range(100))


@pytest.mark.parametrize(
    ("sizes", "parts"), [([3] * 300, (540, 180, 180)), ([7] * 300, (1260, 420, 420)), ([50, 60, 70], (108, 36, 36))]
)
@pytest.mark.parametrize("how", ["a table's rows", "carved out"])
def test_many_small_classes_leave_each_split_its_share(sizes, parts, how):
    """Of each class up to a sample, and of all together; each class is trained on."""
    classes = np.random.default_rng(0).permutation(np.repeat(np.arange(len(sizes)), sizes))
    if how == "carved out":
        rest, test = carve(len(classes), parts[2], stratify=classes)
        train, val = carve(len(rest), parts[1], stratify=classes[rest])
        rows = (rest[train], rest[val], test)
    else:
        rows = split_rows("stratified", classes, val_share=0.2, test_share=0.2, split_seed=0)
    assert tuple(map(len, rows)) == parts
    assert sorted(np.concatenate(rows)) == list(range(len(classes)))
    assert set(classes[rows[0]]) == set(classes)
    for part in rows[1:]:
        assert (np.abs(np.bincount(classes[part], minlength=len(sizes)) - 0.2 * np.array(sizes)) < 1).all()


def test_ten_folds_of_five_rows_a_class_are_of_fifty_rows():
    classes = np.repeat(np.arange(100), 5)
    shares = {"val_share": 0.2, "test_share": None, "split_seed": 0, "n_folds": 10}
    tested = [split_rows("stratified", classes, fold=fold, **shares).test for fold in range(10)]
    assert [len(rows) for rows in tested] == [50] * 10
    assert sorted(np.concatenate(tested)) == list(range(500))


def test_a_class_of_one_sample_is_trained_on():
    classes = np.array([0] * 30 + [1] * 30 + list(range(2, 12)))
    train, *_ = split_rows("stratified", classes, val_share=0.2, test_share=0.2, split_seed=0)
    rest, _ = carve(70, 14, stratify=classes)
    assert set(classes[train]) == set(classes[rest]) == set(classes)


def test_columns_of_unequal_length_are_refused():
    with pytest.raises(ValueError, match="as many samples"):
        TensorSplit(a=torch.zeros(3), target=torch.zeros(2))


def one_hot(target: torch.Tensor) -> torch.Tensor:
    return torch.nn.functional.one_hot(target).float()


BATCHES = {
    "image": {"image": torch.randint(256, (4, 3, 8, 8), dtype=torch.uint8), "target": torch.arange(4)},
    "numeric": {"numeric": torch.randn(4, 5), "target": torch.arange(4)},
}


@pytest.mark.parametrize("name", AUGMENTATIONS.names())
def test_augmentation_keeps_shapes_and_draws_from_the_global_generator(name):
    batch = BATCHES["image"]

    def drawn(seed):
        torch.manual_seed(seed)
        return augment(batch, {name: OPTIONS.get(name, {})}, epoch=seed, mixable=one_hot)["image"].float()

    assert drawn(9).shape == batch["image"].shape
    assert drawn(0).isfinite().all()
    assert torch.equal(drawn(0), drawn(0))
    assert not torch.equal(drawn(0), drawn(1))
    assert torch.equal(batch["image"], BATCHES["image"]["image"])


OPTIONS = {
    "warp": {"shift": 0.1, "rotate": 10, "scale": 0.1, "bend": 0.05},
    "crop": {"padding": 2},
    "colour": {"brightness": 0.4, "contrast": 0.4, "saturation": 0.4},
    "noise": {"name": "image", "std": 5.0},
    "resize": {"start": 4, "epochs": 2},
}


def test_alternating_flip_shows_each_image_both_ways_in_two_epochs():
    torch.manual_seed(0)
    image = torch.randint(256, (200, 3, 8, 8), dtype=torch.uint8)
    flip = {"flip": {"alternate": True}}
    first, second = (augment({"image": image}, flip, epoch=epoch)["image"] for epoch in (4, 5))
    mirrored = (first != image).flatten(1).any(1)
    assert 60 < mirrored.sum() < 140
    assert torch.equal(first.flip(3), second)
    assert torch.equal(first[mirrored], image.flip(3)[mirrored])


def test_alternating_flip_comes_before_what_changes_pixels():
    with pytest.raises(UserError, match="name it first"):
        augment(BATCHES["image"], {"crop": {}, "flip": {"alternate": True}})


@pytest.mark.parametrize("name", ["mixup", "cutmix"])
def test_mixed_targets_are_the_shares_of_the_mixed_pixels(name):
    flat = torch.tensor([0, 255, 0, 255], dtype=torch.uint8)[:, None, None, None].expand(4, 1, 8, 8)
    batch = {"image": flat, "target": torch.tensor([0, 1, 0, 1])}
    torch.manual_seed(0)
    mixed = augment(batch, {name: {"alpha": 1.0}}, mixable=one_hot)
    torch.testing.assert_close(mixed["image"].mean((1, 2, 3)) / 255, mixed["target"][:, 1])
    torch.testing.assert_close(mixed["target"].sum(1), torch.ones(4))
    assert 0 < mixed["target"][0, 1] < 1
    kept = augment(batch, {name: {"p": 0.0}}, mixable=one_hot)
    torch.testing.assert_close(kept["image"], flat.float())
    assert torch.equal(kept["target"].argmax(1), batch["target"])


@pytest.mark.parametrize("size", [(8, 8), (16, 16), (28, 28), (40, 33), (224, 200)])
@pytest.mark.parametrize("most", [1, 2, 40, 256])
def test_equalizing_is_pils(size, most):
    from PIL import Image, ImageOps

    draw = np.random.default_rng(0)
    pictures = (draw.integers(0, most, (*size, 3)) ** draw.uniform(0.5, 1)).astype(np.uint8)
    expected = np.array(ImageOps.equalize(Image.fromarray(pictures)))
    found = _equalize(torch.from_numpy(pictures).float().movedim(-1, 0)[None], torch.zeros(1))
    assert torch.equal(found[0].movedim(0, -1), torch.from_numpy(expected).float())


@pytest.mark.parametrize("strength", [-0.6, 0.25, 0.9])
@pytest.mark.parametrize("number", range(1, 8))
def test_changes_of_colour_are_pils(number, strength):
    from PIL import Image, ImageEnhance, ImageOps

    torch.manual_seed(0)
    pixels = F.interpolate(torch.randint(20, 236, (1, 3, 6, 6)).float(), size=(24, 20), mode="bilinear").round()
    picture, factor, part = Image.fromarray(pixels[0].byte().movedim(0, -1).numpy()), 1 + 0.99 * strength, abs(strength)
    expected = (
        lambda: ImageEnhance.Brightness(picture).enhance(factor),
        lambda: ImageEnhance.Contrast(picture).enhance(factor),
        lambda: ImageEnhance.Color(picture).enhance(factor),
        lambda: ImageEnhance.Sharpness(picture).enhance(factor),
        lambda: ImageOps.posterize(picture, 8 - round(6 * part)),
        lambda: ImageOps.solarize(picture, 255 * (1 - part)),
        lambda: ImageOps.autocontrast(picture),
    )[number - 1]()
    changed = CHANGES[number](pixels, torch.full((1, 1, 1, 1), strength))
    assert (changed[0].movedim(0, -1) - torch.from_numpy(np.array(expected))).abs().max() <= 2


def test_changes_of_place_are_by_degrees_and_pixels():
    image = torch.rand(1, 3, 24, 24) * 255
    turn, shear_x, shear_y, shift_x, shift_y = CHANGES[9:]

    def by(change, strength):
        return change(image, torch.full((1, 1, 1, 1), strength))

    close = functools.partial(torch.testing.assert_close, atol=0.05, rtol=0)
    close(by(turn, 90 / 135), image.rot90(1, (2, 3)))
    close(by(shift_x, 6 / 32)[..., :-6], image[..., 6:])
    close(by(shift_y, -6 / 32)[..., 6:, :], image[..., :-6, :])
    close(by(shear_x, 1 / 0.99)[..., 0, 12:], image[..., 0, :12] * 0.5 + image[..., 0, 1:13] * 0.5)
    close(by(shear_y, 1 / 0.99).mT, CHANGES[10](image.mT, torch.full((1, 1, 1, 1), 1 / 0.99)))
    image = torch.rand(1, 3, 24, 36) * 255  # whose first row is 11.5 pixels from the middle, the first column 17.5
    close(by(shear_x, 1 / 0.99)[..., 0, 12:], image[..., 0, :24] * 0.5 + image[..., 0, 1:25] * 0.5)
    close(by(shear_y, 1 / 0.99)[..., 18:, 0], image[..., :6, 0] * 0.5 + image[..., 1:7, 0] * 0.5)


@pytest.mark.parametrize(
    ("augmentation", "message"),
    [
        ({"crop": {"padding": 30}}, "below the image's sides"),
        ({"resize": {"start": 4, "epochs": 0}}, "at least 1"),
        ({"mixup": {"alpha": 0}}, "alpha is above 0"),
        ({"warp": {"scale": 1.2}}, "scale is at least 0 and below 1"),
    ],
)
def test_options_of_augmentation_that_cannot_be_are_refused(augmentation, message):
    with pytest.raises(UserError, match=message):
        augment(BATCHES["image"], augmentation, mixable=one_hot)


def test_what_cutout_and_erase_leave_is_as_it_was():
    image = BATCHES["image"]["image"].float()
    for name, options in {"cutout": {"size": 4}, "erase": {"p": 1.0, "largest": 0.3}}.items():
        changed = (augment(BATCHES["image"], {name: options})["image"] != image).any(1).flatten(1).float().mean(1)
        assert 0 < changed.max() <= 0.4


def test_resize_grows_to_the_full_size():
    image = torch.full((2, 3, 32, 64), 9.0)
    grown = [augment({"image": image}, {"resize": {"start": 20, "epochs": 4}}, epoch=at)["image"] for at in range(6)]
    assert [tuple(one.shape[2:]) for one in grown] == [(20, 40), (22, 44), (26, 52), (28, 56), (32, 64), (32, 64)]
    assert all(torch.allclose(one, torch.tensor(9.0)) for one in grown)


def test_warp_turns_without_shearing():
    """A bar across a wide image, turned by a right angle, stands upright with its length in pixels."""
    bar = torch.zeros(64, 1, 11, 33)
    bar[:, :, 5, 12:21] = 255
    torch.manual_seed(0)
    turned = augment({"image": bar}, {"warp": {"rotate": 90}})["image"][:, 0]
    rows, columns = torch.meshgrid(torch.arange(11.0) - 5, torch.arange(33.0) - 16, indexing="ij")
    spread = (turned * (rows.square() + columns.square())).sum((1, 2)) / turned.sum((1, 2))
    torch.testing.assert_close(spread, torch.full((64,), 60 / 9), rtol=0.15, atol=0)


def test_warp_bends_by_a_bounded_amount():
    dot = torch.zeros(1, 1, 21, 21)
    dot[..., 10, 10] = 255
    bent = augment({"image": dot.expand(20, 1, 21, 21), "target": torch.zeros(20)}, {"warp": {"bend": 0.1}})
    rows, columns = torch.meshgrid(torch.arange(21.0), torch.arange(21.0), indexing="ij")
    weight = bent["image"][:, 0] / bent["image"][:, 0].sum((1, 2), keepdim=True)
    shift = torch.stack([(weight * rows).sum((1, 2)) - 10, (weight * columns).sum((1, 2)) - 10])
    assert 0.2 < shift.abs().max() < 0.15 * 21


def test_warp_without_amounts_is_the_identity():
    changed = augment(BATCHES["image"], {"warp": {}})["image"]
    torch.testing.assert_close(changed, BATCHES["image"]["image"].float(), rtol=0, atol=1e-2)


@pytest.mark.parametrize("override", ["data.augment={}", "data.augment={ }", "data.augment=null"])
def test_no_augmentation_where_none_is_asked_for(override):
    assert zoo.config("cnn", "data=cifar10", override)["data"]["augment"] is None
    assert zoo.config("cnn", "data=cifar10")["data"]["augment"]


def test_augmentation_that_is_null_is_not_done():
    changed = augment(BATCHES["image"], {"resize": None, "flip": {"p": 1}, "mixup": None})
    assert torch.equal(changed["image"], BATCHES["image"]["image"].flip(-1))


def test_augmentation_of_another_input_is_refused():
    with pytest.raises(UserError, match="flip does not fit"):
        augment(BATCHES["numeric"], {"flip": {}})
    with pytest.raises(UserError, match="mixup does not fit"):
        augment(BATCHES["image"], {"mixup": {"alpha": 0}}, mixable=one_hot)
    with pytest.raises(UserError, match="nearest: flip"):
        augment(BATCHES["image"], {"flp": {}})


def test_unknown_names_and_options():
    with pytest.raises(UserError, match="nearest: mnist"):
        zoo.load_data("minst")
    with pytest.raises(UserError, match="split_seed"):
        zoo.load_data("wine", split_sed=1)
