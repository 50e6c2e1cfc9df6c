"""Explain what a model of tables has learned: the importance of each column, and its effect on the answer."""

import textwrap
import time
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.utils.data import Dataset

from zoo.core.errors import UserError
from zoo.core.formatting import format_column
from zoo.core.table_layout import html_table, text_table
from zoo.data.columns.targets import target_names
from zoo.data.splits import Batch, read
from zoo.data.tables.rows_with_targets import read_rows_with_targets
from zoo.inference.column_importance import gradient_importance, permutation_importance
from zoo.inference.partial_dependence import PartialDependence, partial_dependence
from zoo.inference.predictor import Predictor
from zoo.inference.table_charts import draw_dependence, draw_importance
from zoo.inference.table_columns import TABLE_INPUTS, choose_rows, table_columns

if TYPE_CHECKING:
    import pandas as pd

MIN_ROWS = 10
MAX_ROWS = 4096  # that are shuffled, at most
FEWEST_ROWS = 64  # that are shuffled, however slow the model is
N_REPEATS = 5
GRADIENT_ROWS = 256
DEPENDENCE_ROWS = 128
WIDEST_NAME, WIDEST_LINE = 48, 98  # of a column and a line, for a terminal
ELSEWHERE = {
    "image": "heat_maps(predictor, images) of zoo.inference.image_explanation shows what a classifier of images sees",
}


@dataclass(frozen=True)
class TableExplanation:
    """What a model of tables has learned: columns with the most important one first.

    Attributes:
        columns: headings.
        permutation: how much the loss rises when each column is shuffled (n_columns, n_repeats); None where the table
            has no targets.
        gradient: the mean size of each column's share in the answer (n_columns,), see `gradient_importance`.
        dependence: of the first columns.
        how: what was measured, in words.
    """

    columns: Sequence[str]
    permutation: Tensor | None
    gradient: Tensor
    dependence: Sequence[PartialDependence]
    how: str

    def table(self) -> dict[str, list[Any]]:
        """The importances by heading: "column", "permutation" and "deviation", where there are targets, "gradient".
        The deviation is the standard deviation over the repeats."""
        rises: dict[str, list[Any]] = {}
        if self.permutation is not None:
            rises["permutation"] = self.permutation.mean(1).tolist()
            rises["deviation"] = self.permutation.std(1).tolist()
        return {"column": list(self.columns), **rises, "gradient": self.gradient.tolist()}

    def frame(self) -> "pd.DataFrame":
        """`table` as a DataFrame, with the columns' headings as its index."""
        import pandas as pd

        return pd.DataFrame(self.table()).set_index("column")

    def charts(self) -> list[str]:
        """The importances, then the partial dependence of the first columns, as inline SVG."""
        drawn = []
        if self.permutation is not None:
            means, deviations = self.permutation.mean(1).tolist(), self.permutation.std(1).tolist()
            drawn.append(draw_importance("rise of the loss when shuffled", self.columns, means, deviations))
        drawn.append(draw_importance("mean size of its share in the answer", self.columns, self.gradient.tolist()))
        return [*drawn, *map(draw_dependence, self.dependence)]

    def __repr__(self) -> str:
        names, *numbers = self._cells()
        short = [name if len(name) <= WIDEST_NAME else f"{name[: WIDEST_NAME - 1]}…" for name in names]
        return (
            f"{text_table([*self.table()], zip(short, *numbers, strict=True))}\n{textwrap.fill(self.how, WIDEST_LINE)}"
        )

    def _repr_html_(self) -> str:
        listed = html_table([*self.table()], zip(*self._cells(), strict=True))
        style = "display: flex; flex-wrap: wrap; gap: .75rem; align-items: start"
        return f'{listed}<p>{escape(self.how)}</p><div style="{style}">{"".join(self.charts())}</div>'

    def _cells(self) -> list[list[str]]:
        """The columns of `table` as text."""
        return [format_column(column) for column in self.table().values()]


def explain(
    predictor: Predictor, raw: Any, *, seconds: float = 10.0, n_pictures: int = 6, seed: int = 0
) -> TableExplanation:
    """Explain a model of tables by rows of a table; the arguments are those of `Predictor.explain`."""
    start = time.perf_counter()
    _check(predictor)
    generator = torch.Generator().manual_seed(seed)
    batch, n_given = _rows(predictor, raw, generator)
    n = len(next(iter(batch.values())))
    columns = table_columns(predictor.spec)
    few = _subset(batch, choose_rows(n, GRADIENT_ROWS, generator).to(predictor.device))
    gradient = gradient_importance(predictor, few, columns, generator)
    permutation, n_shuffled = None, 0
    if "target" in batch:
        n_shuffled = _affordable(predictor, batch, len(columns), seconds)
        permutation = permutation_importance(
            predictor,
            _subset(batch, choose_rows(n, n_shuffled, generator).to(predictor.device)),
            columns,
            n_repeats=N_REPEATS,
            deadline=start + seconds,
            generator=generator,
        )
    order = (gradient if permutation is None else permutation.mean(1)).argsort(descending=True, stable=True)
    few = _subset(few, torch.arange(min(DEPENDENCE_ROWS, n), device=predictor.device))
    return TableExplanation(
        [columns[index].column.name for index in order],
        None if permutation is None else permutation[order],
        gradient[order],
        [partial_dependence(predictor, few, columns[index], batch) for index in order[:n_pictures]],
        _how(predictor, permutation, n_shuffled, n_given, min(GRADIENT_ROWS, n)),
    )


def _check(predictor: Predictor) -> None:
    """Raise UserError unless the model is of tables."""
    if not set(predictor.spec.inputs) <= set(TABLE_INPUTS):
        takes = ", ".join(predictor.spec.inputs)
        there = ELSEWHERE.get(takes, "predict_proba or predict of changed inputs shows what a change does")
        raise UserError(f"explain is for tables; this model takes {takes}: {there}")


def _rows(predictor: Predictor, raw: Any, generator: torch.Generator) -> tuple[Batch, int]:
    """At most `MAX_ROWS` rows on the model's device, with "target" where it is known; and how many were given."""
    if isinstance(raw, Dataset):
        n = len(raw)  # type: ignore[arg-type]
        batch = read(raw, choose_rows(n, MAX_ROWS, generator).tolist())
    else:
        batch = read_rows_with_targets(predictor.spec, raw)
        n = len(next(iter(batch.values())))
        batch = _subset(batch, choose_rows(n, MAX_ROWS, generator))
    if n < MIN_ROWS:
        raise UserError(f"an explanation needs at least {MIN_ROWS} rows; got {n}")
    targets = {"target": batch["target"].to(predictor.device)} if "target" in batch else {}
    return {**predictor.to_device(predictor.checked(batch)), **targets}, n


def _subset(batch: Batch, rows: Tensor) -> Batch:
    return {name: values[rows] for name, values in batch.items()}


def _affordable(predictor: Predictor, batch: Batch, n_columns: int, seconds: float) -> int:
    """How many rows can be shuffled in this time, by the time that the answers for the rows take."""
    n = len(batch["target"])
    predictor.outputs(_subset(batch, torch.arange(MIN_ROWS, device=predictor.device)))  # the first call takes longer
    start = time.perf_counter()
    predictor.outputs(batch).cpu()
    per_row = (time.perf_counter() - start) / n
    while n > FEWEST_ROWS and n * n_columns * N_REPEATS * per_row > seconds:
        n //= 2
    return n


def _how(predictor: Predictor, permutation: Tensor | None, n_shuffled: int, n_given: int, n_gradient: int) -> str:
    """What was measured, in words."""
    spec = predictor.spec
    of = f"of {n_given:,} rows"
    if permutation is None:
        names = " and ".join(repr(name) for name in target_names(spec))
        first = f"permutation is left out, as it needs the true values: these rows have no {names}"
    else:
        times = permutation.shape[1]
        first = (
            f"permutation is how much the loss rises when a column is shuffled among {n_shuffled:,} {of}, the mean of "
            f"{times} times"
        )
    share = f"in {spec.target_name}" if spec.n_outputs == 1 else "in the standardised values"
    share = "in the probability of the likeliest class" if predictor.task.has_classes else share
    return (
        f"{first}; gradient is the mean size of a column's share {share}, by integrated gradients from the mean row, "
        f"of categories by swapping them, over {n_gradient:,} {of}."
    )
