"""Prove what docs/reliability.md promises: python scripts/reliability.py [prove].

With prove it first runs the tests of all faults; then, as without, it writes the page from their docstrings, from what
came of them when they last ran, and from the figures of scripts/soak.py and scripts/fuzz.py in docs/reliability/.
"""

import argparse
import ast
import datetime
import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from common import exit_codes

ROOT = Path(__file__).resolve().parent.parent
FIGURES, PAGE = ROOT / "docs" / "reliability", ROOT / "docs" / "reliability.md"
NAME = re.compile(r"test_fault_(\d\d)_\w+")
OUTCOMES = {"failure": "failed", "error": "failed", "skipped": "skipped"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="?", choices=["prove"])
    with exit_codes():
        if parser.parse_args().what == "prove":
            prove()
        PAGE.write_text(page())
        print(f"wrote {PAGE.relative_to(ROOT)}")


def promises() -> dict[str, str]:
    """What each test of a fault promises, in the order of the faults."""
    found = {}
    for path in (ROOT / "tests" / "faults").glob("test_*.py"):
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.FunctionDef) and NAME.fullmatch(node.name):
                found[node.name] = " ".join((ast.get_docstring(node) or "").split())
    return dict(sorted(found.items()))


def prove() -> None:
    """Run the tests and note what came of each, with the day, the machine and the versions."""
    from benchmark import machine

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "tests.xml"
        command = [sys.executable, "-m", "pytest", "-q", "-n", "auto", "-m", "faults", f"--junitxml={path}"]
        subprocess.run(command, cwd=ROOT, check=False)
        cases = list(ElementTree.parse(path).iter("testcase"))
    counts: dict[str, dict[str, int]] = {}
    for case in cases:
        name, outcome = case.attrib["name"].partition("[")[0], "passed"
        for child in case:
            outcome = OUTCOMES.get(child.tag, outcome)
        counts.setdefault(name, {}).setdefault(outcome, 0)
        counts[name][outcome] += 1
    known = _figures("faults").get("tests", {})
    day = datetime.date.today().isoformat()
    known |= {name: {**told, "day": day} for name, told in counts.items()}
    FIGURES.mkdir(exist_ok=True)
    found = {"machine": machine(), "tests": dict(sorted(known.items()))}
    (FIGURES / "faults.json").write_text(json.dumps(found, indent=1) + "\n")


def page() -> str:
    """The page, as Markdown."""
    return "\n".join([*_head(), *_faults(), *_kills(), *_memory(), *_fuzz(), *_ranges()]) + "\n"


def _head() -> Iterator[str]:
    yield "# What is promised, and when it was last proved\n"
    yield "Written by `python scripts/reliability.py`; `python scripts/reliability.py prove` runs the tests anew."
    yield "The tests are in tests/faults; `pytest -m faults` runs them all.\n"


def _faults() -> Iterator[str]:
    told = _figures("faults")
    yield "| fault | promise | cases | last run |\n| --- | --- | --- | --- |"
    for name, promise in promises().items():
        counts = dict(told.get("tests", {}).get(name, {}))
        day = counts.pop("day", "never")
        number, _, what = name.removeprefix("test_fault_").partition("_")
        cases = ", ".join(f"{n} {outcome}" for outcome, n in counts.items())
        yield f"| {int(number)} {what.replace('_', ' ')} | {promise} | {cases} | {day} |"
    yield f"\nOn: {told.get('machine', '')}\n"


def _kills() -> Iterator[str]:
    told = _figures("kills")
    if told:
        yield "## Killed at random\n"
        yield (
            f"`python scripts/soak.py kills docs=docs/reliability`: {told['kills']} times a training was killed with "
            f"SIGKILL, {told['inside a save']} of them inside a save, and {told['trainings']} trainings came to their "
            f"end by resuming, in {told['seconds']:,} s. Files that differed from the unbroken training's: "
            f"{len(told['differences'])}."
        )
        yield f"\nOn: {told['machine']}\n"


def _memory() -> Iterator[str]:
    told = _figures("memory")
    if told:
        yield "## Memory of long trainings\n"
        yield "`python scripts/soak.py memory docs=docs/reliability`, each training in a process of its own:\n"
        yield "| training | steps | MiB at the end | MiB a 1,000 steps | run folder MiB |"
        yield "| --- | --- | --- | --- | --- |"
        for name, entry in told["trainings"].items():
            yield (
                f"| {name} | {entry['steps'][-1]:,} | {entry['MiB'][-1]:,.0f} | {entry['MiB a 1,000 steps']:+.2f} | "
                f"{entry['run folder MiB']:.1f} |"
            )
        yield f"\n![memory](reliability/memory.png)\n\nOn: {told['machine']}\n"


def _fuzz() -> Iterator[str]:
    told = _figures("fuzz")
    if told:
        yield "## Damaged files and overrides\n"
        yield "`python scripts/fuzz.py output=docs/reliability/fuzz.json`: violations are crashes, hangs, code run,"
        yield "writes elsewhere, two gigabytes and more:\n"
        yield "| target | cases | refused | accepted | seconds | violations |\n| --- | --- | --- | --- | --- | --- |"
        for row in told["targets"]:
            numbers = [f"{row[key]:,}" for key in ("cases", "refused", "accepted", "seconds")]
            yield f"| {row['target']} | {' | '.join(numbers)} | {len(row['violations'])} |"
        yield f"\nWith {_versions(told['versions'])}.\n"


def _ranges() -> Iterator[str]:
    rows = _figures("ranges")
    if rows:
        yield "## The ends of the ranges of versions\n"
        yield "| end | versions | tests passed | skipped | seconds |\n| --- | --- | --- | --- | --- |"
        for row in rows:
            numbers = [f"{row[key]:,}" for key in ("passed", "skipped", "seconds")]
            yield f"| {row['end']} | {_versions(row['versions'])} | {' | '.join(numbers)} |"


def _versions(versions: dict[str, str]) -> str:
    return ", ".join(f"{name} {number}" for name, number in versions.items())


def _figures(name: str) -> Any:
    path = FIGURES / f"{name}.json"
    return json.loads(path.read_text()) if path.exists() else {}


if __name__ == "__main__":
    main()
