"""Load the model of a training that was interrupted, from its checkpoints."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.core.config_paths import base_name, map_paths
from zoo.core.errors import UserError
from zoo.core.rank_zero import rank_zero_print
from zoo.core.run_folder import Run
from zoo.inference.weights_file import build_model

if TYPE_CHECKING:
    from zoo.inference.predictor import Predictor

PREFIX = "model."  # of the model's tensors among those of a checkpoint


def load_unfinished(folder: Path) -> "Predictor | None":
    """Load the best epoch of an interrupted training, else its newest checkpoint, and print which; None for a folder
    without checkpoints, or with a weights file.

    Raises:
        UserError: for checkpoints that hold no single model, such as of several seeds at once.
    """
    from zoo.core.checkpoint_file import is_sound, newest, read_checkpoint
    from zoo.inference.predictor import Predictor

    run = Run(folder)
    if run.weights.exists() or not run.checkpoints.is_dir():
        return None
    best = run.checkpoints / "best.ckpt"
    path = best if is_sound(best) else newest(run.checkpoints)
    if path is None:
        return None
    saved, config = read_checkpoint(path), run.read_config() if run.config.exists() else {}
    if config.get("seeds") is not None:
        raise UserError(f"{run.folder} trains several seeds and is not finished; resume it with resume=auto")
    try:
        card = {name: saved["hyper_parameters"][name] for name in ("model", "spec")}
        card |= {"fingerprints": saved["data"], "config": map_paths(config, base_name)}
        state, epoch = saved["state_dict"], saved["epoch"] + 1
        tensors = {name.removeprefix(PREFIX): state[name] for name in state if name.startswith(PREFIX)}
    except (KeyError, TypeError, AttributeError) as error:
        raise UserError(f"{path} is not a checkpoint of a training ({error}); resume it, or train again") from error
    model, spec = build_model(tensors, card, path)
    which = "its best epoch" if path == best else "epoch"
    rank_zero_print(f"{run.folder} is not finished: answers from {which}, {epoch}{_of_how_many(config)}")
    return Predictor(model, spec, card)


def _of_how_many(config: Mapping[str, Any]) -> str:
    trainer = config.get("trainer")
    if not isinstance(trainer, Mapping) or trainer.get("patience"):  # which may end it earlier
        return ""
    n = trainer.get("max_epochs")
    return f" of {n}" if isinstance(n, int) else ""
