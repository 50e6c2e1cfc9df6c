"""What the test split shows, as strings of HTML: findings by task, and drawings of samples by kind of input."""

import base64
import io
from collections.abc import Callable, Sequence
from html import escape
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.utils.data import Subset

from zoo.core.registry import Registry
from zoo.data.splits import Batch, Splits, batches
from zoo.inference.explanation import convolutions, filter_pictures, filters, glowing, heat_of, pictures
from zoo.inference.predictor import Predictor
from zoo.models.layers import Moments
from zoo.report.charts import by_step, confusion, forecast, scatter, sparkline, table
from zoo.report.text import number

if TYPE_CHECKING:
    from PIL.Image import Image

N_SAMPLES = 12  # mistakes shown
N_SCATTERS = 6  # outputs of a regression shown
N_CATEGORIES = 5  # of a row shown
N_WINDOWS = 4  # forecasts shown
N_FILTERS = 64  # of a first layer shown

# By task: HTML from outputs and targets on the test split.
FINDINGS: Registry[Callable[[Predictor, Splits, Tensor, Tensor], str]] = Registry("findings of task", "FINDINGS")
# By name of the first input: how to read the pictures, and one for each sample of a batch.
SAMPLES: Registry[Callable[[Predictor, Splits, Batch], tuple[str, list[str]]]] = Registry("drawing of input", "SAMPLES")


@FINDINGS.register("classification")
def classification(predictor: Predictor, splits: Splits, logits: Tensor, targets: Tensor) -> str:
    """The confusion matrix, the commonest confusions, and the wrong answers of the highest probability."""
    names, n = splits.spec.class_names, len(targets)
    probability, predicted = logits.softmax(1).max(1)
    wrong = (predicted != targets).nonzero().squeeze(1)
    counts = torch.bincount(targets * len(names) + predicted, minlength=len(names) ** 2).view(len(names), -1)
    surest = wrong[probability[wrong].argsort(descending=True)]
    first = [values[surest[:N_SAMPLES]].tolist() for values in (targets, predicted, probability)]
    captions = [
        f"true <b>{escape(names[true])}</b><br>predicted <b>{escape(names[answer])}</b>, {min(share, 0.999):.1%}"
        for true, answer, share in zip(*first, strict=True)
    ]
    n_commonest = int(counts.sum(1).max())
    return f"""<h2>Confusion matrix</h2>
<p>{n - len(wrong):,} of {n:,} test samples are right ({1 - len(wrong) / n:.1%}); always answering the commonest class
would be right for {n_commonest:,} ({n_commonest / n:.1%}). A row is a true class, a column what the model answered:
right answers lie on the blue diagonal, mistakes are orange, and the shade grows with the share of the row.</p>
<div class="grid"><figure>{confusion(counts, names)}</figure>{_commonest(counts, names)}</div>
<h2>Surest mistakes</h2>{_shown(predictor, splits, surest, captions, "wrong answers that the model was surest of")}
{_first_layer(predictor)}"""


def _first_layer(predictor: Predictor) -> str:
    """The filters of a convolutional network's first layer."""
    layers = convolutions(predictor)
    if not layers:
        return ""
    shown, (height, width) = filter_pictures(predictor, 56)[:N_FILTERS], filters(predictor).shape[2:]
    if isinstance(layers[0].weight, nn.Parameter):
        what = "Edges and spots of some colour are usual; noise says that it learnt little."
    else:
        what = "They are not learned, but taken from the statistics of the training split."
    return f"""<h2>What the first layer looks for</h2>
<p>The {len(shown)} first filters of the first convolution, {height} by {width} pixels, each from its smallest weight
(dark) to its largest (bright). {what}</p><div class="grid">{" ".join(map(_embedded, shown))}</div>"""


def _commonest(counts: Tensor, names: Sequence[str]) -> str:
    """The ten commonest mistakes as a table."""
    mistakes = counts - counts.diag().diag()
    order = mistakes.flatten().argsort(descending=True, stable=True)[:10].tolist()
    pairs = [divmod(index, len(names)) for index in order if mistakes.flatten()[index]]
    rows = [(names[i], names[j], f"{mistakes[i, j]} of {counts[i].sum()}") for i, j in pairs]
    return table(("true", "predicted", "samples"), rows) if rows else ""


@FINDINGS.register("regression")
def regression(predictor: Predictor, splits: Splits, values: Tensor, targets: Tensor) -> str:
    """Predicted against true values for each output, and the largest errors."""
    n_outputs, name = values.shape[1], splits.spec.target_name
    labels = [name] if n_outputs == 1 else [f"{name}, output {index}" for index in range(min(n_outputs, N_SCATTERS))]
    charts = [f"<figure>{scatter(*one)}</figure>" for one in zip(labels, targets.T, values.T, strict=False)]
    spread = targets.std(0, correction=0).clamp(min=1e-12)
    errors = (values - targets) / spread
    largest = errors.abs().mean(1).argsort(descending=True)
    captions = [
        f"true <b>{_numbers(targets[i], spread)}</b><br>predicted <b>{_numbers(values[i], spread)}</b>"
        for i in largest[:N_SAMPLES]
    ]
    return f"""<h2>Predicted against true</h2>
<p>Each dot is a test sample. On the dashed line the prediction is right; above it is too high, below too low. A cloud
flatter than the line says that the model keeps too close to the mean.</p>
<div class="grid">{"".join(charts)}</div>
<h2>Largest errors</h2>{_shown(predictor, splits, largest, captions, "test samples with the largest error")}"""


@FINDINGS.register("forecasting")
def forecasting(predictor: Predictor, splits: Splits, values: Tensor, targets: Tensor) -> str:
    """The error at each step ahead beside that of repeating the last value, and forecasts of single windows."""
    n = len(values)
    scale = predictor.model.preprocess.scale_target  # NaN stays where nothing was measured
    seen = next(batches(splits.test, n))["sequence"].cpu()  # (n, look_back, n_channels)
    last = seen[:, -1:].expand_as(targets)
    with torch.inference_mode():
        truth, *guesses = (scale(part.to(predictor.device)).cpu() for part in (targets, values, last))
    errors = [(guess.nan_to_num() - truth).square().nanmean((0, 2)) for guess in guesses]  # each (horizon,)
    chart = by_step("squared error, standardised", {"model": errors[0], "repeating the last value": errors[1]})
    windows = torch.linspace(0, n - 1, min(N_WINDOWS, n)).long().unique().tolist()
    names = splits.spec.column_names
    channels = range(len(names))[-2:]
    unmeasured = float(truth.isnan().float().mean())
    gaps = f" {unmeasured:.1%} of what followed was not measured, and does not count." if unmeasured else ""
    charts = "".join(
        f"<figure>{forecast(names[c], seen[i, :, c], targets[i, :, c], values[i, :, c])}</figure>"
        for i in windows
        for c in channels
    )
    return f"""<h2>Error by step</h2>
<p>Over the first {n:,} windows of the test split. A model that learnt something lies below the line of repeating the
last value, which costs nothing.{gaps}</p><figure>{chart}</figure>
<h2>Forecasts</h2>
<p>{len(windows)} test windows, evenly spaced, of {" and ".join(escape(names[c]) for c in channels)}: what was seen up
to the dashed line, what followed (dotted), and what the model forecast.</p><div class="grid">{charts}</div>"""


@FINDINGS.register("language_modelling")
def language_modelling(predictor: Predictor, _: Splits, __: Tensor, ___: Tensor) -> str:
    """Text that the model writes."""
    texts = {temperature: predictor.generate(n=400, temperature=temperature) for temperature in (0.5, 1.0)}
    blocks = "".join(f"<h3>temperature {t}</h3><pre>{escape(text)}</pre>" for t, text in texts.items())
    return f"""<h2>What it writes</h2>
<p>Character after character drawn from the model's own answers. A low temperature keeps to the likeliest ones.</p>
{blocks}"""


def _numbers(values: Tensor, spread: Tensor) -> str:
    return ", ".join(map(number, values.tolist(), spread.tolist()))


def _shown(predictor: Predictor, splits: Splits, index: Tensor, captions: Sequence[str], what: str) -> str:
    """The first of the test samples in `index`, each with its caption."""
    if not len(index):
        return "<p>There are no mistakes on the test split.</p>"
    first = index[: len(captions)].tolist()
    samples = next(batches(Subset(splits.test, first)))
    kind = next(iter(splits.spec.inputs))
    how, pictures = (
        SAMPLES.get(kind)(predictor, splits, samples) if kind in SAMPLES.names() else ("", [""] * len(first))
    )
    cards = "".join(
        f'<figure class="card"><figcaption>{caption}</figcaption>{picture}<small>test sample {i}</small></figure>'
        for picture, caption, i in zip(pictures, captions, first, strict=True)
    )
    return f"""<p>The {len(first)} of {len(index):,} {what}: look for wrong labels, and for what the training split
lacks. {how}</p><div class="grid">{cards}</div>"""


@SAMPLES.register("image")
def draw_images(predictor: Predictor, _: Splits, samples: Batch) -> tuple[str, list[str]]:
    """Each image (channels, height, width) as a picture, grey unless it has three channels; of a convolutional network
    also where it looked."""
    images = samples["image"].cpu()
    shown = [_embedded(picture) for picture in pictures(images)]
    if not predictor.spec.class_names or not convolutions(predictor):
        return "Each picture is the raw input, without augmentation.", shown
    how = (
        "Each picture is the raw input, without augmentation; beside it, in orange, what of it spoke for the answer "
        "(HiResCAM)."
    )
    heat = [_embedded(picture) for picture in pictures(glowing(images, heat_of(predictor, samples)))]
    return how, [f"<span>{raw} {hot}</span>" for raw, hot in zip(shown, heat, strict=True)]


def _embedded(picture: "Image") -> str:
    file = io.BytesIO()
    picture.save(file, "PNG")
    return f'<img alt="" src="data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}">'


@SAMPLES.register("numeric")
@SAMPLES.register("categorical")
def draw_rows(_: Predictor, splits: Splits, samples: Batch) -> tuple[str, list[str]]:
    """Each row as a table: the five numbers that lie furthest from the training split's mean, and the categories."""
    how = (
        "Each table has the five numbers that lie furthest from the training split's mean, with how many standard "
        "deviations (&sigma;) they are above or below, and the first categories."
    )
    n = len(samples["target"])
    numbers, categories = _numbers_shown(splits, samples), _categories_shown(splits, samples)
    return how, [f"<table>{''.join([*numbers.get(i, []), *categories.get(i, [])])}</table>" for i in range(n)]


def _numbers_shown(splits: Splits, samples: Batch) -> dict[int, list[str]]:
    """The lines of each row's five numbers furthest from the mean, by row."""
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
        furthest = sigmas.abs().argsort(descending=True)[:5].tolist()
        shown[row] = [
            _line(names[i], number(float(rows[row, i]), float(std[i])), f"{sigmas[i]:+.1f} &sigma;") for i in furthest
        ]
    return shown


def _categories_shown(splits: Splits, samples: Batch) -> dict[int, list[str]]:
    """The lines of each row's first categories, by row."""
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
    """Each sequence (time, n_channels) as one line a channel over its valid steps, all on the same axes."""
    whole = samples["sequence"]
    lengths = samples["lengths"].tolist() if "lengths" in samples else [whole.shape[1]] * len(whole)
    sequences = [one[:length].double().cpu() for one, length in zip(whole, lengths, strict=True)]
    values = torch.cat(sequences)
    values = values[~values.isnan()]  # a channel may have no value in a sequence, but each sequence has some
    limits = max(map(len, sequences)) - 1, float(values.min()), float(values.max())
    channels = [escape(name) for name in splits.spec.column_names] or ["first channel", "last channel"]
    how = (
        f"Each line is one channel over the steps of the sequence, coloured from violet ({channels[0]}) to orange "
        f"({channels[-1]}); the axes are the same in all, so shorter sequences end earlier."
    )
    return how, [sparkline(sequence, *limits) for sequence in sequences]


@SAMPLES.register("tokens")
def draw_texts(_: Predictor, splits: Splits, samples: Batch) -> tuple[str, list[str]]:
    """Each text (time,) as it reads."""
    letters = ["\N{REPLACEMENT CHARACTER}", *splits.spec.reading["alphabet"]]
    lengths = samples["lengths"].tolist()
    texts = ["".join(letters[i] for i in row[:n]) for row, n in zip(samples["tokens"].tolist(), lengths, strict=True)]
    return "", [f"<code>{escape(text)}</code>" for text in texts]
