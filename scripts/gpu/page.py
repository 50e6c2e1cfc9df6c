"""The page of what was measured on a GPU, from the results of scripts/maintain/gpu.py."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

TESTS = ("tests", "kills")  # tasks that run tests/gpu
HEAD = """# On a GPU
<!-- written by scripts/maintain/gpu.py page -->

`python scripts/maintain/gpu.py run 10` measured this, and `page` wrote it down. A reference is the CPU's result on the
pretrained file's card, or the hand-written loop's in the same unit. A goal is beside each row that has one.
"""


def write_page(results: Path, docs: Path) -> Path:
    """Write docs/benchmarks/cuda.md, and docs/reliability/cuda.json with the outcomes of tests/gpu."""
    found = json.loads(results.read_text())
    path = docs / "benchmarks" / "cuda.md"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join([HEAD, *_lines(found)]) + "\n")
    outcomes = Counter(row["value"] for name in TESTS for row in found["tasks"].get(name, {}).get("rows", []))
    if outcomes:
        (docs / "reliability").mkdir(exist_ok=True)
        summary = {"machine": _machine(found["machine"]), "day": found["machine"]["day"], "outcomes": dict(outcomes)}
        (docs / "reliability" / "cuda.json").write_text(json.dumps(summary, indent=1) + "\n")
    return path


def _machine(machine: Mapping[str, Any]) -> str:
    versions = ", ".join(f"{name} {machine[name]}" for name in ("python", "torch", "cuda", "lightning", "numpy"))
    return f"{machine['gpu']}, driver {machine['driver'] or 'unknown'}, {machine['hardware']}, {versions}"


def _lines(found: Mapping[str, Any]) -> Iterator[str]:
    yield f"On {found['machine']['day']}: {_machine(found['machine'])}.\n"
    for name, task in found["tasks"].items():
        yield f"## {name.replace('_', ' ')}\n"
        yield f"{task['state']}, {task['seconds']:.0f} s.\n"
        if name in TESTS:
            yield from _tests(task["rows"])
        elif task["rows"]:
            yield "| what | value | reference | goal | met |\n| --- | --- | --- | --- | --- |"
            for row in task["rows"]:
                value = f"{row['value']} {row['unit']}".strip()
                yield f"| {row['name']} | {value} | {_text(row['reference'])} | {row['goal']} | {_text(row['met'])} |"
            yield ""


def _tests(rows: list[Mapping[str, Any]]) -> Iterator[str]:
    counts = Counter(row["value"] for row in rows)
    yield "tests/gpu: " + ", ".join(f"{n} {outcome}" for outcome, n in counts.items()) + ".\n"
    for row in rows:
        if row["value"] == "failed":
            yield f"- failed: `{row['name']}`"


def _text(value: Any) -> str:
    return {None: "", True: "yes", False: "no"}.get(value, str(value)) if not isinstance(value, float) else f"{value:g}"
