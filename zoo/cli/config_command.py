"""Run a command that takes its settings from a file of conf/ and the command line."""

import contextlib
import os
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NoReturn

from zoo.cli.errors import exit_codes
from zoo.settings import CONF

FIRST_SETTING = {"train": "model", "evaluate": "weights", "predict": "weights"}
Run = Callable[[dict[str, Any], Any], float | None]


def run_command(config_name: str, run: Run, words: Sequence[str] | None = None) -> None:
    """Compose conf/`config_name`.yaml with the words, and call `run`, in a sweep once a job.

    Ends the process with 2 for the user's mistake, 3 when training diverged, 4 when it lost one of several processes,
    128 + n on signal n.

    Args:
        config_name: the file in conf/, without its ending.
        run: takes the config as a dict of plain values, and as the DictConfig that Hydra composed.
        words: of the command line; None takes those that the process was started with.
    """
    os.environ["HYDRA_FULL_ERROR"] = "1"  # Hydra raises errors, in place of printing them itself
    with exit_codes():
        flags, overrides = read_words(sys.argv[1:] if words is None else words, config_name)
    with exit_codes(config_name, overrides):
        from zoo.settings import hydra_private
        from zoo.settings.conf_files import search_path
        from zoo.settings.mistakes import chooses_model

        if config_name == "train" and {"--help", "-h"} & set(flags) and not chooses_model(overrides):
            overrides.append("model=fnn")  # the help shows the settings with the values that a model brings
        task = _task(config_name, run)
        hydra_private.run(task, str(CONF), config_name, [*flags, *overrides, *search_path(overrides)])


def _task(config_name: str, run: Run) -> Callable[[Any], float | None]:
    def task(config: Any) -> float | None:
        from hydra.core.hydra_config import HydraConfig
        from hydra.types import RunMode
        from omegaconf import OmegaConf

        from zoo.settings.types import check_types

        hydra = HydraConfig.get()
        alone = hydra.mode is RunMode.RUN
        with exit_codes(config=config) if alone else contextlib.nullcontext():  # a sweep's jobs end in zoo.cli.sweep
            check_types(config_name, hydra.overrides.task, config)
            if config.get("zoo_path"):
                import zoo

                zoo.add_path(config.zoo_path)
            plain: Any = OmegaConf.to_container(config, resolve=True)
            return run(plain, config)

    return task


def read_words(words: Iterable[str], config_name: str = "train") -> tuple[list[str], list[str]]:
    """Split the words of a command into flags, such as -m, and overrides that Hydra can read.

    Raises:
        UserError: for an unknown flag, a word that is neither flag nor setting, and a section's choice that is not a
            name.
    """
    from zoo.cli.sweep_folders import name_jobs
    from zoo.core.errors import UserError
    from zoo.settings.hydra_private import parse_flags
    from zoo.settings.words import read_word

    def refuse(message: str) -> NoReturn:
        raise UserError(f"{message}; flags are -m, for a sweep, and --help; settings are written key=value")

    flags: list[str] = []
    settings: list[str] = []
    for word in words:
        is_setting = not word.startswith("-") and ("=" in word or word.startswith("~"))
        (settings if is_setting else flags).append(word)
    overrides = [read_word(word) for word in settings]
    parsed = parse_flags([*flags, *overrides], refuse)
    for word in parsed.overrides:
        if "=" not in word and not word.startswith("~"):
            raise UserError(f"settings are written key=value, such as {FIRST_SETTING[config_name]}={word}; got {word}")
    return flags, overrides + (name_jobs(overrides) if parsed.multirun else [])
