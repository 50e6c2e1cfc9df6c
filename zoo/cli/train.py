"""Train a model: zoo train model=<family[/architecture]> [data=...] [any.key=value]."""

from collections.abc import Sequence
from typing import Any

from zoo.cli.config_command import run_command
from zoo.core.console import echo


def main(words: Sequence[str] | None = None) -> None:
    """Run the command; `words` are those of its command line, by default the process's."""
    run_command("train", run, words)


def run(config: dict[str, Any], composed: Any) -> float | None:
    """Train, print the metrics, and return the validation loss, which sweepers minimise."""
    from hydra.core.hydra_config import HydraConfig
    from hydra.utils import instantiate

    from zoo.report.sweep import write_summary
    from zoo.training import train, train_seeds

    callbacks = list(instantiate(composed.callbacks).values())
    loggers = list(instantiate(composed.logger).values())
    for section in ("callbacks", "logger"):
        config.pop(section)
    config["run_dir"] = HydraConfig.get().runtime.output_dir
    if config["seeds"] is not None:
        several = train_seeds(config, config["run_dir"], callbacks, loggers)
        echo(write_summary(config["run_dir"]))
        return sum(result["val"]["loss"] for result in several) / len(several)
    result = train(config, config["run_dir"], callbacks, loggers)
    if not result.metrics:
        return None  # a process other than the first
    echo(result)
    return result["val"]["loss"]
