"""Scores of the pretrained files beside the goals of their data, from their cards."""

from collections.abc import Sequence

from benchmarks._sequence_tasks import Task, goal_note
from zoo.inference.pretrained import load_card


def table_of_files(tasks: Sequence[Task]) -> str:
    """A Markdown table with a row for each goal of data that have a pretrained file: the mean over the seeds of its
    recipe, and the score of the file, which may be a mean of several models."""
    lines = ["| file | score | seeds of the recipe | the file | parameters | goal |", "|" + " --- |" * 6]
    for task in (one for one in tasks if one.file):
        card = load_card(task.file)
        for metric, goal in task.goals.items():
            assert goal is not None, "data with a file have goals"
            seeds, of_file = card["metrics"]["test"][metric], card["file"]["test"][metric]
            what, reached = goal_note(metric, goal, seeds["mean"], of_file)
            verdict = "yes" if all(reached) else "the file" if reached[1] else "no"
            mean = f"{seeds['mean']:.4f} ± {seeds['std']:.2g} ({seeds['n']})"
            lines.append(
                f"| `{task.file}` | {metric} | {mean} | {of_file:.4f} | {card['n_parameters']:,} | {what}: {verdict} |"
            )
    return "\n".join(lines) + "\n"
