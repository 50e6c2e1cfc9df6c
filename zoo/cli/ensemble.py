"""Put several trained models into one file that answers with their mean: zoo ensemble RUNS OUTPUT [zoo_path=...].

RUNS is a folder with finished runs of one model on one data set, such as `zoo train fnn seeds=[0,1,2,3,4] run_dir=RUNS`
or `-m ... seed=0,1,2` leaves. zoo_path= is the folder of your own code, if the models are yours.

  zoo ensemble runs/five five.safetensors
  zoo evaluate five.safetensors
  zoo predict five.safetensors new.csv answers.csv
"""

from collections.abc import Sequence
from pathlib import Path

from zoo.cli.errors import exit_codes
from zoo.cli.options import read_command
from zoo.core.console import echo


def main(words: Sequence[str] | None = None) -> None:
    """Run the command; `words` are those of its command line, by default the process's."""
    with exit_codes():
        read = read_command("ensemble", words, {"runs": Path, "output": Path}, {"zoo_path": str}, n=2)
        if "zoo_path" in read:
            import zoo

            zoo.add_path(read["zoo_path"])
        run(read["runs"], read["output"])


def run(runs: Path, output: Path) -> None:
    """Write the file and print its metrics."""
    from zoo.core.errors import UserError
    from zoo.core.run_folder import finished_runs
    from zoo.core.table_layout import text_table
    from zoo.inference.ensembling import ensemble
    from zoo.report.text import metric_rows

    if not runs.is_dir():
        raise UserError(f"RUNS is a folder with finished runs; {runs} is not a folder")
    weights = [run.weights for run in finished_runs(runs)]
    card = ensemble(weights, output)
    header, *rows = metric_rows(card["metrics"])
    echo(text_table(header, rows))
    echo(f"{len(weights)} models in {output}")
