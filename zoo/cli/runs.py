"""Show the runs in a folder, the best of each data set first: zoo runs [FOLDER].

FOLDER is by default runs; folders in it are searched too. Test metrics are left out, as they are no ground to choose a
run by: zoo evaluate RUN shows them.

  zoo runs
  zoo runs runs/sweep
"""

from collections.abc import Sequence
from pathlib import Path

from zoo.cli.errors import exit_codes
from zoo.cli.options import read_command
from zoo.core.console import echo, terminal_width


def main(words: Sequence[str] | None = None) -> None:
    """Run the command; `words` are those of its command line, by default the process's."""
    with exit_codes():
        folder = read_command("runs", words, {"folder": Path}, {}, n=0).get("folder", Path("runs"))
        echo(listing(folder))


def listing(folder: Path) -> str:
    """Return a table of the runs in a folder and in all below it. Raises UserError where there are none."""
    from zoo.core.errors import UserError
    from zoo.core.run_listing import find_runs
    from zoo.report.runs import runs_table

    if not folder.is_dir():
        raise UserError(f"no folder {folder}; zoo runs FOLDER shows the runs in it, and in all folders below it")
    runs = find_runs(folder)
    if not runs:
        raise UserError(f"there are no runs in {folder}; zoo train fnn run_dir={folder}/first makes one")
    return runs_table(runs, folder, terminal_width())
