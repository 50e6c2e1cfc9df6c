"""Partial dependence: what a model answers on average where a column has a given value in every row."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from zoo.core.spec import Column
from zoo.data.columns.encode import category_name
from zoo.data.splits import Batch
from zoo.inference.predictor import Predictor
from zoo.inference.table_columns import Answers, TableColumn

N_VALUES = 20  # of a column, at most
N_ANSWERS = 5  # drawn, at most
QUANTILES = 0.02, 0.98  # the outermost values of numbers


@dataclass(frozen=True)
class PartialDependence:
    """The answers of a model for values of one column, over rows that are otherwise as they are.

    Attributes:
        column: that was set.
        values: it was set to: numbers, days since 1970, or names of categories, the most frequent first.
        n_values: categories that the rows have; not all are in `values`.
        names: of the answers.
        unit: of the answers.
        mean: over the rows (n_values, n_answers).
        rows: the first answer for each row (n_rows, n_values): individual conditional expectation.
        n_answers: of the model; not all are in `names`.
    """

    column: Column
    values: list[float] | list[str]
    n_values: int
    names: list[str]
    unit: str
    mean: Tensor
    rows: Tensor
    n_answers: int


def partial_dependence(predictor: Predictor, batch: Batch, one: TableColumn, values_of: Batch) -> PartialDependence:
    """Partial dependence (J. Friedman, Annals of Statistics 29, 2001, section 8.2) with a line for each row (A.
    Goldstein et al., arXiv 1309.6392).

    Numbers are set to their quantiles, dates to days that the rows have, with all their parts, categories to the most
    frequent ones. Of two classes the probability of the second is taken, of more those that are likeliest on average.

    Args:
        predictor: of a table.
        batch: the rows' inputs, each (n, ...), on its device.
        one: the column.
        values_of: more rows, whose values of the column are taken.
    """
    answers, n, values = Answers(predictor), len(batch[one.input]), values_of[one.input]
    chosen, n_values = _representatives(values, one)  # rows
    copies = {name: batch[name].repeat(len(chosen), 1, 1) for name in predictor.spec.inputs}  # (n_values, n, ...)
    for entry in one.entries:
        copies[one.input][:, :, entry] = values[chosen, entry][:, None]
    found = answers(predictor.outputs({name: copy.flatten(0, 1) for name, copy in copies.items()}))
    found = found.unflatten(0, (len(chosen), n)).double().cpu()  # (n_values, n, n_answers)
    drawn = _drawn(found.mean((0, 1)), answers)
    return PartialDependence(
        one.column,
        _names(values[chosen, one.entries[0]].tolist(), one.column),
        n_values,
        [answers.names[index] for index in drawn],
        answers.unit,
        found.mean(1)[:, drawn],
        found[..., drawn[0]].T,
        len(answers.names),
    )


def _representatives(values: Tensor, one: TableColumn) -> tuple[Tensor, int]:
    """Rows whose values of the column stand for all, and the number of distinct values."""
    first = values[:, one.entries[0]]
    if one.input == "categorical":
        codes, counts = first.unique(return_counts=True)
        frequent = codes[counts.argsort(descending=True, stable=True)[:N_VALUES]]
        return (first[None] == frequent[:, None]).int().argmax(1), len(codes)
    order = first.argsort()[: int((~first.isnan()).sum())]  # NaN comes last
    distinct = first[order].unique()
    if len(distinct) <= N_VALUES:
        return order[torch.searchsorted(first[order], distinct)], len(distinct)
    low, high = (share * (len(order) - 1) for share in QUANTILES)
    at = torch.linspace(low, high, N_VALUES, device=values.device).round().long()
    _, index = first[order][at].unique(return_inverse=True)
    return order[at[torch.cat([index.new_ones(1), index.diff()]) > 0]], len(distinct)


def _drawn(mean: Tensor, answers: Answers) -> list[int]:
    """Which answers to draw: the second of two classes, the likeliest of more, the first values."""
    if not answers.has_classes:
        return list(range(min(len(mean), N_ANSWERS)))
    if len(mean) == 2 and not answers.predictor.spec.target.is_floating:
        return [1]
    return sorted(mean.argsort(descending=True)[:N_ANSWERS].tolist())


def _names(values: Sequence[float], column: Column) -> list[float] | list[str]:
    if column.kind == "categorical":
        return [category_name(column, int(code)) for code in values]
    return [float(value) for value in values]
