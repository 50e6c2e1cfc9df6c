"""The base of all networks, and layers that several families share."""

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from zoo.core.errors import UserError
from zoo.core.registry import Registry
from zoo.models.candidates import Candidates

ACTIVATIONS: Registry[type[nn.Module]] = Registry("activation", "ACTIVATIONS")
for _name, _activation in {
    "identity": nn.Identity,
    "sigmoid": nn.Sigmoid,
    "tanh": nn.Tanh,
    "relu": nn.ReLU,
    "leaky_relu": nn.LeakyReLU,
    "elu": nn.ELU,
    "selu": nn.SELU,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
    "mish": nn.Mish,
    "softplus": nn.Softplus,
}.items():
    ACTIVATIONS.register(_name)(_activation)

NORMS_1D: Registry[type[nn.Module]] = Registry("norm", "NORMS_1D")
for _name, _norm in {"none": nn.Identity, "batch": nn.BatchNorm1d, "layer": nn.LayerNorm, "rms": nn.RMSNorm}.items():
    NORMS_1D.register(_name)(_norm)


class Network(nn.Module):
    """Base of every architecture.

    A subclass takes keyword-only arguments: the data's sizes, which have no default and are named as in
    `DataSpec.sizes`, and its own choices, which all have one. It defines `features`, whose parameters name the inputs
    that it takes, and `head`, which turns the features (batch, d_features) into outputs (batch, n_outputs).

    Attributes:
        n_members: models that the network is at once. Where there are several, features and outputs have an axis for
            them, (batch, n_members, ...). Each member learns every target, and the task combines their outputs.
        candidates: training rows that the network searches; None in all but retrieval networks, whose `forward` takes
            `row` in training, the numbers (batch,) of a batch's rows in the training split.
        scaling: of inputs before the network: a name of `zoo.models.scaling.SCALINGS`.
        share: of the candidates that are computed for each training batch.
        learns_validation: whether `refit` is called at the end of a training too, with the samples of the training and
            the validation split.
        factors: on the learning rate and the weight decay of parameters whose name matches a pattern, such as
            {"*.bias": (0.1, 0.0)}; the first pattern that matches counts.
    """

    n_members: int = 1
    scaling: str = "standard"
    learns_validation: bool = False
    factors: ClassVar[Mapping[str, tuple[float, float]]] = {}
    features: Callable[..., Tensor]
    head: nn.Module
    share: float = 1.0

    def __init__(self) -> None:
        super().__init__()
        self.candidates: Candidates | None = None

    def fit(self, inputs: Iterable[Mapping[str, Tensor]]) -> None:
        """Compute weights from training data before the first step; most networks have none.

        Args:
            inputs: batches of scaled inputs by name, each (batch, ...), in the training split's order; and the
                `target`, scaled as the loss sees it.
        """

    def correct(self, inputs: Iterable[Mapping[str, Tensor]]) -> float:
        """Fit a correction of the answers at the end of a training, where samples that no weight was learnt from show
        that it helps; most networks have none.

        Args:
            inputs: those of `fit`, of the validation split.

        Returns:
            The share by which the squared error of these samples falls; 0 without a correction.
        """
        return 0.0

    def refit(self, inputs: Iterable[Mapping[str, Tensor]]) -> None:
        """Compute anew what is not learnt but taken from the training data, where weights and the scale of the inputs
        were copied from a file, or at the end of a training.

        Args:
            inputs: those of `fit`.
        """
        if self.candidates is not None:
            self.candidates.fit(inputs)

    def forward(self, *args: Tensor, **inputs: Tensor) -> Tensor:
        """Compute logits or standardised values, (batch, n_outputs), or (batch, n_members, n_outputs) of several; in
        training those of the members that are trained."""
        return self.head(self.features(*args, **inputs))

    def step(self, state: Any = None, **inputs: Tensor) -> tuple[Tensor, Any]:
        """Run one time step, in networks that have them; see `Recurrent.step`."""
        raise UserError(f"{type(self).__name__} reads its whole input at once and has no steps")

    def carry(self, state: Any = None, **inputs: Tensor) -> tuple[Tensor, Any]:
        """Compute `forward`, and the state for the next batch of a stream; None where samples are independent."""
        return self(**inputs), state

    def advance(self, state: Any = None, **inputs: Tensor) -> tuple[Tensor, Any]:
        """Compute `forward` of streams side by side, each a row that continues from its state.

        Args:
            state: returned by the call before; None at the start of the streams.
            inputs: the next steps of each stream, (batch, time, ...), without padding.

        Returns:
            An output for each step, and the state after the last one; None in networks without steps.
        """
        return self(**inputs), None

    def hidden_states(self, **inputs: Tensor) -> Tensor:
        """Compute the hidden units at each step, (batch, time, n_units), in networks that have them."""
        raise UserError(f"{type(self).__name__} has no hidden states over time")

    @classmethod
    def suited(cls, n_targets: int) -> dict[str, Any]:
        """Keywords by the number of targets in the training split, for those that a config leaves null."""
        return {}

    @classmethod
    def inputs(cls) -> dict[str, bool]:
        """Names of the inputs that the network takes, and whether each is required."""
        parameters = list(inspect.signature(cls.features).parameters.values())[1:]
        return {parameter.name: parameter.default is inspect.Parameter.empty for parameter in parameters}

    @classmethod
    def required_sizes(cls) -> list[str]:
        """Names of the data's sizes that the constructor takes."""
        return [name for name, default in _constructor(cls).items() if default is inspect.Parameter.empty]

    @classmethod
    def defaults(cls) -> dict[str, Any]:
        """The architecture's own keywords with their defaults."""
        return {name: value for name, value in _constructor(cls).items() if value is not inspect.Parameter.empty}


def _constructor(cls: type) -> dict[str, Any]:
    """Keywords of a constructor and their defaults; `**options` are the other keywords of its base class."""
    keywords: dict[str, Any] = {}
    for owner in (base for base in cls.__mro__ if "__init__" in vars(base)):
        parameters = list(inspect.signature(vars(owner)["__init__"]).parameters.values())[1:]
        named = {one.name: one.default for one in parameters if one.kind is not one.VAR_KEYWORD}
        keywords = named | keywords
        if len(named) == len(parameters):
            break
    return keywords


class Dropout(nn.Dropout):
    """`nn.Dropout`, faster on a CPU, where one random number of 64 bits decides on four values; p counts in steps of
    2^-16.

    Gain, nn.Dropout -> this one, a training step of fnn/tabm_mini with width=256 on 256 rows, on one core of an AMD
    EPYC (Zen 5): 124 -> 105 ms, in bfloat16 64 -> 48 ms.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Zero a share `p` of x, of any shape, in training, and scale the rest by 1 / (1 - p)."""
        if not self.training or not 0 < self.p < 1 or x.device.type != "cpu":
            return super().forward(x)
        n = x.numel()
        draws = torch.randint(-(2**63), 2**63 - 1, (-(-n // 4),)).view(torch.int16)[:n].view(x.shape)
        kept = (draws >= round(self.p * 2**16) - 2**15).to(x.dtype)
        return x * kept.mul_(1 / (1 - self.p))


class OneHot(nn.Module):
    """One-hot encoding of integer codes; code 0, a value not seen in training, is all zeros.

    Args:
        cardinalities: number of values of each code along the last axis; () gives empty vectors.
    """

    offsets: Tensor

    def __init__(self, cardinalities: Sequence[int]):
        super().__init__()
        self.width = sum(cardinalities) - len(cardinalities)
        ends = torch.tensor([0, *cardinalities]).sub(1).clamp(min=0).cumsum(0)[: len(cardinalities)]
        self.register_buffer("offsets", ends, persistent=False)

    def forward(self, codes: Tensor) -> Tensor:
        """Encode codes (..., n_codes) as vectors (..., width)."""
        places = torch.where(codes > 0, codes + self.offsets, 0)  # place 0 is dropped below
        ones = torch.zeros(*codes.shape[:-1], self.width + 1, device=codes.device)
        return ones.scatter(-1, places, 1.0)[..., 1:]


def concat_inputs(values: Tensor | None, one_hot: Tensor | None) -> Tensor:
    """Concatenate numbers and one-hot vectors along the last axis; either may be absent."""
    parts = [part for part in (values, one_hot) if part is not None]
    return parts[0] if len(parts) == 1 else torch.cat(parts, dim=-1)


def valid_steps(lengths: Tensor, n_steps: int) -> Tensor:
    """Mask (batch, n_steps) that is True for data and False for padding."""
    return torch.arange(n_steps, device=lengths.device) < lengths[:, None]
