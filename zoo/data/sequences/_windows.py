"""What forecasts and language models share: one long series or text, split by time, as windows of it."""

from collections.abc import Iterator, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from zoo.data.splits import Batch, Splits, TensorSplit
from zoo.errors import UserError
from zoo.spec import IGNORED, Column, DataSpec, Input


class WindowSplit(TensorSplit):
    """Every window of a series: `sequence` (n, look_back, n_channels), and what follows it as `target`
    (n, horizon, n_channels). Both are views of the one series, so its windows take no memory.

    Args:
        series: (n_steps, n_channels).
        look_back: steps that are seen.
        horizon: steps to forecast.
    """

    def __init__(self, series: Tensor, look_back: int, horizon: int):
        self.series, self.look_back, self.horizon = series, look_back, horizon
        n = len(series) - look_back - horizon + 1
        sequence = series.unfold(0, look_back, 1)[:n].mT  # (n, look_back, n_channels)
        super().__init__(sequence=sequence, target=series[look_back:].unfold(0, horizon, 1).mT)

    def to(self, device: torch.device) -> "WindowSplit":
        """The same windows of the series on `device`."""
        return WindowSplit(self.series.to(device), self.look_back, self.horizon)

    def each_value_once(self) -> Iterator[Batch]:
        """The whole series as one long window, which overlaps with none."""
        yield {"sequence": self.series[None], "target": self.series[None]}


def series_splits(
    name: str,
    series: Tensor,
    columns: Sequence[Column | str],
    ends: Sequence[int],
    look_back: int,
    horizon: int,
    **spec: Any,
) -> Splits:
    """Splits by time of a series, for forecasting. The first windows of val and test look back into the split before.

    Args:
        name: the data set's.
        series: (n_steps, n_channels), float32 or float64.
        columns: the channels, or their names.
        ends: where train, val and test end.
        look_back: steps that are seen.
        horizon: steps to forecast.
        spec: further keywords of the spec.
    """
    if look_back < 1 or horizon < 1:
        raise UserError(f"data.look_back and data.horizon are at least 1; got {look_back} and {horizon}")
    starts = (0, ends[0] - look_back, ends[1] - look_back)
    parts = dict(zip(("train", "val", "test"), (series[a:b] for a, b in zip(starts, ends, strict=True)), strict=True))
    if min(map(len, parts.values())) < look_back + horizon:
        sizes = [ends[0], ends[1] - ends[0], ends[2] - ends[1]]
        raise UserError(
            f"{name} has {sizes[0]} / {sizes[1]} / {sizes[2]} steps to train, validate and test; too few to look back "
            f"on {look_back} and forecast {horizon}\n"
            f"give more, or lower data.look_back and data.horizon: the horizon to {min(sizes[1:])} at most, and both "
            f"together to {sizes[0]} at most"
        )
    n_channels, dtype = series.shape[1], str(series.dtype).removeprefix("torch.")
    train, val, test = (WindowSplit(values, look_back, horizon) for values in parts.values())
    return Splits(
        DataSpec(
            name=name,
            task="forecasting",
            inputs={"sequence": Input((look_back, n_channels), dtype, ("time", "n_channels"), scaled_axis=1)},
            n_outputs=horizon * n_channels,
            target=Input((horizon, n_channels), dtype, ("horizon", "n_channels"), scaled_axis=1),
            columns=columns,  # type: ignore[arg-type]  # names become columns
            target_name=f"the next {horizon} steps",
            **spec,
        ),
        train,
        val,
        test,
    )


def text_splits(
    name: str, alphabet: str, train: Tensor, val: Tensor, test: Tensor, n_steps: int, **spec: Any
) -> Splits:
    """Splits of a text, each a stream of tokens (n,), for language modelling.

    Args:
        name: the data set's.
        alphabet: character k has token k + 1; 0 is any other.
        train: tokens, like `val` and `test`.
        val: to select by.
        test: to be read once.
        n_steps: tokens of a training window; evaluation carries the state over them.
        spec: further keywords of the spec.
    """
    if n_steps < 1:
        raise UserError(f"data.n_steps is at least 1; got {n_steps}")
    n_tokens = len(alphabet) + 1
    return Splits(
        DataSpec(
            name=name,
            task="language_modelling",
            inputs={"tokens": Input((None,), "int64", ("time",), cardinalities=(n_tokens,))},
            n_outputs=n_tokens,
            target=Input((None,), "int64", ("time",)),
            class_names=["\N{REPLACEMENT CHARACTER}", *alphabet],
            reading={"alphabet": alphabet},
            target_name="the next character",
            **spec,
        ),
        _chunks(train, n_steps),
        _chunks(val, n_steps),
        _chunks(test, n_steps),
    )


def _chunks(stream: Tensor, n_steps: int) -> TensorSplit:
    """Consecutive windows (n, n_steps) of a stream, and at each step the token that follows; the last is padded."""
    if len(stream) < 2:
        raise UserError("each split of a text has two characters at least; give a longer text")
    n = -(-(len(stream) - 1) // n_steps)
    missing = n * n_steps - (len(stream) - 1)
    tokens = F.pad(stream[:-1], (0, missing)).view(n, n_steps)
    return TensorSplit(tokens=tokens, target=F.pad(stream[1:], (0, missing), value=IGNORED).view(n, n_steps))
