"""Pictures of drawings, such as photographed digits, answered by models whose training looked otherwise."""

import dataclasses

import numpy as np
import pytest
import torch
from conftest import NEED_FILES
from PIL import Image, ImageDraw, ImageFont
from test_imagefolder import folder_of

import zoo
from zoo.core.errors import UserError
from zoo.core.spec import DataSpec
from zoo.data.images._look import PUBLISHED, UNPLAIN, Look, as_drawn, look_of
from zoo.data.readers import read_labelled, read_raw
from zoo.inference.predictor import predict_file


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
    "of the size that is learnt from": {"size": (28, 28), "height": 16},
}


@pytest.mark.parametrize("kind", PHOTOGRAPHS)
def test_photographed_digits_are_answered_rightly(digits, kind, capsys):
    pictures = [photographed(digit, **PHOTOGRAPHS[kind]) for digit in range(10)]
    answers = digits.predict(pictures)
    assert sum(answer == str(digit) for digit, answer in enumerate(answers)) >= 8
    told = capsys.readouterr().out
    assert told.startswith("10 pictures unlike those of training: ") and "ink scaled to 20 of 28 pixels" in told
    assert ("inverted" in told) == (kind != "white on a board")


def test_files_that_look_as_training_are_read_as_they_are(digits, mnist5k, tmp_path, capsys):
    images = mnist5k.test.columns["image"][:200]
    for number, image in enumerate(images):
        Image.fromarray(image[0].numpy()).save(tmp_path / f"{number:03}.png")
    read, _ = digits.read(tmp_path)
    assert torch.equal(read["image"], images)
    enlarged = [Image.fromarray(image[0].numpy()).resize((280, 280)) for image in images]
    digits.predict(enlarged)
    assert capsys.readouterr().out == ""


def test_pictures_on_paper_are_answered_as_the_pixels_are(digits, mnist5k):
    images, target = (mnist5k.test.columns[name][:200] for name in ("image", "target"))
    sheets = []
    for image in images:
        sheet = Image.new("L", (300, 240), 230)
        sheet.paste(Image.fromarray((230 - image[0].numpy() * 0.8).astype(np.uint8)).resize((112, 112)), (120, 60))
        sheets.append(sheet)
    right = [np.mean([int(one) for one in digits.predict(raw)] == target.numpy()) for raw in (images, sheets)]
    assert right[1] >= right[0] - 0.02


def on_canvas(image, *, side=280, at=(0.0, 0.0), levels=(0, 255)):
    """A training image (1, height, width) enlarged on a plain canvas, moved, in other levels."""
    moved = Image.fromarray(image[0].numpy()).resize((side, side))
    moved = moved.transform(moved.size, Image.Transform.AFFINE, (1, 0, -at[0] * side, 0, 1, -at[1] * side))
    low, high = levels
    return Image.fromarray((low + np.asarray(moved, dtype=float) * (high - low) / 255).astype(np.uint8))


@pytest.mark.parametrize(
    "kind", [{"at": (0.15, -0.15)}, {"levels": (60, 255)}, {"levels": (60, 255), "side": 28}, {"levels": (250, 90)}]
)
def test_drawings_out_of_place_or_on_grey_are_answered_as_the_pixels_are(digits, mnist5k, kind, capsys):
    images, target = (mnist5k.test.columns[name][:100] for name in ("image", "target"))
    pictures = [on_canvas(one, **kind) for one in images]
    right = [np.mean([int(one) for one in digits.predict(raw)] == target.numpy()) for raw in (images, pictures)]
    assert "100 pictures unlike those of training" in capsys.readouterr().out
    assert right[1] >= right[0] - 0.03


def test_drawings_that_fill_their_pictures_are_read_as_they_are(capsys):
    """Clothes, as Fashion-MNIST has them, reach both edges; a speck inside is not taken for the drawing."""
    cloth = np.full((50, 1, 28, 28), 200, np.uint8)
    clothes = np.zeros_like(cloth)
    for rows, columns in ((slice(28), slice(9, 19)), (slice(3, 25), slice(4, 27)), (slice(12, 14), slice(1, 3))):
        clothes[:, :, rows, columns] = cloth[:, :, rows, columns]
    look = look_of(clothes)
    assert look is not None
    for one in clothes[:5, 0]:
        assert as_drawn(Image.fromarray(one).resize((100, 100)), look, 28, 28) == (None, "")
        drawn, done = as_drawn(Image.fromarray(255 - one), look, 28, 28)
        assert drawn is not None and "inverted" in done
        assert abs(drawn.astype(float) - one).mean() < 25


def test_a_folder_is_told_of_in_one_line(digits, tmp_path, capsys):
    for digit in range(6):
        photographed(digit).convert("RGB").save(tmp_path / f"{digit}.jpg")
    _, rows = predict_file(digits, tmp_path)
    assert sum(row[0] == f"{row[1]}.jpg" for row in rows) >= 5
    assert capsys.readouterr().out.count("unlike those of training") == 1


def test_a_model_is_measured_on_photographs_as_it_answers_them(digits, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("ZOO_CACHE", str(tmp_path / "cache"))
    for digit in range(10):
        (tmp_path / "all" / str(digit)).mkdir(parents=True)
        photographed(digit).save(tmp_path / "all" / str(digit) / "a.png")
    answered = digits.read(tmp_path / "all")[0]["image"]
    for cache in (True, True, False):
        split = read_labelled(digits.spec, {"name": "imagefolder", "path": str(tmp_path / "all"), "cache": cache})
        assert torch.equal(torch.stack([split[row]["image"] for row in range(10)]), answered)
    told = capsys.readouterr().out
    assert told.count("10 pictures unlike those of training") == 3  # to predict, and by each cached measurement
    assert told.count("brought to their look whenever they are read") == 1


def test_what_shows_no_drawing_is_told(digits, capsys):
    grain = np.random.default_rng(0).integers(0, 256, (100, 100), dtype=np.uint8)
    digits.predict([Image.fromarray(grain), Image.new("L", (50, 50), 200)])
    assert capsys.readouterr().out == f"2 pictures unlike those of training: {UNPLAIN}\n"


def test_the_looks_of_published_files_are_measured(mnist5k):
    assert Look(**mnist5k.spec.reading["look"]) == PUBLISHED["mnist5k"]
    assert mnist5k.spec == DataSpec.from_json(mnist5k.spec.to_json())


@NEED_FILES
def test_the_look_of_mnist_is_measured():
    assert Look(**zoo.load_data("mnist").spec.reading["look"]) == PUBLISHED["mnist"]


def test_dark_drawings_are_learnt_as_they_are(tmp_path, monkeypatch, capsys):
    """Of a folder of dark drawings on white, a bright one on black is the one that is inverted."""
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


def test_photographs_have_no_look(tmp_path, monkeypatch):
    monkeypatch.setenv("ZOO_CACHE", str(tmp_path / "cache"))
    assert "look" not in zoo.load_data("imagefolder", path=str(folder_of(tmp_path / "a"))).spec.reading
    assert look_of(np.random.default_rng(0).integers(0, 256, (50, 1, 20, 20), dtype=np.uint8)) is None


@pytest.mark.parametrize("look", [{}, {"background": 0}, [1], {**PUBLISHED["mnist"]._asdict(), "sides": [1, 2, 10**9]}])
def test_a_look_that_cannot_be_is_refused(digits, look):
    spec = dataclasses.replace(digits.spec, reading={"look": look})
    with pytest.raises(UserError, match="how training's drawings look"):
        read_raw(spec, photographed(1))
