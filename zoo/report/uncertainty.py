"""The section of a report on how sure a model may be: coverage of its intervals or sets on the test split."""

from collections.abc import Iterator
from html import escape

import torch
from torch import Tensor

from zoo.core.formatting import format_number
from zoo.core.table_layout import html_table
from zoo.inference.calibration import Calibration
from zoo.inference.predictor import Predictor
from zoo.report.charts import against_diagonal
from zoo.tasks.conformal import Conformal

COVERAGES = (0.5, 0.8, 0.9, 0.95, 0.99)  # of the table
N_POINTS = 19  # coverages of the picture
N_SIZES = 6  # values whose widths are shown, at most


def uncertainty(predictor: Predictor, output: Tensor, target: Tensor) -> str:
    """The section, from outputs and targets (n, ...) of the test split; "" for a model that was not calibrated."""
    conformal, found = predictor.task.conformal, predictor.calibration
    if conformal is None or not found:
        return ""
    calibration = Calibration.from_json(found, conformal.shape)
    possible = calibration.n / (calibration.n + 1)
    rows = [_row(conformal, calibration, output, target, one) for one in COVERAGES if one <= possible]
    points = [(one, _measure(conformal, calibration, output, target, one)[0]) for one in _evenly(possible)]
    n_independent = len(target) / (target.shape[1] if target.ndim == 3 else 1)  # windows of a series overlap
    error = 0.5 / max(n_independent, 1.0) ** 0.5
    text = (
        f"predict_{conformal.kind}(rows, coverage=0.9) gives {conformal.meaning}. It holds the truth with this "
        f"probability, by the errors on {calibration.n:,} held-out samples (split-conformal prediction), if new ones "
        "are like these. They also chose the epoch, which may lower the coverage: here is that of the test split, "
        f"where chance alone moves it by up to {2 * error:.1%} (two standard errors)."
    )
    n_sizes, size = len(rows[0]) - 2, f"mean {conformal.size}"
    sizes = [size] if n_sizes == 1 else [f"{size}, output {index}" for index in range(n_sizes)]
    listed = html_table(("coverage wanted", "on the test split", *sizes), rows)
    drawn = against_diagonal("coverage wanted", "coverage on the test split", {"model": points})
    return f'<h2>Uncertainty</h2>\n<p>{escape(text)}</p><div class="grid">{listed}<figure>{drawn}</figure></div>'


def _evenly(possible: float) -> Iterator[float]:
    """Evenly spaced coverages up to the largest possible one."""
    return (one for one in torch.linspace(0, 1, N_POINTS + 2)[1:-1].tolist() if one <= possible)


def _row(conformal: Conformal, calibration: Calibration, output: Tensor, target: Tensor, coverage: float) -> list[str]:
    covered, sizes = _measure(conformal, calibration, output, target, coverage)
    return [f"{coverage:.0%}", f"{covered:.1%}", *map(format_number, sizes[:N_SIZES])]


def _measure(
    conformal: Conformal, calibration: Calibration, output: Tensor, target: Tensor, coverage: float
) -> tuple[float, list[float]]:
    """The share of measured targets in their regions, and the mean size of the regions of each value of a sample."""
    regions = conformal.regions(output, calibration.limits(coverage), coverage)
    sizes = conformal.sizes(regions).double().mean(0).flatten().tolist()
    return float(conformal.covered(regions, target)[~target.isnan()].double().mean()), sizes
