"""Generate docs/reliability.md from tests and results: scripts/maintain/reliability.py [prove|oldest|newest].

prove first runs the tests of all faults. oldest and newest first run the whole suite, in an environment with the oldest
or newest versions that pyproject.toml allows (SECURITY.md says how to create one). The page states the promises in the
tests' docstrings, their last results, and those of tests/soaking/run.py and tests/fuzzing/run.py in docs/reliability/.
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
RESULTS, PAGE = ROOT / "docs" / "reliability", ROOT / "docs" / "reliability.md"
NAME = re.compile(r"test_fault_(\d\d)_\w+")
ENDS = ("oldest", "newest")
PAGE_TESTS = (  # they compare the results with the pages
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
    """Read the promise of each fault's test from its docstring, in the order of the faults."""
    found = {}
    for path in (ROOT / "tests" / "faults").glob("test_*.py"):
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.FunctionDef) and NAME.fullmatch(node.name):
                found[node.name] = " ".join((ast.get_docstring(node) or "").split())
    return dict(sorted(found.items()))


def prove() -> None:
    """Run the tests of the faults and save the results, with the day, the machine and the versions."""
    from benchmark import machine

    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for name, outcome in _outcomes("-m", "faults"):
        counts[name][outcome] += 1
    day = datetime.date.today().isoformat()
    results = _results("faults").get("tests", {}) | {name: {**n, "day": day} for name, n in counts.items()}
    _write("faults", {"machine": machine(), "tests": dict(sorted(results.items()))})


def suite(end: str) -> None:
    """Run the whole suite, and save the versions and the number of tests that passed.

    Raises:
        UserError: a test failed.
    """
    from maintain.licences import requirements
    from zoo.core.errors import UserError

    counts = Counter(outcome for _, outcome in _outcomes(*(f"--deselect={test}" for test in PAGE_TESTS)))
    if counts["failed"]:
        raise UserError(f"{counts['failed']} tests failed; no result was saved")
    core = {needed.name: version(needed.name).split("+")[0] for extra, needed in requirements() if not extra}
    result = {"versions": {"python": platform.python_version(), **core}, **counts}
    _write("ranges", _results("ranges") | {end: result})


def _outcomes(*arguments: str) -> list[tuple[str, str]]:
    """Run pytest with `arguments`; return each test's name, and "passed", "failed" or "skipped"."""
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
    """Return the page as Markdown."""
    return "\n".join([*_head(), *_faults(), *_gpu(), *_kills(), *_memory(), *_fuzz(), *_ranges()]) + "\n"


def _head() -> Iterator[str]:
    yield "# Reliability\n"
    command = "python scripts/maintain/reliability.py"
    yield "Each promise is the docstring of a test in tests/faults; `pytest -m faults` runs them all."
    yield f"`{command}` generates this page, `{command} prove` runs the tests first.\n"


def _faults() -> Iterator[str]:
    result = _results("faults")
    yield "| fault | promise | cases | last run |\n| --- | --- | --- | --- |"
    for name, promise in promises().items():
        counts = dict(result.get("tests", {}).get(name, {}))
        day = counts.pop("day", "never")
        number, _, what = name.removeprefix("test_fault_").partition("_")
        cases = ", ".join(f"{n} {outcome}" for outcome, n in counts.items())
        yield f"| {int(number)} {what.replace('_', ' ')} | {promise} | {cases} | {day} |"
    yield f"\nOn: {result.get('machine', '')}\n"


def _gpu() -> Iterator[str]:
    result = _results("cuda")
    if result:
        counts = ", ".join(f"{n} {outcome}" for outcome, n in result["outcomes"].items())
        yield "## On a GPU\n"
        yield f"tests/gpu on {result['day']}: {counts}. [What else was measured](benchmarks/cuda.md)."
        yield f"\nOn: {result['machine']}\n"


def _kills() -> Iterator[str]:
    result = _results("kills")
    if result:
        yield "## Random kills\n"
        yield (
            f"`python tests/soaking/run.py kills docs=docs/reliability`: trainings were killed with SIGKILL "
            f"{result['kills']} times, {result['inside a save']} of them inside a save. {result['trainings']} of them "
            f"finished after resumes, in {result['seconds']:,} s. Files that differ from those of an uninterrupted "
            f"training: {len(result['differences'])}."
        )
        yield f"\nOn: {result['machine']}\n"


def _memory() -> Iterator[str]:
    result = _results("memory")
    if result:
        yield "## Memory over long trainings\n"
        yield "`python tests/soaking/run.py memory docs=docs/reliability`, each training in a separate process:\n"
        yield "| training | steps | MiB at the end | growth in MiB per 1,000 steps | run folder in MiB |"
        yield "| --- | --- | --- | --- | --- |"
        for name, entry in result["trainings"].items():
            yield (
                f"| {name} | {entry['steps'][-1]:,} | {entry['MiB'][-1]:,.0f} | {entry['MiB a 1,000 steps']:+.2f} | "
                f"{entry['run folder MiB']:.1f} |"
            )
        yield f"\n![memory](reliability/memory.png)\n\nOn: {result['machine']}\n"


def _fuzz() -> Iterator[str]:
    result = _results("fuzz")
    if result:
        yield "## Fuzzing\n"
        yield "`python tests/fuzzing/run.py output=docs/reliability/fuzz.json` damages files, overrides and settings."
        yield "A violation is a crash, a hang, code run, a write elsewhere, or more than two gigabytes of memory:\n"
        yield "| target | cases | refused | accepted | seconds | violations |\n| --- | --- | --- | --- | --- | --- |"
        for row in result["targets"]:
            numbers = [f"{row[key]:,}" for key in ("cases", "refused", "accepted", "seconds")]
            yield f"| {row['target']} | {' | '.join(numbers)} | {len(row['violations'])} |"
        by_versions: dict[str, list[str]] = {}
        for row in result["targets"]:
            by_versions.setdefault(_versions(row["versions"]), []).append(row["target"])
        for versions, targets in by_versions.items():
            yield f"\n{', '.join(targets)}: with {versions}.\n"


def _ranges() -> Iterator[str]:
    result = _results("ranges")
    if result:
        yield "## Oldest and newest versions\n"
        yield "Results of the whole suite, from `python scripts/maintain/reliability.py oldest` and `newest`:\n"
        yield "| range | passed | skipped | versions |\n| --- | --- | --- | --- |"
        for end in filter(result.get, ENDS):
            row = result[end]
            yield f"| {end} | {row['passed']:,} | {row['skipped']:,} | {_versions(row['versions'])} |"


def _versions(versions: dict[str, str]) -> str:
    return ", ".join(f"{name} {number}" for name, number in versions.items())


def _write(name: str, results: Any) -> None:
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{name}.json").write_text(json.dumps(results, indent=1) + "\n")


def _results(name: str) -> Any:
    path = RESULTS / f"{name}.json"
    return json.loads(path.read_text()) if path.exists() else {}


if __name__ == "__main__":
    main()
