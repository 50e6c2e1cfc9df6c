"""Metrics and tables as plain text, for a terminal."""

import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from zoo.core.console import terminal_width
from zoo.core.formatting import format_deviation, format_number
from zoo.core.table_layout import text_table

Values = Mapping[str, Any]
WIDEST = 98  # columns of a line of facts


def metric_rows(metrics: Values) -> list[tuple[str, ...]]:
    """A header and a row for each metric, with a column for each split measured."""
    if "folds" in metrics:
        return _fold_rows(metrics)
    splits = [key for split in ("train", "val", "test") for key in (split, f"{split} tta") if key in metrics]
    names = metrics[splits[-1]]
    return [("", *splits), *((name, *(format_number(metrics[split].get(name)) for split in splits)) for name in names)]


def _fold_rows(metrics: Values) -> list[tuple[str, ...]]:
    """The rows of a model of several folds: out of fold, on the test split, and there of its single models."""
    folds = metrics["folds"]
    val, test = ({name: mean_and_deviation(**one) for name, one in folds[split].items()} for split in ("val", "test"))
    rows = [(name, val[name], format_number(metrics["test"][name]), test[name]) for name in metrics["test"]]
    return [("", "out of fold", "test", "test, one model"), *rows]


def mean_and_deviation(mean: float, std: float | None) -> str:
    """A mean over several models and its standard deviation, which one model does not have."""
    return format_number(mean) + ("" if std is None else f" ± {format_deviation(std)}")


def baseline_rows(metrics: Values) -> list[tuple[str, ...]]:
    """A header and a row for the model and for each baseline: the score on each split, and the seconds that it took;
    nothing where there are no baselines."""
    if not metrics.get("baselines"):
        return []
    splits, score = [split for split in ("val", "test") if split in metrics], metrics["score"]
    rows = {"this model": {**metrics, "seconds": metrics["seconds"].get("fit")}}
    for name, facts in metrics["baselines"].items():
        rows[f"{name}, from {facts['part']}" if "part" in facts else name] = facts
    cells = [(name, *(format_number(row[split][score]) for split in splits)) for name, row in rows.items()]
    seconds = ["" if row["seconds"] is None else f"{row['seconds']:,.1f}" for row in rows.values()]
    headings = ["out of fold" if split == "val" and "folds" in metrics else split for split in splits]
    return [(score, *headings, "seconds"), *((*row, last) for row, last in zip(cells, seconds, strict=True))]


def run_facts(metrics: Values) -> dict[str, str]:
    """Facts about a run beside its metrics, by name: parameters, seconds, device, ..."""
    known = {
        "weights": metrics.get("weights"),
        "data": metrics.get("data"),
        "parameters": f"{metrics['n_parameters']:,}",
        "rows": _rows_kept(metrics.get("n_candidates")),
        "corrected": _corrected(metrics.get("corrected")),
        "epoch used": metrics.get("epoch"),
        "seconds": ", ".join(f"{value:,.1f} {name}" for name, value in metrics["seconds"].items()),
        "seed": metrics.get("seed"),
        "device": metrics["device"],
        "peak GiB": metrics.get("peak_gpu_gib"),
    }
    return {name: str(fact) for name, fact in known.items() if fact is not None}


def _rows_kept(n: int | None) -> str | None:
    """What to know of a weights file that holds `n` rows of its data, of several models all of theirs."""
    return None if n is None else f"the weights hold {n:,} rows of the data: share them only where these may be seen"


def _corrected(share: float | None) -> str | None:
    """What to know of answers whose correction takes a share off the squared error of validation samples."""
    return None if share is None else f"by what is left over at near rows: validation squared error {share:.1%} lower"


def metrics_table(metrics: Values, run_dir: str | Path | None) -> str:
    """Metrics and facts of a run as text, at most 100 characters wide if the folder's name allows.

    Args:
        metrics: content of metrics.json.
        run_dir: the folder it was written to, if any.
    """
    tables = [text_table(table[0], table[1:]) for table in (metric_rows(metrics), baseline_rows(metrics)) if table]
    lines = [_fact(*one) for one in run_facts(metrics).items()]
    names = ("report.html", "model.safetensors", "metrics.json")
    files = [Path(run_dir, name) for name in names] if run_dir is not None else []
    written = [f"{'' if i else 'files':<12}{path}" for i, path in enumerate(filter(Path.exists, files))]
    verdict = [_fact("verdict", metrics["verdict"])] if metrics.get("verdict") else []
    return "\n".join(["\n\n".join(tables), "", *lines, *written, *verdict])


def _fact(name: str, fact: str) -> str:
    width = min(terminal_width() or WIDEST, WIDEST)
    return textwrap.fill(fact, width, initial_indent=f"{name:<12}", subsequent_indent=" " * 12, break_long_words=False)
