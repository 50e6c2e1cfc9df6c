"""scripts/maintain/gpu.py, which measures the zoo on a GPU: a dry run on the CPU, its pack and its page."""

import hashlib
import json
import shutil

import numpy as np
import pytest
from gpu import packing, tasks
from gpu.page import write_page
from gpu.running import read_rows, run, run_task

from zoo.core.run_folder import finished_runs
from zoo.data.images import cifar10, mnist
from zoo.data.sequences import shakespeare


def idx(array):
    return b"\0\0\x08" + bytes([array.ndim]) + np.array(array.shape, ">i4").tobytes() + array.tobytes()


@pytest.fixture
def tiny_data(tmp_path, monkeypatch):
    """A ZOO_DATA with small files in the forms of the published ones."""
    folder, draw = tmp_path / "data", np.random.default_rng(0)
    contents = {f"{cifar10.FOLDER}/{name}": draw.integers(10, size=(60, 3073), dtype=np.uint8).tobytes()
                for name in cifar10.SHA256}  # fmt: skip
    for part in ("train", "t10k"):
        contents[f"MNIST/raw/{part}-images-idx3-ubyte"] = idx(draw.integers(256, size=(60, 28, 28), dtype=np.uint8))
        contents[f"MNIST/raw/{part}-labels-idx1-ubyte"] = idx(np.arange(60, dtype=np.uint8) % 10)
    contents["tinyshakespeare/input.txt"] = b"To be, or not to be, that is the question. " * 60
    for name, content in contents.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
        digest = hashlib.sha256(content).hexdigest()
        for module in (cifar10, mnist):
            if (key := name.rpartition("/")[2]) in module.SHA256:
                monkeypatch.setitem(module.SHA256, key, digest)
    monkeypatch.setattr(shakespeare, "SHA256", digest)
    monkeypatch.setenv("ZOO_DATA", str(folder))
    monkeypatch.setenv("ZOO_CACHE", str(tmp_path / "cache"))
    return folder


@pytest.mark.slow
def test_a_dry_run_does_everything_and_its_results_become_a_page(tiny_data, tmp_path):
    results = run(0, [name for name in tasks.TASKS if name != "kills"], tmp_path / "out")  # which are tests too
    assert {name: task.get("error") for name, task in results["tasks"].items() if task["state"] != "done"} == {}
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"results.json", "runs.zip.0"}
    shutil.unpack_archive(shutil.copy(tmp_path / "out" / "runs.zip.0", tmp_path / "runs.zip"), tmp_path / "runs")
    for recipe in tasks.RECIPES:
        assert [run.weights.exists() for run in finished_runs(tmp_path / "runs" / recipe.name)] == [True]
    page = write_page(tmp_path / "out" / "results.json", tmp_path / "docs").read_text()
    for recipe in tasks.RECIPES:
        assert f"| {recipe.name}: " in page


def test_a_page_comes_from_results(tmp_path):
    machine = {"gpu": "a GPU", "driver": "1", "hardware": "a CPU", "day": "2026-01-01"}
    versions = dict.fromkeys(("python", "torch", "cuda", "lightning", "numpy"), "1.0")
    row = tasks.row("a step", 0.25, "ms", reference=1.0, goal="<= 0.5 times", met=True)
    outcomes = [tasks.row(f"test_{n}", outcome) for n, outcome in enumerate(("passed", "passed", "failed"))]
    found = {
        "tests": {"state": "done", "seconds": 9.0, "rows": outcomes},
        "benchmarks": {"state": "out of time", "seconds": 90.0, "rows": [row]},
    }
    (tmp_path / "results.json").write_text(json.dumps({"machine": {**machine, **versions}, "tasks": found}))
    page = write_page(tmp_path / "results.json", tmp_path / "docs").read_text()
    assert "| a step | 0.25 ms | 1 | <= 0.5 times | yes |" in page
    assert "2 passed, 1 failed" in page and "- failed: `test_2`" in page and "out of time, 90 s" in page
    summary = json.loads((tmp_path / "docs" / "reliability" / "cuda.json").read_text())
    assert summary["outcomes"] == {"passed": 2, "failed": 1}


def test_rows_are_written_as_they_come(tmp_path, monkeypatch):
    def rows(job):
        yield tasks.row("first", 1)
        assert read_rows(tmp_path / "rows.tmp")[0]["name"] == "first"
        raise RuntimeError("ended")

    monkeypatch.setitem(tasks.TASKS, "made", tasks.Task("made", 9, rows))
    with pytest.raises(RuntimeError, match="ended"):
        run_task("made", tmp_path, 9)


def test_packed_data_unpack_to_the_same_bytes_in_parts_below_the_limit(tiny_data, tmp_path):
    for path in (tiny_data / "MNIST" / "raw").iterdir():
        path.rename(path.with_name(path.name + ".gz"))
    parts = packing.pack(tmp_path / "pack", tiny_data, 0.3, "3.12", [])
    assert len(parts) > 1
    assert all(sum(file.stat().st_size for file in part.iterdir()) <= 0.3e6 for part in parts)
    for part in parts:
        packing.unpack(part, tmp_path / "there", tmp_path / "site")
    for path in tiny_data.rglob("*.*"):
        assert (tmp_path / "there" / path.relative_to(tiny_data)).read_bytes() == path.read_bytes()
