"""Make a pretrained file and its card of finished runs: python scripts/maintain/release.py NAME RUNS."""

import argparse
from pathlib import Path

from zoo.cli.errors import exit_codes


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", help="family/architecture[size].data[_recipe], as in conf/experiment/")
    parser.add_argument("runs", type=Path, help="folder with one finished run a seed, as -m seed=0,1,2 leaves it")
    parser.add_argument("--ensemble", action="store_true", help="the file is all runs together, not the best one")
    arguments = parser.parse_args()
    from zoo.inference.cards import release

    with exit_codes():
        print(f"wrote {release(arguments.name, arguments.runs, as_ensemble=arguments.ensemble)}")


if __name__ == "__main__":
    main()
