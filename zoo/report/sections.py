"""Sections of a report on the test split: what a task adds to them, and the first layer of a convolutional network."""

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import Subset

from zoo.core.errors import UserError
from zoo.core.formatting import format_number
from zoo.core.table_layout import html_table
from zoo.data.splits import Splits, batches
from zoo.inference.image_explanation import convolutions, filter_pictures, filters
from zoo.inference.predictor import Predictor
from zoo.report import charts
from zoo.report.samples import SAMPLES, embedded
from zoo.report.time_charts import labels_over_time

N_FILTERS = 64  # of a first layer, at most


class Sections:
    """The sections of a report that a task fills, see `zoo.tasks.page.Page`.

    Args:
        predictor: the trained model.
        splits: the data; samples of the test split are drawn.
    """

    def __init__(self, predictor: Predictor, splits: Splits):
        self.predictor, self.splits = predictor, splits
        self.temperature = predictor.model.temperature
        self._html: list[str] = []

    def __str__(self) -> str:
        return "\n".join(self._html)

    def section(self, title: str, text: str, *parts: str) -> None:
        """Add a heading, a paragraph, and parts side by side."""
        grid = f'<div class="grid">{"".join(parts)}</div>' if any(parts) else ""
        self._html.append(f"<h2>{escape(title)}</h2>\n<p>{escape(text)}</p>{grid}")

    def samples(self, title: str, index: Tensor, captions: Sequence[Mapping[str, str]], what: str) -> None:
        """Add a section with the first of the test samples in `index`, each with its caption."""
        if not len(index):
            return self.section(title, "There are no mistakes on the test split.")
        first = index[: len(captions)].tolist()
        how, drawings = self._drawn(first)
        cards = "".join(map(_card, first, captions, drawings))
        text = escape(f"The {len(first)} of {len(index):,} {what}")
        self._html.append(
            f"<h2>{escape(title)}</h2><p>{text}: look for wrong labels, and for what the training split lacks. {how}"
            f'</p><div class="grid">{cards}</div>'
        )

    def _drawn(self, index: Sequence[int]) -> tuple[str, list[str]]:
        """How to read the drawings of test samples, and the drawings, empty for unknown kinds of input."""
        kind = next(iter(self.splits.spec.inputs))
        if kind not in SAMPLES.names():
            return "", [""] * len(index)
        return SAMPLES.get(kind)(self.predictor, self.splits, next(batches(Subset(self.splits.test, index))))

    # -- parts of a section

    def table(self, header: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
        """A table of text."""
        return html_table(header, rows)

    def text_block(self, title: str, text: str) -> str:
        """Text with its line breaks, below a small heading."""
        return f"<div><h3>{escape(title)}</h3><pre>{escape(text)}</pre></div>"

    def confusion(self, counts: Tensor, names: Sequence[str]) -> str:
        """A confusion matrix, from counts (n_true, n_predicted)."""
        return _figure(charts.confusion(counts, names))

    def scatter(self, label: str, true: Tensor, predicted: Tensor) -> str:
        """Predicted (n,) against true values (n,)."""
        return _figure(charts.scatter(label, true, predicted))

    def against_diagonal(self, x: str, y: str, lines: Mapping[str, charts.Points]) -> str:
        """Shares against those that are wanted, as a line for each name."""
        return _figure(charts.against_diagonal(x, y, lines))

    def by_step(self, label: str, lines: Mapping[str, Tensor]) -> str:
        """Values at each step of the horizon (horizon,), as a line for each name."""
        return _figure(charts.by_step(label, lines))

    def forecast(
        self, label: str, seen: Tensor, true: Tensor, predicted: Tensor, interval: Tensor | None = None
    ) -> str:
        """One channel of a window: its past (look_back,), and what followed and was forecast, each (horizon,), with its
        interval (horizon, 2)."""
        return _figure(charts.forecast(label, seen, true, predicted, interval))

    def labels_over_time(self, names: Sequence[str], true: Tensor, probability: Tensor) -> str:
        """Probabilities of labels over time, and which were true, both (time, n_labels)."""
        return _figure(labels_over_time(names, true, probability))

    # -- what a task may ask for

    def number(self, value: float, spread: float) -> str:
        """A number as text, with as many digits as its spread calls for."""
        return format_number(value, spread)

    def inputs(self, n: int) -> Mapping[str, Tensor]:
        """Raw inputs of the first `n` test samples, by name, on the CPU."""
        batch = next(batches(self.splits.test, n))
        return {name: batch[name].cpu() for name in self.splits.spec.inputs}

    def interval(self, output: Tensor, coverage: float) -> Tensor | None:
        """The regions of outputs (n, ...) for a coverage; None of a model that was calibrated on too few samples."""
        try:
            return self.predictor.regions(output, coverage)
        except UserError:
            return None

    def scaled(self, values: Tensor) -> Tensor:
        """Values in the target's units, standardised as the network sees them."""
        with torch.inference_mode():
            return self.predictor.model.preprocess.scale_target(values.to(self.predictor.device)).cpu()

    def generate(self, **options: Any) -> str:
        """Text that the model writes."""
        return self.predictor.generate(**options)


def first_layer(predictor: Predictor) -> str:
    """A section with the filters of a convolutional network's first layer; "" for other networks."""
    layers = convolutions(predictor)
    if not layers:
        return ""
    shown, (height, width) = filter_pictures(predictor, 56)[:N_FILTERS], filters(predictor).shape[2:]
    if isinstance(layers[0].weight, nn.Parameter):
        what = "Edges and spots of some colour are usual; noise says that it learnt little."
    else:
        what = "They are not learned, but computed from the statistics of the training split."
    return f"""<h2>What the first layer looks for</h2>
<p>The {len(shown)} first filters of the first convolution, {height} by {width} pixels, each from its smallest weight
(dark) to its largest (bright). {what}</p><div class="grid">{" ".join(map(embedded, shown))}</div>"""


def _figure(drawing: str) -> str:
    return f"<figure>{drawing}</figure>"


def _card(index: int, caption: Mapping[str, str], drawing: str) -> str:
    """One test sample: a caption, a drawing, and its number."""
    lines = "<br>".join(f"{escape(name)} <b>{escape(value)}</b>" for name, value in caption.items())
    return f'<figure class="card"><figcaption>{lines}</figcaption>{drawing}<small>test sample {index}</small></figure>'
