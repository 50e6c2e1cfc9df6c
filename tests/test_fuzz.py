"""Damaged inputs of every kind are refused, as tests/fuzzing shows at length; its guard sees what is forbidden."""

import os
import pickle

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from fuzzing.cases import TARGETS, fuzz
from fuzzing.guard import Guard, Violation

import zoo
from zoo.core.spec import DataSpec
from zoo.tasks import create_task

CASES = {"overrides": 5, "series": 40, "csv": 60, "card": 50, "image": 100, "training": 10}


@pytest.mark.parametrize("name", TARGETS)
def test_damaged_inputs_are_refused(name):
    """The same few hundred cases each time, without the bombs that take seconds."""
    n = CASES.get(name, 200)
    found = fuzz(name, n, seed=0, heavy=False)
    assert not found["violations"], "\n".join(found["violations"])
    assert found["cases"] >= n and found["refused"] > 0


class Code:
    def __reduce__(self):
        return os.mkdir, ("executed",)


FORBIDDEN = {
    "another error": lambda: {}["key"],
    "took longer": lambda: next(one for one in iter(int, 1) if one),
    "pickle.find_class": lambda: pickle.loads(pickle.dumps(Code())),
    "os.system": lambda: os.system("true"),
    "os.mkdir": lambda: os.mkdir("/tmp/outside"),
    "open": lambda: open("/tmp/outside", "w"),
}


@pytest.mark.parametrize("what", FORBIDDEN)
def test_the_guard_sees_what_is_forbidden(what, tmp_path):
    guard = Guard(tmp_path, seconds=0.2)
    with pytest.raises(Violation, match=what if what != "another error" else "KeyError"):
        guard(lambda run: run(), FORBIDDEN[what])
    assert guard(lambda path: path.write_text("x"), tmp_path / "inside")


def test_the_guard_sees_what_the_code_has_caught(tmp_path):
    def hides(_):
        try:
            os.system("true")
        except BaseException:
            raise zoo.UserError("refused") from None

    with pytest.raises(Violation, match=r"os\.system"):
        Guard(tmp_path)(hides, None)


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        (lambda spec: spec["columns"][0].update(name="\ud800"), "name, kind, categories"),
        (lambda spec: spec.update(name="\ud800"), "source as text"),
        (lambda spec: spec.update(n_outputs=2), "a value for each output"),
        (lambda spec: spec["target"].update(shape=[3]), "a value for each output"),
    ],
)
def test_a_spec_that_breaks_a_rule_is_refused_with_the_rule(change, rule):
    """Found by the fuzzer in 100,000 cases: lone surrogates, and numbers of outputs that fit no target."""
    spec = zoo.load_data("diabetes").spec.to_json()
    change(spec)
    with pytest.raises(zoo.UserError, match=rule):
        DataSpec.from_json(spec)


@pytest.mark.parametrize("cache", [False, True])
def test_parquet_of_text_that_is_no_text(tmp_path, cache):
    """Found as well: Parquet's readers do not look at the bytes of text."""
    texts = pa.StringArray.from_buffers(2, pa.py_buffer(b"\0\0\0\0\1\0\0\0\2\0\0\0"), pa.py_buffer(b"a\xff"))
    pq.write_table(pa.table({"x": texts, "y": [1.0, 2.0]}), tmp_path / "t.parquet")
    with pytest.raises(zoo.UserError, match=r"t\.parquet cannot be read as a table: .*UTF8"):
        zoo.load_data("csv", path=str(tmp_path / "t.parquet"), target="y", cache=cache)


def test_dates_finer_than_microseconds_and_beyond_all_years(tmp_path):
    fine = pa.array([1, 86_400_000_000_001] * 20, pa.timestamp("ns"))
    target = pa.array([0.0, 1.0] * 20)
    pq.write_table(pa.table({"x": fine, "y": target}), tmp_path / "fine.parquet")
    assert zoo.load_data("csv", path=str(tmp_path / "fine.parquet"), target="y").spec.columns[0].kind == "date"
    pq.write_table(pa.table({"x": pa.array([0, 2**31 - 1] * 20, pa.date32()), "y": target}), tmp_path / "far.parquet")
    with pytest.raises(zoo.UserError, match="one is not"):
        zoo.load_data("csv", path=str(tmp_path / "far.parquet"), target="y")


def test_a_task_that_the_target_does_not_fit():
    spec = DataSpec.from_json(zoo.load_data("wine").spec.to_json() | {"task": "language_modelling"})
    with pytest.raises(zoo.UserError, match="int64 and 1 axes"):
        create_task(spec)
