"""How drawings, such as digits, look in a training split, and pictures of such drawings brought to that look.

A photograph of a digit is dark ink on bright paper with wide margins; MNIST's are bright ink on black, which fill 20 of
28 pixels. A model that has seen one kind alone answers the other wrongly and surely.
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

INK = 64  # least distance of ink's values from the background's
PLAIN = 16  # largest distance of the background's values from each other
SLACK = 0.05  # of a picture's shorter side, by which ink may lie farther from its place than training's


class Look(NamedTuple):
    """Drawings in one brightness on a plain background.

    Attributes:
        background: its value, 0 to 255.
        peak: largest distance of the ink's values from it, mean over images.
        sides: the longest side of the ink in pixels: the least, the median and the most of it.
        by_mass: whether the ink's centre of mass is what lies at `centre`, rather than the middle of its sides.
        centre: its place, down and across, in pixels.
        spread: largest distance from it, down or across.
    """

    background: int
    peak: int
    sides: list[int]
    by_mass: bool
    centre: list[float]
    spread: float


# What `look_of` finds in the training splits of files that were written before their spec said it.
PUBLISHED = {
    "mnist": Look(0, 255, [15, 20, 20], True, [14.5, 14.5], 0.5),
    "mnist5k": Look(0, 255, [17, 20, 20], True, [14.5, 14.5], 0.5),
}
UNPLAIN = "no drawing on a plain background is found, so that the answer is a guess"


def look_of(images: np.ndarray) -> Look | None:
    """The look of drawings (n, 1, height, width); None for pictures of any other kind, such as photographs."""
    values = images[:, 0].astype(np.float32)
    edges = np.concatenate([values[:, 0], values[:, -1], values[:, :, 0], values[:, :, -1]], axis=1)
    background = float(np.median(edges))
    ink = abs(values - background)
    is_drawn = (ink > INK).any((1, 2))
    is_plain = abs(np.median(edges, axis=1) - background) <= PLAIN
    if (abs(edges - background) > PLAIN).mean() > 0.2 or min(is_drawn.mean(), is_plain.mean()) < 0.98:
        return None
    ink = ink[is_drawn]
    boxes = [_box(one > INK) for one in ink]
    sides = [max(bottom - top, right - left) for top, bottom, left, right in boxes]
    places = {
        True: np.array([_mass(one) for one in ink]),
        False: np.array([((top + bottom) / 2, (left + right) / 2) for top, bottom, left, right in boxes]),
    }
    by_mass = bool(places[True].std(0).sum() < places[False].std(0).sum())
    centre = places[by_mass].mean(0)
    spread = round(float(abs(places[by_mass] - centre).max()), 1)
    peak, sides = round(float(ink.max((1, 2)).mean())), [min(sides), round(float(np.median(sides))), max(sides)]
    return Look(round(background), peak, sides, by_mass, [round(float(place), 1) for place in centre], spread)


def look_in(spec: DataSpec) -> Look | None:
    """The look that a spec tells of. UserError where it tells of none that can be."""
    shape: Any = spec.inputs["image"].shape
    said = spec.reading.get("look")
    if shape[0] != 1 or said is None:
        return PUBLISHED.get(spec.name) if shape == (1, 28, 28) else None
    try:
        look = Look(**said)
        levels, lengths = (look.background, look.peak), (*look.sides, *look.centre)
        sound = all(0 <= one <= 255 for one in levels) and all(0 < one <= max(shape[1:]) for one in lengths)
        sound = sound and (len(look.sides), len(look.centre)) == (3, 2) and look.spread >= 0
    except TypeError:
        sound = False
    if not sound:
        raise UserError(f"a spec says how training's drawings look in levels up to 255 and in its pixels; got {said}")
    return look


def as_drawn(image: Image.Image, look: Look, height: int, width: int) -> tuple[np.ndarray | None, str]:
    """A grey picture as a drawing of that look (height, width), and what was done; None where it looks so already, or
    shows no drawing on a plain background, which is told."""
    same_size = image.size == (width, height)
    fitted = image if same_size else ImageOps.fit(image, (width, height))
    if _is_like(np.asarray(fitted, dtype=np.float64), look, is_sized=same_size):
        return None, ""
    if not same_size:
        image = image.copy()
        image.thumbnail((400, 400), Image.Resampling.BOX)
    values = np.asarray(image, dtype=np.float64)
    ink, is_bright = _drawn(values - _sheet(values), may_touch=look.sides[2] >= min(height, width))
    if ink is None:
        return None, UNPLAIN
    top, bottom, left, right = _box(ink > 0)
    inverted = ["inverted"] * (is_bright != (look.background < 128))
    done = [*inverted, f"ink scaled to {look.sides[1]} of {max(height, width)} pixels, and centred"]
    return _placed(ink[top:bottom, left:right], look, height, width), ", ".join(done)


def _is_like(values: np.ndarray, look: Look, *, is_sized: bool) -> bool:
    """Whether a picture of training's size has its background, and its size and place of ink; a file that has that size
    already (`is_sized`) need not have these."""
    ink = abs(values - look.background)
    has_background = bool(abs(np.median(_edge(values)) - look.background) <= PLAIN)
    if is_sized or not has_background or not (ink > INK).any():
        return is_sized and has_background
    top, bottom, left, right = _box(ink > INK)
    place = _mass(ink) if look.by_mass else ((top + bottom) / 2, (left + right) / 2)
    off = max(abs(one - usual) for one, usual in zip(place, look.centre, strict=True))
    fits = 0.8 * look.sides[0] <= max(bottom - top, right - left) <= 1.2 * look.sides[2]
    return fits and off <= look.spread + SLACK * min(values.shape)


def say_done(done: Iterable[str]) -> None:
    """Say in one line what was done to how many pictures."""
    for what, n in Counter(filter(None, done)).items():
        echo(f"{n:,} picture{'s' * (n > 1)} unlike those of training: {what}")


def _edge(values: np.ndarray) -> np.ndarray:
    return np.concatenate([values[0], values[-1], values[:, 0], values[:, -1]])


def _sheet(values: np.ndarray) -> np.ndarray:
    """The background of a picture: the smooth surface of second degree that most of its pixels lie near, fitted to
    some of them."""
    y, x = np.meshgrid(*(np.linspace(-1, 1, n) for n in values.shape), indexing="ij")
    terms = np.stack([np.ones_like(x), x, y, x * y, x * x, y * y], axis=-1)
    every = math.ceil(max(values.shape) / 64)
    some, levels = terms[::every, ::every].reshape(-1, 6), values[::every, ::every].ravel()
    factors = np.array([np.median(_edge(values)), 0, 0, 0, 0, 0])
    reach = float(INK)
    for _ in range(6):
        near = abs(levels - some @ factors) <= reach
        if near.sum() < len(near) / 4:
            break
        factors = np.linalg.lstsq(some[near], levels[near], rcond=None)[0]
        reach = max(PLAIN, reach * 0.7)
    return terms @ factors


def _drawn(rest: np.ndarray, *, may_touch: bool) -> tuple[np.ndarray | None, bool]:
    """The ink in what differs from the background, from 0 to 1, and whether it is the brighter; None where there is no
    such thing. What reaches beyond the picture is no drawing, unless it may touch the edges as training's do."""
    from scipy.ndimage import binary_dilation, label

    far = abs(rest)
    noise = 1.5 * np.median(far[far <= max(INK, far.min())])
    is_bright = bool(rest[rest > 5 * noise].sum() > -rest[rest < -5 * noise].sum())
    ink = (rest if is_bright else -rest).clip(min=0)
    strong = ink[ink > INK]
    peak = float(np.quantile(strong, 0.9)) if len(strong) else 0.0
    if peak <= max(INK, 5 * noise):
        return None, is_bright
    parts, n = label(ink > 0.4 * peak, np.ones((3, 3)))
    sizes = np.bincount(parts.ravel(), minlength=n + 1)
    sizes[0] = 0
    touching = np.unique(_edge(parts))
    if not may_touch and len(touching) < n + (0 in touching):
        sizes[touching] = 0
    whole = np.isin(parts, np.flatnonzero(sizes > 0.05 * sizes.max()))
    if not may_touch and whole.mean() > 0.6:
        return None, is_bright
    return np.where(binary_dilation(whole, np.ones((3, 3))), (ink / peak).clip(max=1), 0.0), is_bright


def _placed(ink: np.ndarray, look: Look, height: int, width: int) -> np.ndarray:
    """Ink (h, w) from 0 to 1 as the look has it (height, width), uint8."""
    factor = min(look.sides[1] / max(ink.shape), height / ink.shape[0], width / ink.shape[1])
    h, w = (max(1, round(side * factor)) for side in ink.shape)
    kernel = Image.Resampling.BOX if factor < 1 else Image.Resampling.BICUBIC
    small = np.asarray(Image.fromarray(ink.astype(np.float32)).resize((w, h), kernel)).clip(min=0)
    small = small / small.max()
    y, x = _mass(small) if look.by_mass else (h / 2, w / 2)
    top = min(max(round(look.centre[0] - y), 0), height - h)
    left = min(max(round(look.centre[1] - x), 0), width - w)
    sheet = np.zeros((height, width))
    sheet[top : top + h, left : left + w] = small
    sign = 1 if look.background < 128 else -1
    return (look.background + sign * look.peak * sheet).round().clip(0, 255).astype(np.uint8)


def _box(mask: np.ndarray) -> tuple[int, int, int, int]:
    """Top, bottom, left and right of what is true; the second and the last are one beyond it."""
    rows, columns = (np.flatnonzero(mask.any(axis)) for axis in (1, 0))
    return int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1


def _mass(ink: np.ndarray) -> tuple[float, float]:
    """The centre of mass, down and across."""
    down, across = (float(line @ (np.arange(len(line)) + 0.5) / line.sum()) for line in (ink.sum(1), ink.sum(0)))
    return down, across
