"""Prove what docs/reliability.md promises: python scripts/maintain/reliability.py [prove|oldest|newest].

With prove it first runs the tests of all faults; with oldest or newest the whole suite, in an environment of the
oldest or newest versions that pyproject.toml allows (SECURITY.md says how to make one). Then, as without, it writes
the page from the tests' docstrings, from what came of them when they last ran, and from the figures of
tests/soaking/run.py and tests/fuzzing/run.py in docs/reliability/.
"""

import argparse
import ast
import datetime
import json
import platform
import re
import subprocess
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from zoo.cli.errors import exit_codes

ROOT = Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT / "scripts"))
FIGURES, PAGE = ROOT / "docs" / "reliability", ROOT / "docs" / "reliability.md"
NAME = re.compile(r"test_fault_(\d\d)_\w+")
ENDS = ("oldest", "newest")
OF_PAGES = (  # that what is noted here is on its page
    "tests/test_supply.py::test_the_suite_passed_at_the_ends_of_the_versions",
    "tests/test_reliability.py::test_the_page_is_up_to_date",
)
OUTCOMES = {"failure": "failed", "error": "failed", "skipped": "skipped"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="?", choices=["prove", *ENDS])
    with exit_codes():
        what = parser.parse_args().what
        if what == "prove":
            prove()
        elif what:
            suite(what)
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
    """Run the tests of the faults and note what came of each, with the day, the machine and the versions."""
    from benchmark import machine

    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for name, outcome in _outcomes("-m", "faults"):
        counts[name][outcome] += 1
    day = datetime.date.today().isoformat()
    known = _figures("faults").get("tests", {}) | {name: {**told, "day": day} for name, told in counts.items()}
    _write("faults", {"machine": machine(), "tests": dict(sorted(known.items()))})


def suite(end: str) -> None:
    """Run the whole suite and note under which versions how many tests passed.

    Raises:
        UserError: a test failed.
    """
    from maintain.licences import requirements
    from zoo.core.errors import UserError

    counts = Counter(outcome for _, outcome in _outcomes(*(f"--deselect={test}" for test in OF_PAGES)))
    if counts["failed"]:
        raise UserError(f"{counts['failed']} tests failed; nothing was noted")
    core = {needed.name: version(needed.name).split("+")[0] for extra, needed in requirements() if not extra}
    told = {"versions": {"python": platform.python_version(), **core}, **counts}
    _write("ranges", _figures("ranges") | {end: told})


def _outcomes(*arguments: str) -> list[tuple[str, str]]:
    """The names of the tests that run with pytest's `arguments`, and whether each passed, failed or was skipped."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "tests.xml"
        command = [sys.executable, "-m", "pytest", "-q", "-n", "auto", *arguments, f"--junitxml={path}"]
        subprocess.run(command, cwd=ROOT, check=False)
        cases = list(ElementTree.parse(path).iter("testcase"))
    return [
        (
            case.attrib["name"].partition("[")[0],
            next((OUTCOMES[part.tag] for part in case if part.tag in OUTCOMES), "passed"),
        )
        for case in cases
    ]


def page() -> str:
    """The page, as Markdown."""
    return "\n".join([*_head(), *_faults(), *_kills(), *_memory(), *_fuzz(), *_ranges()]) + "\n"


def _head() -> Iterator[str]:
    yield "# What is promised, and when it was last proved\n"
    command = "python scripts/maintain/reliability.py"
    yield f"Written by `{command}`; `{command} prove` runs the tests anew."
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
            f"`python tests/soaking/run.py kills docs=docs/reliability`: {told['kills']} times a training was killed "
            f"with SIGKILL, {told['inside a save']} of them inside a save, and {told['trainings']} trainings came to "
            f"their end by resuming, in {told['seconds']:,} s. Files that differed from the unbroken training's: "
            f"{len(told['differences'])}."
        )
        yield f"\nOn: {told['machine']}\n"


def _memory() -> Iterator[str]:
    told = _figures("memory")
    if told:
        yield "## Memory of long trainings\n"
        yield "`python tests/soaking/run.py memory docs=docs/reliability`, each training in a process of its own:\n"
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
        yield "## Damaged files, overrides, and settings together\n"
        yield "`python tests/fuzzing/run.py output=docs/reliability/fuzz.json`: violations are crashes, hangs, code"
        yield "run, writes elsewhere, two gigabytes and more:\n"
        yield "| target | cases | refused | accepted | seconds | violations |\n| --- | --- | --- | --- | --- | --- |"
        for row in told["targets"]:
            numbers = [f"{row[key]:,}" for key in ("cases", "refused", "accepted", "seconds")]
            yield f"| {row['target']} | {' | '.join(numbers)} | {len(row['violations'])} |"
        by_versions: dict[str, list[str]] = {}
        for row in told["targets"]:
            by_versions.setdefault(_versions(row["versions"]), []).append(row["target"])
        for versions, targets in by_versions.items():
            yield f"\n{', '.join(targets)}: with {versions}.\n"


def _ranges() -> Iterator[str]:
    told = _figures("ranges")
    if told:
        yield "## The ends of the ranges of versions\n"
        yield "The whole suite, by `python scripts/maintain/reliability.py oldest` and `newest`:\n"
        yield "| end | passed | skipped | versions |\n| --- | --- | --- | --- |"
        for end in filter(told.get, ENDS):
            row = told[end]
            yield f"| {end} | {row['passed']:,} | {row['skipped']:,} | {_versions(row['versions'])} |"


def _versions(versions: dict[str, str]) -> str:
    return ", ".join(f"{name} {number}" for name, number in versions.items())


def _write(name: str, figures: Any) -> None:
    FIGURES.mkdir(exist_ok=True)
    (FIGURES / f"{name}.json").write_text(json.dumps(figures, indent=1) + "\n")


def _figures(name: str) -> Any:
    path = FIGURES / f"{name}.json"
    return json.loads(path.read_text()) if path.exists() else {}


if __name__ == "__main__":
    main()
