"""Commands start and end quickly and one row is answered at once: what serves speed there changes nothing else."""

import gc
import sys
import weakref

import numpy as np
import pandas as pd
import pytest
from sklearn.model_selection import train_test_split

import zoo
from zoo.cli.quick_imports import quick_imports
from zoo.data.random_split import carve
from zoo.data.readers import read_raw
from zoo.data.tables._plain_row import encode_plain_row


class Cycle:
    """Garbage that only a collection frees."""

    def __init__(self):
        self.itself = self


def test_imports_are_not_collected_and_what_comes_after_them_is(monkeypatch):
    monkeypatch.setattr("atexit.register", lambda function: None)
    monkeypatch.delitem(sys.modules, "torch")
    n = gc.get_freeze_count()
    with quick_imports():
        assert not gc.isenabled()
    assert gc.isenabled() and gc.get_freeze_count() > n
    later = weakref.ref(Cycle())
    gc.collect()
    assert later() is None
    gc.unfreeze()


def test_what_a_job_of_a_sweep_leaves_is_freed_in_the_next():
    garbage = weakref.ref(Cycle())
    with quick_imports():
        assert gc.isenabled()
    gc.collect()
    assert garbage() is None


@pytest.mark.parametrize("n_classes", [None, 1, 2, 7])
def test_samples_are_drawn_as_by_scikit_learn(n_classes):
    rng = np.random.default_rng(0)
    for seed, n in enumerate(rng.integers(100, 200, 25).tolist()):
        classes = None if n_classes is None else rng.integers(0, n_classes, n)
        for size in (0.2, n // 3):
            theirs = train_test_split(np.arange(n), test_size=size, random_state=seed, stratify=classes)
            for ours, expected in zip(carve(n, size, seed=seed, stratify=classes), theirs, strict=True):
                np.testing.assert_array_equal(ours, expected)


CELLS = [
    *(0.0, 1, 5, 8.5, 13.1, -40.0, 1e9, 2**60, 1e300, float("inf"), float("nan"), None, True, False),
    *(np.float64(3.5), np.float32(3.5), np.int64(3), -999, -999.0, "-999", "5", "", " ", "NA", "none", "ja", "yes"),
    *("north", " north", "NORTH", "south", "harbour", "2024-05-01", "été", "e\u0301te\u0301"),
]


def outcome(spec, raw, capsys):
    """The values, types and lines of a row."""
    capsys.readouterr()
    batch, _ = read_raw(spec, raw)
    values = {name: (str(value.dtype), value.shape, value.numpy().tobytes()) for name, value in batch.items()}
    return values, capsys.readouterr().out


@pytest.fixture(scope="module")
def frame():
    rng, n = np.random.default_rng(0), 80
    frame = pd.DataFrame(
        {
            "area": rng.normal(5, 2, n).round(2),
            "rooms": rng.integers(1, 9, n),
            "gaps": np.where(np.arange(n) % 7 == 0, np.nan, rng.normal(0, 5, n)),
            "place": rng.choice(["north", "south", "été", "none"], n),
            "code": np.where(np.arange(n) % 9 == 0, None, rng.choice(["01", "5", "7a"], n)),
            "lift": rng.choice([True, False], n),
        }
    )
    frame["price"] = frame["area"] * 3 + rng.normal(0, 1, n)
    return frame


def test_a_row_is_read_as_in_a_table(frame, tmp_path, capsys):
    frame.to_csv(tmp_path / "flats.csv", index=False)
    spec = zoo.load_data("csv", path=str(tmp_path / "flats.csv"), target="price", missing=["-999", "none"]).spec
    plain = {"area": 5.0, "rooms": 3, "gaps": 1.5, "place": "north", "code": "01", "lift": True}
    assert set(plain) == set(spec.column_names)
    rows = [plain | {name: cell} for name in plain for cell in CELLS]
    rows += [
        {**plain, "other": 1},
        {**plain, " area": 2.0},
        {name: plain[name] for name in plain if name != "gaps"},
        {},
    ]
    quick = [row for row in rows if encode_plain_row(spec, row) is not None]
    assert len(quick) > 20
    for row in quick:
        assert outcome(spec, row, capsys) == outcome(spec, pd.DataFrame([row]), capsys), row
    values = [plain[name] for name in spec.column_names]
    assert outcome(spec, values, capsys) == outcome(spec, plain, capsys)
