"""Measure a trained model: python scripts/evaluate.py weights=<pretrained name|run folder|file> [data=...]."""

from typing import Any

from zoo.cli.common import main
from zoo.core.console import echo


def run(config: dict[str, Any], _: Any) -> None:
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


if __name__ == "__main__":
    main("evaluate", run)
