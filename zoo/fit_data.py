"""Train on data given in Python: a path, a DataFrame, arrays or lists."""

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from zoo.core.errors import UserError
from zoo.core.new_folders import missing_folders, removed_if_empty
from zoo.core.run_folder import Run
from zoo.data.given import given_data
from zoo.data.registry import default_family
from zoo.report.result import Result
from zoo.settings import config as zoo_config
from zoo.settings.training_config import TrainingConfig
from zoo.training import new_run, train


def fit(
    data: Any,
    target: Any = None,
    model: str | None = None,
    *settings: str,
    run_dir: str | Path | None = None,
    **choices: Any,
) -> Result:
    """Train a model on data of your own: `zoo.fit(frame, target="price")`.

    What is in memory is written once to `data/` in the run folder, and read from there as the files of a user are; so
    the run can be resumed and evaluated like any other.

    Args:
        data: the path of a file or folder, str or Path; or
            a table: a DataFrame, a dict of columns, a list of dicts, or an array (n, n_columns) with labels;
            images with labels: uint8 arrays (n, height, width[, channels]), or lists of arrays, PIL images or paths;
            sequences with labels: an array (n, time, n_channels), or a list of arrays (time, n_channels) or (time,);
            texts with labels: a list of str;
            a series to forecast: a Series, or a DataFrame with an index of dates, without target.
            Labels may be given with them: `zoo.fit((X, y))`.
        target: the heading of the column to predict, or several; or the labels (n,), text or numbers.
        model: a name of `list_models` or of a family; None takes the family that fits the data.
        settings: as on the command line, such as "trainer.max_epochs=20" or "data.split=time"; "data=sequences" names
            how a table is read.
        run_dir: the run folder; None makes runs/<data>, or runs/<data>-2 and so on.
        choices: keywords of the model, such as `width=64`.

    Raises:
        UserError: for data of another kind, and as `zoo.config` and `zoo.train` do.
    """
    given = given_data(data, target, model)
    words = [word for word in settings if word.startswith("data=")] or [f"data={given.name}"]
    words += [word for word in settings if word not in words]
    if model is None and not any(word.startswith("finetune=") for word in settings) and "finetune" not in choices:
        model = default_family(given.name) or "fnn"
    config = zoo_config(*([] if model is None else [model]), *words, **choices)
    own = {"path": str(data)} if isinstance(data, str | Path) else {}  # which names the run folder
    run = new_run(TrainingConfig.of({**config, "data": {**config["data"], **own}}), run_dir)
    with _removed_if_refused(run):
        options = given.save(_data_folder(run))
        config["data"] |= {name: value for name, value in options.items() if name in config["data"]}
        return train(config, run.folder)


def _data_folder(run: Run) -> Path:
    """The folder of the data in a run folder; UserError where that holds a run on other data."""
    if run.config.exists() and not run.data.exists():
        raise UserError(f"run_dir={run.folder} holds a run on other data; give another run_dir")
    return run.data


@contextlib.contextmanager
def _removed_if_refused(run: Run) -> Iterator[None]:
    """Remove a new run folder, with the data in it, when its training is refused before the first checkpoint."""
    is_new = bool(run.made) or not run.folder.exists()
    with removed_if_empty([*missing_folders(run.folder.parent), *run.made[1:]]):
        try:
            yield
        except UserError:
            if is_new and not run.all_checkpoints():
                shutil.rmtree(run.folder, ignore_errors=True)
            raise
