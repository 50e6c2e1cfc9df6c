"""Write the README's table of pretrained files from their cards; with --check only say whether it is up to date."""

import argparse
import sys
from pathlib import Path
from typing import Any

README = Path(__file__).resolve().parents[2] / "README.md"
START, END = "<!-- table: written by scripts/maintain/table.py -->\n", "<!-- end of table -->"
HEAD = """| weights | test score: this file | mean ± deviation (seeds) | parameters | size | fitting | trained on |
|---|---|---|---|---|---|---|
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="exit with 1 if the table is out of date")
    check = parser.parse_args().check
    text = README.read_text()
    before, _, rest = text.partition(START)
    _, _, after = rest.partition(END)
    new = before + START + table() + END + after
    if check and new != text:
        sys.exit("README.md is out of date: run python scripts/maintain/table.py")
    README.write_text(new)


def table() -> str:
    """A row a card, as Markdown."""
    import zoo
    from zoo.inference.pretrained import load_card

    return HEAD + "".join(row(load_card(name)) for name in zoo.list_pretrained())


def row(card: dict[str, Any]) -> str:
    from zoo.inference.pretrained import is_ensemble
    from zoo.tasks.base import TASKS

    metric = TASKS.get(card["spec"]["task"]).score
    score = card["metrics"]["test"][metric]
    deviation = f" ± {score['std']:.4f}" if score["n"] > 1 else ""
    told, times = f"{score['mean']:.4f}{deviation} ({score['n']})", ""
    if is_ensemble(card):
        told, times = f"each alone {told}", f"{score['n']} x "
    helped = {"from": card["config"]["finetune"], "taught by": card["config"]["distill"]["teacher"]}
    others = "".join(f", {how} `{file}`" for how, file in helped.items() if file)
    own = f"{metric} {card['file']['test'][metric]:.4f}"
    return (
        f"| `{card['name']}` | {own} | {told} | {card['n_parameters']:,} | {card['bytes'] / 1000:,.0f} kB "
        f"| {times}{card['seconds']['fit']['mean']:.0f} s{others} "
        f"| {card['hardware']}, {card['device']}, torch {card['versions']['torch']} |\n"
    )


if __name__ == "__main__":
    main()
