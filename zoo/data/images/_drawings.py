"""Measure how drawings, such as digits, look in a training split, and redraw a user's images in that style.

A photographed digit is dark ink on bright paper with wide margins; MNIST's are bright ink on black and fill 20 of 28
pixels. A model trained on one of the two is confidently wrong on the other.
"""

import math
from collections import Counter
from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
from PIL import Image, ImageOps

from zoo.core.console import echo
from zoo.core.errors import UserError
from zoo.core.spec import DataSpec

MIN_CONTRAST = 64  # smallest difference of ink from the background
MAX_UNEVENNESS = 16  # largest difference within the background
MARGIN = 0.05  # of the shorter side: how much farther off centre ink may be than in training

Box = tuple[int, int, int, int]  # top, bottom, left and right; bottom and right are exclusive


class DrawingStyle(NamedTuple):
    """How drawings of one brightness on a plain background look.

    Attributes:
        background: its value, 0 to 255.
        peak: largest difference of the ink from it, mean over images.
        sides: minimum, median and maximum over images of the ink's longer side, in pixels.
        by_mass: whether `centre` is the ink's centre of mass, rather than that of its bounding box.
        centre: mean position (down, across) of the ink, in pixels.
        spread: largest distance from it, down or across, in pixels.
    """

    background: int
    peak: int
    sides: list[int]
    by_mass: bool
    centre: list[float]
    spread: float


# What `measure_style` returns for the data of weights files written before specs had a style.
STYLES_OF_OLDER_FILES = {
    "mnist": DrawingStyle(0, 255, [15, 20, 20], True, [14.5, 14.5], 0.5),
    "mnist5k": DrawingStyle(0, 255, [17, 20, 20], True, [14.5, 14.5], 0.5),
}
NO_DRAWING = "no drawing on a plain background found, so the answer is a guess"


def measure_style(images: np.ndarray) -> DrawingStyle | None:
    """Measure the style of drawings (n, 1, height, width); None for other images, such as photographs."""
    values = images[:, 0].astype(np.float32)
    edges = np.concatenate([values[:, 0], values[:, -1], values[:, :, 0], values[:, :, -1]], axis=1)
    background = float(np.median(edges))
    ink = abs(values - background)
    has_ink = (ink > MIN_CONTRAST).any((1, 2))
    is_plain = abs(np.median(edges, axis=1) - background) <= MAX_UNEVENNESS
    if (abs(edges - background) > MAX_UNEVENNESS).mean() > 0.2 or min(has_ink.mean(), is_plain.mean()) < 0.98:
        return None
    ink = ink[has_ink]
    boxes = [_bounding_box(one > MIN_CONTRAST) for one in ink]
    lengths = [max(bottom - top, right - left) for top, bottom, left, right in boxes]
    centres = {True: np.array([_centre_of_mass(one) for one in ink]), False: np.array(list(map(_centre_of_box, boxes)))}
    by_mass = bool(centres[True].std(0).sum() < centres[False].std(0).sum())
    centre = centres[by_mass].mean(0)
    return DrawingStyle(
        background=round(background),
        peak=round(float(ink.max((1, 2)).mean())),
        sides=[min(lengths), round(float(np.median(lengths))), max(lengths)],
        by_mass=by_mass,
        centre=[round(float(place), 1) for place in centre],
        spread=round(float(abs(centres[by_mass] - centre).max()), 1),
    )


def style_in(spec: DataSpec) -> DrawingStyle | None:
    """The style of the training images in a spec. UserError if it is not a valid one."""
    shape: Any = spec.inputs["image"].shape
    values = spec.reading.get("look")
    if shape[0] != 1 or values is None:
        return STYLES_OF_OLDER_FILES.get(spec.name) if shape == (1, 28, 28) else None
    try:
        style = DrawingStyle(**values)
        levels, lengths = (style.background, style.peak), (*style.sides, *style.centre)
        is_valid = all(0 <= level <= 255 for level in levels) and all(0 < one <= max(shape[1:]) for one in lengths)
        is_valid = is_valid and (len(style.sides), len(style.centre)) == (3, 2) and style.spread >= 0
    except TypeError:
        is_valid = False
    if not is_valid:
        raise UserError(f"a spec's style of drawings is in levels up to 255 and in the image's pixels; got {values}")
    return style


def match_style(image: Image.Image, style: DrawingStyle, height: int, width: int) -> tuple[np.ndarray | None, str]:
    """Redraw a grey image in a style: uint8 (height, width), and what was changed.

    None if it has that style already, or, which the text says, if no drawing on a plain background is found.
    """
    has_size = image.size == (width, height)
    fitted = image if has_size else ImageOps.fit(image, (width, height))
    if _has_style(np.asarray(fitted, dtype=np.float64), style, has_size=has_size):
        return None, ""
    if not has_size:
        image = image.copy()
        image.thumbnail((400, 400), Image.Resampling.BOX)
    values = np.asarray(image, dtype=np.float64)
    ink, is_bright = _find_ink(values - _fit_background(values), may_touch_edges=style.sides[2] >= min(height, width))
    if ink is None:
        return None, NO_DRAWING
    top, bottom, left, right = _bounding_box(ink > 0)
    changes = [f"ink scaled to {style.sides[1]} of {max(height, width)} pixels, and centred"]
    if is_bright != (style.background < 128):
        changes.insert(0, "inverted")
    return _draw(ink[top:bottom, left:right], style, height, width), ", ".join(changes)


def report_changes(changes: Iterable[str]) -> None:
    """Print, in one line a kind of change, how many images were changed."""
    for change, n in Counter(filter(None, changes)).items():
        echo(f"{n:,} image{'s' * (n > 1)} unlike the training images: {change}")


def _has_style(values: np.ndarray, style: DrawingStyle, *, has_size: bool) -> bool:
    """Whether an image of the training images' size has their background, and ink of their size and position. The
    latter two do not count for a file that is of that size already (`has_size`)."""
    ink = abs(values - style.background)
    has_background = bool(abs(np.median(_edge(values)) - style.background) <= MAX_UNEVENNESS)
    if has_size or not has_background or not (ink > MIN_CONTRAST).any():
        return has_size and has_background
    box = _bounding_box(ink > MIN_CONTRAST)
    centre = _centre_of_mass(ink) if style.by_mass else _centre_of_box(box)
    off = max(abs(here - there) for here, there in zip(centre, style.centre, strict=True))
    is_sized = 0.8 * style.sides[0] <= max(box[1] - box[0], box[3] - box[2]) <= 1.2 * style.sides[2]
    return is_sized and off <= style.spread + MARGIN * min(values.shape)


def _fit_background(values: np.ndarray) -> np.ndarray:
    """The background (h, w) of an image: the quadratic surface that most of its pixels are near, fitted to a sample."""
    y, x = np.meshgrid(*(np.linspace(-1, 1, n) for n in values.shape), indexing="ij")
    terms = np.stack([np.ones_like(x), x, y, x * y, x * x, y * y], axis=-1)  # (h, w, 6)
    step = math.ceil(max(values.shape) / 64)
    sample, levels = terms[::step, ::step].reshape(-1, 6), values[::step, ::step].ravel()
    factors = np.array([np.median(_edge(values)), 0, 0, 0, 0, 0])
    tolerance = float(MIN_CONTRAST)
    for _ in range(6):
        near = abs(levels - sample @ factors) <= tolerance
        if near.sum() < len(near) / 4:
            break
        factors = np.linalg.lstsq(sample[near], levels[near], rcond=None)[0]
        tolerance = max(MAX_UNEVENNESS, tolerance * 0.7)
    return terms @ factors


def _find_ink(residual: np.ndarray, *, may_touch_edges: bool) -> tuple[np.ndarray | None, bool]:
    """Find the ink, 0 to 1, in the differences from the background (h, w), and whether it is brighter than that.

    None if there is none. Parts that touch the image's edge are no drawing, unless training's touch it too.
    """
    from scipy.ndimage import binary_dilation, label

    distance = abs(residual)
    noise = 1.5 * np.median(distance[distance <= max(MIN_CONTRAST, distance.min())])
    is_bright = bool(residual[residual > 5 * noise].sum() > -residual[residual < -5 * noise].sum())
    ink = (residual if is_bright else -residual).clip(min=0)
    strong = ink[ink > MIN_CONTRAST]
    peak = float(np.quantile(strong, 0.9)) if len(strong) else 0.0
    if peak <= max(MIN_CONTRAST, 5 * noise):
        return None, is_bright
    parts, n = label(ink > 0.4 * peak, np.ones((3, 3)))
    sizes = np.bincount(parts.ravel(), minlength=n + 1)
    sizes[0] = 0  # the background
    touching = np.unique(_edge(parts))
    if not may_touch_edges and len(touching) < n + (0 in touching):
        sizes[touching] = 0
    drawing = np.isin(parts, np.flatnonzero(sizes > 0.05 * sizes.max()))
    if not may_touch_edges and drawing.mean() > 0.6:
        return None, is_bright
    return np.where(binary_dilation(drawing, np.ones((3, 3))), (ink / peak).clip(max=1), 0.0), is_bright


def _draw(ink: np.ndarray, style: DrawingStyle, height: int, width: int) -> np.ndarray:
    """Draw ink (h, w), 0 to 1, in a style: uint8 (height, width)."""
    factor = min(style.sides[1] / max(ink.shape), height / ink.shape[0], width / ink.shape[1])
    h, w = (max(1, round(side * factor)) for side in ink.shape)
    kernel = Image.Resampling.BOX if factor < 1 else Image.Resampling.BICUBIC
    scaled = np.asarray(Image.fromarray(ink.astype(np.float32)).resize((w, h), kernel)).clip(min=0)
    scaled = scaled / scaled.max()
    y, x = _centre_of_mass(scaled) if style.by_mass else (h / 2, w / 2)
    top = min(max(round(style.centre[0] - y), 0), height - h)
    left = min(max(round(style.centre[1] - x), 0), width - w)
    canvas = np.zeros((height, width))
    canvas[top : top + h, left : left + w] = scaled
    sign = 1 if style.background < 128 else -1
    return (style.background + sign * style.peak * canvas).round().clip(0, 255).astype(np.uint8)


def _edge(values: np.ndarray) -> np.ndarray:
    """The outermost pixels of an image (h, w)."""
    return np.concatenate([values[0], values[-1], values[:, 0], values[:, -1]])


def _bounding_box(mask: np.ndarray) -> Box:
    """The smallest box that holds all true pixels of a mask (h, w)."""
    rows, columns = (np.flatnonzero(mask.any(axis)) for axis in (1, 0))
    return int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1


def _centre_of_box(box: Box) -> tuple[float, float]:
    """Down and across."""
    top, bottom, left, right = box
    return (top + bottom) / 2, (left + right) / 2


def _centre_of_mass(ink: np.ndarray) -> tuple[float, float]:
    """Down and across."""
    down, across = (float(line @ (np.arange(len(line)) + 0.5) / line.sum()) for line in (ink.sum(1), ink.sum(0)))
    return down, across
