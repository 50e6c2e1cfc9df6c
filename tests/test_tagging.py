"""Tagging: a label for each step, from tables and arrays to predictions for each row of a new file."""

import numpy as np
import pandas as pd
import pytest
import torch
from helpers.sequence_files import arrays, sizes

import zoo
from zoo.core.errors import UserError
from zoo.core.spec import IGNORE_INDEX, DataSpec
from zoo.data.fingerprints import sample_hashes
from zoo.inference.evaluation import evaluate
from zoo.inference.predict_files import predict_file
from zoo.inference.predictor import Predictor
from zoo.tasks import create_task


def tags(n=20, seed=0):
    """A row for each of 1 to 6 steps of n sequences; a step's tag is the sign of the next value, or of the last."""
    random = np.random.default_rng(seed)
    rows = []
    for k in range(n):
        x = random.normal(size=k % 6 + 1)
        signs = np.where(np.append(x[1:], x[-1:]) > 0, "up", "down")
        rows += [{"id": f"s{k}", "time": t, "a": x[t], "b": k, "tag": signs[t]} for t in range(len(x))]
    return pd.DataFrame(rows)


@pytest.fixture
def table(tmp_path):
    tags().sample(frac=1, random_state=0).to_csv(tmp_path / "own.csv", index=False)
    return tmp_path / "own.csv"


def load(path, **options):
    return zoo.load_data("sequences", path=str(path), **{"target": "tag", **options})


def untrained(splits, name="rnn/gru", **choices):
    torch.manual_seed(0)
    model = zoo.create_model(name, splits.spec, width=8, **choices)
    return Predictor(model, splits.spec, {"model": {"name": name}})


def test_a_label_that_changes_within_sequences_is_learnt_for_each_step(table, capsys):
    splits = load(table)
    assert "'tag' changes within sequences: a label for each step is learnt" in capsys.readouterr().out
    assert sizes(splits) == (12, 4, 4) and splits.spec.class_names == ["down", "up"]
    assert DataSpec.from_json(splits.spec.to_json()) == splits.spec and not splits.spec.causal
    for batch in map(splits.train.__getitem__, range(12)):
        n = int(batch["lengths"])
        x, target = batch["sequence"][:n, 0], batch["target"]
        assert torch.equal(target[: n - 1], (x[1:] > 0).long())
        assert (target[n:] == IGNORE_INDEX).all()
    assert untrained(splits).model.network.backwards  # tags may depend on later steps


def test_arrays_with_a_label_for_each_step_equal_a_table(table, tmp_path):
    frame = tags()
    padded, labels = np.zeros((20, 6, 2)), np.full((20, 6), "", dtype=object)
    for k, (_, rows) in enumerate(frame.groupby("id", sort=False)):
        padded[k, : len(rows)], labels[k, : len(rows)] = rows[["a", "b"]], rows["tag"]
    path = arrays(X=padded, y=labels.astype(str), lengths=frame.groupby("id", sort=False).size())(tmp_path)
    whole = {samples_of(load(table)), samples_of(zoo.load_data("sequences", path=str(path)))}
    assert len(whole) == 1 and len(whole.pop()) == 20


def samples_of(splits):
    """The sequences and targets of all splits, without padding."""
    return frozenset(
        tuple(one[name][: one["lengths"]].numpy().tobytes() for name in ("sequence", "target"))
        for split in (splits.train, splits.val, splits.test)
        for one in map(split.__getitem__, range(len(split)))
    )


def test_steps_without_a_label_are_neither_learnt_nor_measured(tmp_path, capsys):
    frame = tags()
    frame.loc[[3, 4], "tag"] = None  # of s2, which has three steps
    frame.loc[frame.id == "s5", "tag"] = None
    frame.to_csv(tmp_path / "own.csv", index=False)
    splits = load(tmp_path / "own.csv", task="tagging")
    out = capsys.readouterr().out
    assert f"without a label: 2 of {len(frame)} steps" in out and "1 of 20 samples (id s5)" in out
    task = create_task(splits.spec)
    target = torch.tensor([[0, 1, IGNORE_INDEX], [1, IGNORE_INDEX, IGNORE_INDEX]])
    output = torch.randn(2, 3, 2)
    known = target != IGNORE_INDEX
    assert task.count(target) == 3
    torch.testing.assert_close(
        task.loss(output, target), torch.nn.functional.cross_entropy(output[known], target[known])
    )
    metrics = task.metrics()
    task.measure(metrics, output, target, torch.clone)
    assert float(metrics.compute()["accuracy"]) == pytest.approx((output.argmax(2) == target)[known].float().mean())


@pytest.mark.parametrize("bidirectional", [False, True])
def test_padding_changes_neither_tags_nor_metrics(table, bidirectional):
    splits = load(table)
    model = untrained(splits, depth=2, bidirectional=bidirectional)
    batch = splits.test.columns
    several = [row[:n].numpy() for row, n in zip(batch["sequence"], batch["lengths"], strict=True)]
    together, alone = model.predict_proba(several), [model.predict_proba(one) for one in several]
    for whole, one in zip(together, alone, strict=True):
        np.testing.assert_allclose(whole[: len(one)], one, rtol=1e-4, atol=1e-5)
        assert np.isnan(whole[len(one) :]).all()
    assert model.predict(several) == [model.predict(one) for one in several]
    wider = torch.nn.functional.pad(batch["sequence"], (0, 0, 0, 9), value=7.0)
    padded = type(splits.test)(
        sequence=wider,
        lengths=batch["lengths"],
        target=torch.nn.functional.pad(batch["target"], (0, 9), value=IGNORE_INDEX),
    )
    assert evaluate(model, padded)[0] == pytest.approx(evaluate(model, splits.test)[0], rel=1e-4)
    padded.columns["sequence"] = wider * (wider != 7)
    assert np.array_equal(sample_hashes(padded), sample_hashes(splits.test))


def test_a_new_file_gets_a_label_for_each_row(table, tmp_path):
    model = untrained(load(table))
    frame = tags(4, seed=1).drop(columns="tag")
    frame.sample(frac=1, random_state=0).to_csv(tmp_path / "new.csv", index=False)
    headings, rows = predict_file(model, tmp_path / "new.csv")
    assert headings == ["sample", "id", "time", "step", "prediction", "down", "up"]
    found = pd.DataFrame(rows, columns=headings)
    expected = {one: model.predict(part[["a", "b"]].to_numpy()) for one, part in frame.groupby("id")}
    assert found.groupby("id")["prediction"].agg(list).to_dict() == expected
    assert sorted(zip(found.id, found.time, strict=True)) == sorted(zip(frame.id, frame.time.astype(str), strict=True))
    frame.loc[0, "a"] = np.inf
    frame.to_csv(tmp_path / "new.csv", index=False)
    assert len(predict_file(model, tmp_path / "new.csv")[1]) == len(frame) - 1  # of s0, the only step
    headings, rows = zoo_rows(model, [np.zeros((2, 2)), np.zeros((1, 2))])
    assert [row[:2] for row in rows] == [("0", 1), ("0", 2), ("1", 1)]


def zoo_rows(model, raw):
    table = model.tabulate(raw)
    return list(table), list(zip(*table.values(), strict=True))


@pytest.mark.parametrize(
    ("edit", "options", "message"),
    [
        (lambda f: f, {"task": "classification"}, "data.task=tagging where each step has its own"),
        (lambda f: f.assign(tag="up"), {"task": "tagging"}, "two classes"),
        (lambda f: f.assign(tag=f.a), {}, "a label for each step is one of a few classes"),
        (lambda f: f.assign(tag=None), {"task": "tagging"}, "no samples with a label"),
        (lambda f: f[["id", "tag"]].drop_duplicates("id").assign(t0=1, t1=2), {"task": "tagging"}, "for each sequence"),
    ],
)
def test_what_cannot_be_tagged_ends_in_one_message(tmp_path, edit, options, message):
    edit(tags()).to_csv(tmp_path / "own.csv", index=False)
    with pytest.raises(UserError, match=message) as caught:
        load(tmp_path / "own.csv", **options)
    assert len(str(caught.value).splitlines()) <= 5


def test_tagging_trains_evaluates_and_reports(table, tmp_path):
    run = tmp_path / "run"
    config = zoo.config("rnn/gru", "data=sequences", f"data.path={table}", "data.target=tag", "trainer=debug", width=8)
    zoo.train(config, run)
    page = (run / "report.html").read_text(encoding="utf-8")
    assert "labelled steps of the first 4 test sequences are right" in page and "majority class" in page
    measured = zoo.evaluate(run, "test")[0]
    assert 0 <= measured["accuracy"] <= 1
