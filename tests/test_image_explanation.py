"""Heat maps and filters of convolutional networks."""

import dataclasses

import numpy as np
import pytest
import torch

import zoo
from zoo.core.errors import UserError
from zoo.core.spec import Input
from zoo.inference.image_explanation import _hirescam, filter_pictures, filters, heat_maps, heat_pictures
from zoo.models.ensemble import Ensemble


@pytest.fixture(scope="module")
def digits():
    return zoo.load("cnn/small.mnist5k"), zoo.load_data("mnist5k").test.columns["image"]


def test_hiding_the_hottest_place_lowers_the_predicted_probability_most(digits):
    """Blanking a patch at the hottest place lowers the predicted probability further than at the coldest."""
    model, images = digits
    raw = images[:60].numpy()
    heat, chances = heat_maps(model, raw), model.predict_proba(raw)
    assert heat.shape == (60, 28, 28)
    assert heat.min() >= 0 and heat.max() == pytest.approx(1)
    left = {}
    for name, choose in {"hottest": np.argmax, "coldest": np.argmin}.items():
        blanked = raw.copy()
        for image, hot in zip(blanked, heat, strict=True):
            y, x = divmod(int(choose(hot)), 28)
            image[:, max(y - 4, 0) : y + 5, max(x - 4, 0) : x + 5] = 0
        left[name] = model.predict_proba(blanked)[range(60), chances.argmax(1)].mean()
    assert left["hottest"] < left["coldest"] - 0.1


def test_heat_depends_on_the_class(digits):
    model, images = digits
    one, other = heat_maps(model, images[0].numpy()), heat_maps(model, images[0].numpy(), classes=[5])
    assert one.shape == (28, 28)
    assert not np.allclose(one, other)


@pytest.mark.parametrize("classes", [5, [5], [5, 10]])
def test_classes_must_be_one_for_each_image(digits, classes):
    model, images = digits
    with pytest.raises(UserError, match="classes are 2 numbers from 0 to 9"):
        heat_maps(model, images[:2].numpy(), classes=classes)


def test_filters_are_the_weights_of_the_first_convolution(digits):
    model, images = digits
    assert filters(model).shape == (16, 1, 6, 6)
    scaled = model.model.preprocess({"image": images[:3]})["image"]
    convolutions = model.model.network.convolutions
    ours = torch.nn.functional.conv2d(scaled, filters(model), stride=2)
    torch.testing.assert_close(ours, convolutions[1][0](convolutions[0](scaled)), atol=1e-4, rtol=1e-4)
    spec = zoo.load_data("mnist5k").spec
    assert filters(zoo.Predictor(zoo.create_model("cnn/fast", spec), spec, card={})).shape == (8, 1, 2, 2)


def test_pictures_of_filters_span_black_to_white(digits):
    shown = filter_pictures(digits[0])
    assert len(shown) == 16
    assert all((picture.size, picture.mode) == ((108, 108), "L") for picture in shown)
    assert all(picture.getextrema() == (0, 255) for picture in shown)


def test_pictures_of_heat_are_orange_where_it_is_hot(digits):
    model, images = digits
    shown, heat = heat_pictures(model, images[:2]), heat_maps(model, images[:2])
    for picture, hot in zip(shown, heat, strict=True):
        pixels = np.asarray(picture)[::4, ::4].astype(int)  # (28, 28, 3)
        assert tuple(pixels[np.unravel_index(hot.argmax(), hot.shape)]) == (255, 150, 20)
        cold = pixels[hot == 0]
        assert len(cold) and (cold.max(1) == cold.min(1)).all()


def test_many_images_are_explained_in_parts_even_under_no_grad(digits, monkeypatch):
    model, images = digits
    with torch.no_grad():
        whole = heat_maps(model, images[:5], classes=range(5))
    monkeypatch.setattr("zoo.inference.predictor.read_batch_size", lambda sample: 2)
    np.testing.assert_allclose(heat_maps(model, images[:5], classes=range(5)), whole, atol=1e-5)


def test_heat_of_an_ensemble_is_that_of_all_members(digits):
    model, images = digits
    torch.manual_seed(0)
    other = zoo.create_model("cnn/small", model.spec)
    both = zoo.Predictor(Ensemble([model.model, other], combine=model.task.combine), model.spec, card={})
    turned = zoo.Predictor(Ensemble([other, model.model], combine=model.task.combine), model.spec, card={})
    heat = heat_maps(both, images[:2].numpy(), classes=[1, 2])
    np.testing.assert_allclose(heat, heat_maps(turned, images[:2].numpy(), classes=[1, 2]), atol=1e-5)
    assert not np.allclose(heat, heat_maps(model, images[:2].numpy(), classes=[1, 2]), atol=0.01)


@pytest.mark.parametrize(
    ("name", "size", "maps"), [("cnn/convnext", (28, 56), (7, 14)), ("cnn/resnet", (3, 3), (3, 3))]
)
def test_heat_maps_have_the_shape_of_images_that_are_not_square(name, size, maps):
    spec = dataclasses.replace(
        zoo.load_data("mnist5k").spec,
        inputs={"image": Input((1, *size), "uint8", ("in_channels", "image_height", "image_width"), 0)},
    )
    torch.manual_seed(0)
    model = zoo.Predictor(zoo.create_model(name, spec), spec, card={})
    images = torch.randint(256, (2, *size), dtype=torch.uint8).numpy()
    assert heat_maps(model, images).shape == (2, *size)
    inputs, _ = model.read(images)
    assert _hirescam(model.model, inputs, torch.tensor([0, 1])).shape == (2, 1, *maps)


@pytest.mark.parametrize("name", zoo.list_models(spec=zoo.load_data("mnist5k").spec))
def test_every_model_of_images_can_be_explained(name):
    spec = zoo.load_data("mnist5k").spec
    torch.manual_seed(0)
    model = zoo.Predictor(zoo.create_model(name, spec), spec, card={})
    assert heat_maps(model, np.zeros((2, 28, 28), dtype=np.uint8)).shape == (2, 28, 28)
    assert filters(model).dim() == 4


def test_models_without_convolutions_are_refused():
    with pytest.raises(UserError, match="takes numeric"):
        filters(zoo.load("fnn/mlp.breast_cancer"))
