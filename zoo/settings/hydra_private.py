"""Everything that the zoo uses of Hydra and that Hydra does not document.

tests/test_hydra.py has a test for each that fails first where a newer Hydra changes it, and says which promise of the
zoo's goes with it.
"""

import argparse
import traceback
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hydra.core.override_parser.types import Override
    from hydra.core.utils import JobReturn


def parse_override(word: str) -> "Override":
    """Parse one word of a command line by Hydra's grammar. Raises HydraException."""
    from hydra.core.override_parser.overrides_parser import OverridesParser

    return OverridesParser.create().parse_override(word)


def names_a_choice(override: "Override") -> bool:
    """Whether an override's value is a name, a list of names, or a sweep over them."""
    from hydra.core.override_parser.types import Sweep

    value = override.value()
    return all(isinstance(name, str | Sweep) for name in (value if isinstance(value, list) else [value]))


def values_as_text(override: "Override") -> Iterable[str]:
    """The values of a sweep, or the single value, each as a word `key=value`."""
    return override.sweep_string_iterator() if override.is_discrete_sweep() else [str(override.input_line)]


def flags() -> dict[str, bool]:
    """The flags of a command line, such as -m, and whether each takes a value."""
    return {flag: action.nargs != 0 for action in _flags_parser()._actions for flag in action.option_strings}


def is_sweep(words: Sequence[str]) -> bool:
    """Whether the flags among words ask for a sweep."""
    return bool(_flags_parser().parse_args(words).multirun)


def run(task: Callable[[Any], Any], config_path: str, config_name: str, words: Sequence[str]) -> None:
    """Do what `hydra.main` does, with `words` in place of `sys.argv`.

    `sys.argv` stays as it was typed, since Lightning starts the other processes of a training by it.
    """
    from hydra import version
    from hydra._internal.utils import _run_hydra

    version.setbase("1.3")
    parser = _flags_parser()
    _run_hydra(
        args=parser.parse_args(words),
        args_parser=parser,
        task_function=task,
        config_path=config_path,
        config_name=config_name,
    )


def _flags_parser() -> argparse.ArgumentParser:
    from hydra._internal.utils import get_args_parser

    return get_args_parser()


def error_of_job(job: "JobReturn") -> BaseException:
    """The error that a failed job of a sweep ended with; the property `return_value` would raise it."""
    return job._return_value


def missing_choice(error: BaseException) -> tuple[str, str, list[str]] | None:
    """The section, the name, and the names there are, of a choice that Hydra did not find, such as `data=minst`."""
    from hydra.errors import MissingConfigException

    if not isinstance(error, MissingConfigException) or not error.missing_cfg_file or error.options is None:
        return None
    group, _, name = error.missing_cfg_file.partition("/")
    return group, name, list(error.options)


def is_from_hydra(error: BaseException) -> bool:
    """Whether Hydra or OmegaConf complains, or fails at a value it did not expect, such as a list for a name."""
    from hydra.errors import HydraException
    from omegaconf.errors import OmegaConfBaseException

    if isinstance(error, HydraException | OmegaConfBaseException):
        return True
    frames = list(traceback.walk_tb(error.__traceback__))
    return bool(frames) and frames[-1][0].f_globals.get("__name__", "").startswith(("hydra.", "omegaconf."))
