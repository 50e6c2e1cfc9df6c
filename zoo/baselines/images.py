"""A baseline on images: a linear model of few large pixels."""

from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from zoo.baselines import BASELINES
from zoo.baselines._estimators import fit_linear
from zoo.core.spec import DataSpec

SIDE, DECAY = 16, 100.0


@BASELINES.register("classification/logistic regression on 16 x 16 pixels")
@BASELINES.register("multi_label/logistic regression on 16 x 16 pixels")
@BASELINES.register("regression/ridge regression on 16 x 16 pixels")
def large_pixels(spec: DataSpec, target: Tensor, image: Tensor) -> Callable[..., Tensor]:
    """A linear model of the pixels of images, averaged to at most 16 x 16."""
    predict = fit_linear(spec, target, _pixels(image), decay=DECAY)
    return lambda image: predict(_pixels(image))


def _pixels(image: Tensor) -> np.ndarray:
    """The pixels (n, in_channels * 16 * 16) of images (n, in_channels, height, width)."""
    size = min(SIDE, image.shape[2]), min(SIDE, image.shape[3])
    return torch.cat([F.adaptive_avg_pool2d(part.float(), size).flatten(1) for part in image.split(64)]).numpy()
