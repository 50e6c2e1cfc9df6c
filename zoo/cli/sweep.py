"""What a sweep does after each job and at its end."""

import math
import sys
import traceback
from pathlib import Path
from typing import Any

from hydra.core.utils import JobReturn, JobStatus
from hydra.experimental.callback import Callback

from zoo.core.console import echo


class Summary(Callback):
    """Lets the others go on where a job fails, and gathers all in one table.

    A failed job counts as one of infinite loss. What is written and printed at the end, the first process alone does,
    where several share each job.
    """

    def on_multirun_start(self, config: Any, **_: Any) -> None:
        """Forget the failures of the last time."""
        from zoo.core.rank_zero import is_rank_zero
        from zoo.report.sweep import FAILED

        for path in Path(config.hydra.sweep.dir).rglob(FAILED) if is_rank_zero() else ():
            path.unlink()

    def on_job_end(self, config: Any, job_return: JobReturn, **_: Any) -> None:
        """Tell and note a failure; a signal ends the whole sweep."""
        from zoo.cli.common import end, outcome
        from zoo.core.errors import InterruptedTraining
        from zoo.core.rank_zero import is_rank_zero
        from zoo.report.sweep import note_failure

        if job_return.status is not JobStatus.FAILED:
            return
        error = job_return._return_value  # the property raises it
        code, message = outcome(error, config=config) or (1, f"{type(error).__name__}: {error}")
        if isinstance(error, InterruptedTraining):
            end(code, message)
        if code == 1:
            traceback.print_exception(error)
        folder = Path(config.hydra.runtime.output_dir)
        echo(f"{folder} failed: {message}", file=sys.stderr, flush=True)
        if is_rank_zero():
            note_failure(folder, config.hydra.job.num, code, message)
        job_return.status, job_return.return_value = JobStatus.COMPLETED, math.inf

    def on_multirun_end(self, config: Any, **_: Any) -> None:
        """Write and print the table, and end as the first job that failed."""
        from zoo.core.rank_zero import is_rank_zero
        from zoo.report.sweep import exit_code, write_summary

        if is_rank_zero():
            echo(write_summary(config.hydra.sweep.dir), flush=True)
            code = exit_code(config.hydra.sweep.dir)
            if code:
                sys.exit(code)
