"""The former place of zoo.cli.common and zoo.config, for scripts of others that import them from here."""

from zoo.cli.common import CONF, exit_codes, main, outcome, parsed
from zoo.settings import config as training_config

__all__ = ["CONF", "exit_codes", "main", "outcome", "parsed", "training_config"]
