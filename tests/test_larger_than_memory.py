"""Data sets larger than memory: rows read from disk equal those in memory, and a limit of memory is kept."""

import gzip
import itertools
import json
import os
import subprocess
import sys

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv
import pytest
import torch
from PIL import Image
from torch.utils.data import DataLoader

import zoo
from zoo.core.errors import UserError
from zoo.data import memory_limits, stored
from zoo.data.columns.arrow import to_array
from zoo.data.formats import delimited_blocks, table_file
from zoo.data.formats.table_file import read_table
from zoo.data.splits import TensorSplit, collate
from zoo.data.tables import _mapped_rows

MIB = 1 << 20
CELLS = (
    "1", " 2", "0", "-3", "+4", "00012", "1_000", "99999999999999999999", "1.5", " 1.5 ", "\t7", ".5", "1e3", "1e400",
    "1,5", "1.234", "1.234,5", "inf", "0x1F", "nan", "NA", " ?", "", "  ", "true", "False", "tRue", " true", "yes",
    "2020-01-01", " 2020-01-01", "2020-01-01 10:00", "2020-01-01T10:00:00.5", "2020-01-01 10:00Z",
    "2020-01-01 10:00+02:00", "10:00", "10:00:00", "20200101", "abc", 'a "b"', "a\nb", "1\u00a0", "\u00a05", "é",
)  # fmt: skip


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("ZOO_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "tables"


def table(n=500, **more):
    random = np.random.default_rng(0)
    sizes = random.normal(size=n).round(3)
    columns = {"size": sizes, "rooms": random.integers(0, 50, n), "city": random.choice(["Ulm", "Köln"], n), **more}
    return pd.DataFrame({**columns, "sold": np.where(sizes > 0, "yes", "no")})


def equal(one, other):
    assert one.column_names == other.column_names
    for name in one.column_names:
        ours, theirs = to_array(one[name]), to_array(other[name])
        assert ours.type == theirs.type, (name, ours.type, theirs.type)
        assert repr(ours.to_pylist()) == repr(theirs.to_pylist()), name


# -- equal tables


@pytest.mark.parametrize("delimiter", [",", ";"])
def test_streamed_types_are_those_of_the_whole_table(tmp_path, cache, monkeypatch, delimiter):
    monkeypatch.setattr(delimited_blocks, "SMALL_BLOCK", 1 << 14)
    monkeypatch.setattr(delimited_blocks, "BLOCK_BYTES", 1 << 14)
    cells = [cell for cell in CELLS if delimiter == "," or "1.5" not in cell]  # which rule out decimal commas
    columns = [(cell, cell) for cell in cells]
    columns += list(itertools.permutations(cells, 2))[::13]  # only the last block holds the second cell
    frame = pd.DataFrame({f"c{i}": [one] * 60 + [two] for i, (one, two) in enumerate(columns)})
    path = tmp_path / "cells.csv"
    frame.assign(decimal="1,25" if delimiter == ";" else "1.25").to_csv(path, index=False, sep=delimiter)
    streamed = read_table(path, cache=cache / "t.arrow")
    assert streamed["c0"].num_chunks > 3
    equal(read_table(path), streamed)


def test_streamed_parquet_is_the_whole_table(tmp_path, cache):
    frame = table(tags=pd.Series(["a", "b"] * 250, dtype="category"), when=pd.date_range("2020", periods=500))
    content = frame.to_parquet(row_group_size=100)
    for name, packed in (("t.parquet", content), ("t.parquet.gz", gzip.compress(content))):
        (tmp_path / name).write_bytes(packed)
        equal(read_table(tmp_path / name), read_table(tmp_path / name, cache=cache / f"{name}.arrow"))


def test_windows_1252_late_in_a_file_is_read_and_reported(tmp_path, cache, capsys):
    (tmp_path / "t.csv").write_bytes(b"a,b\n" + b"Ulm,2\n" * 70_000 + "Köln,3\n".encode("cp1252"))
    streamed = read_table(tmp_path / "t.csv", cache=cache / "t.arrow")
    assert streamed["a"][-1].as_py() == "Köln"
    assert "Windows-1252" in capsys.readouterr().out
    equal(read_table(tmp_path / "t.csv"), streamed)


@pytest.mark.parametrize("streamed", [False, True])
def test_ragged_rows_are_named_in_a_file_that_is_not_utf8(tmp_path, cache, streamed):
    path = tmp_path / "t.csv"
    path.write_bytes(b"a,b\n" + b"1,2\n" * 70_000 + b"\xe9,2\n" + b"1,2\n" * 3_000_000 + b"1\n")
    with pytest.raises(UserError, match="row 3070003 has 1"):
        read_table(path, cache=cache / "t.arrow" if streamed else None)


def test_rows_longer_than_a_small_block_are_read(tmp_path, cache, monkeypatch):
    monkeypatch.setattr(delimited_blocks, "SMALL_BLOCK", 64)
    table(note="long " * 40).to_csv(tmp_path / "t.csv", index=False)
    equal(read_table(tmp_path / "t.csv"), read_table(tmp_path / "t.csv", cache=cache / "t.arrow"))


# -- equal batches


@pytest.mark.parametrize("own_test", [False, True])
def test_batches_from_disk_equal_those_in_memory(tmp_path, monkeypatch, own_test):
    monkeypatch.setattr(_mapped_rows, "BLOCK_VALUES", 64)
    paths = {"path": str(tmp_path / "t.csv")} | ({"test_path": str(tmp_path / "later.csv")} if own_test else {})
    dates = pd.date_range("2020", periods=500).strftime("%d.%m.%Y").where(np.arange(500) % 7 > 0)
    for path in paths.values():
        table(when=dates).to_csv(path, index=False)
    wanted = zoo.load_data("csv", **paths, target="sold", cache=False)
    monkeypatch.setattr(stored, "IN_MEMORY", 0)
    zoo.load_data("csv", path=paths["path"], target="sold", cache=True)
    splits = zoo.load_data("csv", **paths, target="sold", cache=True)
    assert splits.spec == wanted.spec
    for name in ("train", "val", "test"):
        split, whole = getattr(splits, name), getattr(wanted, name)
        assert not isinstance(split, TensorSplit)
        assert len(split) == len(whole)
        for batch, index in zip(DataLoader(split, batch_sampler=[[3, 0], [5]], collate_fn=collate, num_workers=1),
                                ([3, 0], [5]), strict=True):  # fmt: skip
            for key, value in whole.__getitems__(index).items():
                torch.testing.assert_close(batch[key], value, equal_nan=True)
    assert torch.equal(splits.test[2]["target"], wanted.test[2]["target"])


def test_a_table_is_cached_once_and_only_if_it_is_large(tmp_path, cache, monkeypatch, capsys):
    path = tmp_path / "t.csv"
    table().to_csv(path, index=False)
    zoo.load_data("csv", path=str(path), target="sold")
    assert not cache.exists()
    monkeypatch.setattr(memory_limits, "free_memory", lambda: 2 * path.stat().st_size)
    for seed in (0, 0, 1):
        zoo.load_data("csv", path=str(path), target="sold", split_seed=seed)
    assert capsys.readouterr().out.count("is written to") == 1
    made = {file.suffix: file for file in cache.iterdir()}
    assert made.keys() == {".arrow", ".categorical", ".numeric", ".lock"}
    os.utime(path)  # now it counts as changed
    zoo.load_data("csv", path=str(path), target="sold")
    assert len(list(cache.glob("*.arrow"))) == 2
    with pytest.raises(UserError, match=r"data\.cache is one of auto, true, false; got yes"):
        zoo.load_data("csv", path=str(path), target="sold", cache="yes")


def test_a_full_disk_leaves_nothing_in_the_cache(tmp_path, cache, monkeypatch):
    table().to_csv(tmp_path / "t.csv", index=False)

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(table_file, "write_blocks", full)
    with pytest.raises(UserError, match="No space left on device\nset ZOO_CACHE"):
        zoo.load_data("csv", path=str(tmp_path / "t.csv"), target="sold", cache=True)
    assert [file.suffix for file in cache.iterdir()] == [".lock"]


# -- the limit of memory


# RLIMIT_DATA counts the memory of a process's own, whether touched or not, and no pages of mapped files, which the
# system drops when it needs them; RLIMIT_AS would count those too, and RLIMIT_RSS does nothing.
EPOCH = """
import json, resource, sys
import psutil
import torch, zoo
from zoo.data.splits import batches, each_value_once

def epoch(path):
    splits = zoo.load_data(name, path=path, **options)
    n = sum(len(batch["target"]) for batch in each_value_once(splits.train))
    n += sum(len(splits.train.__getitems__(index)["target"]) for index in torch.randperm(len(splits.train)).split(128))
    return n + sum(len(batch["target"]) for split in (splits.val, splits.test) for batch in batches(split))

name, options, small, large, room = json.loads(sys.argv[1])
epoch(small)  # imports, and starts threads
room += psutil.Process().memory_info().data
resource.setrlimit(resource.RLIMIT_DATA, (room, room))
print(epoch(large))
"""


def epoch_within(room, name, small, large, **options):
    """Count the samples read in an epoch of `large` by a process that may take `room` bytes more than `small` took."""
    given = json.dumps([name, options, str(small), str(large), room])
    done = subprocess.run([sys.executable, "-c", EPOCH, given], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr[-2000:]
    return int(done.stdout.split()[-1])


@pytest.mark.long
def test_a_table_larger_than_memory_is_read(tmp_path):
    n = 120_000
    x = np.random.default_rng(0).integers(0, 1000, (100, n))  # 91 MiB as numbers, 45 MiB as text
    columns = pa.table({f"x{i}": column for i, column in enumerate(x)} | {"y": x[0] % 2})
    pa.csv.write_csv(columns, tmp_path / "large.csv")
    pa.csv.write_csv(columns.slice(0, 1000), tmp_path / "small.csv")
    n_read = epoch_within(80 * MIB, "csv", tmp_path / "small.csv", tmp_path / "large.csv", target="y")
    assert n_read == n + 0.6 * n  # the training split twice


@pytest.mark.long
def test_an_image_folder_larger_than_memory_is_read(tmp_path):
    for folder, n in (("small", 12), ("large", 2000)):  # 287 MiB of pixels
        for i in range(n):
            path = tmp_path / folder / "ab"[i % 2] / f"{i}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (8, 8), (i % 256, i // 256, 0)).save(path)
    assert epoch_within(128 * MIB, "imagefolder", tmp_path / "small", tmp_path / "large", size=224) == n + 0.6 * n
