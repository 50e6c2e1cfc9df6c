"""Errors of Lightning and torch that a setting causes, found by their text, each with what to change."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from zoo.core.errors import UserError
from zoo.settings.training_config import TrainingConfig


@dataclass(frozen=True)
class SettingError:
    """An error that a setting causes.

    Attributes:
        pattern: searched in the error's text.
        message: the user's, in which {text} is the error's, {sentence} its first sentence, {checkpoint} what was
            resumed.
        applies: whether a config can cause it.
    """

    pattern: str
    message: str
    applies: Callable[[TrainingConfig], bool] = lambda _: True


def _resizes(config: TrainingConfig) -> bool:
    return bool((config.data.get("augment") or {}).get("resize"))


SETTING_ERRORS = (
    SettingError(
        "loading state_dict|loaded state dict",
        "{checkpoint} is of another model or optimiser; restore those settings, or give another run_dir",
    ),
    SettingError("`val_check_interval`", "trainer.val_check_interval is at most the batches of an epoch: {sentence}"),
    SettingError(
        "more than 1 value per channel",
        "BatchNorm cannot train on one sample; raise data.batch_size, or take another norm",
    ),
    SettingError(
        "shapes|size",
        "the network does not take images of another size; remove data.augment.resize, or start from a larger size",
        _resizes,
    ),
)


def setting_error(error: Exception, config: TrainingConfig, checkpoint: Path | None) -> UserError | None:
    """Return the error to raise in place of one that a setting causes; None for any other."""
    text = str(error)
    for known in SETTING_ERRORS:
        if known.applies(config) and re.search(known.pattern, text):
            sentence = text.partition(". ")[0].strip()
            return UserError(known.message.format(text=text, sentence=sentence, checkpoint=checkpoint))
    return None
