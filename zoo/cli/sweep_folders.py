"""Name the folders of a sweep's jobs by their overrides."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hydra.core.override_parser.types import Override

LONGEST = 200  # bytes of a folder's name; file systems allow 255
UNNAMED = ("run_dir", "resume", "zoo_path")  # in conf/train.yaml too


def name_jobs(overrides: Sequence[str]) -> list[str]:
    """Return the overrides of Hydra's own settings that name the folders of a sweep's jobs.

    A name holds the job's overrides, without paths and a logger's settings, which may be secret. Where that is too long
    it holds what the jobs differ in and the seed, and where that is too long the job's number.
    """
    from hydra.errors import HydraException

    from zoo.settings.hydra_private import parse_override

    try:
        parsed = {override.key_or_group: override for override in map(parse_override, overrides)}
    except HydraException:
        return []  # Hydra says what is wrong when it reads them
    by_key = {key: override for key, override in parsed.items() if key not in UNNAMED}
    swept = {key for key, override in by_key.items() if override.is_sweep_override()}
    for named in ({key for key in by_key if not _may_be_private(key)} | swept, swept | {"seed"} & set(by_key)):
        if fits := sum(_width(by_key[key]) for key in named) <= LONGEST:
            break
    excluded = [*UNNAMED, *(f"'{key}'" for key in by_key if key not in named)]
    names = [f"hydra.job.config.override_dirname.exclude_keys=[{','.join(excluded)}]"]
    if not fits or any(key.startswith("logger.") for key in swept):
        names.append("hydra.sweep.subdir=${hydra:job.num}")
    return names


def _may_be_private(key: str) -> bool:
    """Whether a setting's value may be a secret or a path."""
    from zoo.core.config_paths import is_path

    return key.startswith("logger.") or is_path(key.rpartition(".")[2], "")


def _width(override: "Override") -> int:
    """Return the most bytes that an override takes in a folder's name."""
    from zoo.settings.hydra_private import values_as_text

    return len(override.key_or_group) + 2 + max(len(value.encode()) for value in values_as_text(override))
