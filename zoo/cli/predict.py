"""Predict for files of your own: zoo predict WEIGHTS INPUT [OUTPUT] [key=value ...].

WEIGHTS is a run folder, a pretrained file's name or the path of a model.safetensors.

  zoo predict cnn/small.mnist photo.jpg
  zoo predict runs/first new.csv answers.csv coverage=0.9
  zoo predict runs/poems "Shall I" length=100
  zoo predict runs/names prompt= documents=20
"""

import itertools
import os
import re
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.cli.command_words import Words, fill
from zoo.cli.config_command import run_command
from zoo.cli.quick_imports import quick_imports
from zoo.core.console import echo

if TYPE_CHECKING:
    from zoo.inference.predictor import Predictor

SLOTS = ("weights", "input", "output")
N_SHOWN = 10
LIKE_A_FILE = re.compile(r"\S*/\S*|\S*\.[A-Za-z]\w{0,4}|.*\.txt")  # a text that is perhaps a file's name


def main(words: Sequence[str] | None = None) -> None:
    """Run the command; `words` are those of its command line, by default the process's."""
    run_command("predict", run, prediction_settings, words)


def prediction_settings(words: Words) -> dict[str, Any]:
    """Return the settings that the bare words of `zoo predict` stand for: the weights, the input and the output.

    Raises:
        UserError: for several inputs, and where a word without a key names a file that is there already as the output.
    """
    from zoo.core.errors import UserError

    if len(words.bare) > len(SLOTS):
        raise UserError(f"zoo predict takes one input; got {', '.join(words.bare[1:6])}\n"
                        "several images or recordings go in a folder, which is one input")  # fmt: skip
    settings = fill("predict", SLOTS, words)
    output = settings.get("output")
    if output is not None and os.path.exists(output):
        raise UserError(f"zoo predict takes one input, and a third word is the file of the answers; {output} is there "
                        f"already: output={output} writes over it")  # fmt: skip
    return settings


def run(config: dict[str, Any], _: Any) -> None:
    """Print the predictions for the input, or write them to a file."""
    with quick_imports():
        import zoo
        from zoo.core.errors import UserError
        from zoo.inference.device import choose_device
        from zoo.inference.predictor import Predictor  # noqa: F401, which zoo.load imports too

    if config["weights"] is None or (config["input"] is None and config["prompt"] is None):
        raise UserError("say which weights and which input, such as zoo predict runs/first new.csv")
    predictor = zoo.load(config["weights"]).to(choose_device(config["device"]))
    if config["prompt"] is not None and "tokens" not in predictor.spec.inputs:
        raise UserError(f"prompt= is for models of text; this one does {predictor.spec.task}: give it an input")
    if predictor.task.generates and "sequence" in predictor.spec.inputs:
        _go_on(predictor, config)
    elif predictor.task.generates:
        _write(predictor, config)
    else:
        _predict(predictor, config)


def _write(predictor: "Predictor", config: dict[str, Any]) -> None:
    """Print a text, or that of a file, and what a language model writes after it, as soon as it is written."""
    prompt, n_documents = text_to_continue(config), config["documents"]
    options = {key: config[key] for key in ("temperature", "top_k", "top_p", "seed")}
    pieces = predictor.generate_pieces(prompt, config["length"], **options, documents=n_documents)
    for piece in itertools.chain([prompt] if n_documents == 1 else [], pieces):
        echo(piece, end="", flush=True)
    echo()


def text_to_continue(config: dict[str, Any]) -> str:
    """The text to continue: `prompt`, the content of an `input` that is a file, or else `input` itself."""
    from zoo.core.errors import UserError, missing_file
    from zoo.data.sequences.files.text_files import read_text

    if config["input"] is not None and config["prompt"] is not None:
        raise UserError(f"a language model continues one text; got {config['input']} and prompt={config['prompt']}")
    if config["prompt"] is not None:
        return str(config["prompt"])
    text = str(config["input"])
    if os.path.isfile(text):
        return read_text(Path(text))
    if LIKE_A_FILE.fullmatch(text):
        raise UserError(f"{missing_file(Path(text))}\nto continue this text itself: prompt={shlex.quote(text)}")
    return text


def _go_on(predictor: "Predictor", config: dict[str, Any]) -> None:
    """Print the steps that a model writes after a piece of notes, or write them to a file."""
    from zoo.core.safe_csv import write_csv
    from zoo.report.answers import answers_table
    from zoo.tasks.conformal import BETWEEN

    steps = predictor.generate(Path(config["input"]), config["length"], config["temperature"], seed=config["seed"])
    rows = [(number, BETWEEN.join(labels)) for number, labels in enumerate(steps, 1)]
    header = "step", "prediction"
    echo(answers_table(header, rows[:N_SHOWN], [], None))
    if config["output"] is not None:
        write_csv(Path(config["output"]), [header, *rows])
        echo(f"wrote {len(rows):,} steps to {config['output']}")


def _predict(predictor: "Predictor", config: dict[str, Any]) -> None:
    from zoo.core.atomic_files import check_output_path
    from zoo.core.console import terminal_width
    from zoo.inference.predict_files import predict_file
    from zoo.report.answers import answers_table

    output = None if config["output"] is None else Path(config["output"])
    if output is not None:
        weights = Path(config["weights"])
        check_output_path(output, [weights, weights / "model.safetensors"])
    header, rows = predict_file(predictor, Path(config["input"]), output, config["coverage"])
    class_names = predictor.spec.class_names if predictor.task.has_classes else []
    echo(answers_table(header, rows[:N_SHOWN], class_names, terminal_width()))
    if output is not None:
        echo(f"wrote {sum(row[-1] != '' for row in rows):,} answers to {output}")
    elif len(rows) > N_SHOWN:
        echo(f"{len(rows) - N_SHOWN:,} more; output=answers.csv writes all")
