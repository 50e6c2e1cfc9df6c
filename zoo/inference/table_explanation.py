"""Explain what a model of tables has learned: the importance of each column, and its effect on the answer."""

import textwrap
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
from zoo.inference.column_importance import N_STEPS, gradient_importance, permutation_importance
from zoo.inference.dependence_chart import draw_dependence
from zoo.inference.importance_chart import N_BARS, draw_importance, short
from zoo.inference.partial_dependence import N_VALUES, PartialDependence, partial_dependence
from zoo.inference.predictor import Predictor
from zoo.inference.table_columns import TABLE_INPUTS, TableColumn, choose_rows, table_columns
from zoo.models import cost

if TYPE_CHECKING:
    import pandas as pd

MIN_ROWS = 10
# at least and at most, by the work
SHUFFLED_ROWS, GRADIENT_ROWS, DEPENDENCE_ROWS = (128, 4096), (32, 256), (32, 128)
N_REPEATS = 5
MULTIPLY_ADDS = 1e11  # about 3 s on one core of a CPU
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
            drawn.append(draw_importance("permutation: rise of the loss", self.columns, means, deviations))
        drawn.append(draw_importance("gradient: mean share in the answer", self.columns, self.gradient.tolist()))
        return [*drawn, *map(draw_dependence, self.dependence)]

    def __repr__(self) -> str:
        names, *numbers = self._cells()
        shown = [short(name, WIDEST_NAME) for name in names]
        return (
            f"{text_table([*self.table()], zip(shown, *numbers, strict=True))}\n{textwrap.fill(self.how, WIDEST_LINE)}"
        )

    def _repr_html_(self) -> str:
        listed = html_table([*self.table()], zip(*self._cells(), strict=True))
        style = "display: flex; flex-wrap: wrap; gap: .75rem; align-items: start"
        return f'{listed}<p>{escape(self.how)}</p><div style="{style}">{"".join(self.charts())}</div>'

    def _cells(self) -> list[list[str]]:
        """The columns of `table` as text."""
        return [format_column(column) for column in self.table().values()]


def explain(
    predictor: Predictor, raw: Any, *, multiply_adds: float = MULTIPLY_ADDS, n_pictures: int = 6, seed: int = 0
) -> TableExplanation:
    """Explain a model of tables by rows of a table; the arguments are those of `Predictor.explain`."""
    check_takes_tables(predictor)
    if n_pictures < 0:
        raise UserError(f"n_pictures is at least 0; got {n_pictures}")
    generator = torch.Generator().manual_seed(seed)
    batch, n_given = _rows(predictor, raw, generator)
    columns, n_rows = table_columns(predictor.spec), _rows_of_each(predictor, batch, multiply_adds)
    few = _sample(batch, _affordable(n_rows, _gradient_passes(columns), GRADIENT_ROWS), generator)
    gradient = gradient_importance(predictor, few, columns, generator)
    order, permutation, n_shuffled = gradient.argsort(descending=True, stable=True), None, 0
    if "target" in batch:
        order = order[: max(N_BARS, n_rows // (N_REPEATS * SHUFFLED_ROWS[0]))]
        rows = _sample(batch, _affordable(n_rows, N_REPEATS * len(order), SHUFFLED_ROWS), generator)
        n_shuffled = len(rows["target"])
        shuffled = [columns[index] for index in order]
        permutation = permutation_importance(predictor, rows, shuffled, n_repeats=N_REPEATS, generator=generator)
        by_rise = permutation.mean(1).argsort(descending=True, stable=True)
        order, permutation = order[by_rise], permutation[by_rise]
    n_dependence = _affordable(n_rows, n_pictures * N_VALUES, DEPENDENCE_ROWS)
    few_still = {name: values[:n_dependence] for name, values in few.items()}
    return TableExplanation(
        [columns[index].column.name for index in order],
        permutation,
        gradient[order],
        [partial_dependence(predictor, few_still, columns[index], batch) for index in order[:n_pictures]],
        _how(predictor, columns, permutation, n_given, n_shuffled, len(next(iter(few.values())))),
    )


def _rows_of_each(predictor: Predictor, batch: Batch, multiply_adds: float) -> int:
    """How many rows each of the three measurements may pass through the model."""
    rows = {name: batch[name][: GRADIENT_ROWS[1]] for name in predictor.spec.inputs}
    per_row = cost.multiply_adds(predictor.model, **rows) / len(next(iter(rows.values())))
    return int(multiply_adds / 3 / max(per_row, 1))


def _affordable(n_rows: int, n_passes: int, limits: tuple[int, int]) -> int:
    """How many rows, within the limits, may pass through the model `n_passes` times, `n_rows` in all."""
    fewest, most = limits
    return max(fewest, min(most, n_rows // max(n_passes, 1)))


def _gradient_passes(columns: Sequence[TableColumn]) -> int:
    """Passes of `gradient_importance` over its rows; a gradient is about as much work as two more."""
    return 3 * N_STEPS + sum(one.input == "categorical" for one in columns)


def takes_tables(predictor: Predictor) -> bool:
    """Whether the model is of tables."""
    return set(predictor.spec.inputs) <= set(TABLE_INPUTS)


def check_takes_tables(predictor: Predictor) -> None:
    """Raise UserError unless the model is of tables."""
    if not takes_tables(predictor):
        takes = ", ".join(predictor.spec.inputs)
        there = ELSEWHERE.get(takes, "predict_proba or predict of changed inputs shows what a change does")
        raise UserError(f"explain is for tables; this model takes {takes}: {there}")


def _rows(predictor: Predictor, raw: Any, generator: torch.Generator) -> tuple[Batch, int]:
    """The rows, or as many as can be shuffled at most, on the model's device, with "target" where it is known; and how
    many were given."""
    if isinstance(raw, Dataset):
        n = len(raw)  # type: ignore[arg-type]
        batch = read(raw, choose_rows(n, SHUFFLED_ROWS[1], generator).tolist())
    else:
        batch = read_rows_with_targets(predictor.spec, raw)
        n = len(next(iter(batch.values())))
        batch = _sample(batch, SHUFFLED_ROWS[1], generator)
    if n < MIN_ROWS:
        raise UserError(f"an explanation needs at least {MIN_ROWS} rows; got {n}")
    targets = {"target": batch["target"].to(predictor.device)} if "target" in batch else {}
    return {**predictor.to_device(predictor.checked(batch)), **targets}, n


def _sample(batch: Batch, n_chosen: int, generator: torch.Generator) -> Batch:
    """At most `n_chosen` rows of a batch, at random, in their order."""
    rows = choose_rows(len(next(iter(batch.values()))), n_chosen, generator)
    return {name: values[rows.to(values.device)] for name, values in batch.items()}


def _how(
    predictor: Predictor,
    columns: Sequence[TableColumn],
    permutation: Tensor | None,
    n_given: int,
    n_shuffled: int,
    n_gradient: int,
) -> str:
    """What was measured, in words."""
    spec = predictor.spec
    of = f"of {n_given:,} rows"
    if permutation is None:
        names = " and ".join(repr(name) for name in target_names(spec))
        first = f"permutation is left out, as it needs the true values: these rows have no {names}"
    else:
        n, times = permutation.shape
        first = (
            f"permutation is how much the loss rises when a column is shuffled among {n_shuffled:,} {of}, the mean of "
            f"{times} times"
        )
        first += f", for the {n:,} of {len(columns):,} columns with the largest gradient" * (n < len(columns))
    share = f"in {spec.target_name}" if spec.n_outputs == 1 else "in the standardised values"
    share = "in the probability of the likeliest class" if predictor.task.has_classes else share
    swapped = ", of categories by swapping them" * any(one.input == "categorical" for one in columns)
    return (
        f"{first}; gradient is the mean size of a column's share {share}, by integrated gradients from the mean row"
        f"{swapped}, over {n_gradient:,} {of}."
    )
