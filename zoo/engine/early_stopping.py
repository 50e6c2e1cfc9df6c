"""End a training when validation stops improving or its time is used up, with a falling learning rate."""

import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import lightning as L
import torch
from lightning.pytorch.callbacks import Callback

from zoo.core.checkpoint_file import is_sound
from zoo.engine.history import History, epoch_metrics
from zoo.engine.return_to_best import return_to_best
from zoo.engine.updates import n_updates_done, set_rates, updates_of_an_epoch
from zoo.optim.schedules import COOLDOWN

PER_EPOCH_SO_FAR = COOLDOWN / (1 - COOLDOWN)  # epochs of the cooldown
LEAST = 1e-4  # an improvement counts from this share of the loss, or of the first epoch's


@dataclass(frozen=True)
class End:
    """Where a training ends that is not to last for all of `trainer.max_epochs`.

    Attributes:
        begin: of the cooldown, in epochs.
        end: in epochs.
        reason: "validation" or "budget".
    """

    begin: float
    end: float
    reason: str


class EarlyStopping(Callback):
    """Ends a training early, by a cooldown in which the schedule runs through its last quarter.

    It begins from the best epoch's weights when the validation loss has not improved for `patience` epochs, or from the
    present ones when the rest of the budget is just enough for it. A tiny improvement does not count: a loss near 0
    may fall for ever.

    The end that was chosen is part of each checkpoint, so that a resumed training keeps to it.

    Args:
        history: knows the seconds of the training so far.
        patience: epochs; None for no end by validation.
        budget: seconds; None for no limit.
        best: checkpoint of the best epoch.

    Attributes:
        end: where the training ends; None while that is trainer.max_epochs.
        lowest: validation loss so far, but for tiny improvements; `best_epoch` is its epoch.
        first: validation loss, the scale of the problem.
    """

    def __init__(self, history: History, patience: int | None, budget: float | None, best: Path):
        self.history, self.patience, self.budget, self.best = history, patience, budget, best
        self.end: End | None = None
        self.lowest, self.first, self.best_epoch = math.inf, math.inf, 0

    @property
    def stopped(self) -> str:
        """What ended the training: validation, budget or epochs."""
        return self.end.reason if self.end else "epochs"

    @property
    def is_open(self) -> bool:
        """Whether validation may still end the training."""
        return bool(self.patience) and self.end is None

    def n_epochs(self, trainer: L.Trainer) -> float:
        """Epochs of the whole training, at most."""
        assert trainer.max_epochs is not None
        return self.end.end if self.end else trainer.max_epochs

    def on_train_start(self, trainer: L.Trainer, pl_module: Any) -> None:
        """Keep to the end that a checkpoint brings."""
        if self.end:
            pl_module.progress.end_early(*self._updates(self.end, pl_module))
            trainer.should_stop = n_updates_done(pl_module) >= pl_module.n_updates

    def on_train_batch_end(self, trainer: L.Trainer, pl_module: Any, *_: Any) -> None:
        """Begin the cooldown if the budget needs it, and stop at its end or that of the budget."""
        if not pl_module.updated:
            return
        if self.budget and not self.end and self._seconds(trainer) >= (1 - COOLDOWN) * self.budget:
            self._end_in(self._affordable(trainer, pl_module), "budget", pl_module)
        if self.end and (_n_done(pl_module) >= pl_module.n_updates or self._is_used_up(trainer)):
            trainer.should_stop = True

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: Any) -> None:
        """Begin the cooldown where the validation loss has not improved for long enough."""
        loss = epoch_metrics(trainer).get("val/loss")
        if loss is None:
            return
        epoch = trainer.current_epoch + 1
        self.see(epoch, float(loss))
        if self.patience and not self.end and epoch - self.best_epoch >= self.patience:
            n_epochs = math.ceil(PER_EPOCH_SO_FAR * epoch)
            self._end_in(min(n_epochs, self._affordable(trainer, pl_module)), "validation", pl_module)
            if self.end and is_sound(self.best):
                return_to_best(trainer, pl_module, self.best)

    def see(self, epoch: int, loss: float) -> None:
        """Note a validation loss, if it is clearly lower than those before.

        The scale of a loss near 0 is the first, but at most 1: that of standardised values, and about that of cross
        entropy. The first may be far off.
        """
        if math.isinf(self.lowest):
            self.first, least = loss, 0.0
        else:
            least = LEAST * max(abs(self.lowest), min(abs(self.first), 1.0))
        if loss < self.lowest - least:
            self.lowest, self.best_epoch = loss, epoch

    def _seconds(self, trainer: L.Trainer) -> float:
        """Seconds of fitting so far; the same in all processes."""
        if trainer.world_size == 1:
            return self.history.seconds
        seconds = torch.tensor(self.history.seconds, device=trainer.strategy.root_device)
        return float(trainer.strategy.reduce(seconds, reduce_op="max"))

    def _is_used_up(self, trainer: L.Trainer) -> bool:
        """Whether the time of the budget is over."""
        return self.budget is not None and self._seconds(trainer) >= self.budget

    def _affordable(self, trainer: L.Trainer, module: Any) -> float:
        """Epochs that the rest of the budget is enough for, at the speed so far."""
        if self.budget is None:
            return math.inf
        seconds = self._seconds(trainer)
        return max(self.budget - seconds, 0) / seconds * _n_done(module) / updates_of_an_epoch(module)

    def _end_in(self, n_epochs: float, reason: str, module: Any) -> None:
        """Begin the cooldown of `n_epochs`, unless the training ends as soon without."""
        begin = _n_done(module) / updates_of_an_epoch(module)
        end = End(begin, begin + n_epochs, reason)
        first, last = self._updates(end, module)
        if last < module.n_updates:
            self.end = end
            module.progress.end_early(first, last)
            set_rates(module)

    def _updates(self, end: End, module: Any) -> tuple[int, int]:
        """The updates that are done at the begin and at the end of the cooldown: at least one apart."""
        begin, last = (round(epochs * updates_of_an_epoch(module)) for epochs in (end.begin, end.end))
        return begin, max(last, begin + 1)

    def state_dict(self) -> dict[str, Any]:
        """The end that was chosen, and the validation losses that decide it."""
        losses = {"lowest": self.lowest, "first": self.first, "best_epoch": self.best_epoch}
        return {"end": self.end and asdict(self.end), **losses}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from what `state_dict` gave."""
        self.end = End(**state_dict["end"]) if state_dict["end"] else None
        self.lowest, self.first = state_dict["lowest"], state_dict["first"]
        self.best_epoch = state_dict["best_epoch"]


def _n_done(module: Any) -> int:
    """Updates that are done, within an epoch and at its end."""
    return module.lr_schedulers().last_epoch
