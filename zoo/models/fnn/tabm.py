"""TabM: an ensemble in one network, whose members share the weights of every layer and have adapters of their own.

Y. Gorishniy, A. Kotelnikov, A. Babenko, "TabM: advancing tabular deep learning with parameter-efficient ensembling"
(ICLR 2025, arXiv 2410.24210, section 3.3), with the defaults of the authors' package tabm 0.0.3.
Deviations: a value of a category not seen in training is all zeros, not a column of its own; the first adapter starts
from signs whatever the inputs are.
"""

from collections.abc import Sequence

from torch import Tensor, nn

from zoo.models import MODELS
from zoo.models.fnn._members import MemberHeads, MemberLinear, check_sizes, column_widths, random_signs
from zoo.models.layers import ACTIVATIONS, Network, OneHot, concat_inputs


@MODELS.register("fnn/tabm")
class TabM(Network):
    """A multilayer perceptron of layers that are several at once, see `MemberLinear`, with a head for each member.

    Args:
        n_numeric: numbers in a row of input.
        cardinalities: number of values of each categorical column, which are one-hot encoded.
        n_outputs: outputs.
        depth: hidden layers.
        width: neurons in each hidden layer.
        n_members: models in one.
        activation: a name of `zoo.models.layers.ACTIVATIONS`, such as "relu".
        dropout: share of each hidden layer's outputs that is zeroed in training.
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
    ):
        super().__init__()
        check_sizes(depth=depth, width=width, n_members=n_members)
        self.n_members = n_members
        self.one_hot = OneHot(cardinalities)
        signs = random_signs(n_members, column_widths(n_numeric, cardinalities))
        self.layers = nn.Sequential()
        for index in range(depth):
            d_in, adapter = (width, None) if index else (signs.shape[1], signs)
            self.layers.append(MemberLinear(d_in, width, n_members=n_members, adapter=adapter))
            self.layers.append(ACTIVATIONS.get(activation)())
            self.layers.append(nn.Dropout(dropout))
        self.head = MemberHeads(width, n_outputs, n_members=n_members)

    def features(self, numeric: Tensor | None = None, categorical: Tensor | None = None) -> Tensor:
        """The members' last hidden layers, (batch, n_members, width), for inputs (batch, n_numeric) and (batch,
        n_categorical)."""
        inputs = concat_inputs(numeric, None if categorical is None else self.one_hot(categorical))  # (batch, d_in)
        return self.layers(inputs[:, None])
