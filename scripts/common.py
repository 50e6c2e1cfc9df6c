"""The former place of `zoo.config` and of the commands' exit codes, for scripts that import them from here."""

from zoo.cli.errors import exit_codes
from zoo.settings import config as training_config

__all__ = ["exit_codes", "training_config"]
