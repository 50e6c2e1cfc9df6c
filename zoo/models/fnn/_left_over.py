"""What a network leaves over at training rows near the one that is asked for, which corrects its answer.

The mean of the near rows' residuals, weighted by a kernel of their distance (E. Nadaraya, "On estimating regression",
Theory of Probability and its Applications 9, 1964) and drawn towards 0, as that of few rows says little.
"""

from itertools import product

import torch
from torch import Tensor, nn

from zoo.models.fnn._retrieval import Prepared, counted, weighted_sums
from zoo.models.ridge import take_sizes_on_load

NEIGHBOURS = 10  # the distance to so many is the unit of the kernel's width
WIDTHS = 0.25, 0.5, 1.0, 2.0
SHRINKAGES = 0.5, 2.0, 8.0  # rows whose residual of 0 each mean takes in
LEAST = 30  # unseen rows by which these are chosen
SURE = 2.0  # standard errors by which their squared error is lower with a correction than without


class LeftOver(nn.Module):
    """A kernel's mean of residuals.

    Args:
        n_outputs: values of a row.
    """

    residuals: Tensor
    width: Tensor
    shrinkage: Tensor
    factor: Tensor

    def __init__(self, n_outputs: int):
        super().__init__()
        self.register_buffer("residuals", torch.zeros(0, n_outputs))
        self.register_buffer("width", torch.ones(()))
        self.register_buffer("shrinkage", torch.ones(()))
        self.register_buffer("factor", torch.ones(()))
        take_sizes_on_load(self, ["residuals"])
        self._counted = Prepared()

    @property
    def is_fitted(self) -> bool:
        """Whether there are residuals; not before `fit`, and not where they help too little."""
        return len(self.residuals) > 0

    def clear(self) -> None:
        """Forget the residuals."""
        self.residuals = self.residuals[:0]

    def forward(self, distances: Tensor) -> Tensor:
        """What is to be added to answers, (batch, n_outputs), at distances (batch, n) from the rows."""
        sums, total = weighted_sums(distances / -self.width, self._counted.of(self.residuals, counted))
        return self.factor * sums / (total + self.shrinkage)

    @torch.no_grad()
    def fit(self, residuals: Tensor, distances: Tensor, wanted: Tensor) -> float:
        """Keep residuals, if with some width, shrinkage and factor they say enough of unseen rows.

        Args:
            residuals: of all rows, each answered without itself, (n, n_outputs).
            distances: of m unseen rows from these, (m, n).
            wanted: residuals of the m rows, (m, n_outputs).

        Returns:
            The share by which the squared error of the m rows falls; 0 where no residuals are kept.
        """
        if len(wanted) < LEAST:
            return 0.0
        near = distances.topk(min(NEIGHBOURS, len(residuals)), largest=False).values[:, -1]
        usual = near.median().clamp(min=1e-6)
        before, most, best = wanted.square().mean(1), 0.0, (residuals[:0], self.width, self.shrinkage, self.factor)
        self.residuals, self.factor = residuals, torch.ones_like(usual)
        for width, shrinkage in product(WIDTHS, SHRINKAGES):
            self.width, self.shrinkage = width * usual, torch.full_like(usual, shrinkage)
            answers = self(distances)
            factor = ((answers * wanted).sum() / answers.square().sum().clamp(min=1e-12)).clamp(min=0)
            gain = before - (factor * answers - wanted).square().mean(1)  # of each row
            if gain.mean() > max(most, SURE * float(gain.std()) / len(gain) ** 0.5):
                most, best = float(gain.mean()), (residuals, self.width, self.shrinkage, factor)
        self.residuals, self.width, self.shrinkage, self.factor = best
        return most / float(before.mean().clamp(min=1e-12))
