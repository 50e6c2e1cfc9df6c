"""Settings: composed from conf/ and overrides such as `data=csv`, for the command line and for Python alike."""

from zoo.settings.composition import compose, config
from zoo.settings.conf_files import CONF

__all__ = ["CONF", "compose", "config"]
