"""Answer files of your own: python scripts/predict.py weights=<pretrained name|run folder|file> input=<file|folder>."""

import os
from pathlib import Path
from typing import Any

from zoo.cli.common import main
from zoo.core.console import echo

N_SHOWN = 10


def run(config: dict[str, Any], _: Any) -> None:
    import zoo
    from zoo.core.atomic_files import check_output_path
    from zoo.core.errors import UserError
    from zoo.data.sequences.files.text_files import read_text
    from zoo.inference.predictor import choose_device, predict_file
    from zoo.report.text import columns, spelled

    if config["weights"] is None or config["input"] is None:
        raise UserError("say which weights and which input: weights=runs/first input=new.csv")
    predictor = zoo.load(config["weights"]).to(choose_device(config["device"]))
    path = Path(config["input"])
    if predictor.task.generates:
        text = str(config["input"])
        if os.path.isfile(text) or path.suffix == ".txt":  # else it is the text itself
            text = read_text(path)
        echo(text + predictor.generate(text, config["n"], config["temperature"], config["seed"]))
        return
    output = None if config["output"] is None else Path(config["output"])
    if output is not None:
        weights = Path(config["weights"])
        check_output_path(output, [weights, weights / "model.safetensors"])
    header, rows = predict_file(predictor, path, output)
    shown = [spelled(column) for column in zip(*rows[:N_SHOWN], strict=True)]
    echo(columns(header, list(zip(*shown, strict=True))))
    if output is not None:
        echo(f"wrote {sum(row[-1] != '' for row in rows):,} answers to {output}")
    elif len(rows) > N_SHOWN:
        echo(f"{len(rows) - N_SHOWN:,} more; output=answers.csv writes all")


if __name__ == "__main__":
    main("predict", run)
