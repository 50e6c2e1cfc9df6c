"""One file of several trained models, which answers with their mean: python scripts/ensemble.py RUNS OUTPUT.

RUNS is a folder with finished runs of one model on one data set, such as
`python scripts/train.py model=fnn seeds=[0,1,2,3,4] run_dir=RUNS` or `-m ... seed=0,1,2` leaves.
"""

import argparse
from pathlib import Path

from zoo.cli.common import exit_codes
from zoo.core.console import echo


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", type=Path)
    parser.add_argument("output", type=Path, help="such as ensemble.safetensors")
    arguments = parser.parse_args()
    with exit_codes():
        run(arguments.runs, arguments.output)


def run(runs: Path, output: Path) -> None:
    """Write the file and print its metrics."""
    from zoo.core.run_folder import finished_runs
    from zoo.inference.ensembling import ensemble
    from zoo.report.text import columns, measured

    weights = [run.weights for run in finished_runs(runs)]
    card = ensemble(weights, output)
    header, *rows = measured(card["metrics"])
    echo(columns(header, rows))
    echo(f"{len(weights)} models in {output}")


if __name__ == "__main__":
    main()
