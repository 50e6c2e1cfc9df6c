"""Ridge regression in closed form, as a member of a network that is fitted before the first step and not trained.

The decay of the weights is the one of the lowest squared error where each sample is left out in turn, which the
eigenvectors of the samples' products give without a second fit: R. Rifkin, R. Lippert, "Notes on regularized least
squares", MIT-CSAIL-TR-2007-025. Classes and labels are regressed as -1 and 1, as in A. Dempster et al., "MiniRocket"
(arXiv 2012.08791); here the answers become logits by one factor, chosen on the samples left out.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

FITTED = "network.fitted"  # how the names of tensors that are fitted in closed form start in a model's state
DECAYS = torch.logspace(-3, 3, 13, dtype=torch.float64)  # relative to the mean square of the features
FACTORS = torch.logspace(-1, 1.5, 51, dtype=torch.float64)  # of regressed classes, to logits


class FittedMember(nn.Module):
    """Base of members that are fitted: a weight for each feature or sample, whose number is known then, and output.

    Args:
        n_outputs: logits, or standardised values.
    """

    weight: Tensor
    bias: Tensor

    def __init__(self, n_outputs: int):
        super().__init__()
        self.n_outputs = n_outputs
        self.register_buffer("weight", torch.zeros(0, n_outputs))
        self.register_buffer("bias", torch.zeros(n_outputs))
        take_sizes_on_load(self, ["weight"])

    @property
    def n_fitted(self) -> int:
        """Weights, which count as parameters."""
        return self.weight.numel()

    @property
    def is_fitted(self) -> bool:
        """Whether there are weights; not before `fit`, and not for targets that it cannot be fitted to."""
        return len(self.weight) > 0


class Ridge(FittedMember):
    """A linear function of features."""

    def forward(self, features: Tensor) -> Tensor:
        """Compute outputs (batch, n_outputs) from features (batch, n_features), in float32."""
        with torch.autocast(features.device.type, enabled=False):
            return features.float() @ self.weight + self.bias

    @torch.no_grad()
    def fit(self, features: Tensor, target: Tensor) -> None:
        """Fit to features (n, n_features) and targets as the loss sees them, see `regress`."""
        found = regress(solve, features, target, self.n_outputs)
        if found is not None:
            self.weight, self.bias = found


Solver = Callable[[Tensor, Tensor], tuple[Tensor, Tensor, Tensor]]


def regress(solver: Solver, features: Tensor, target: Tensor, n_outputs: int) -> tuple[Tensor, Tensor] | None:
    """Regress targets, and scale the answers for classes and labels to logits.

    Args:
        solver: such as `solve`.
        features: (n, n_features).
        target: as the loss sees it: classes (n,), labels that are all 0 or 1, or values (n, ...).
        n_outputs: of the network.

    Returns:
        Weights and bias (n_outputs,); None for targets that are not one number for each output.
    """
    truth = F.one_hot(target, n_outputs) if not target.is_floating_point() else target.flatten(1)
    known = ~truth.isnan().any(1)
    features, truth = features[known].double(), truth[known].double()
    if truth.shape[1] != n_outputs or len(truth) < 2:
        return None
    is_label = bool(((truth == 0) | (truth == 1)).all())
    weight, bias, left_out = solver(features, 2 * truth - 1 if is_label else truth)
    factor = _factor(left_out, truth, exclusive=not target.is_floating_point()) if is_label else 1.0
    return (weight * factor).float(), (bias * factor).float()


def solve(features: Tensor, wanted: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Solve the regression of outputs (n, n_outputs) on features (n, n_features) with the best decay.

    Returns:
        The weights (n_features, n_outputs), the bias (n_outputs,), and the answers for each sample without it,
        (n, n_outputs).
    """
    centre = features.mean(0)
    x = features - centre
    dual, left_out = solve_dual(x @ x.T, wanted)
    weight = x.T @ dual
    return weight, wanted.mean(0) - centre @ weight, left_out


def solve_dual(products: Tensor, wanted: Tensor) -> tuple[Tensor, Tensor]:
    """Solve the regression of outputs (n, n_outputs) with the best decay, from the products (n, n) of the samples'
    centred features.

    Returns:
        The weights of the samples, whose sum over the samples times their features are those of the features, and the
        answers for each sample without it, both (n, n_outputs).
    """
    y, n = wanted - wanted.mean(0), len(wanted)
    values, vectors = torch.linalg.eigh(products)
    projected = vectors.T @ y  # (n, n_outputs)
    best = None
    for decay in DECAYS * (values.sum() / n).clamp(min=1e-12):
        shrunk = 1 / (values.clamp(min=0) + decay)  # (n,)
        dual = vectors @ (shrunk[:, None] * projected)
        # the inverse's diagonal less what the intercept takes of it, as each sample is also left out of the mean
        left_out = wanted - dual / (vectors.square() @ shrunk - 1 / (n * decay)).clamp(min=1e-12)[:, None]
        error = float((left_out - wanted).square().mean())
        if best is None or error < best[0]:
            best = error, dual, left_out
    assert best is not None
    return best[1], best[2]


def _factor(answers: Tensor, truth: Tensor, *, exclusive: bool) -> float:
    """The factor by which answers (n, n_outputs) become logits of the lowest cross entropy with the truth, of 0 and 1,
    of which a share is taken as unsure as of one more sample: a few right answers are no proof."""
    n, n_outputs = truth.shape
    even = 1 / n_outputs if exclusive else 0.5
    smooth = (n * truth + even) / (n + 1)
    logits = FACTORS[:, None, None] * answers
    if exclusive:
        losses = -(smooth * logits.log_softmax(2)).sum(2).mean(1)
    else:
        losses = (F.softplus(logits) - smooth * logits).mean((1, 2))
    return float(FACTORS[losses.argmin()])


def take_sizes_on_load(module: nn.Module, names: Sequence[str]) -> None:
    """Give these buffers of a module the shapes of a state whenever one is loaded."""

    def take(owner: nn.Module, state: Mapping[str, Tensor], prefix: str, *_: Any) -> None:
        for name in names:
            if prefix + name in state:
                own = getattr(owner, name)
                setattr(owner, name, own.new_zeros(state[prefix + name].shape))

    module.register_load_state_dict_pre_hook(take)
