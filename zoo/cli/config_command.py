"""Run a command that takes its settings from a file of conf/ and the command line."""

import contextlib
import os
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from zoo.cli.command_words import Words, print_understood, read_words
from zoo.cli.errors import exit_codes, whole_exit
from zoo.cli.help import settings_help
from zoo.cli.sweep_folders import name_jobs
from zoo.core.console import echo
from zoo.settings import CONF

Meaning = Callable[[Words], dict[str, Any]]
Run = Callable[[dict[str, Any], Any], float | None]


def run_command(config_name: str, run: Run, meaning: Meaning, words: Sequence[str] | None = None) -> None:
    """Compose conf/`config_name`.yaml with the words, and call `run`, in a sweep once a job.

    Ends the process with 2 for the user's mistake, 3 when training diverged, 4 when it lost one of several processes,
    128 + n on signal n.

    Args:
        config_name: the file in conf/, without its ending.
        run: takes the config as a dict of plain values, and as the DictConfig that Hydra composed.
        meaning: returns the settings that words without a key stand for, such as `cnn` in `zoo train cnn`.
        words: of the command line; None takes those that the process was started with.
    """
    os.environ["HYDRA_FULL_ERROR"] = "1"  # Hydra raises errors, in place of printing them itself
    with exit_codes():
        flags, overrides = read_overrides(sys.argv[1:] if words is None else words, config_name, meaning)
    with whole_exit(), exit_codes(config_name, overrides):
        from zoo.settings import hydra_private
        from zoo.settings.conf_files import search_path
        from zoo.settings.mistakes import chooses_model

        if {"--help", "-h"} & set(flags):
            if config_name == "train" and not chooses_model(overrides):
                overrides.append("model=fnn")  # whose values the help shows
            return echo(settings_help(config_name, overrides))
        task = _task(config_name, run)
        hydra_private.run(task, str(CONF), config_name, [*flags, *overrides, *search_path(overrides)])


def _task(config_name: str, run: Run) -> Callable[[Any], float | None]:
    def task(config: Any) -> float | None:
        from hydra.core.hydra_config import HydraConfig
        from hydra.types import RunMode
        from omegaconf import OmegaConf

        from zoo.cli.job_folder import new_folders
        from zoo.core.new_folders import removed_if_empty
        from zoo.settings.types import check_types

        hydra = HydraConfig.get()
        alone = hydra.mode is RunMode.RUN
        # a sweep's jobs end in zoo.cli.sweep
        with exit_codes(config=config) if alone else contextlib.nullcontext(), removed_if_empty(new_folders):
            check_types(config_name, hydra.overrides.task, config)
            if config.get("zoo_path"):
                import zoo

                zoo.add_path(config.zoo_path)
            plain: Any = OmegaConf.to_container(config, resolve=True)
            return run(plain, config)

    return task


def read_overrides(words: Iterable[str], config_name: str, meaning: Meaning) -> tuple[list[str], list[str]]:
    """Read the words of a command as flags, such as -m, and overrides that Hydra can read.

    Raises:
        UserError: for an unknown flag, a word that stands for nothing, and a section's choice that is not a name.
    """
    from zoo.settings.family_model import resolve_family
    from zoo.settings.hydra_private import flags, is_sweep
    from zoo.settings.mistakes import setting_names
    from zoo.settings.words import as_override, read_word

    read = read_words(words, flags(), lambda: setting_names(config_name, []))
    understood = meaning(read)
    print_understood(understood)
    overrides = [*(as_override(key, value) for key, value in understood.items()), *map(read_word, read.settings)]
    overrides = resolve_family(overrides)
    return read.flags, overrides + (name_jobs(overrides) if is_sweep(read.flags) else [])
