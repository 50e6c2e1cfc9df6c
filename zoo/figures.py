"""What the test split shows, as strings of HTML: findings by task, their charts, and samples by kind of input.

Charts are inline SVG by matplotlib. Their ink is the page's text colour, so they read on light and on dark alike.
"""

import base64
import io
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.utils.data import Subset

from zoo.data.splits import Batch, Splits, batches
from zoo.registry import Registry
from zoo.summary import number

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Points = Sequence[tuple[float, float]]
INK, BLUE, ORANGE = "#010203", "#3a86d4", "#e8730c"
STYLE: Any = {
    "svg.fonttype": "none",
    "svg.hashsalt": "zoo",
    "font.size": 9,
    "text.parse_math": False,
    **dict.fromkeys(("text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color"), INK),
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.6,
    "legend.frameon": False,
}
NAMED_CLASSES = 20  # more than these are drawn without names and counts
N_SAMPLES = 12  # mistakes shown
N_SCATTERS = 6  # outputs of a regression shown

# By task: HTML from outputs (n, n_outputs) and targets on the test split.
FINDINGS: Registry[Callable[[Splits, Tensor, Tensor], str]] = Registry("findings of task")
# By name of the first input: how to read the pictures, and one for each sample of a batch.
SAMPLES: Registry[Callable[[Splits, Batch], tuple[str, list[str]]]] = Registry("drawing of input")


def table(header: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """An HTML table of plain text."""
    head = "".join(f"<th>{escape(cell)}" for cell in header)
    body = "".join("<tr>" + "".join(f"<td>{escape(cell)}" for cell in row) for row in rows)
    return f'<div class="scroll"><table><tr>{head}{body}</table></div>'


@FINDINGS.register("classification")
def classification(splits: Splits, logits: Tensor, targets: Tensor) -> str:
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
<h2>Surest mistakes</h2>{_shown(splits, surest, captions, "wrong answers that the model was surest of")}"""


def _commonest(counts: Tensor, names: Sequence[str]) -> str:
    """The ten commonest mistakes as a table."""
    mistakes = counts - counts.diag().diag()
    order = mistakes.flatten().argsort(descending=True, stable=True)[:10].tolist()
    pairs = [divmod(index, len(names)) for index in order if mistakes.flatten()[index]]
    rows = [(names[i], names[j], f"{mistakes[i, j]} of {counts[i].sum()}") for i, j in pairs]
    return table(("true", "predicted", "samples"), rows) if rows else ""


@FINDINGS.register("regression")
def regression(splits: Splits, values: Tensor, targets: Tensor) -> str:
    """Predicted against true values for each output, and the largest errors."""
    n_outputs, name = values.shape[1], splits.spec.target_name
    labels = [name] if n_outputs == 1 else [f"{name}, output {index}" for index in range(min(n_outputs, N_SCATTERS))]
    charts = [f"<figure>{scatter(*one)}</figure>" for one in zip(labels, targets.T, values.T, strict=False)]
    errors = (values - targets) / targets.std(0, correction=0).clamp(min=1e-12)
    largest = errors.abs().mean(1).argsort(descending=True)
    captions = [
        f"true <b>{_numbers(targets[i])}</b><br>predicted <b>{_numbers(values[i])}</b>" for i in largest[:N_SAMPLES]
    ]
    return f"""<h2>Predicted against true</h2>
<p>Each dot is a test sample. On the dashed line the prediction is right; above it is too high, below too low. A cloud
flatter than the line says that the model keeps too close to the mean.</p>
<div class="grid">{"".join(charts)}</div>
<h2>Largest errors</h2>{_shown(splits, largest, captions, "test samples with the largest error")}"""


def _numbers(values: Tensor) -> str:
    return ", ".join(map(number, values.tolist()))


def _shown(splits: Splits, index: Tensor, captions: Sequence[str], what: str) -> str:
    """The first of the test samples in `index`, each with its caption."""
    if not len(index):
        return "<p>There are no mistakes on the test split.</p>"
    first = index[: len(captions)].tolist()
    samples = next(batches(Subset(splits.test, first)))
    kind = next(iter(splits.spec.inputs))
    how, pictures = SAMPLES.get(kind)(splits, samples) if kind in SAMPLES.names() else ("", [""] * len(first))
    cards = "".join(
        f'<figure class="card"><figcaption>{caption}</figcaption>{picture}<small>test sample {i}</small></figure>'
        for picture, caption, i in zip(pictures, captions, first, strict=True)
    )
    return f"""<p>The {len(first)} of {len(index):,} {what}: look for wrong labels, and for what the training split
lacks. {how}</p><div class="grid">{cards}</div>"""


def svg(label: str, width: float, height: float, draw: Callable[["Axes"], None]) -> str:
    """A chart of `width` by `height` inches that `draw` fills; `label` describes it to those who cannot see it."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    text = io.StringIO()
    with rc_context(STYLE):
        figure = Figure((width, height), layout="constrained")
        draw(figure.add_subplot())
        figure.savefig(
            text, format="svg", dpi=200, transparent=True, metadata=dict.fromkeys(("Creator", "Date", "Format", "Type"))
        )
    chart = re.sub(r'^.*?<svg| xmlns(:\w+)?="[^"]*"', "", text.getvalue(), flags=re.DOTALL)
    return f'<svg role="img" aria-label="{escape(label)}"{chart}'.replace(INK, "currentColor")


def curves(label: str, lines: Mapping[str, Points], mark: float) -> str:
    """Lines over the epochs, with a dashed one at epoch `mark`."""
    from matplotlib.ticker import MaxNLocator

    def draw(axes: "Axes") -> None:
        for name, points in lines.items():
            color = ORANGE if name == "training" else BLUE
            axes.plot(*zip(*points, strict=True), color=color, label=name, marker="o" if len(points) < 16 else "", ms=3)
        axes.axvline(mark, color=INK, lw=0.8, ls="--", alpha=0.5)
        axes.xaxis.set_major_locator(MaxNLocator(6, integer=True, min_n_ticks=1))
        axes.set(xlabel="epoch", ylabel=label)
        if len(lines) > 1:
            axes.legend()

    return svg(f"{label} over the epochs", 3.15, 2.3, draw)


def confusion(counts: Tensor, names: Sequence[str]) -> str:
    """The confusion matrix `counts` (n_true, n_predicted): cells shaded by their share of the row."""
    n = len(names)
    share = counts / counts.sum(1, keepdim=True).clamp(min=1)

    def draw(axes: "Axes") -> None:
        axes.imshow(_shades(share), interpolation="none")
        number = "" if n <= NAMED_CLASSES else " (number of the class)"
        axes.set(xlabel=f"predicted{number}", ylabel=f"true{number}")
        axes.spines[:].set_visible(False)
        axes.tick_params(length=0)
        if n <= NAMED_CLASSES:
            _name_cells(axes, counts, share, names)

    side = min(max(1.6 + 0.36 * n, 2.8), 7.0)
    return svg("confusion matrix", side, side, draw)


def _shades(share: Tensor) -> Any:
    """Colours (n, n, 4) whose opacity is the square root of the share, to keep rare mistakes visible."""
    from matplotlib.colors import to_rgb

    colors = torch.tensor(to_rgb(ORANGE)).expand(*share.shape, 3).clone()
    colors[range(len(share)), range(len(share))] = torch.tensor(to_rgb(BLUE))
    return torch.cat([colors, share.sqrt()[..., None]], dim=-1).numpy()  # (n_true, n_predicted, 4)


def _name_cells(axes: "Axes", counts: Tensor, share: Tensor, names: Sequence[str]) -> None:
    short = [name if len(name) <= 18 else f"{name[:17]}…" for name in names]
    axes.set_xticks(range(len(names)), short, rotation=90 if len(names) * max(map(len, short)) > 24 else 0)
    axes.set_yticks(range(len(names)), short)
    for true, predicted in counts.nonzero().tolist():
        color = "white" if share[true, predicted] > 0.4 else INK
        axes.text(predicted, true, f"{counts[true, predicted]}", ha="center", va="center", color=color)


def scatter(label: str, true: Tensor, predicted: Tensor) -> str:
    """Predicted (n,) against true values (n,), with the diagonal where the two are equal."""

    def draw(axes: "Axes") -> None:
        axes.scatter(true, predicted, s=14, color=BLUE, alpha=0.6, lw=0, rasterized=len(true) > 2000)
        low, high = (float(f(torch.cat([true, predicted]))) for f in (torch.min, torch.max))
        axes.plot([low, high], [low, high], color=INK, lw=0.8, ls="--", alpha=0.5)
        axes.set(xlabel=f"true {label}", ylabel="predicted", aspect="equal")

    return svg(f"predicted against true {label}", 4.2, 4.2, draw)


@SAMPLES.register("image")
def draw_images(_: Splits, samples: Batch) -> tuple[str, list[str]]:
    """Each image (channels, height, width) as a picture; grey unless it has three channels."""
    return "Each picture is the raw input, without augmentation.", [_picture(image) for image in samples["image"].cpu()]


def _picture(image: Tensor) -> str:
    from PIL import Image

    if image.is_floating_point():
        image = 255 * (image - image.min()) / (image.max() - image.min()).clamp(min=1e-12)
    pixels = image.byte().movedim(0, -1)  # (height, width, channels)
    picture = Image.fromarray((pixels if pixels.shape[-1] == 3 else pixels[..., 0]).numpy())
    enlarge = max(1, 112 // picture.width)
    file = io.BytesIO()
    picture.resize((picture.width * enlarge, picture.height * enlarge), Image.Resampling.NEAREST).save(file, "PNG")
    return f'<img alt="" src="data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}">'


@SAMPLES.register("numeric")
def draw_rows(splits: Splits, samples: Batch) -> tuple[str, list[str]]:
    """Each row (n_numeric,) as a table of the five columns that lie furthest from the training split's mean."""
    std, mean = torch.std_mean(torch.cat([batch["numeric"].cpu() for batch in batches(splits.train)]), dim=0)
    rows = samples["numeric"].cpu()
    deviations = (rows - mean) / std.clamp(min=1e-12)
    names = splits.spec.columns or [f"column {number}" for number in range(rows.shape[1])]
    how = (
        "Each table has the five columns where the row lies furthest from the training split's mean: "
        "the value, and how many standard deviations (&sigma;) it is above or below."
    )
    return how, [_row(names, row, deviation) for row, deviation in zip(rows, deviations, strict=True)]


def _row(names: Sequence[str], row: Tensor, deviation: Tensor) -> str:
    lines = [
        f"<tr><td>{escape(names[i])}<td>{row[i]:.4g}<td>{deviation[i]:+.1f} &sigma;"
        for i in deviation.abs().argsort(descending=True)[:5].tolist()
    ]
    return f"<table>{''.join(lines)}</table>"


@SAMPLES.register("sequence")
def draw_sequences(splits: Splits, samples: Batch) -> tuple[str, list[str]]:
    """Each sequence (time, n_channels) as one line a channel over its valid steps, all on the same axes."""
    sequences = [
        one[:length].cpu() for one, length in zip(samples["sequence"], samples["lengths"].tolist(), strict=True)
    ]
    values = torch.cat(sequences)
    limits = max(map(len, sequences)) - 1, float(values.min()), float(values.max())
    channels = [escape(name) for name in splits.spec.columns] or ["first channel", "last channel"]
    how = (
        f"Each line is one channel over the steps of the sequence, coloured from violet ({channels[0]}) to orange "
        f"({channels[-1]}); the axes are the same in all, so shorter sequences end earlier."
    )
    return how, [_lines(sequence, *limits) for sequence in sequences]


def _lines(sequence: Tensor, last: int, low: float, high: float) -> str:
    from matplotlib import colormaps

    shades = colormaps["plasma"](torch.linspace(0.25, 0.8, sequence.shape[1]).numpy())

    def draw(axes: "Axes") -> None:
        for channel, color in zip(sequence.T, shades, strict=True):
            axes.plot(channel, color=color, lw=1, marker="." if len(channel) == 1 else "")
        axes.set(xlim=(0, max(last, 1)), ylim=(low, high + 1e-6), xlabel="step", ylabel="value")
        axes.set(xticks=axes.get_xlim(), yticks=[low, high], yticklabels=[f"{low:.3g}", f"{high:.3g}"])

    return svg("channels over the steps", 2.1, 1.5, draw)
