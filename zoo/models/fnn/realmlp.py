"""RealMLP: a multilayer perceptron whose parts and defaults were tuned together on many tables.

D. Holzmüller, L. Grinsztajn, I. Steinwart, "Better by default: strong pre-tuned MLPs and boosted trees on tabular data"
(NeurIPS 2024, arXiv 2407.04491, section 3 and table A.1, RealMLP-TD), as in the authors' package pytabkit 1.8.0. The
defaults are those for classes; for values the published ones are model.activation=mish and optim.lr=0.2.
Deviations: columns of categories are 0 or 1, without scaling, and one of two values has two; missing numbers have the
scaled value 0, not a learnt one; values are not clipped to the range of the training targets; the weights are
initialised on 256 random training rows, and all rows are in each epoch; the best epoch is that of the lowest loss.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from zoo.models import MODELS
from zoo.models.fnn.table_input import TableInput
from zoo.models.layers import ACTIVATIONS, Dropout, Network
from zoo.models.row_sample import RowSample

FIT_ROWS = 256  # training rows that the weights are initialised on
N_MIXED = 5  # rows whose mean a bias moves to 0


@MODELS.register("fnn/realmlp")
class RealMLP(Network):
    """Embedded inputs, each with a learnt scale, then `depth` hidden layers of `width` neurons, and a linear output.

    Args:
        n_numeric: numbers in a row of input.
        cardinalities: number of values of each categorical column.
        n_outputs: outputs.
        depth: hidden layers.
        width: neurons in each hidden layer.
        activation: a name of `zoo.models.layers.ACTIVATIONS`; each neuron learns how far it is applied.
        dropout: share of each hidden layer's outputs that is zeroed in training.
        embedding: of numbers: a name of `zoo.models.fnn.embeddings.EMBEDDINGS`.
        embedding_options: the embedding's own keywords, such as {"d_embedding": 8}.
        d_category: entries of the vector of a category in columns with more than 8; 0 one-hot encodes all.
        scaling: of numbers: a name of `zoo.models.scaling.SCALINGS`.
    """

    factors: ClassVar[Mapping[str, tuple[float, float]]] = {
        "scale": (6.0, 6.0),
        "table.numeric.*": (0.1, 0.1),
        "*.bias": (0.1, 0.0),
        "*.mix": (0.1, 0.1),
    }

    def __init__(
        self,
        *,
        n_numeric: int,
        cardinalities: Sequence[int],
        n_outputs: int,
        depth: int = 3,
        width: int = 256,
        activation: str = "selu",
        dropout: float = 0.15,
        embedding: str = "pbld",
        embedding_options: Mapping[str, Any] | None = None,
        d_category: int = 8,
        scaling: str = "robust",
    ):
        super().__init__()
        if depth < 1 or width < 1:
            raise ValueError(f"depth and width are at least 1; got depth={depth}, width={width}")
        self.scaling = scaling
        self.names = ["numeric"] * bool(n_numeric) + ["categorical"] * bool(cardinalities)
        self.table = TableInput(
            n_numeric, cardinalities, embedding=embedding, options=embedding_options, d_category=d_category
        )
        self.scale = nn.Parameter(torch.ones(self.table.width))
        self.layers = nn.Sequential()
        for index in range(depth):
            self.layers.append(ScaledLinear(width if index else self.table.width, width))
            self.layers.append(MixedActivation(activation, width))
            self.layers.append(Dropout(dropout))
        self.head = ScaledLinear(width, n_outputs)

    def fit(self, inputs: Iterable[Mapping[str, Tensor]]) -> None:
        """Fit the embedding of numbers, then initialise the layers on a sample of the rows."""
        batches = self._sampled(inputs, sample := RowSample(FIT_ROWS))
        self.table.fit(batches)
        deque(batches, maxlen=0)  # the rest
        hidden = self.table(**dict(zip(self.names, sample.rows(), strict=True))) * self.scale
        for layer in [*self.layers, self.head]:
            if isinstance(layer, ScaledLinear):
                layer.fit(hidden)
            hidden = layer(hidden)

    def _sampled(self, inputs: Iterable[Mapping[str, Tensor]], sample: RowSample) -> Iterator[Mapping[str, Tensor]]:
        """Yield the batches, and let a sample of rows see them on the way."""
        for batch in inputs:
            sample.update(*(batch[name] for name in self.names))
            yield batch

    def features(self, numeric: Tensor | None = None, categorical: Tensor | None = None) -> Tensor:
        """The last hidden layer, (batch, width), for inputs (batch, n_numeric) and (batch, n_categorical)."""
        return self.layers(self.table(numeric, categorical) * self.scale)


class ScaledLinear(nn.Module):
    """A linear layer whose weight is divided by sqrt(d_in) (neural tangent parametrisation).

    Args:
        d_in, d_out: inputs and outputs.
    """

    def __init__(self, d_in: int, d_out: int):
        super().__init__()
        self.out_features, self.factor = d_out, d_in**-0.5
        self.weight = nn.Parameter(torch.randn(d_out, d_in))
        self.bias = nn.Parameter(torch.zeros(d_out))

    def fit(self, x: Tensor) -> None:
        """Draw weights by which each output has a standard deviation of 1 over rows x (n, d_in), and biases by which it
        is 0 in the midst of a few of them."""
        with torch.no_grad():
            std = F.linear(x, self.weight * self.factor).std(0, correction=0)
            self.weight.div_(torch.where(std > 1e-6, std, 1.0)[:, None])
            outputs = F.linear(x, self.weight * self.factor)  # (n, d_out)
            rows = torch.randint(len(x), (N_MIXED, len(self.bias)))
            shares = torch.empty(rows.shape).exponential_()
            self.bias.copy_(-(outputs.gather(0, rows) * shares / shares.sum(0)).sum(0))

    def forward(self, x: Tensor) -> Tensor:
        """Map (batch, d_in) to (batch, d_out)."""
        return F.linear(x, self.weight * self.factor, self.bias)


class MixedActivation(nn.Module):
    """x + mix * (f(x) - x), with a learnt mix for each neuron, 1 at first.

    Args:
        name: of f, in `zoo.models.layers.ACTIVATIONS`.
        width: neurons.
    """

    def __init__(self, name: str, width: int):
        super().__init__()
        self.activation, self.mix = ACTIVATIONS.get(name)(), nn.Parameter(torch.ones(width))

    def forward(self, x: Tensor) -> Tensor:
        """Activate (batch, width)."""
        return torch.lerp(x, self.activation(x), self.mix)
