"""Run commands, in this process or in a separate one."""

import os
import runpy
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


@dataclass
class Result:
    code: int
    out: str
    err: str


def run_script(name: str, *arguments: str, cwd: Path = ROOT, env: dict[str, str] | None = None) -> Result:
    """Run scripts/<name>.py in a separate process; a training without baselines."""
    arguments = without_baselines(arguments) if name == "train" else arguments
    done = subprocess.run(
        [sys.executable, str(ROOT / "scripts" / f"{name}.py"), *arguments],
        cwd=cwd,
        env={**os.environ, **(env or {})},
        capture_output=True,
        text=True,
        timeout=240,
    )
    return Result(done.returncode, done.stdout, done.stderr)


def without_baselines(words):
    """Words of a training without baselines, unless they say so themselves."""
    silent = any(word.startswith(("baseline=", "-")) for word in words)
    return [*words] if silent else [*words, "baseline=false"]


def in_this_process(name, arguments, monkeypatch):
    """Run scripts/<name>.py to its end, and return its exit code; a training without baselines."""
    arguments = without_baselines(arguments) if name == "train" else arguments
    monkeypatch.syspath_prepend(ROOT / "scripts")
    monkeypatch.setattr(sys, "argv", [f"{name}.py", *arguments])
    try:
        runpy.run_path(str(ROOT / "scripts" / f"{name}.py"), run_name="__main__")
    except SystemExit as ended:
        return ended.code
    return 0
