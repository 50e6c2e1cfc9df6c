"""Every setting of a training, composed from conf/ and words such as `data=csv`: one way for commands and Python."""

from zoo.settings.composition import CONF, compose, config

__all__ = ["CONF", "compose", "config"]
