"""Record the failures of a sweep's jobs, and summarise the sweep at its end."""

import math
import sys
import traceback
from pathlib import Path
from typing import Any

from hydra.core.utils import JobReturn, JobStatus
from hydra.experimental.callback import Callback
from omegaconf import OmegaConf

from zoo.cli.errors import end, outcome
from zoo.core.console import echo, terminal_width
from zoo.settings.hydra_private import error_of_job


class Summary(Callback):
    """Goes on with the other jobs where one fails, and gathers all of them in one table.

    A failed job counts as one of infinite loss. Where several processes share each job, the first alone writes and
    prints the table.
    """

    def on_multirun_start(self, config: Any, **_: Any) -> None:
        """Forget the failures of the last time."""
        from zoo.core.rank_zero import is_rank_zero
        from zoo.core.run_listing import FAILED

        for path in Path(config.hydra.sweep.dir).rglob(FAILED) if is_rank_zero() else ():
            path.unlink()

    def on_job_end(self, config: Any, job_return: JobReturn, **_: Any) -> None:
        """Print and note a failure; a signal ends the whole sweep."""
        from zoo.core.errors import InterruptedTraining
        from zoo.core.rank_zero import is_rank_zero
        from zoo.core.run_listing import record_failure

        if job_return.status is not JobStatus.FAILED or OmegaConf.is_missing(config.hydra.job, "num"):
            return  # all is well, or this is no sweep, and the error ends the command
        error = error_of_job(job_return)
        code, message = outcome(error, config=config) or (1, f"{type(error).__name__}: {error}")
        if isinstance(error, InterruptedTraining):
            end(code, message)
        if code == 1:
            traceback.print_exception(error)
        folder = Path(config.hydra.runtime.output_dir)
        echo(f"{folder} failed: {message}", file=sys.stderr, flush=True)
        if is_rank_zero():
            record_failure(folder, config.hydra.job.num, code, message)
        job_return.status, job_return.return_value = JobStatus.COMPLETED, math.inf

    def on_multirun_end(self, config: Any, **_: Any) -> None:
        """Write and print the table, and end with the exit code of the first job that failed."""
        from zoo.core.rank_zero import is_rank_zero
        from zoo.report.sweep import exit_code, write_summary

        if is_rank_zero():
            echo(write_summary(config.hydra.sweep.dir, terminal_width()), flush=True)
            code = exit_code(config.hydra.sweep.dir)
            if code:
                sys.exit(code)
