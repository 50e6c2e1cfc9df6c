"""nn.LSTM as it is trained by hand: a network of a few lines on sequences or texts of any task, and its loop."""

import copy
import time
from collections.abc import Iterable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zoo.core.spec import IGNORE_INDEX
from zoo.data.splits import Batch, Splits, batches, each_value_once, read
from zoo.models.preprocess import Preprocess

WIDTH = 128
BATCH_SIZE, LR, N_EPOCHS, PATIENCE = 32, 1e-3, 60, 10
SECONDS = 180  # of the processor, at most


class PlainLSTM(nn.Module):
    """One layer of nn.LSTM, and a linear layer of its last state, or of each where each step has a target. Inputs, and
    values to forecast, are standardised by the training split.

    Args:
        splits: the data.
    """

    def __init__(self, splits: Splits):
        super().__init__()
        self.spec = splits.spec
        self.preprocess = Preprocess(splits.spec)
        self.preprocess.fit(each_value_once(splits.train))
        tokens = self.spec.inputs.get("tokens")
        self.embedding = nn.Embedding(tokens.cardinalities[0], WIDTH) if tokens else None
        self.lstm = nn.LSTM(WIDTH if tokens else self.spec.sizes["n_channels"], WIDTH, batch_first=True)
        self.head = nn.Linear(WIDTH, self.spec.n_outputs)

    def forward(
        self, sequence: Tensor | None = None, tokens: Tensor | None = None, lengths: Tensor | None = None
    ) -> Tensor:
        """Logits (batch, n_outputs), those of each step (batch, time, n_outputs), or forecasts (batch, horizon,
        n_channels)."""
        x: Any = self.embedding(tokens) if self.embedding is not None else sequence
        if self.spec.task == "language_modelling":
            is_stream = lengths is None and not self.training  # one text, whose state is carried on
            hidden = self.lstm(x.flatten(0, 1)[None] if is_stream else x)[0]
            return self.head(hidden).view(*x.shape[:2], -1)
        hidden = self.lstm(x)[0]
        last = hidden[:, -1] if lengths is None else hidden[torch.arange(len(hidden)), lengths - 1]
        output = self.head(last)
        return output.unflatten(1, self.spec.target.shape) if self.spec.task == "forecasting" else output

    def inputs(self, batch: Batch) -> dict[str, Tensor]:
        """The scaled inputs."""
        return self.preprocess({name: batch[name] for name in self.spec.inputs})

    def loss(self, batch: Batch) -> Tensor:
        """Cross entropy of classes or tokens, or the squared error of forecasts."""
        output = self(**self.inputs(batch))
        if self.spec.task == "forecasting":
            return (output - self.preprocess.scale_target(batch["target"])).square().nanmean()
        return F.cross_entropy(output.flatten(0, -2), batch["target"].flatten(), ignore_index=IGNORE_INDEX)

    @torch.no_grad()
    def answer(self, batch: Batch) -> Tensor:
        """The outputs for a batch, in the target's units."""
        return self.preprocess.restore(self(**self.inputs(batch)))


def train(splits: Splits, seed: int) -> PlainLSTM:
    """Train an nn.LSTM with Adam, until ten epochs were no better on the validation split; keep the best."""
    torch.manual_seed(seed)
    network = PlainLSTM(splits)
    optimizer = torch.optim.Adam(network.parameters(), LR)
    end, best, n_worse = time.process_time() + SECONDS, (torch.inf, network), 0
    n: int = len(splits.train)  # type: ignore[arg-type]
    for _ in range(N_EPOCHS):
        network.train()
        for index in torch.randperm(n).split(BATCH_SIZE):
            optimizer.zero_grad()
            network.loss(read(splits.train, index)).backward()
            optimizer.step()
            if time.process_time() > end:
                break
        error = validate(network.eval(), batches(splits.val))
        n_worse = 0 if error < best[0] else n_worse + 1
        best = (error, copy.deepcopy(network)) if error < best[0] else best
        if n_worse == PATIENCE or time.process_time() > end:
            break
    return best[1]


@torch.no_grad()
def validate(network: PlainLSTM, val: Iterable[Batch]) -> float:
    """The mean loss over a split."""
    losses = [(float(network.loss(batch)), len(batch["target"])) for batch in val]
    return sum(loss * n for loss, n in losses) / sum(n for _, n in losses)
