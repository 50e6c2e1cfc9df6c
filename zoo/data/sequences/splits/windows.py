"""What forecasts and language models share: long series or a text, split by time, as windows of it."""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from zoo.core.errors import UserError
from zoo.core.spec import IGNORE_INDEX, Column, DataSpec, Input
from zoo.data.sequences.inputs.gaps import carry_forward
from zoo.data.splits import Batch, Splits, TensorSplit


class WindowSplit(TensorSplit):
    """Every window of one series or several: `sequence` (n, look_back, n_channels), and what follows it as `target`
    (n, horizon, n_channels), NaN where it was not measured. Windows lie within one series, and those whose target was
    not measured at all are left out. Both are views of the series, so windows take no memory.

    Args:
        series: each (n_steps, n_channels) as measured, NaN where it was not.
        look_back: steps that are seen.
        horizon: steps to forecast.
        seen: the series with gaps filled, from which windows look back; None where there are none.
    """

    def __init__(self, series: Sequence[Tensor], look_back: int, horizon: int, seen: Sequence[Tensor] | None = None):
        self.look_back, self.horizon, self.lengths = look_back, horizon, [len(one) for one in series]
        self.series = _joined(series)
        self.seen = self.series if seen is None else _joined(seen)
        n = len(self.series) - look_back - horizon + 1
        sequence = self.seen.unfold(0, look_back, 1)[:n].mT  # (positions, look_back, n_channels)
        super().__init__(sequence=sequence, target=self.series[look_back:].unfold(0, horizon, 1).mT)
        self.starts = self._starts()

    def _starts(self) -> Tensor:
        """Where the windows start, (n,)."""
        firsts, size = np.cumsum([0, *self.lengths]).tolist(), self.look_back + self.horizon
        starts = torch.cat([torch.arange(a, max(b - size + 1, a)) for a, b in itertools.pairwise(firsts)])
        measured = (~self.series.isnan()).any(1).cpu()
        n_before = F.pad(measured.cumsum(0), (1, 0))  # measured steps before each
        return starts[n_before[starts + size] > n_before[starts + self.look_back]].to(self.series.device)

    def __len__(self) -> int:
        return len(self.starts)

    def __getitem__(self, index: int) -> Batch:
        return super().__getitem__(int(self.starts[index]))

    def __getitems__(self, index: Sequence[int] | Tensor) -> Batch:
        """The windows of `index` as one batch."""
        index = torch.as_tensor(index)
        return super().__getitems__(self.starts[index.to(self.starts.device)])

    @property
    def n_bytes(self) -> int:
        """Memory that the series take."""
        return self.series.nbytes + (0 if self.seen is self.series else self.seen.nbytes)

    @property
    def reach(self) -> int:
        """How many windows before and after one overlap with it."""
        return self.look_back + self.horizon - 1

    def to(self, device: torch.device) -> "WindowSplit":
        """The same windows of the series on `device`."""
        series, seen = (part.to(device).split(self.lengths) for part in (self.series, self.seen))
        return WindowSplit(series, self.look_back, self.horizon, None if self.seen is self.series else seen)

    def each_value_once(self) -> Iterator[Batch]:
        """What was measured, as one long window, which overlaps with none."""
        yield {"sequence": self.series[None], "target": self.series[None]}


def series_splits(
    name: str,
    series: Sequence[Tensor],
    columns: Sequence[Column | str],
    ends: Sequence[Sequence[int]],
    look_back: int,
    horizon: int,
    *,
    reading: Mapping[str, Any],
    **spec: Any,
) -> Splits:
    """Splits by time of one series or several, for forecasting. The first windows of val and test look back into the
    split before. What is missing is seen as the last value before it, and is no target.

    Args:
        name: the data set's.
        series: each (n_steps, n_channels), float32 or float64, NaN where nothing was measured.
        columns: the channels, or their names.
        ends: where train, val and test end in each.
        look_back: steps that are seen.
        horizon: steps to forecast.
        reading: how a later file is read: `date_column`, and what else `read_series` asks for.
        spec: further keywords of the spec.
    """
    if look_back < 1 or horizon < 1:
        raise UserError(f"data.look_back and data.horizon are at least 1; got {look_back} and {horizon}")
    n_channels, dtype = series[0].shape[1], str(series[0].dtype).removeprefix("torch.")
    gaps = any(one.isnan().any() for one in series)
    seen = [torch.from_numpy(carry_forward(one.numpy())) for one in series] if gaps else series
    starts = [(0, *(max(end - look_back, 0) for end in each[:2])) for each in ends]
    splits = []
    for split in range(3):
        bounds = [(start[split], end[split]) for start, end in zip(starts, ends, strict=True)]
        if max(b - a for a, b in bounds) < look_back + horizon:
            raise _too_short(name, ends, look_back, horizon)
        parts, filled = ([one[a:b] for one, (a, b) in zip(some, bounds, strict=True)] for some in (series, seen))
        splits.append(WindowSplit(parts, look_back, horizon, filled if gaps else None))
    if not all(map(len, splits)):
        raise UserError(f"{name} has no measured value to forecast in a split; give more, or change the shares")
    return Splits(
        DataSpec(
            name=name,
            task="forecasting",
            inputs={"sequence": Input((look_back, n_channels), dtype, ("time", "n_channels"), scaled_axis=1)},
            n_outputs=horizon * n_channels,
            target=Input((horizon, n_channels), dtype, ("horizon", "n_channels"), scaled_axis=1),
            columns=columns,  # type: ignore[arg-type]  # names become columns
            target_name=f"the next {horizon} steps",
            reading={"date_column": None, **reading},
            **spec,
        ),
        train=splits[0],
        val=splits[1],
        test=splits[2],
    )


def _joined(parts: Sequence[Tensor]) -> Tensor:
    return parts[0] if len(parts) == 1 else torch.cat(list(parts))


def _too_short(name: str, ends: Sequence[Sequence[int]], look_back: int, horizon: int) -> UserError:
    longest = max(ends, key=lambda end: end[-1])
    sizes = np.diff([0, *longest]).tolist()
    which = name if len(ends) == 1 else f"the longest series of {name}"
    return UserError(
        f"{which} has {sizes[0]} / {sizes[1]} / {sizes[2]} steps to train, validate and test; too few to look back "
        f"on {look_back} and forecast {horizon}\n"
        f"give more, or lower data.look_back and data.horizon: the horizon to {min(sizes[1:])} at most, and both "
        f"together to {sizes[0]} at most"
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
        chunks(train, n_steps),
        chunks(val, n_steps),
        chunks(test, n_steps),
    )


def chunks(stream: Tensor, n_steps: int) -> TensorSplit:
    """Consecutive windows (n, n_steps) of a stream, and at each step the token that follows; the last is padded."""
    if len(stream) < 2:
        raise UserError("each split of a text has two characters at least; give a longer text")
    n = -(-(len(stream) - 1) // n_steps)
    missing = n * n_steps - (len(stream) - 1)
    tokens = F.pad(stream[:-1], (0, missing)).view(n, n_steps)
    return TensorSplit(tokens=tokens, target=F.pad(stream[1:], (0, missing), value=IGNORE_INDEX).view(n, n_steps))
