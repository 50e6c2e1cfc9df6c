"""Train a model: zoo train [MODEL] [DATA] [COLUMN] [key=value ...].

MODEL is a family (fnn, cnn, rnn) or an architecture such as cnn/resnet, DATA a data set's name or a file or folder of
your own, and COLUMN the column of a table to predict. Where no model is named, the data choose its family. -m trains
with each of several values, such as seed=0,1,2.

  zoo train table.csv price
  zoo train cnn/resnet photos/ trainer.max_epochs=20 run_dir=runs/photos
  zoo train -m fnn,fnn/perceptron wine seed=0,1,2
"""

import shlex
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.cli.command_words import Words
from zoo.cli.config_command import run_command
from zoo.cli.data_words import training_settings
from zoo.cli.quick_imports import quick_imports
from zoo.core.console import echo, terminal_width

if TYPE_CHECKING:
    from zoo.report.result import Result


def main(words: Sequence[str] | None = None) -> None:
    """Run the command; `words` are those of its command line, by default the process's."""
    start = iter([time.perf_counter()])  # a sweep's first job counts the imports too
    resumed: list[str] = []  # the settings beside those of the run that is resumed by its folder alone

    def meaning(words: Words) -> dict[str, Any]:
        settings = training_settings(words)
        of_run = _settings_of_run({**words.given(), **settings})
        resumed.extend(words.settings if of_run else ())
        return {**of_run, **_settings_of_finetuning({**words.given(), **settings}), **settings}

    def start_run(config: dict[str, Any], composed: Any) -> float | None:
        if resumed:
            from zoo.settings.resumption import resumed_config

            config |= resumed_config(config["run_dir"], config, resumed)
        return run(config, composed, next(start, None))

    run_command("train", start_run, meaning, words)


def _settings_of_run(given: dict[str, Any]) -> dict[str, str]:
    """The choice of model and data of the run to resume, where the command makes none."""
    if not {"run_dir", "resume"} <= set(given) or {"model", "experiment"} & set(given):
        return {}
    from zoo.settings.resumption import settings_of_run

    return settings_of_run(given)


def _settings_of_finetuning(given: dict[str, Any]) -> dict[str, Any]:
    """The settings that a trained file to start from brings."""
    if "finetune" not in given:
        return {}
    from zoo.settings.finetuning import settings_of_finetuning

    return settings_of_finetuning(given)


def run(config: dict[str, Any], composed: Any, start: float | None = None) -> float | None:
    """Train, print the metrics, and return the validation loss, which sweepers minimise.

    `start` is as of `zoo.train`.
    """
    with quick_imports():
        from hydra.core.hydra_config import HydraConfig
        from hydra.types import RunMode
        from hydra.utils import instantiate

        from zoo.core.formatting import format_number
        from zoo.report.sweep import write_summary
        from zoo.training import train, train_seeds

    callbacks = list(instantiate(composed.callbacks).values())
    loggers = list(instantiate(composed.logger).values())
    for section in ("callbacks", "logger"):
        config.pop(section)
    config["run_dir"] = HydraConfig.get().runtime.output_dir
    if config["seeds"] is not None:
        several = train_seeds(config, config["run_dir"], callbacks, loggers, start)
        echo(write_summary(config["run_dir"], terminal_width()))
        return sum(result["val"]["loss"] for result in several) / len(several)
    result = train(config, config["run_dir"], callbacks, loggers, start)
    if not result.metrics:
        return None  # a process other than the first
    is_job = HydraConfig.get().mode is RunMode.MULTIRUN  # whose test metrics are no ground to choose it
    if is_job:
        echo(f"val loss {format_number(result['val']['loss'])}  {result.path}")
    else:
        echo(result, *_next_command(result, config["data"]), sep="\n")
    return result["val"]["loss"]


def _next_command(result: "Result", data: dict[str, Any]) -> list[str]:
    """The line that says how to predict for new data of one's own, as it is typed; none for a built-in data set."""
    own = Path(data.get("path") or data.get("labels") or "")
    if not own.name:
        return []
    is_folder = own.expanduser().is_dir()
    of_folder = {"imagefolder": "new.jpg", "sequences": "new.wav", "texts": "new.txt", "notes": "new.csv"}
    new = "new.jpg" if data.get("labels") else of_folder.get(data["name"]) if is_folder else f"new{own.suffix}"
    if data["name"] == "text":
        new = "prompt= documents=20" if "start" in result.predictor.spec.reading else "prompt= length=400"
    folder = result.path
    near = folder.relative_to(Path.cwd()) if folder.is_relative_to(Path.cwd()) else folder
    return [f"{'next':<12}zoo predict {shlex.quote(str(near))} {new}"]
