"""What a language model writes while it learns: a text after epochs 1, 2, 4, 8 and so on."""

import itertools
from pathlib import Path
from typing import Any

import lightning as L
from lightning.pytorch.callbacks import Callback

from zoo.core.atomic_files import write_text
from zoo.data.sequences.inputs.vocabulary import Vocabulary
from zoo.engine.module import ZooModule
from zoo.tasks.sampling import Sampling

N_PIECES = 200  # of a text
SAMPLING = Sampling(temperature=0.8)
START = "\n"


class Drafts(Callback):
    """Writes texts by epoch to a file; a resumed run continues it. A sharded model, whole in no process, writes none.

    Args:
        path: of the file.
    """

    def __init__(self, path: Path):
        self.path = path
        self.texts: dict[str, str] = {}

    @staticmethod
    def suits(module: ZooModule) -> bool:
        """Whether a model in training writes text."""
        return module.task.generates and "tokens" in module.task.spec.inputs

    def on_validation_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        epoch = trainer.current_epoch + 1
        if pl_module.sharded or epoch & (epoch - 1) or not trainer.is_global_zero:
            return
        self.texts[str(epoch)] = draft(pl_module)
        parts = (f"after epoch {number}\n\n{text.strip()}\n" for number, text in self.texts.items())
        write_text(self.path, "\n\n".join(parts))

    def state_dict(self) -> dict[str, Any]:
        return {"texts": self.texts}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.texts = state_dict["texts"]


def draft(module: Any) -> str:
    """A text, or several short ones, that a model in training writes."""
    tokens = Vocabulary.of_reading(module.task.spec.reading).encode(START)[None].to(module.device)
    generator = SAMPLING.generator(module.device)

    def text() -> Any:
        return module.task.write(
            lambda step, state: module.model.carry(state, tokens=step), tokens, SAMPLING, generator
        )

    if module.task.stream:
        return "".join(itertools.islice(text(), N_PIECES))
    return START.join("".join(itertools.islice(text(), N_PIECES // 10)) for _ in range(10))
