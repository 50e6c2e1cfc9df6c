"""The folder of a command's job, which Hydra makes before the job starts; removed again where the job is refused."""

from pathlib import Path
from typing import Any

from hydra.experimental.callback import Callback
from omegaconf import OmegaConf, read_write

from zoo.core.new_folders import RUNS, make_run_folder, missing_folders
from zoo.core.rank_zero import is_rank_zero

new_folders: list[Path] = []  # those that this process's job makes, the innermost first


class NewFolders(Callback):
    """Makes a job, other than a sweep's, a folder of its own unless it names one, and notes which folders are new."""

    def on_run_start(self, config: Any, **_: Any) -> None:
        """Make the run folder, and note it and its parents if they are new."""
        overridden = any(word.startswith("hydra.run.dir=") for word in config.hydra.overrides.hydra)
        if not OmegaConf.is_missing(config, "run_dir") or overridden or not is_rank_zero():
            new_folders[:] = missing_folders(Path(config.hydra.run.dir).absolute())
            return
        parents = missing_folders(RUNS.absolute())
        folder = make_run_folder(config.data)
        new_folders[:] = [folder.absolute(), *parents]
        with read_write(config.hydra):
            config.hydra.run.dir = str(folder)
