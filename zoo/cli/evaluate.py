"""Measure a trained model: zoo evaluate weights=<pretrained name|run folder|file> [data=...]."""

from collections.abc import Sequence
from typing import Any

from zoo.cli.config_command import run_command
from zoo.core.console import echo


def main(words: Sequence[str] | None = None) -> None:
    """Run the command; `words` are those of its command line, by default the process's."""
    run_command("evaluate", run, words)


def run(config: dict[str, Any], _: Any) -> None:
    """Measure and print the metrics."""
    from zoo.inference.evaluation import evaluate_weights
    from zoo.report.text import metrics_table

    metrics = evaluate_weights(
        config["weights"],
        data=config.get("data"),
        split=config["split"],
        device=config["device"],
        run_dir=config["run_dir"],
        tta=config["tta"],
    )
    echo(metrics_table(metrics, config["run_dir"]))
