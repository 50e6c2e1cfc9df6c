"""Fuzz everything that the zoo reads: python tests/fuzzing/run.py [target ...] [key=value ...].

cases=100000 per target; seed=0 of the random edits; minutes= limits the time per target, no limit by default.
output=FILE.json also saves the results, beside those of other targets.
A case is a valid input with edits, or for `training` a combination of valid settings. It must succeed or raise
UserError within ten seconds of CPU time and two gigabytes, run no code, and write only to its own folder.
Exits with 1 if a case does not, and prints the smallest that fails.
"""

import argparse
import json
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from importlib.metadata import version
from multiprocessing import get_context
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).resolve().parents[1]))  # of the package that this file is in

from zoo.cli.errors import exit_codes
from zoo.cli.options import read_options

SETTINGS = {"cases": int, "seed": int, "minutes": float, "output": str}
VERSIONS = ("torch", "safetensors", "numpy", "pandas", "pyarrow", "pillow", "soundfile", "hydra-core", "PyYAML")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("words", nargs="*", help="targets, and key=value")
    words = parser.parse_args().words
    with exit_codes():
        settings = [word for word in words if "=" in word]
        rows = run([word for word in words if word not in settings], **read_options(settings, SETTINGS))
        sys.exit(any(row["violations"] for row in rows))


def run(
    names: list[str], *, cases: int = 100_000, seed: int = 0, minutes: float | None = None, output: str | None = None
) -> list[dict[str, Any]]:
    """Fuzz each target in a separate process, print a table, and save it to `output` after each target."""
    from fuzzing.cases import TARGETS
    from zoo.core.errors import unknown_name

    for name in names:
        if name not in TARGETS:
            raise unknown_name("target", name, TARGETS)
    rows: list[dict[str, Any]] = []
    for name in names or TARGETS:
        versions = {package: version(package) for package in VERSIONS}
        rows.append({**_in_process(name, cases, seed, minutes), "versions": versions})
        if output:
            _write(Path(output), rows)
    _print(rows)
    return rows


def _write(path: Path, rows: list[dict[str, Any]]) -> None:
    """Save the rows; rows of other targets in the file stay."""
    known = json.loads(path.read_text())["targets"] if path.exists() else []
    by_target = {row["target"]: row for row in [*known, *rows]}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"targets": list(by_target.values())}, indent=1) + "\n")


def _in_process(name: str, cases: int, seed: int, minutes: float | None) -> dict[str, Any]:
    """Fuzz a target in a separate process and return its row. A crash of the process is a violation too."""
    from fuzzing.cases import fuzz

    start = time.monotonic()
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        try:
            row = pool.submit(fuzz, name, cases, seed, minutes).result()
        except BrokenProcessPool:
            row = {"target": name, "violations": ["the process crashed"]}
    row["seconds"] = round(time.monotonic() - start)
    print(json.dumps(row), flush=True)
    return row


def _print(rows: list[dict[str, Any]]) -> None:
    from zoo.core.table_layout import text_table

    names = ("target", "cases", "refused", "accepted", "seconds", "megabytes", "violations")
    counted = [{**row, "violations": len(row["violations"])} for row in rows]
    print(text_table(list(names), [[f"{row.get(name, '')}" for name in names] for row in counted]))


if __name__ == "__main__":
    main()
