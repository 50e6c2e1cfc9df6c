"""Forecasting: long series, split by time, as overlapping windows."""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from zoo.core.errors import UserError
from zoo.core.spec import Column, DataSpec, Input
from zoo.data.sequences.inputs.gaps import carry_forward
from zoo.data.splits import Batch, Splits, TensorSplit


class Window(NamedTuple):
    """Steps of a window: `look_back` to forecast from, and the `horizon` to forecast."""

    look_back: int
    horizon: int


class WindowSplit(TensorSplit):
    """Every window of one series or several.

    `sequence` is (n, look_back, n_channels), and what follows it is `target` (n, horizon, n_channels), NaN where it was
    not measured; `known`, if there is any, spans both (n, look_back + horizon, n_known). A window lies within one
    series; those whose target has no measured value are left out. All are views of the series, so windows take no
    memory.

    Args:
        series: each (n_steps, n_channels) as measured, NaN where it was not.
        window: its steps.
        filled: the series with gaps filled, from which `sequence` is taken; None where there are no gaps.
        known: what is known ahead of each series, (n_steps, n_known); None for nothing.
    """

    def __init__(
        self,
        series: Sequence[Tensor],
        window: Window,
        filled: Sequence[Tensor] | None = None,
        known: Sequence[Tensor] | None = None,
    ):
        self.window, self.lengths = window, [len(values) for values in series]
        self.series = _join(series)
        self.filled = self.series if filled is None else _join(filled)
        self.known = None if known is None else _join(known)
        look_back, horizon = window
        n = len(self.series) - look_back - horizon + 1
        sequence = self.filled.unfold(0, look_back, 1)[:n].mT  # (positions, look_back, n_channels)
        ahead = {} if self.known is None else {"known": self.known.unfold(0, look_back + horizon, 1).mT}
        super().__init__(sequence=sequence, **ahead, target=self.series[look_back:].unfold(0, horizon, 1).mT)
        self.starts = self._starts()

    def _starts(self) -> Tensor:
        """Where the windows start in the joined series, (n,)."""
        look_back, size = self.window.look_back, sum(self.window)
        bounds = np.cumsum([0, *self.lengths]).tolist()
        starts = torch.cat([torch.arange(a, max(b - size + 1, a)) for a, b in itertools.pairwise(bounds)])
        measured = (~self.series.isnan()).any(1).cpu()
        n_before = F.pad(measured.cumsum(0), (1, 0))  # measured steps before each
        return starts[n_before[starts + size] > n_before[starts + look_back]].to(self.series.device)

    def __len__(self) -> int:
        return len(self.starts)

    def __getitem__(self, index: int) -> Batch:
        return super().__getitem__(int(self.starts[index]))

    def __getitems__(self, index: Sequence[int] | Tensor) -> Batch:
        """Return the windows of `index` as one batch."""
        index = torch.as_tensor(index)
        return super().__getitems__(self.starts[index.to(self.starts.device)])

    @property
    def n_bytes(self) -> int:
        """Memory of the series."""
        filled = 0 if self.filled is self.series else self.filled.nbytes
        return self.series.nbytes + filled + (0 if self.known is None else self.known.nbytes)

    @property
    def reach(self) -> int:
        """How many windows before and after one overlap with it."""
        return sum(self.window) - 1

    def to(self, device: torch.device) -> "WindowSplit":
        """Copy the series to `device`."""
        filled = None if self.filled is self.series else self.filled
        series, *others = (
            None if values is None else values.to(device).split(self.lengths)
            for values in (self.series, filled, self.known)
        )
        assert series is not None
        return WindowSplit(series, self.window, *others)

    def each_value_once(self) -> Iterator[Batch]:
        """Return the measured values as one long window, so that none counts twice."""
        known = {} if self.known is None else {"known": self.known[None]}
        yield {"sequence": self.series[None], **known, "target": self.series[None]}


def series_splits(
    name: str,
    series: Sequence[Tensor],
    columns: Sequence[Column | str],
    ends: Sequence[Sequence[int]],
    window: Window,
    *,
    reading: Mapping[str, Any],
    known: Sequence[Tensor] | None = None,
    **spec: Any,
) -> Splits:
    """Split one series or several by time. The first windows of val and test look back into the split before.

    Gaps in what a window looks back on are filled with the last value before them; gaps are no targets.

    Args:
        name: of the data set.
        series: each (n_steps, n_channels), float32 or float64, NaN where nothing was measured.
        columns: the channels, or their names.
        ends: where train, val and test end in each series.
        window: its steps.
        reading: options with which later files are read: `date_column`, and what else `read_series` takes.
        known: what is known ahead of each series, (n_steps, n_known) without gaps; None for nothing.
        spec: other fields of the DataSpec.
    """
    look_back, horizon = window
    if look_back < 1 or horizon < 1:
        raise UserError(f"data.look_back and data.horizon are at least 1; got {look_back} and {horizon}")
    train, val, test = _split_by_time(name, series, known, ends, window)
    n_channels, dtype = series[0].shape[1], _dtype(series)
    inputs = {"sequence": Input((look_back, n_channels), dtype, ("time", "n_channels"), scaled_axis=1)}
    if known is not None:
        shape = sum(window), known[0].shape[1]
        inputs["known"] = Input(shape, _dtype(known), ("n_known_steps", "n_known"), scaled_axis=1)
    return Splits(
        DataSpec(
            name=name,
            task="forecasting",
            inputs=inputs,
            n_outputs=horizon * n_channels,
            target=Input((horizon, n_channels), dtype, ("horizon", "n_channels"), scaled_axis=1),
            columns=columns,  # type: ignore[arg-type]  # names become columns
            target_name=f"the next {horizon} steps",
            reading={"date_column": None, **reading},
            **spec,
        ),
        train,
        val,
        test,
        in_order=True,
    )


def _split_by_time(
    name: str,
    series: Sequence[Tensor],
    known: Sequence[Tensor] | None,
    ends: Sequence[Sequence[int]],
    window: Window,
) -> list[WindowSplit]:
    """The windows of train, val and test."""
    has_gaps = any(values.isnan().any() for values in series)
    filled = [torch.from_numpy(carry_forward(values.numpy())) for values in series] if has_gaps else series
    starts = [(0, *(max(end - window.look_back, 0) for end in each[:2])) for each in ends]
    splits = []
    for split in range(3):
        bounds = [(start[split], end[split]) for start, end in zip(starts, ends, strict=True)]
        if max(b - a for a, b in bounds) < sum(window):
            raise _too_short(name, ends, window)
        parts, filled_parts, known_parts = (
            None if whole is None else [values[a:b] for values, (a, b) in zip(whole, bounds, strict=True)]
            for whole in (series, filled if has_gaps else None, known)
        )
        assert parts is not None
        splits.append(WindowSplit(parts, window, filled_parts, known_parts))
    if not all(map(len, splits)):
        raise UserError(f"{name} has no measured value to forecast in a split; give more, or change the shares")
    return splits


def _dtype(series: Sequence[Tensor]) -> str:
    return str(series[0].dtype).removeprefix("torch.")


def _join(series: Sequence[Tensor]) -> Tensor:
    return series[0] if len(series) == 1 else torch.cat(list(series))


def _too_short(name: str, ends: Sequence[Sequence[int]], window: Window) -> UserError:
    longest = max(ends, key=lambda end: end[-1])
    sizes = np.diff([0, *longest]).tolist()
    subject = name if len(ends) == 1 else f"the longest series of {name}"
    most = min(sizes[1:])
    lower = "lower data.look_back and data.horizon: the horizon to {} at most, and both together to {} at most"
    return UserError(
        f"{subject} has {sizes[0]} / {sizes[1]} / {sizes[2]} steps to train, validate and test; too few to look back "
        f"on {window.look_back} and forecast {window.horizon}\n"
        f"give more, or {lower.format(most, sizes[0]) if most else 'raise data.val_share and data.test_share'}"
    )
