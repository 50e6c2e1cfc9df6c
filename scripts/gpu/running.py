"""Run tasks one after the other, each in a separate process with a limit of time; write results as they come."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from gpu.tasks import ROOT, TASKS, Job, environment, machine

COMMAND = ROOT / "scripts" / "maintain" / "gpu.py"
LEAST = 20.0  # seconds that are left for a task, or it is skipped
POLL = 1.0  # seconds
ROWS = "rows.tmp"  # of the task under way
PIECE = 15_000_000


def run(minutes: float, names: Sequence[str], output: Path) -> dict[str, Any]:
    """Run the tasks `names` within `minutes`; 0 runs each in this process, on the CPU and at tiny sizes.

    Writes results.json, log.txt and, in pieces of `PIECE` bytes, runs.zip with the run folders of recipes to `output`.
    """
    output.mkdir(parents=True, exist_ok=True)
    runs = Path(tempfile.mkdtemp())
    results: dict[str, Any] = {"machine": machine(), "minutes": minutes, "tasks": {}}
    end = time.monotonic() + 60 * minutes
    for name in names:
        seconds = min(TASKS[name].seconds, end - time.monotonic())
        found: dict[str, Any] = {"state": "skipped", "seconds": 0.0, "rows": []}
        results["tasks"][name] = found
        if minutes == 0:
            _in_this_process(name, runs, found)
        elif seconds >= LEAST:
            _in_another_process(name, output, runs, seconds, results)
        _write(output, results)
        _write_pieces(output, runs)
        print(f"{name}: {found['state']}, {found['seconds']} s, {len(found['rows'])} rows", flush=True)
    return results


def _in_this_process(name: str, runs: Path, found: dict[str, Any]) -> None:
    start = time.monotonic()
    try:
        found["rows"] += TASKS[name].rows(Job(runs, TASKS[name].seconds, True, start))
        found["state"] = "done"
    except Exception:
        found.update(state="failed", error=traceback.format_exc(limit=-3))
    found["seconds"] = round(time.monotonic() - start, 1)


def _in_another_process(name: str, output: Path, runs: Path, seconds: float, results: dict[str, Any]) -> None:
    start, rows, found = time.monotonic(), runs / ROWS, results["tasks"][name]
    rows.unlink(missing_ok=True)
    with (output / "log.txt").open("a") as log:
        print(f"== {name}", file=log, flush=True)
        command = [sys.executable, str(COMMAND), "task", name, str(runs), str(seconds)]
        process = subprocess.Popen(command, env=environment(), cwd=ROOT, stdout=log, stderr=log, start_new_session=True)
        while process.poll() is None and time.monotonic() - start < seconds:
            time.sleep(POLL)
            found.update(state="running", seconds=round(time.monotonic() - start, 1), rows=read_rows(rows))
            _write(output, results)
        ended = process.poll() is not None
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # with what it started
        code = process.wait()
    state = ("done" if code == 0 else f"failed with {code}") if ended else "out of time"
    found.update(state=state, seconds=round(time.monotonic() - start, 1), rows=read_rows(rows))
    rows.unlink(missing_ok=True)


def run_task(name: str, runs: Path, seconds: float) -> None:
    """Run one task in this process, and write each row when it is known."""
    job = Job(runs, seconds, False, time.monotonic())
    for found in TASKS[name].rows(job):
        with (runs / ROWS).open("a") as file:
            print(json.dumps(found), file=file, flush=True)


def read_rows(path: Path) -> list[Any]:
    """The rows written so far."""
    return [json.loads(line) for line in path.read_text().splitlines() if line] if path.exists() else []


def _write(output: Path, results: dict[str, Any]) -> None:
    (output / "results.json").write_text(json.dumps(results, indent=1) + "\n")


def _write_pieces(output: Path, runs: Path) -> None:
    """Write runs.zip.0, runs.zip.1 and so on; `cat runs.zip.* > runs.zip` puts them together."""
    if not any(runs.iterdir()):
        return
    with tempfile.TemporaryDirectory() as folder:
        content = Path(shutil.make_archive(f"{folder}/runs", "zip", runs)).read_bytes()
    for number, start in enumerate(range(0, len(content), PIECE)):
        (output / f"runs.zip.{number}").write_bytes(content[start : start + PIECE])
