"""What a sweep does at its end."""

from typing import Any

from hydra.experimental.callback import Callback


class Summary(Callback):
    """Gathers the jobs in one table; in the first process alone, where several share each job."""

    def on_multirun_end(self, config: Any, **_: Any) -> None:
        """Write and print it."""
        from zoo.run import is_first
        from zoo.summary import write_summary

        if is_first():
            print(write_summary(config.hydra.sweep.dir))
