"""Lightning's reading and writing of checkpoints, as files of `zoo.core.checkpoint_file`."""

from pathlib import Path
from typing import Any

from lightning.fabric.plugins.io.checkpoint_io import CheckpointIO

from zoo.core.checkpoint_file import read_checkpoint, write_checkpoint


class SafeCheckpointIO(CheckpointIO):
    """Writes and reads checkpoints that are verified by hash and run no code."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:
        """See `write_checkpoint`."""
        write_checkpoint(Path(path), checkpoint)

    def load_checkpoint(self, path: Any, map_location: Any = "cpu", weights_only: bool | None = True) -> dict[str, Any]:
        """See `read_checkpoint`; the same whatever `weights_only`."""
        return read_checkpoint(Path(path), map_location)

    def remove_checkpoint(self, path: Any) -> None:
        """Remove the checkpoint."""
        Path(path).unlink(missing_ok=True)
