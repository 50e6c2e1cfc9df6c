"""A finished training, as `zoo.train` returns it."""

from collections.abc import Iterator, Mapping
from functools import cached_property
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.core.run_folder import Run
from zoo.core.table_layout import html_table
from zoo.report.text import baseline_rows, metric_rows, metrics_table, run_facts

if TYPE_CHECKING:
    import pandas as pd

    from zoo.inference.predictor import Predictor


class Result(Mapping[str, Any]):
    """A finished training. It is also the mapping that metrics.json holds: `result["test"]["accuracy"]`.

    In the processes of a training other than the first its metrics are empty.

    Attributes:
        path: the run folder.
        metrics: content of its metrics.json: "val" and "test" by metric, the baselines and the verdict, the epoch used,
            seconds, versions.
    """

    def __init__(self, path: Path, metrics: Mapping[str, Any]):
        self.path, self.metrics = path, dict(metrics)

    @classmethod
    def of_run(cls, run: Run) -> "Result":
        """Return the result that the folder of a finished training holds."""
        return cls(run.folder, run.read_metrics())

    @cached_property
    def predictor(self) -> "Predictor":
        """The trained model, loaded from the run folder when it is first asked for."""
        from zoo.inference.pretrained import load

        return load(self.path)

    @cached_property
    def history(self) -> "pd.DataFrame":
        """Losses, metrics and the learning rate of each epoch: one row per epoch, as metrics.csv has them; of folds
        those of each, with its number as `fold`."""
        import pandas as pd

        if "folds" not in self.metrics:
            return pd.read_csv(Run(self.path).history)
        histories = [pd.read_csv(self.path / f"fold={fold}" / "metrics.csv") for fold in range(self["folds"]["n"])]
        return pd.concat(histories, keys=range(len(histories)), names=["fold"]).reset_index("fold")

    @property
    def report(self) -> Path:
        """The page that shows what was learned, report.html."""
        return Run(self.path).report

    def __getitem__(self, name: str) -> Any:
        return self.metrics[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.metrics)

    def __len__(self) -> int:
        return len(self.metrics)

    def __repr__(self) -> str:
        if not self.metrics:
            return f"only the first process has the result in {self.path}"
        return metrics_table(self.metrics, self.path)

    def _repr_html_(self) -> str:
        if not self.metrics:
            return escape(repr(self))
        tables = filter(None, (metric_rows(self.metrics), baseline_rows(self.metrics)))
        shown = "".join(html_table(rows[0], rows[1:]) for rows in tables)
        verdict = escape(self.metrics.get("verdict", ""))
        known = "".join(f"<br>{name}: {escape(fact)}" for name, fact in run_facts(self.metrics).items())
        return (
            f"{shown}<p>{verdict}</p><small>{escape(str(self.path))}{known}<br>"
            f'<a href="{escape(self.report.as_posix())}">report.html</a></small>'
        )
