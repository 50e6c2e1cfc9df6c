"""Images of drawings, such as photographed digits, for models whose training images are in another style."""

import dataclasses

import numpy as np
import pytest
import torch
from helpers.datasets import NEED_FILES
from helpers.images import folder_of
from PIL import Image, ImageDraw, ImageFont

import zoo
from zoo.core.errors import UserError
from zoo.core.spec import DataSpec
from zoo.data.images._drawings import NO_DRAWING, STYLES_OF_OLDER_FILES, DrawingStyle, match_style, measure_style
from zoo.data.readers import read_labelled, read_raw
from zoo.inference.predict_files import predict_file


@pytest.fixture(scope="module")
def digits():
    return zoo.load("cnn/small.mnist5k")


@pytest.fixture(scope="module")
def mnist5k():
    return zoo.load_data("mnist5k")


def photographed(digit, *, size=(300, 200), height=100, paper=235, ink=40, shade=60, noise=6.0, at=(0, 0)):
    """A printed digit on paper, lit from one side."""
    image = Image.new("L", size, paper)
    place = (size[0] / 2 + at[0], size[1] / 2 + at[1])
    ImageDraw.Draw(image).text(place, str(digit), fill=ink, font=ImageFont.load_default(height), anchor="mm")
    light = np.linspace(0, -shade, size[0]) + np.random.default_rng(0).normal(0, noise, (size[1], size[0]))
    return Image.fromarray((np.asarray(image) + light).clip(0, 255).astype(np.uint8))


PHOTOGRAPHS = {
    "as it is": {},
    "large": {"size": (1200, 900), "height": 300},
    "upright": {"size": (200, 320)},
    "narrow margins": {"size": (110, 110), "height": 100},
    "in a corner": {"height": 60, "at": (90, -50)},
    "noisy and dim": {"noise": 15.0, "shade": 100},
    "pencil": {"ink": 120},
    "white on a board": {"paper": 30, "ink": 230, "shade": -30},
    "of the training images' size": {"size": (28, 28), "height": 16},
}


@pytest.mark.parametrize("kind", PHOTOGRAPHS)
def test_photographed_digits_are_recognised(digits, kind, capsys):
    pictures = [photographed(digit, **PHOTOGRAPHS[kind]) for digit in range(10)]
    answers = digits.predict(pictures)
    assert sum(answer == str(digit) for digit, answer in enumerate(answers)) >= 8
    out = capsys.readouterr().out
    assert out.startswith("10 images unlike the training images: ") and "ink scaled to 20 of 28 pixels" in out
    assert ("inverted" in out) == (kind != "white on a board")


def test_files_in_the_training_style_are_not_changed(digits, mnist5k, tmp_path, capsys):
    images = mnist5k.test.columns["image"][:200]
    for number, image in enumerate(images):
        Image.fromarray(image[0].numpy()).save(tmp_path / f"{number:03}.png")
    read, _ = digits.read(tmp_path)
    assert torch.equal(read["image"], images)
    enlarged = [Image.fromarray(image[0].numpy()).resize((280, 280)) for image in images]
    digits.predict(enlarged)
    assert capsys.readouterr().out == ""


def test_digits_on_paper_are_recognised_as_well_as_their_pixels(digits, mnist5k):
    images, target = (mnist5k.test.columns[name][:200] for name in ("image", "target"))
    sheets = []
    for image in images:
        sheet = Image.new("L", (300, 240), 230)
        sheet.paste(Image.fromarray((230 - image[0].numpy() * 0.8).astype(np.uint8)).resize((112, 112)), (120, 60))
        sheets.append(sheet)
    right = [np.mean([int(one) for one in digits.predict(raw)] == target.numpy()) for raw in (images, sheets)]
    assert right[1] >= right[0] - 0.02


def on_canvas(image, *, side=280, at=(0.0, 0.0), levels=(0, 255)):
    """A training image (1, height, width) enlarged on a plain canvas, shifted, with other grey levels."""
    moved = Image.fromarray(image[0].numpy()).resize((side, side))
    moved = moved.transform(moved.size, Image.Transform.AFFINE, (1, 0, -at[0] * side, 0, 1, -at[1] * side))
    low, high = levels
    return Image.fromarray((low + np.asarray(moved, dtype=float) * (high - low) / 255).astype(np.uint8))


@pytest.mark.parametrize(
    "kind", [{"at": (0.15, -0.15)}, {"levels": (60, 255)}, {"levels": (60, 255), "side": 28}, {"levels": (250, 90)}]
)
def test_shifted_drawings_and_grey_ones_are_recognised_as_well_as_their_pixels(digits, mnist5k, kind, capsys):
    images, target = (mnist5k.test.columns[name][:100] for name in ("image", "target"))
    pictures = [on_canvas(one, **kind) for one in images]
    right = [np.mean([int(one) for one in digits.predict(raw)] == target.numpy()) for raw in (images, pictures)]
    assert "100 images unlike the training images" in capsys.readouterr().out
    assert right[1] >= right[0] - 0.03


def test_drawings_that_touch_the_edges_are_not_changed(capsys):
    """Clothes, as Fashion-MNIST has them, reach both edges; a speck inside is not the drawing."""
    cloth = np.full((50, 1, 28, 28), 200, np.uint8)
    clothes = np.zeros_like(cloth)
    for rows, columns in ((slice(28), slice(9, 19)), (slice(3, 25), slice(4, 27)), (slice(12, 14), slice(1, 3))):
        clothes[:, :, rows, columns] = cloth[:, :, rows, columns]
    look = measure_style(clothes)
    assert look is not None
    for one in clothes[:5, 0]:
        assert match_style(Image.fromarray(one).resize((100, 100)), look, 28, 28) == (None, "")
        drawn, done = match_style(Image.fromarray(255 - one), look, 28, 28)
        assert drawn is not None and "inverted" in done
        assert abs(drawn.astype(float) - one).mean() < 25


def test_changes_of_a_folders_images_are_reported_in_one_line(digits, tmp_path, capsys):
    for digit in range(6):
        photographed(digit).convert("RGB").save(tmp_path / f"{digit}.jpg")
    _, rows = predict_file(digits, tmp_path)
    assert sum(row[0] == f"{row[1]}.jpg" for row in rows) >= 5
    assert capsys.readouterr().out.count("unlike the training images") == 1


def test_evaluation_redraws_photographs_as_prediction_does(digits, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("ZOO_CACHE", str(tmp_path / "cache"))
    for digit in range(10):
        (tmp_path / "all" / str(digit)).mkdir(parents=True)
        photographed(digit).save(tmp_path / "all" / str(digit) / "a.png")
    answered = digits.read(tmp_path / "all")[0]["image"]
    for cache in (True, True, False):
        split = read_labelled(digits.spec, {"name": "imagefolder", "path": str(tmp_path / "all"), "cache": cache})
        assert torch.equal(torch.stack([split[row]["image"] for row in range(10)]), answered)
    out = capsys.readouterr().out
    assert out.count("10 images unlike the training images") == 3  # to predict, and by each cached measurement
    assert out.count("redrawn whenever they are read") == 1


def test_images_without_a_drawing_are_reported(digits, capsys):
    grain = np.random.default_rng(0).integers(0, 256, (100, 100), dtype=np.uint8)
    digits.predict([Image.fromarray(grain), Image.new("L", (50, 50), 200)])
    assert capsys.readouterr().out == f"2 images unlike the training images: {NO_DRAWING}\n"


def test_the_styles_of_older_files_are_those_measured(mnist5k):
    assert DrawingStyle(**mnist5k.spec.reading["look"]) == STYLES_OF_OLDER_FILES["mnist5k"]
    assert mnist5k.spec == DataSpec.from_json(mnist5k.spec.to_json())


@NEED_FILES
def test_the_style_of_mnist_is_that_measured():
    assert DrawingStyle(**zoo.load_data("mnist").spec.reading["look"]) == STYLES_OF_OLDER_FILES["mnist"]


def test_a_model_of_dark_drawings_inverts_bright_ones(tmp_path, monkeypatch, capsys):
    """With a training folder of dark drawings on white, bright ones on black are inverted."""
    monkeypatch.setenv("ZOO_CACHE", str(tmp_path / "cache"))
    for digit in (1, 8):
        (tmp_path / "all" / str(digit)).mkdir(parents=True)
        for number in range(6):
            picture = photographed(digit, size=(64, 64), height=40 + number, shade=0, noise=0.0)
            picture.save(tmp_path / "all" / str(digit) / f"{number}.png")
    spec = zoo.load_data("imagefolder", path=str(tmp_path / "all")).spec
    assert spec.reading["look"]["background"] == 235
    capsys.readouterr()
    same = photographed(8, size=(64, 64), height=42, shade=0, noise=0.0)
    assert (read_raw(spec, same)[0]["image"].numpy()[0, 0] == np.asarray(same)).all()
    assert capsys.readouterr().out == ""
    other = Image.fromarray(255 - np.asarray(same))
    assert np.median(read_raw(spec, other)[0]["image"]) == 235
    assert "inverted" in capsys.readouterr().out


def test_photographs_have_no_drawing_style(tmp_path, monkeypatch):
    monkeypatch.setenv("ZOO_CACHE", str(tmp_path / "cache"))
    assert "look" not in zoo.load_data("imagefolder", path=str(folder_of(tmp_path / "a"))).spec.reading
    assert measure_style(np.random.default_rng(0).integers(0, 256, (50, 1, 20, 20), dtype=np.uint8)) is None


@pytest.mark.parametrize(
    "look", [{}, {"background": 0}, [1], {**STYLES_OF_OLDER_FILES["mnist"]._asdict(), "sides": [1, 2, 10**9]}]
)
def test_an_invalid_style_in_a_file_is_refused(digits, look):
    spec = dataclasses.replace(digits.spec, reading={"look": look})
    with pytest.raises(UserError, match="style of drawings is in levels"):
        read_raw(spec, photographed(1))
