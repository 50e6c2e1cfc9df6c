"""Scores of the pretrained files beside the goals of their data, from their cards."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from zoo.inference.pretrained import load_card

if TYPE_CHECKING:
    from benchmarks._sequence_tasks import Task


def table_of_files(tasks: Sequence["Task"], less_is_better: Sequence[str]) -> str:
    """A Markdown table with a row for each goal of data that have a pretrained file: the mean over the seeds of its
    recipe, and the score of the file, which may be a mean of several models."""
    lines = ["| file | score | seeds of the recipe | the file | parameters | goal |", "|" + " --- |" * 6]
    for task in (one for one in tasks if one.file):
        card = load_card(task.file)
        for metric, goal in task.goals.items():
            seeds, of_file = card["metrics"]["test"][metric], card["file"]["test"][metric]
            less = metric.removesuffix("_scaled") in less_is_better
            reached = [one <= goal if less else one >= goal for one in (seeds["mean"], of_file)]
            verdict = "yes" if all(reached) else "the file" if reached[1] else "no"
            mean = f"{seeds['mean']:.4f} ± {seeds['std']:.2g} ({seeds['n']})"
            what = f"{'at most' if less else 'at least'} {goal:.4g}: {verdict}"
            lines.append(f"| `{task.file}` | {metric} | {mean} | {of_file:.4f} | {card['n_parameters']:,} | {what} |")
    return "\n".join(lines) + "\n"
