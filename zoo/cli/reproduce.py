"""Train a pretrained file again by its card's recipe, and compare: zoo reproduce NAME [key=value ...].

seed=     one, several such as seed=0,1, or seed=all for all of the card's; by default the shipped file's seed, or all
          of an ensemble's
run_dir=  for the runs; by default runs/reproduce/NAME. The same command resumes what is there

Exits with 0 where the mean of every metric is as close to the card's as its standard deviation and the numbers of runs
lead to in 99 of 100 cases (within 1 %, of a loss 5 %, where the card has one run or no deviation), and with 1 else.
Where the file is an ensemble, the metrics of an ensemble of the runs are compared too.

  zoo reproduce fnn/mlp.breast_cancer
  zoo reproduce cnn/small.mnist5k seed=0,1
  zoo reproduce cnn/lenet5.mnist seed=all run_dir=runs/lenet5
"""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from zoo.cli.errors import exit_codes
from zoo.cli.options import read_command
from zoo.cli.train import main as train
from zoo.core.console import echo

FILE = "ensemble.safetensors"


def main(words: Sequence[str] | None = None) -> None:
    """Run the command; `words` are those of its command line, by default the process's."""
    with exit_codes():
        read = read_command("reproduce", words, {"name": str}, {"seed": str, "run_dir": str})
        sys.exit(0 if reproduce(**read) else 1)


def reproduce(name: str, seed: str | None = None, run_dir: str | None = None) -> bool:
    """Train, print the comparison, and return whether every metric agrees with the card."""
    from zoo.inference.pretrained import is_ensemble, load_card
    from zoo.inference.reproduction import compare, compare_ensemble, compare_weights, finished_metrics

    card = load_card(name)
    run_dir = run_dir or f"runs/reproduce/{name}"
    seeds = _seeds(seed or ("all" if is_ensemble(card) else str(card["file"]["seed"])), card["seeds"])
    runs = finished_metrics(_trained(card, seeds, run_dir), seeds)
    compared = compare(card, [metrics for _, metrics in runs])
    echo(_table(compared, len(runs)))
    if is_ensemble(card) and len(runs) > 1:
        together = compare_ensemble(card, [run for run, _ in runs], Path(run_dir) / FILE)
        echo(f"together, in {run_dir}/{FILE}:\n{_table(together, 1)}")
        compared += together
    for run, metrics in runs:
        if metrics["seed"] == card["file"].get("seed"):
            echo(f"weights of seed {metrics['seed']}: {compare_weights(name, run)}")
    return all(entry.within for entry in compared)


def _trained(card: Mapping[str, Any], seeds: Sequence[int], run_dir: str) -> Path:
    """Train the recipe, a run for each seed, as `zoo train` does, and return the folder of the runs."""
    seed = ",".join(map(str, seeds))
    older = [] if "temperature" in card["config"]["task"] else ["task.temperature=1"]  # than the fit of temperatures
    train(["-m", f"experiment={card['name']}", f"seed={seed}", f"run_dir={run_dir}", "resume=auto", *older])
    return Path(run_dir)


def _seeds(text: str, published: Sequence[int]) -> list[int]:
    from zoo.core.errors import UserError

    try:
        return list(published) if text == "all" else [int(part) for part in text.split(",")]
    except ValueError:
        raise UserError(f"seed is a whole number, several with commas between, or all; got {text}") from None


def _table(compared: Sequence[Any], n: int) -> str:
    from zoo.core.formatting import format_number
    from zoo.core.table_layout import text_table

    header = ("", "card's mean", "std", "file", f"now, n={n}", "difference", "allowed", "")
    rows = [
        (
            f"{entry.split} {entry.metric}",
            *map(format_number, (entry.mean, entry.std, entry.file, entry.now)),
            *map(format_number, (entry.difference, entry.allowed)),
            "within" if entry.within else "beyond",
        )
        for entry in compared
    ]
    return text_table(header, rows)
