"""Augmentations change what they document, for each image separately, and are chosen by name."""

import functools

import numpy as np
import pytest
import torch
import torch.nn.functional as F

import zoo
from zoo.core import registry
from zoo.core.errors import UserError
from zoo.data.augment import AUGMENTATIONS, augment
from zoo.data.augment.trivial_augment import OPERATIONS, _equalize


def one_hot(target: torch.Tensor) -> torch.Tensor:
    return torch.nn.functional.one_hot(target).float()


BATCHES = {
    "image": {"image": torch.randint(256, (4, 3, 8, 8), dtype=torch.uint8), "target": torch.arange(4)},
    "numeric": {"numeric": torch.randn(4, 5), "target": torch.arange(4)},
}


@pytest.mark.parametrize("name", AUGMENTATIONS.names())
def test_an_augmentation_keeps_shapes_and_draws_from_the_global_generator(name):
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
    ],
)
def test_impossible_options_are_refused_with_the_rule(augmentation, message):
    with pytest.raises(UserError, match=message):
        augment(BATCHES["image"], augmentation, mixable=one_hot)


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
def own_folder(tmp_path, monkeypatch):
    """A user's folder with one augmentation and a recipe that names it."""
    monkeypatch.setattr(registry, "_added", {})
    monkeypatch.setattr(AUGMENTATIONS, "_entries", dict(AUGMENTATIONS._entries))
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
