"""Train a pretrained file anew by its card's recipe, and compare: python scripts/reproduce.py NAME [key=value ...].

seed=: the shipped file's where it is not given; several, such as seed=0,1; or seed=all for all of the card's, as an
ensemble has them by itself.
run_dir=: for the runs; runs/reproduce/NAME where it is not given. The same command goes on with what is there.

Ends with 0 where every metric's mean is as near to the card's as its standard deviation and the numbers of runs let
expect in 99 cases of 100 (within 1 % of it, of a loss 5 %, where the card has one run or they did not differ), else
with 1. What an ensemble's runs answer together is compared too.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from zoo.cli.common import exit_codes, parsed
from zoo.cli.common import main as compose

FILE = "ensemble.safetensors"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name")
    parser.add_argument("settings", nargs="*", help="key=value")
    arguments = parser.parse_args()
    with exit_codes():
        sys.exit(0 if reproduce(arguments.name, arguments.settings) else 1)


def reproduce(name: str, words: Sequence[str]) -> bool:
    """Train, print the comparison, and give whether all is within what the card states."""
    from zoo.inference.cards import compare, compare_together, finished, same_weights
    from zoo.inference.pretrained import is_ensemble, load_card

    card = load_card(name)
    options = {
        "seed": "all" if is_ensemble(card) else str(card["file"]["seed"]),
        "run_dir": f"runs/reproduce/{name}",
        **parsed(words, {"seed": str, "run_dir": str}),
    }
    seeds = _seeds(options["seed"], card["seeds"])
    runs = finished(_trained(name, seeds, options["run_dir"]), seeds)
    compared = compare(card, [metrics for _, metrics in runs])
    print(_table(compared, len(runs)))
    if is_ensemble(card) and len(runs) > 1:
        together = compare_together(card, [run for run, _ in runs], Path(options["run_dir"]) / FILE)
        print(f"together, in {options['run_dir']}/{FILE}:\n{_table(together, 1)}")
        compared += together
    for run, metrics in runs:
        if metrics["seed"] == card["file"].get("seed"):
            print(f"weights of seed {metrics['seed']}: {same_weights(name, run)}")
    return all(entry.within for entry in compared)


def _trained(name: str, seeds: Sequence[int], run_dir: str) -> Path:
    """Train the recipe, a run a seed, as train.py does; gives the runs' folder."""
    from train import run

    seed = ",".join(map(str, seeds))
    sys.argv[1:] = ["-m", f"experiment={name}", f"seed={seed}", f"run_dir={run_dir}", "resume=auto"]
    compose("train", run)
    return Path(run_dir)


def _seeds(text: str, published: Sequence[int]) -> list[int]:
    from zoo.core.errors import UserError

    try:
        return list(published) if text == "all" else [int(part) for part in text.split(",")]
    except ValueError:
        raise UserError(f"seed is a whole number, several with commas between, or all; got {text}") from None


def _table(compared: Sequence[Any], n: int) -> str:
    from zoo.report.text import columns, number

    header = ("", "card's mean", "std", "file", f"now, n={n}", "difference", "allowed", "")
    rows = [
        (
            f"{entry.split} {entry.metric}",
            *map(number, (entry.mean, entry.std, entry.file, entry.now)),
            *map(number, (entry.difference, entry.allowed)),
            "within" if entry.within else "beyond",
        )
        for entry in compared
    ]
    return columns(header, rows)


if __name__ == "__main__":
    main()
