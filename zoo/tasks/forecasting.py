"""Forecasting: the next steps of a series, all at once."""

from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from torch import Tensor

if TYPE_CHECKING:
    from torchmetrics import Metric, MetricCollection

    from zoo.tasks.page import Page

from zoo.tasks.base import TASKS, Answer, Scale, beside
from zoo.tasks.conformal import Conformal, ForecastIntervals
from zoo.tasks.values import Values

N_WINDOWS = 4  # forecasts drawn in a report
N_CHANNELS = 2  # of each window drawn, the last ones
N_SEASON = 1000  # training windows to find a season in
COVERAGES = (0.9, 0.8, 0.5)  # of the intervals in a report: the first one that there are samples for
SEASONAL = 0.9  # a season has at most this share of the squared error of repeating the last value


@TASKS.register("forecasting")
class Forecasting(Values):
    """The next steps of a series, all at once: targets (horizon, n_channels), NaN where nothing was measured; the
    arguments are those of `Values`."""

    target = "float32", 2
    score, score_mode, n_reported = "mse_scaled", "min", 2000
    weighted = True  # by the share of their targets that was measured
    meanings: ClassVar[Mapping[str, str]] = {
        **Values.meanings,
        "mse_scaled": "mean squared error of values standardised by the training split, as the literature gives it",
        "mae_scaled": "mean absolute error of values standardised by the training split",
        "mae": "mean absolute error, in the series' own units",
    }

    @cached_property
    def conformal(self) -> Conformal:  # type: ignore[override]
        """Intervals for each step and channel, from the bands of the head."""
        shape = [size or 0 for size in self.spec.target.shape]
        return ForecastIntervals(self.head, shape, self.spec.column_names)

    def loss(self, output: Tensor, target: Tensor) -> Tensor:
        """The mean of the head's loss over the targets that are not NaN."""
        if len(self.numbers) > 1:
            return super().loss(output, target)
        measured = ~target.isnan()
        error = super().loss(output, torch.where(measured, target, output.detach().float()))  # 0 where not measured
        return error * (target.numel() / measured.sum().clamp(min=1))

    def count(self, target: Tensor) -> Tensor:
        """The number of windows, those with gaps counted in part."""
        return (~target.isnan()).sum() / target[0].numel()

    def measure(self, metrics: "MetricCollection", output: Tensor, target: Tensor, scale: Scale) -> None:
        """Update the metrics with the targets that are not NaN."""
        measured, value = ~target.isnan(), self.head.value(output)
        parts = {"preds": value, "target": target, "scaled_preds": scale(value), "scaled_target": scale(target)}
        numbers = output[measured] if len(self.numbers) == 1 else output.movedim(1, -1)[measured]  # (n, n_per_value)
        metrics.update(numbers=numbers, **{name: part[measured] for name, part in parts.items()})

    def default_metrics(self) -> "dict[str, Metric]":
        """Mean squared and absolute error over all measured targets: `_scaled` of values standardised by the training
        split, as the literature gives them, and in the series' own units."""
        from torchmetrics.regression import MeanAbsoluteError, MeanSquaredError

        from zoo.tasks.metrics import ScaledAbsoluteError, ScaledSquaredError

        return {
            "mse_scaled": ScaledSquaredError(),
            "mae_scaled": ScaledAbsoluteError(),
            "mse": MeanSquaredError(),
            "mae": MeanAbsoluteError(),
            **self.head_metrics(),
        }

    def naive(self, train: Mapping[str, Tensor]) -> dict[str, Answer]:
        """The last value; and the last season, where the training windows have one."""
        season = find_season(train["sequence"][-N_SEASON:], train["target"][-N_SEASON:])
        answers = {"last value": 1} | ({f"season of {season} steps": season} if season > 1 else {})
        mean, horizon = train["target"].double().nanmean((0, 1)).to(train["target"].dtype), train["target"].shape[1]

        def repeating(period: int) -> Answer:
            return lambda batch: self.certain(_filled(repeat(batch["sequence"], period, horizon), mean))

        return {name: repeating(period) for name, period in answers.items()}

    def decode(self, output: Tensor) -> list[Any]:
        """For each window a list of its steps, each a list of the channels' values."""
        return self.head.value(output).tolist()

    def tabulate(self, output: Tensor) -> dict[str, list[Any]]:
        """A row for each step of each window, a column for each channel."""
        output = self.head.value(output)
        n, horizon, _ = output.shape
        steps = {"step": list(range(1, horizon + 1)) * n}
        return beside(steps, "forecast of", self.spec.column_names, output.flatten(0, 1).T.tolist())

    def tabulate_regions(
        self, answers: Mapping[str, list[Any]], regions: Mapping[str, list[Any]]
    ) -> dict[str, list[Any]]:
        """The bounds after all channels."""
        return beside(answers, "bound", list(regions), list(regions.values()))

    def report(self, page: "Page", output: Tensor, target: Tensor) -> None:
        """The error at each step ahead beside that of repeating the last value, and forecasts of single windows."""
        found = ((coverage, page.interval(output, coverage)) for coverage in COVERAGES)
        coverage, interval = next((pair for pair in found if pair[1] is not None), (0.0, None))
        output = self.head.value(output)
        n, names = len(output), self.spec.column_names
        seen = page.inputs(n)["sequence"]  # (n, look_back, n_channels)
        truth, *guesses = map(page.scaled, (target, output, seen[:, -1:].expand_as(target)))  # NaN: not measured
        errors = [(guess.nan_to_num() - truth).square().nanmean((0, 2)) for guess in guesses]  # each (horizon,)
        unmeasured = float(truth.isnan().float().mean())
        gaps = f" {unmeasured:.1%} of what followed was not measured, and does not count." if unmeasured else ""
        page.section(
            "Error by step",
            f"Over the first {n:,} windows of the test split. A model that learnt something lies below the line of "
            f"repeating the last value, which costs nothing.{gaps}",
            page.by_step("squared error, standardised", {"model": errors[0], "repeating the last value": errors[1]}),
            *(
                []
                if interval is None
                else [
                    page.by_step(
                        f"share within {coverage:.0%} intervals",
                        {"model": _share_within(interval, target), "wanted": torch.full((len(errors[0]),), coverage)},
                    )
                ]
            ),
        )
        windows = torch.linspace(0, n - 1, min(N_WINDOWS, n)).long().unique().tolist()
        channels = range(len(names))[-N_CHANNELS:]
        page.section(
            "Forecasts",
            f"{len(windows)} test windows, evenly spaced, of {' and '.join(names[c] for c in channels)}: what was seen "
            "up to the dashed line, what followed (dotted), and what the model forecast"
            + (f", with intervals that are to hold {coverage:.0%}." if interval is not None else "."),
            *(page.forecast(names[c], seen[i, :, c], target[i, :, c], output[i, :, c],
                            None if interval is None else interval[i, :, c])
              for i in windows for c in channels),
        )  # fmt: skip


def _share_within(interval: Tensor, target: Tensor) -> Tensor:
    """The share (horizon,) of measured targets (n, horizon, n_channels) that lie in intervals (..., 2), by step."""
    within = ((interval[..., 0] <= target) & (target <= interval[..., 1])).double()
    return torch.where(target.isnan(), torch.nan, within).nanmean((0, 2))


def repeat(sequence: Tensor, period: int, horizon: int) -> Tensor:
    """Repeat the last `period` steps of sequences (n, look_back, n_channels) over the `horizon`, (n, horizon, ...)."""
    return sequence[:, sequence.shape[1] - period + torch.arange(horizon) % period]


def find_season(sequence: Tensor, target: Tensor) -> int:
    """The period whose repetition has the smallest squared error, of those that windows hold; 1, the last value, where
    none is clearly better.

    Args:
        sequence: windows (n, look_back, n_channels).
        target: what followed (n, horizon, n_channels), NaN where it was not measured.
    """
    variance = target.double().square().nanmean((0, 1)) - target.double().nanmean((0, 1)).square()
    weight = 1 / variance.clamp(min=torch.finfo(torch.float32).tiny)

    def error(period: int) -> float:
        squares = (repeat(sequence, period, target.shape[1]) - target).double().square()
        return float((squares.nanmean((0, 1)) * weight).nanmean())

    errors = [error(period) for period in range(1, sequence.shape[1] + 1)]
    best = min(range(len(errors)), key=errors.__getitem__)
    return best + 1 if errors[best] < SEASONAL * errors[0] else 1


def _filled(values: Tensor, mean: Tensor) -> Tensor:
    """Values (..., n_channels) with the mean of each channel where they are NaN."""
    return torch.where(values.isnan(), mean.nan_to_num(), values)
