"""Drawings of samples by kind of input, as strings of HTML."""

import base64
import io
from collections.abc import Callable
from html import escape
from typing import TYPE_CHECKING

import torch

from zoo.core.formatting import format_number
from zoo.core.registry import Registry
from zoo.data.splits import Batch, Splits, batches
from zoo.inference.image_explanation import convolutions, heat_of_batch, overlay_heat, to_pictures
from zoo.inference.predictor import Predictor
from zoo.models.moments import Moments
from zoo.report.charts import sparkline

if TYPE_CHECKING:
    from PIL.Image import Image

N_NUMBERS = 5  # shown of a row
N_CATEGORIES = 5  # shown of a row

# By name of the first input: a function that returns how to read the drawings, and a drawing of each sample.
SAMPLES: Registry[Callable[[Predictor, Splits, Batch], tuple[str, list[str]]]] = Registry("drawing of input", "SAMPLES")


@SAMPLES.register("image")
def draw_images(predictor: Predictor, _: Splits, samples: Batch) -> tuple[str, list[str]]:
    """Draw each image (channels, height, width), grey unless it has three channels; for a convolutional network also
    where it looked."""
    images = samples["image"].cpu()
    shown = [embedded(picture) for picture in to_pictures(images)]
    if not convolutions(predictor):
        return "Each picture is the raw input, without augmentation.", shown
    how = (
        "Each picture is the raw input, without augmentation; beside it, in orange, what of it spoke for the answer "
        "(HiResCAM)."
    )
    heat = [embedded(picture) for picture in to_pictures(overlay_heat(images, heat_of_batch(predictor, samples)))]
    return how, [f"<span>{raw} {hot}</span>" for raw, hot in zip(shown, heat, strict=True)]


def embedded(picture: "Image") -> str:
    """A picture as an HTML image that holds its own bytes."""
    file = io.BytesIO()
    picture.save(file, "PNG")
    return f'<img alt="" src="data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}">'


@SAMPLES.register("numeric")
@SAMPLES.register("categorical")
def draw_rows(_: Predictor, splits: Splits, samples: Batch) -> tuple[str, list[str]]:
    """Draw each row as a table: the numbers furthest from the training split's mean, and the first categories."""
    how = (
        "Each table has the five numbers that lie furthest from the training split's mean, with how many standard "
        "deviations (&sigma;) they are above or below, and the first categories."
    )
    n = len(samples["target"])
    numbers, categories = _number_lines(splits, samples), _category_lines(splits, samples)
    return how, [f"<table>{''.join([*numbers.get(i, []), *categories.get(i, [])])}</table>" for i in range(n)]


def _number_lines(splits: Splits, samples: Batch) -> dict[int, list[str]]:
    """The table lines of the numbers furthest from the mean, by row."""
    from zoo.data.columns.encode import numeric_names

    if "numeric" not in samples:
        return {}
    moments = Moments(samples["numeric"].shape[1])
    for batch in batches(splits.train):
        moments.update(batch["numeric"])
    mean, std = moments.mean_and_std()
    std = std.clamp(min=1e-12)
    rows = samples["numeric"].cpu()
    names = numeric_names(splits.spec.columns) or [f"column {i}" for i in range(rows.shape[1])]
    shown = {}
    for row, sigmas in enumerate(((rows - mean) / std).nan_to_num()):
        furthest = sigmas.abs().argsort(descending=True)[:N_NUMBERS].tolist()
        shown[row] = [
            _line(names[i], format_number(float(rows[row, i]), float(std[i])), f"{sigmas[i]:+.1f} &sigma;")
            for i in furthest
        ]
    return shown


def _category_lines(splits: Splits, samples: Batch) -> dict[int, list[str]]:
    """The table lines of the first categories, by row."""
    from zoo.data.columns.encode import category_name

    if "categorical" not in samples:
        return {}
    columns = [column for column in splits.spec.columns if column.kind == "categorical"][:N_CATEGORIES]
    return {
        row: [_line(column.name, category_name(column, code), "") for column, code in zip(columns, codes, strict=False)]
        for row, codes in enumerate(samples["categorical"].tolist())
    }


def _line(*cells: str) -> str:
    name, value, note = cells
    return f"<tr><td>{escape(name)}<td>{escape(value)}<td>{note}"


@SAMPLES.register("sequence")
def draw_sequences(_: Predictor, splits: Splits, samples: Batch) -> tuple[str, list[str]]:
    """Draw each sequence (time, n_channels) as one line per channel, without padding, all on the same axes."""
    whole = samples["sequence"]
    lengths = samples["lengths"].tolist() if "lengths" in samples else [whole.shape[1]] * len(whole)
    sequences = [one[:length].double().cpu() for one, length in zip(whole, lengths, strict=True)]
    values = torch.cat(sequences)
    values = values[~values.isnan()]  # a channel may be all missing, a sequence may not
    limits = max(map(len, sequences)) - 1, float(values.min()), float(values.max())
    channels = [escape(name) for name in splits.spec.column_names] or ["first channel", "last channel"]
    how = (
        f"Each line is one channel over the steps of the sequence, coloured from violet ({channels[0]}) to orange "
        f"({channels[-1]}); the axes are the same in all, so shorter sequences end earlier."
    )
    return how, [sparkline(sequence, *limits) for sequence in sequences]


@SAMPLES.register("tokens")
def draw_texts(_: Predictor, splits: Splits, samples: Batch) -> tuple[str, list[str]]:
    """Show each text (time,)."""
    letters = ["\N{REPLACEMENT CHARACTER}", *splits.spec.reading["alphabet"]]
    lengths = samples["lengths"].tolist()
    texts = ["".join(letters[i] for i in row[:n]) for row, n in zip(samples["tokens"].tolist(), lengths, strict=True)]
    return "", [f"<code>{escape(text)}</code>" for text in texts]
