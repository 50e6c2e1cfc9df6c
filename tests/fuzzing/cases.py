"""Run the cases of a target, drawn by hypothesis in rounds, each under the guard."""

import contextlib
import os
import tempfile
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import seed as seeded
from hypothesis.errors import Flaky

from fuzzing.guard import Guard, Violation, bounded_memory, peak_memory
from fuzzing.targets import TARGETS, Target

ROUND = 1_000  # cases per round; then hypothesis restarts, to free memory
SHOWN = 1_000  # characters of a reported case

__all__ = ["TARGETS", "fuzz"]


def fuzz(name: str, cases: int, seed: int, minutes: float | None = None, heavy: bool = True) -> dict[str, Any]:
    """Run the bombs of a target, optionally the heavy ones, and a number of cases, or as many as the minutes allow.

    Returns:
        The number of refused and of accepted cases, the growth of the process in MB, and one violation of each kind.
    """
    counts, found = Counter[str](), dict[str, str]()
    with _workplace() as folder:
        target = TARGETS[name](folder)
        guard = Guard(folder, allowed=target.allowed)
        end = time.monotonic() + 60 * (minutes or 1e9)
        before = peak_memory()
        made = [*target.bombs, *(target.heavy() if heavy else ())]
        with bounded_memory():
            for bomb in made:
                try:
                    _one(target, guard, bomb, counts)
                except Violation as violation:
                    _note(found, bomb, violation)
            while counts["cases"] < cases and time.monotonic() < end:
                seed += 1
                _round(target, guard, min(ROUND, cases - counts["cases"]), seed, end, counts, found)
    return {
        "target": name,
        **{key: counts[key] for key in ("cases", "refused", "accepted")},
        "megabytes": (peak_memory() - before) >> 20,
        "violations": [f"{what}\n{case}" for what, case in found.items()],
    }


def _round(
    target: Target, guard: Guard, n: int, seed: int, end: float, counts: Counter[str], found: dict[str, str]
) -> None:
    last: list[tuple[Any, Violation]] = []  # the smallest comes last

    @seeded(seed)
    @settings(max_examples=n, database=None, deadline=None, suppress_health_check=list(HealthCheck),
              report_multiple_bugs=False, phases=(Phase.generate, Phase.shrink))  # fmt: skip
    @given(target.cases)
    def check(case: Any) -> None:
        if time.monotonic() > end:
            return
        try:
            _one(target, guard, target.make(case), counts)
        except Violation as violation:
            if _kind(violation) not in found:  # one of each kind is enough
                last.append((case, violation))
                raise AssertionError from violation

    try:
        check()
    except (AssertionError, Flaky):
        _note(found, *last[-1])


def _one(target: Target, guard: Guard, content: Any, counts: Counter[str]) -> None:
    counts["cases"] += 1
    counts["accepted" if guard(target.run, content) else "refused"] += 1


def _note(found: dict[str, str], case: Any, violation: Violation) -> None:
    found.setdefault(_kind(violation), f"{violation}; case {_shown(case)}")


def _shown(case: Any) -> str:
    """Format a case; of a large bomb only the beginning."""
    if isinstance(case, bytes):
        return f"{case[:100]!r}, {len(case):,} bytes"
    return ", ".join(map(_shown, case)) if isinstance(case, tuple) else repr(case)[:SHOWN]


def _kind(violation: Violation) -> str:
    """Identify a violation by its rule and its place in the zoo."""
    cause = violation.__cause__ or violation
    frames = [frame for frame in traceback.extract_tb(cause.__traceback__) if "/zoo/" in frame.filename]
    place = f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else "outside the zoo"
    return f"{type(cause).__name__} in {place}"


@contextlib.contextmanager
def _workplace() -> Iterator[Path]:
    """Work in a temporary folder with its own cache, without output."""
    before, variables = os.getcwd(), dict(os.environ)
    with tempfile.TemporaryDirectory() as name, open(os.devnull, "w") as nowhere, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        os.environ |= {
            key: f"{name}/{key.lower()}" for key in ("ZOO_CACHE", "HYPOTHESIS_STORAGE_DIRECTORY", "MPLCONFIGDIR")
        }
        try:
            with contextlib.redirect_stdout(nowhere), contextlib.redirect_stderr(nowhere):
                yield Path(name)
        finally:
            os.chdir(before)
            os.environ.clear()
            os.environ.update(variables)
