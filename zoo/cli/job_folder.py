"""The folder of a command's job, which Hydra makes before the job starts; removed again where the job is refused."""

from pathlib import Path
from typing import Any

from hydra.experimental.callback import Callback

from zoo.core.new_folders import missing_folders

new_folders: list[Path] = []  # those that this process's job makes, the innermost first


class NewFolders(Callback):
    """Notes which folders do not exist before a job, other than a sweep's, makes them."""

    def on_run_start(self, config: Any, **_: Any) -> None:
        """Note the run folder and its parents that are new."""
        new_folders[:] = missing_folders(Path(config.hydra.run.dir).absolute())
