"""Augmentations change what they document, for each image separately, and are chosen by name."""

import functools

import numpy as np
import pytest
import torch
import torch.nn.functional as F

import zoo
from zoo.core.errors import UserError
from zoo.data.augment import AUGMENTATIONS, augment
from zoo.data.augment.trivial_augment import OPERATIONS, _equalize


def one_hot(target: torch.Tensor) -> torch.Tensor:
    return torch.nn.functional.one_hot(target).float()


def ramp(*lengths):
    """Sequences (batch, longest, 2) of their steps' numbers, and ten times these, padded with zeros."""
    steps = torch.arange(float(max(lengths)))[None, :, None] * torch.tensor([1.0, 10.0])
    valid = steps[:, :, :1] < torch.tensor(lengths)[:, None, None]
    target = torch.arange(len(lengths))
    return {"sequence": steps * valid, "lengths": torch.tensor(lengths), "target": target}


BATCHES = {
    "image": {"image": torch.randint(256, (4, 3, 8, 8), dtype=torch.uint8), "target": torch.arange(4)},
    "numeric": {"numeric": torch.randn(4, 5), "target": torch.arange(4)},
    "sequence": ramp(20, 9, 2, 1),
}


@pytest.mark.parametrize("name", AUGMENTATIONS.names())
def test_an_augmentation_keeps_shapes_and_draws_from_the_global_generator(name):
    batch = {**BATCHES["image"], **BATCHES["sequence"]}

    def drawn(seed):
        torch.manual_seed(seed)
        changed = augment(batch, {name: OPTIONS.get(name, {})}, epoch=seed, mixable=one_hot)
        return {key: value.float().nan_to_num(-1.0) for key, value in changed.items()}

    def equal(first, second):
        return all(torch.equal(value, second[key]) for key, value in first.items())

    for key in ("image", "sequence")[: 1 if name == "speed" else 2]:
        assert drawn(9)[key].shape == batch[key].shape
    assert all(value.isfinite().all() for value in drawn(0).values())
    assert equal(drawn(0), drawn(0)) and not equal(drawn(0), drawn(2))
    assert equal({**BATCHES["image"], **ramp(20, 9, 2, 1)}, {**batch, "target": torch.arange(4)})


OPTIONS = {
    "warp": {"shift": 0.1, "rotate": 10, "scale": 0.1, "bend": 0.05},
    "crop": {"padding": 2},
    "colour": {"brightness": 0.4, "contrast": 0.4, "saturation": 0.4},
    "noise": {"name": "image", "std": 5.0},
    "resize": {"start": 4, "epochs": 2},
    "mask": {"channels": 0.3},
    "speed": {"amount": 0.4},
    "time_shift": {"amount": 0.4},
}


def misfit(name, kind):
    """Why an augmentation does not take a kind of batch; "" if it does."""
    options = {**OPTIONS.get(name, {}), **({"name": kind} if name == "noise" else {})}
    try:
        augment(BATCHES[kind], {name: options}, mixable=one_hot)
    except UserError as error:
        return str(error)
    return ""


@pytest.mark.parametrize("name", AUGMENTATIONS.names())
def test_an_augmentation_takes_images_or_sequences_and_is_else_refused(name):
    messages = {kind: misfit(name, kind) for kind in BATCHES}
    assert not messages["image"] or not messages["sequence"]
    assert messages["numeric"] or name == "noise"
    for kind, message in messages.items():
        assert not message or (f"{name} does not fit: it needs '" in message and f"this batch has {kind}" in message)


@pytest.mark.parametrize("name", [name for name in AUGMENTATIONS.names() if not misfit(name, "sequence")])
def test_an_augmentation_reads_no_padding_and_leaves_none_but_zeros(name):
    options = {**OPTIONS.get(name, {}), **({"name": "sequence"} if name == "noise" else {})}

    def changed(padding):
        batch = {**ramp(20, 9, 2, 1), "target": torch.arange(4)}
        valid = torch.arange(20)[:, None] < batch["lengths"][:, None, None]
        batch["sequence"] = batch["sequence"].where(valid, padding)
        torch.manual_seed(3)
        after = augment(batch, {name: options}, mixable=one_hot)
        valid = torch.arange(after["sequence"].shape[1])[:, None] < after["lengths"][:, None, None]
        return after["sequence"], valid, after["lengths"]

    (zeros, valid, lengths), (others, _, same) = changed(0.0), changed(1e6)
    assert (zeros[~valid.expand_as(zeros)] == 0).all()
    assert torch.equal(zeros.where(valid, 0).nan_to_num(-1), others.where(valid, 0).nan_to_num(-1))
    assert lengths.min() >= 1 and lengths.max() <= zeros.shape[1] and torch.equal(lengths, same)


def moved(name, options, *lengths):
    """How the steps of ramps of these lengths are numbered after an augmentation, each (length,)."""
    torch.manual_seed(0)
    batch = augment(ramp(*lengths), {name: options})
    torch.testing.assert_close(batch["sequence"][..., 1], batch["sequence"][..., 0] * 10)
    return [steps[:n] for steps, n in zip(batch["sequence"][..., 0], batch["lengths"].tolist(), strict=True)]


def test_time_warp_keeps_both_ends_and_the_order():
    for steps in moved("time_warp", {"std": 0.5}, 30, 30, 17, 2, 1):
        n = len(steps)
        assert (steps.diff() > 0).all() and steps[0] == 0 and steps[-1] == pytest.approx(n - 1)
        assert n < 3 or (steps - torch.arange(n)).abs().max() > 0.3


def test_time_shift_fills_the_gap_with_the_value_at_the_end():
    for steps in moved("time_shift", {"amount": 0.4}, *[20] * 9, 10):
        n = len(steps)
        assert torch.equal(steps, (torch.arange(n) + steps[n // 2] - n // 2).clamp(0, n - 1))
        assert (steps[n // 2] - n // 2).abs() <= 0.4 * n


def test_speed_keeps_both_ends_and_changes_the_length():
    ramps = moved("speed", {"amount": 0.3}, *[20] * 9)
    assert {len(steps) for steps in ramps} > {20} and all(14 <= len(steps) <= 26 for steps in ramps)
    for steps in ramps:
        torch.testing.assert_close(steps, torch.linspace(0, 19, len(steps)))


def test_time_crop_keeps_a_window_which_is_stretched_where_there_are_no_lengths():
    ramps = moved("time_crop", {"smallest": 0.5}, *[21] * 99)
    assert all(torch.equal(steps, torch.arange(len(steps)) + steps[0]) for steps in ramps)
    assert {len(steps) for steps in ramps} == set(range(11, 22))
    whole = ramp(*[21] * 99)
    del whole["lengths"]
    stretched = augment(whole, {"time_crop": {"smallest": 0.5}})["sequence"][..., 0]
    torch.testing.assert_close(stretched.diff(), stretched.diff()[:, :1].expand(-1, 20))
    assert stretched.min() >= 0 and stretched.max() <= 20 and 0.5 <= stretched.diff().min() < stretched.diff().max()


def test_scale_and_jitter_are_relative_to_a_channel_of_a_sequence():
    torch.manual_seed(0)
    batch = ramp(*[1000] * 3, 500)
    scaled = augment(batch, {"scale": {"amount": 0.5}})["sequence"]
    torch.testing.assert_close(scaled[:3].mean(1), batch["sequence"][:3].mean(1))
    factors = scaled[:3].std(1) / batch["sequence"][:3].std(1)
    assert factors.min() >= 0.5 and factors.max() <= 1.5 and len(factors.unique()) == 6
    noise = augment(batch, {"jitter": {"std": 0.1}})["sequence"] - batch["sequence"]
    n = batch["lengths"].tolist()
    spread = torch.stack([noise[row, :n].std(0) / batch["sequence"][row, :n].std(0) for row, n in enumerate(n)])
    torch.testing.assert_close(spread, torch.full((4, 2), 0.1), atol=0.01, rtol=0)


def test_masks_are_spans_of_steps_and_of_neighbouring_bands():
    torch.manual_seed(0)
    batch = {"sequence": torch.rand(50, 40, 10), "target": torch.zeros(50)}
    spans = augment(batch, {"mask": {"steps": 0.2}})["sequence"].isnan()
    assert torch.equal(spans.all(2), spans.any(2)) and 5 <= spans.any(2).sum(1).max() <= 8
    assert (spans.any(2).int().diff(dim=1) > 0).sum(1).max() <= 1
    channels = augment(batch, {"mask": {"steps": 0, "channels": 0.3}})["sequence"].isnan()
    assert torch.equal(channels.all(1), channels.any(1)) and 0.2 < channels.float().mean() < 0.4
    bands = augment(batch, {"spec_augment": {"time": 0, "bands": 0.3, "n_bands": 1}})["sequence"].isnan().any(1)
    assert (bands.int().diff(dim=1) > 0).sum(1).max() == 1 and bands.sum(1).max() == 3
    assert (batch["sequence"] < 1).all()


def test_mixed_sequences_are_as_long_as_the_longer_one_and_blended_where_both_last():
    torch.manual_seed(0)
    batch = {**ramp(20, 9, 5), "target": torch.tensor([0, 1, 1])}
    batch["sequence"][2, 1, 0] = torch.nan
    mixed = augment(batch, {"mixup": {"alpha": 1.0}}, mixable=one_hot)
    own = mixed["target"][1, 1]  # of the second, beside the first
    assert mixed["lengths"].tolist() == [20, 20, 9] and 0 < own < 1
    torch.testing.assert_close(mixed["sequence"][1], batch["sequence"][0])  # both are the same ramp
    assert mixed["sequence"][2, 1, 0] == 1 and not mixed["sequence"].isnan().any()
    batch["sequence"][0] = 50.0
    mixed = augment(batch, {"mixup": {"alpha": 1.0}}, mixable=one_hot)
    own = mixed["target"][1, 1]
    torch.testing.assert_close(mixed["sequence"][1, :9, 0], own * torch.arange(9.0) + (1 - own) * 50)
    assert (mixed["sequence"][1, 9:] == 50).all()
    kept = augment(batch, {"mixup": {"p": 0.0}}, mixable=one_hot)
    assert torch.equal(kept["lengths"], batch["lengths"]) and torch.equal(kept["sequence"][1], batch["sequence"][1])


@pytest.mark.parametrize("name", ["time_warp", "time_shift", "time_crop", "speed", "scale", "mixup"])
@pytest.mark.parametrize("target", [torch.zeros(4, 20, dtype=torch.int64), torch.zeros(4, 3, 2)])
def test_what_would_part_steps_from_their_targets_is_refused(name, target):
    with pytest.raises(UserError, match=f"{name} does not fit: it is for sequences with one target each"):
        augment({**BATCHES["sequence"], "target": target}, {name: {}}, mixable=one_hot)


def test_alternating_flip_shows_each_image_both_ways_in_two_epochs():
    torch.manual_seed(0)
    image = torch.randint(256, (200, 3, 8, 8), dtype=torch.uint8)
    flip = {"flip": {"alternate": True}}
    first, second = (augment({"image": image}, flip, epoch=epoch)["image"] for epoch in (4, 5))
    mirrored = (first != image).flatten(1).any(1)
    assert 60 < mirrored.sum() < 140
    assert torch.equal(first.flip(3), second)
    assert torch.equal(first[mirrored], image.flip(3)[mirrored])


def test_alternating_flip_after_changed_pixels_is_refused():
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
def test_equalize_equals_pils(size, most):
    from PIL import Image, ImageOps

    draw = np.random.default_rng(0)
    pictures = (draw.integers(0, most, (*size, 3)) ** draw.uniform(0.5, 1)).astype(np.uint8)
    expected = np.array(ImageOps.equalize(Image.fromarray(pictures)))
    found = _equalize(torch.from_numpy(pictures).float().movedim(-1, 0)[None], torch.zeros(1))
    assert torch.equal(found[0].movedim(0, -1), torch.from_numpy(expected).float())


@pytest.mark.parametrize("strength", [-0.6, 0.25, 0.9])
@pytest.mark.parametrize("number", range(1, 8))
def test_colour_operations_equal_pils(number, strength):
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
    changed = OPERATIONS[number](pixels, torch.full((1, 1, 1, 1), strength))
    assert (changed[0].movedim(0, -1) - torch.from_numpy(np.array(expected))).abs().max() <= 2


def test_geometric_operations_move_by_degrees_and_pixels():
    image = torch.rand(1, 3, 24, 24) * 255
    turn, shear_x, shear_y, shift_x, shift_y = OPERATIONS[9:]

    def by(change, strength):
        return change(image, torch.full((1, 1, 1, 1), strength))

    close = functools.partial(torch.testing.assert_close, atol=0.05, rtol=0)
    close(by(turn, 90 / 135), image.rot90(1, (2, 3)))
    close(by(shift_x, 6 / 32)[..., :-6], image[..., 6:])
    close(by(shift_y, -6 / 32)[..., 6:, :], image[..., :-6, :])
    close(by(shear_x, 1 / 0.99)[..., 0, 12:], image[..., 0, :12] * 0.5 + image[..., 0, 1:13] * 0.5)
    close(by(shear_y, 1 / 0.99).mT, OPERATIONS[10](image.mT, torch.full((1, 1, 1, 1), 1 / 0.99)))
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
        ({"time_warp": {"n_knots": 1}}, "n_knots at least 2; got 0.2 and 1"),
        ({"time_crop": {"smallest": 0}}, "above 0 and at most 1"),
        ({"speed": {"amount": 1}}, "below 1; got 1"),
        ({"mask": {"steps": 1.5}}, "a share from 0 to 1"),
    ],
)
def test_impossible_options_are_refused_with_the_rule(augmentation, message):
    with pytest.raises(UserError, match=message):
        augment({**BATCHES["image"], **BATCHES["sequence"]}, augmentation, mixable=one_hot)


def test_cutout_and_erase_change_only_their_box():
    image = BATCHES["image"]["image"].float()
    for name, options in {"cutout": {"size": 4}, "erase": {"p": 1.0, "largest": 0.3}}.items():
        changed = (augment(BATCHES["image"], {name: options})["image"] != image).any(1).flatten(1).float().mean(1)
        assert 0 < changed.max() <= 0.4


def test_resize_grows_to_the_full_size():
    image = torch.full((2, 3, 32, 64), 9.0)
    grown = [augment({"image": image}, {"resize": {"start": 20, "epochs": 4}}, epoch=at)["image"] for at in range(6)]
    assert [tuple(image.shape[2:]) for image in grown] == [(20, 40), (22, 44), (26, 52), (28, 56), (32, 64), (32, 64)]
    assert all(torch.allclose(image, torch.tensor(9.0)) for image in grown)


def test_warp_rotates_without_shearing():
    """A horizontal bar in a wide image, rotated by 90 degrees, is vertical and as long in pixels."""
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
def test_an_empty_setting_turns_all_augmentation_off(override):
    assert zoo.config("cnn", "data=cifar10", override)["data"]["augment"] is None
    assert zoo.config("cnn", "data=cifar10")["data"]["augment"]


def test_an_augmentation_set_to_null_is_not_applied():
    changed = augment(BATCHES["image"], {"resize": None, "flip": {"p": 1}, "mixup": None})
    assert torch.equal(changed["image"], BATCHES["image"]["image"].flip(-1))


def test_an_augmentation_that_does_not_fit_the_batch_is_refused():
    with pytest.raises(UserError, match="flip does not fit"):
        augment(BATCHES["numeric"], {"flip": {}})
    with pytest.raises(UserError, match="mixup does not fit"):
        augment(BATCHES["image"], {"mixup": {"alpha": 0}}, mixable=one_hot)
    with pytest.raises(UserError, match="nearest: flip"):
        augment(BATCHES["image"], {"flp": {}})


SOLARIZE = '''
"""Invert bright pixels."""

import torch

from zoo.data.augment import AUGMENTATIONS

AMOUNTS = []


@AUGMENTATIONS.register("solarize")
def solarize(batch, *, amount):
    """Invert the brightest share `amount` of the grey levels."""
    AMOUNTS.append(amount)
    image = batch["image"].float()
    return {**batch, "image": torch.where(image >= 255 * (1 - amount), 255 - image, image)}
'''
SOLARIZED = """# @package _global_
defaults:
  - override /model: cnn/lenet5

data:
  augment:
    solarize: {amount: 0.5}
"""


@pytest.fixture
def own_folder(tmp_path, own_code):
    """A user's folder with one augmentation and a recipe that names it."""
    folder = tmp_path / "mine"
    (folder / "conf" / "experiment").mkdir(parents=True)
    (folder / "solarize.py").write_text(SOLARIZE)
    (folder / "conf" / "experiment" / "solarized.yaml").write_text(SOLARIZED)
    return folder


def test_a_users_augmentation_is_chosen_by_name(own_folder, tmp_path):
    zoo.add_path(own_folder)
    bright = torch.tensor([10, 250], dtype=torch.uint8).view(1, 1, 1, 2)
    assert augment({"image": bright}, {"solarize": {"amount": 0.2}})["image"].flatten().tolist() == [10, 5]
    words = ("experiment=solarized", "data.augment.solarize.amount=0.2", "trainer=debug", f"zoo_path={own_folder}")
    settings = zoo.config(*words)
    assert settings["data"]["augment"] == {"warp": settings["data"]["augment"]["warp"], "solarize": {"amount": 0.2}}
    assert zoo.train(settings, tmp_path / "run")["test"]
    assert set(AUGMENTATIONS.get("solarize").__globals__["AMOUNTS"]) == {0.2}


def test_a_misspelt_users_augmentation_gets_the_nearest_name(own_folder):
    zoo.add_path(own_folder)
    with pytest.raises(UserError, match="no augmentation 'solarise'; the nearest: solarize"):
        augment(BATCHES["image"], {"solarise": {}})
