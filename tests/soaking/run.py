"""Soak test trainings: python tests/soaking/run.py kills|memory [key=value ...].

kills [n=300] [hours=] [seed=0]: kills trainings of each family, and of several seeds, with SIGKILL at random moments,
    every second time inside a save, resumes them until they end, and compares their files with those of an
    uninterrupted training, bit for bit. Ends after n kills, or after a number of hours.
memory [steps=10000] [epochs=200]: records the memory of a training of each family.

docs=FOLDER also saves the results there, as <name>.json, with a picture for memory.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path += [str(ROOT / "tests"), str(ROOT / "scripts")]

from benchmark import machine  # noqa: E402

from zoo.cli.errors import exit_codes  # noqa: E402
from zoo.cli.options import read_options  # noqa: E402

KINDS: dict[str, dict[str, Any]] = {
    "kills": {"n": 300, "hours": None, "seed": 0, "docs": None},
    "memory": {"steps": 10_000, "epochs": 200, "docs": None},
}
TYPES = {"n": int, "hours": float, "seed": int, "steps": int, "epochs": int, "docs": str}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what")
    parser.add_argument("settings", nargs="*", help="key=value")
    arguments = parser.parse_args()
    with exit_codes():
        run(arguments.what, arguments.settings)


def run(what: str, words: list[str]) -> None:
    """Run a soak test, print its results, and save them to `docs`."""
    import importlib

    from zoo.core.errors import unknown_name

    if what not in KINDS:
        raise unknown_name("soak", what, KINDS)
    options = {**KINDS[what], **read_options(words, {key: TYPES[key] for key in KINDS[what]})}
    docs = options.pop("docs")
    module = importlib.import_module(f"soaking.{what}")
    print(machine(), flush=True)
    found = {"machine": machine(), **module.soak(**options)}
    if docs is not None:
        Path(docs).mkdir(parents=True, exist_ok=True)
        (Path(docs) / f"{what}.json").write_text(json.dumps(found, indent=1) + "\n")
        if hasattr(module, "draw"):
            from benchmarks._page import save_picture

            save_picture(Path(docs) / f"{what}.png", lambda figure: module.draw(figure, found))


if __name__ == "__main__":
    main()
