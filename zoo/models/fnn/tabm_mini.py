"""TabM-mini: an ensemble in one network whose members differ in one adapter and in their heads.

Y. Gorishniy, A. Kotelnikov, A. Babenko, "TabM: advancing tabular deep learning with parameter-efficient ensembling"
(ICLR 2025, arXiv 2410.24210, section 3.3), with the defaults of the authors' package tabm 0.0.3.
Deviations: a value of a category not seen in training is all zeros, not a column of its own; with an embedding the
published depth is 2, here given by `depth`; quantiles are computed without noise.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from torch import Tensor, nn

from zoo.models import MODELS
from zoo.models.fnn._members import MemberHeads, check_sizes, first_adapter
from zoo.models.fnn.table_input import TableInput
from zoo.models.layers import ACTIVATIONS, Dropout, Network


@MODELS.register("fnn/tabm_mini")
class TabMMini(Network):
    """A multilayer perceptron that reads each row `n_members` times, with the inputs' signs changed by each member's
    adapter at the start, and has a head for each member.

    Args:
        n_numeric: numbers in a row of input.
        cardinalities: number of values of each categorical column.
        n_outputs: outputs.
        depth: hidden layers.
        width: neurons in each hidden layer.
        n_members: models in one.
        activation: a name of `zoo.models.layers.ACTIVATIONS`, such as "relu".
        dropout: share of each hidden layer's outputs that is zeroed in training.
        embedding: of numbers: a name of `zoo.models.fnn.embeddings.EMBEDDINGS`; all members share it.
        embedding_options: the embedding's own keywords, such as {"d_embedding": 16}.
        d_category: entries of the vector of a category in columns with more than 8; 0 one-hot encodes all.
        scaling: of numbers: a name of `zoo.models.scaling.SCALINGS`, here the one of the paper's experiments.
    """

    def __init__(
        self,
        *,
        n_numeric: int,
        cardinalities: Sequence[int],
        n_outputs: int,
        depth: int = 3,
        width: int = 512,
        n_members: int = 32,
        activation: str = "relu",
        dropout: float = 0.1,
        embedding: str = "none",
        embedding_options: Mapping[str, Any] | None = None,
        d_category: int = 0,
        scaling: str = "quantile",
    ):
        super().__init__()
        check_sizes(depth=depth, width=width, n_members=n_members)
        self.n_members, self.scaling = n_members, scaling
        self.table = TableInput(
            n_numeric, cardinalities, embedding=embedding, options=embedding_options, d_category=d_category
        )
        self.adapter = first_adapter(n_members, self.table)
        self.layers = nn.Sequential()
        for index in range(depth):
            self.layers.append(nn.Linear(width if index else self.table.width, width))
            self.layers.append(ACTIVATIONS.get(activation)())
            self.layers.append(Dropout(dropout))
        self.head = MemberHeads(width, n_outputs, n_members=n_members)

    def fit(self, inputs: Iterable[Mapping[str, Tensor]]) -> None:
        """Fit the embedding of numbers."""
        self.table.fit(inputs)

    def features(self, numeric: Tensor | None = None, categorical: Tensor | None = None) -> Tensor:
        """The members' last hidden layers, (batch, n_members, width), for inputs (batch, n_numeric) and (batch,
        n_categorical)."""
        inputs = self.table(numeric, categorical)  # (batch, d_in)
        return self.layers(inputs[:, None] * self.adapter)
