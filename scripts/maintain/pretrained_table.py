"""The table of pretrained files and the headers of recipes, from cards."""

from collections.abc import Sequence
from typing import Any

HEAD = """| weights | test score: this file | mean ± deviation (seeds) | parameters | size | fitting | trained on |
|---|---|---|---|---|---|---|
"""
FIRST = (
    "fnn/tabm_nca.breast_cancer",
    "cnn/small.mnist5k",
    "cnn/fast.cifar10",
    "rnn/rocket_gru.japanese_vowels",
    "rnn/char_lm.shakespeare",
)  # in the README


def table(names: Sequence[str]) -> str:
    """A row for each pretrained file, as Markdown."""
    from zoo.inference.pretrained import load_card

    return HEAD + "".join(row(load_card(name)) for name in names)


def recipe_header(name: str) -> str:
    """The comment above a pretrained file's recipe: the command that runs it, its score and its seconds."""
    from zoo.inference.pretrained import load_card
    from zoo.tasks.base import TASKS

    card = load_card(name)
    metric = TASKS.get(card["spec"]["task"]).score
    score = card["metrics"]["test"][metric]
    deviation, seeds = (f" ± {score['std']:.4f}", "seeds") if score["n"] > 1 else ("", "seed")
    return (
        f"# {card['recipe']}\n"
        f"# test {metric} {score['mean']:.4f}{deviation} ({score['n']} {seeds}), {card['seconds']['fit']['mean']:.0f} s"
        f" per seed on\n# {card['hardware']}, {card['device']}, torch {card['versions']['torch']}\n"
    )


def row(card: dict[str, Any]) -> str:
    """The row of one file."""
    from zoo.inference.pretrained import is_ensemble
    from zoo.tasks.base import TASKS

    metric = TASKS.get(card["spec"]["task"]).score
    score = card["metrics"]["test"][metric]
    deviation = f" ± {score['std']:.4f}" if score["n"] > 1 else ""
    trainings, times = f"{score['mean']:.4f}{deviation} ({score['n']})", ""
    if is_ensemble(card):
        trainings, times = f"each alone {trainings}", f"{score['n']} x "
    helped = {"from": card["config"]["finetune"], "taught by": card["config"]["distill"]["teacher"]}
    others = "".join(f", {how} `{file}`" for how, file in helped.items() if file)
    own = f"{metric} {card['file']['test'][metric]:.4f}"
    return (
        f"| `{card['name']}` | {own} | {trainings} | {card['n_parameters']:,} | {card['bytes'] / 1000:,.0f} kB "
        f"| {times}{card['seconds']['fit']['mean']:.0f} s{others} "
        f"| {card['hardware']}, {card['device']}, torch {card['versions']['torch']} |\n"
    )
