"""Measure a trained model: zoo evaluate WEIGHTS [DATA] [train|val|test] [key=value ...].

WEIGHTS is a run folder, a pretrained file's name or the path of a model.safetensors; DATA a data set's name or a file
or folder of your own; by default the data that the model was trained on.

  zoo evaluate runs/first
  zoo evaluate runs/first sold_since.csv
  zoo evaluate cnn/small.mnist5k val
"""

import time
from collections.abc import Sequence
from typing import Any

from zoo.cli.config_command import run_command
from zoo.cli.data_words import evaluation_settings
from zoo.cli.quick_imports import quick_imports
from zoo.core.console import echo


def main(words: Sequence[str] | None = None) -> None:
    """Run the command; `words` are those of its command line, by default the process's."""
    start = time.perf_counter()
    run_command("evaluate", lambda config, _: run(config, start), evaluation_settings, words)


def run(config: dict[str, Any], start: float) -> None:
    """Measure and print the metrics; the command began at `start`."""
    with quick_imports():
        from zoo.inference.evaluation import evaluate_weights
        from zoo.report.text import metrics_table

    metrics = evaluate_weights(
        config["weights"],
        data=config.get("data"),
        split=config["split"],
        device=config["device"],
        run_dir=config["run_dir"],
        tta=config["tta"],
        start=start,
    )
    echo(metrics_table(metrics, config["run_dir"]))
