"""Explain a model of tables by rows of a table: zoo explain WEIGHTS TABLE [PAGE] [key=value ...].

WEIGHTS is a run folder, a pretrained file's name or the path of a model.safetensors; TABLE is like that of the
training, best of rows that the model was not trained on. Prints the importance of each column, and draws it, with the
partial dependence on the top ones, on a page beside the table.

  zoo explain runs/first sold_since.csv
  zoo explain runs/first sold_since.csv prices.html n_pictures=10
  zoo explain fnn/mlp.breast_cancer cells.csv
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from zoo.cli.command_words import Words, fill
from zoo.cli.config_command import run_command
from zoo.cli.quick_imports import quick_imports
from zoo.core.console import echo

SLOTS = ("weights", "input", "output")


def main(words: Sequence[str] | None = None) -> None:
    """Run the command; `words` are those of its command line, by default the process's."""
    run_command("explain", run, explanation_settings, words)


def explanation_settings(words: Words) -> dict[str, Any]:
    """Return the settings that the bare words of `zoo explain` stand for: the weights, the table and the page."""
    return fill("explain", SLOTS, words)


def run(config: dict[str, Any], _: Any) -> None:
    """Print the importance of each column, and write the page."""
    with quick_imports():
        import zoo
        from zoo.core.errors import UserError
        from zoo.inference.device import choose_device
        from zoo.inference.table_explanation import check_takes_tables
        from zoo.report.page import write_page

    if config["weights"] is None or config["input"] is None:
        raise UserError("say which weights and which table, such as zoo explain runs/first sold_since.csv")
    table = Path(config["input"])
    page = _page(config["output"], table)
    predictor = zoo.load(config["weights"]).to(choose_device(config["device"]))
    check_takes_tables(predictor)
    explained = predictor.explain(table, n_pictures=config["n_pictures"], seed=config["seed"])
    echo(explained)
    write_page(page, f"{config['weights']} explained by {table.name}", explained._repr_html_())
    echo(f"wrote {page}")


def _page(output: Any, table: Path) -> Path:
    """The HTML file to write, by default beside the table; UserError for another kind of file, or without the table."""
    from zoo.core.atomic_files import check_output_path
    from zoo.core.errors import UserError, missing_file

    if not table.is_file():
        raise missing_file(table) if not table.exists() else UserError(f"explain takes a table; {table} is a folder")
    page = table.with_name(f"{table.stem}_explained.html") if output is None else Path(output)
    if page.suffix.lower() not in (".html", ".htm"):
        raise UserError(f"the page is an HTML file, and explain takes one table; got {page}: name it {page.stem}.html")
    check_output_path(page, [table], example="explained.html")
    return page
