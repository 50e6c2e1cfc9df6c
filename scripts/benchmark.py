"""Measure the zoo on this machine: python scripts/benchmark.py SUITE [output=FILE.json] [docs=FOLDER].

The suites are auto, cnn, data, engine, fnn, fnn_folds, fnn_unseen, gpu, growth, latency, rnn, seeds and startup. Most
print the medians of several runs and of a reference; output= also saves the rows, docs= a page with a picture.

Of fnn, fnn_folds, fnn_unseen and rnn, which take hours, results=FILE.jsonl keeps what was measured and goes on from
there, minutes=30 starts nothing new after half an hour, and only="rnn*,*Rocket*" measures these models alone.
"""

import argparse
import importlib
import json
import platform
import sys
from inspect import signature
from itertools import groupby
from pathlib import Path
from typing import Any

from zoo.cli.errors import exit_codes
from zoo.cli.options import read_options

SUITES = sorted(path.stem for path in (Path(__file__).parent / "benchmarks").glob("[!_]*.py"))
SETTINGS = {"output": Path, "docs": Path, "results": Path, "minutes": float, "only": str}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("suite")
    parser.add_argument("settings", nargs="*", help="output=FILE.json, docs=FOLDER, and those of long suites")
    arguments = parser.parse_args()
    with exit_codes():
        run(arguments.suite, read_options(arguments.settings, SETTINGS))


def run(name: str, settings: dict[str, Any]) -> None:
    """Measure a suite, print its table, and write the files in `settings`."""
    from zoo.core.errors import UserError, unknown_name
    from zoo.core.table_layout import text_table

    if name not in SUITES:
        raise unknown_name("suite", name, SUITES)
    suite = importlib.import_module(f"benchmarks.{name}")
    kept = {key: settings[key] for key in ("results", "minutes", "only") if key in settings}
    if kept and "results" not in signature(suite.measure).parameters:
        raise UserError(
            f"{', '.join(kept)} is for suites that take hours; {name} measures everything at once: leave it out"
        )
    print(machine(), flush=True)
    measures = []
    for measure in suite.measure(**kept):
        print(f"measured: {measure.name}", file=sys.stderr)
        measures.append(measure)
    rows = [measure.row for measure in measures]
    for _, group in groupby(measures, type):
        table = list(group)
        print(text_table([*table[0].row], [measure.cells for measure in table]))
    if "output" in settings:
        settings["output"].write_text(json.dumps(rows, indent=1))
    if "docs" in settings:
        from benchmarks._page import write_page

        write_page(settings["docs"], suite, machine(), measures)


def machine() -> str:
    """Describe hardware, versions and threads in one line."""
    import lightning
    import torch

    from zoo.core.system import hardware

    gpu = [torch.cuda.get_device_name()] if torch.cuda.is_available() else []
    versions = [f"{name} {module.__version__}" for name, module in (("torch", torch), ("lightning", lightning))]
    python, threads = f"Python {platform.python_version()}", f"torch's threads: {torch.get_num_threads()}"
    return ", ".join([hardware(), *gpu, python, *versions, threads])


if __name__ == "__main__":
    main()
