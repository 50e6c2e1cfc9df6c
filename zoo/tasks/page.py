"""The interface of a report for tasks: sections, charts and samples."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

from torch import Tensor


class Page(Protocol):
    """A report of a trained model on the test split. All text is plain; the page escapes it.

    `section` and `samples` add to the page. The other methods return a part of a section, as HTML.

    Attributes:
        temperature: of the model, see `zoo.tasks.temperature`.
    """

    @property
    def temperature(self) -> float: ...

    def section(self, title: str, text: str, *parts: str) -> None:
        """Add a heading, a paragraph, and parts side by side."""

    def samples(self, title: str, index: Tensor, captions: Sequence[Mapping[str, str]], what: str) -> None:
        """Add a section that draws test samples.

        Args:
            title: of the section.
            index: numbers of test samples (n,), the most interesting first.
            captions: for each of the first few, which are drawn, values by their names, such as {"true": "cat"}.
            what: name of the samples in `index`, such as "wrong answers".
        """

    def table(self, header: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
        """A table of text."""

    def text_block(self, title: str, text: str) -> str:
        """Text as it is, with its line breaks, below a small heading."""

    def confusion(self, counts: Tensor, names: Sequence[str]) -> str:
        """A confusion matrix, from counts (n_true, n_predicted)."""

    def scatter(self, label: str, true: Tensor, predicted: Tensor) -> str:
        """Predicted (n,) against true values (n,)."""

    def against_diagonal(self, x: str, y: str, lines: Mapping[str, Sequence[tuple[float, float]]]) -> str:
        """Shares against those that are wanted, as a line for each name."""

    def by_step(self, label: str, lines: Mapping[str, Tensor]) -> str:
        """Values at each step of the horizon (horizon,), as a line for each name."""

    def forecast(
        self, label: str, seen: Tensor, true: Tensor, predicted: Tensor, interval: Tensor | None = None
    ) -> str:
        """One channel of a window: its past (look_back,), and what followed and was forecast, each (horizon,), with its
        interval (horizon, 2)."""

    def labels_over_time(self, names: Sequence[str], true: Tensor, probability: Tensor) -> str:
        """Probabilities of labels over time, and which were true, both (time, n_labels)."""

    def number(self, value: float, spread: float) -> str:
        """A number as text, with as many digits as its spread calls for."""

    def inputs(self, n: int) -> Mapping[str, Tensor]:
        """Raw inputs of the first `n` test samples, by name, on the CPU."""

    def interval(self, output: Tensor, coverage: float) -> Tensor | None:
        """The regions of outputs (n, ...) for a coverage; None of a model that was calibrated on too few samples."""

    def scaled(self, values: Tensor) -> Tensor:
        """Values in the target's units, standardised as the network sees them."""

    def generate(self, **options: Any) -> str:
        """Text that the model writes; options as of `Predictor.generate`."""
