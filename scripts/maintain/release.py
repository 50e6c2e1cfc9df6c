"""Create a pretrained file and its card from finished runs: python scripts/maintain/release.py NAME RUNS."""

import argparse
from pathlib import Path

from zoo.cli.errors import exit_codes


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", help="family/architecture[size].data[_recipe], as in conf/experiment/")
    parser.add_argument("runs", type=Path, help="folder with one finished run per seed, from -m seed=0,1,2")
    parser.add_argument("--ensemble", action="store_true", help="combine all runs into one file, not the best run only")
    arguments = parser.parse_args()
    from zoo.inference.cards import release

    with exit_codes():
        print(f"wrote {release(arguments.name, arguments.runs, as_ensemble=arguments.ensemble)}")


if __name__ == "__main__":
    main()
