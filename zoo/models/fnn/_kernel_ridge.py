"""Kernel ridge regression, as a member of a network that is fitted before the first step and not trained.

The kernel is of Matérn's class, a function of the distance between rows: the exponential one, which is that of a
Gaussian process of rough functions, or the next smoother one. C. Rasmussen, C. Williams, "Gaussian Processes for
Machine Learning", 2006, section 4.2.1 and equation 2.25.
"""

import math
from collections.abc import Sequence
from itertools import product

import torch
from torch import Tensor

from zoo.models.fnn._retrieval import BLOCK_VALUES, Prepared, Space
from zoo.models.layers import OneHot, concat_inputs
from zoo.models.ridge import FittedMember, regress, solve_dual, take_sizes_on_load

WIDTHS = 1.0, 2.0, 4.0  # of the kernel, in medians of the distance between rows
SMOOTHER = 0.95  # of the rough kernel's error, that the smooth one has at most where it is taken
ENOUGH = 1000  # rows that the width is chosen on


class KernelRidge(FittedMember):
    """A sum of the kernel's values over training rows, each with a weight, and a bias.

    Kernel, width and decay are those of the lowest squared error where each row is left out in turn.

    Args:
        cardinalities: number of values of each categorical column, which are one-hot encoded.
        n_outputs: logits, or standardised values.
    """

    rows: Tensor
    width: Tensor
    smooth: Tensor

    def __init__(self, cardinalities: Sequence[int], n_outputs: int):
        super().__init__(n_outputs)
        self.one_hot = OneHot(cardinalities)
        self.register_buffer("rows", torch.zeros(0, 0))
        self.register_buffer("width", torch.ones(()))
        self.register_buffer("smooth", torch.zeros(()))  # 1 for the smooth kernel
        take_sizes_on_load(self, ["rows"])
        self._space = Prepared()

    def encode(self, numeric: Tensor | None = None, categorical: Tensor | None = None) -> Tensor:
        """Rows of inputs (n, n_numeric) and (n, n_categorical) as vectors (n, width)."""
        return concat_inputs(numeric, None if categorical is None else self.one_hot(categorical))

    def forward(self, *args: Tensor, **inputs: Tensor) -> Tensor:
        """Compute outputs (batch, n_outputs), in float32, for so many rows at once that memory is bounded."""
        with torch.autocast(self.bias.device.type, enabled=False):
            space, smooth = self._space.of(self.rows, Space), bool(self.smooth)
            parts = self.encode(*args, **inputs).split(max(BLOCK_VALUES // len(self.rows), 1))
            distances = (space.distances(part) for part in parts)
            kernels = (_kernel(one, self.width, smooth) for one in distances)
            return torch.cat([kernel @ self.weight for kernel in kernels]) + self.bias

    @torch.no_grad()
    def fit(self, target: Tensor, **inputs: Tensor) -> None:
        """Fit to rows of inputs and their targets, see `zoo.models.ridge.regress`."""
        rows = self.encode(**inputs)
        found = regress(self._solve, rows, target, self.n_outputs)
        if found is not None:
            self.rows, (self.weight, self.bias) = rows.clone(), found

    def _solve(self, rows: Tensor, wanted: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Weights of the rows, the bias, and the answers for each row without it."""
        few = slice(None, None, -(-len(rows) // ENOUGH))
        distances = torch.cdist(rows[few], rows[few])
        usual = float(distances.median().clamp(min=1e-6))
        errors = {}
        for smooth, width in product((False, True), WIDTHS):
            _, left_out = solve_dual(_centred(_kernel(distances, width * usual, smooth)), wanted[few])
            error = float((left_out - wanted[few]).square().mean())
            errors[smooth, width] = error if smooth else error * SMOOTHER
        smooth, width = min(errors, key=errors.__getitem__)
        self.smooth, self.width = self.bias.new_tensor(float(smooth)), self.bias.new_tensor(width * usual)
        kernel = _kernel(torch.cdist(rows, rows), self.width, smooth)
        weight, left_out = solve_dual(_centred(kernel), wanted)
        return weight, wanted.mean(0) - (kernel @ weight).mean(0), left_out


def _kernel(distances: Tensor, width: Tensor | float, smooth: bool) -> Tensor:
    """Matérn's kernel of order 1/2, or 3/2 where it is smooth."""
    if not smooth:
        return (distances / -width).exp_()
    scaled = distances * math.sqrt(3) / width
    return (1 + scaled) * (-scaled).exp_()


def _centred(kernel: Tensor) -> Tensor:
    mean = kernel.mean(0)
    return kernel - mean - mean[:, None] + mean.mean()
