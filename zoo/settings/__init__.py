"""Settings: composed from conf/ and overrides such as `data=csv`, for the command line and for Python alike."""

from zoo.settings.composition import CONF, compose, config

__all__ = ["CONF", "compose", "config"]
