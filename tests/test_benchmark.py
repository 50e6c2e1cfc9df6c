"""The benchmark's suites at tiny sizes give complete rows, whatever the times."""

import importlib
import json
import sys
from dataclasses import replace
from pathlib import Path

import benchmark
import pytest
import torch
from benchmarks import (
    _case,
    _cases,
    _comparison,
    _measure,
    _page,
    _peers,
    _plain_lstm,
    _results,
    _sequence_peers,
    _sequence_tasks,
    _step_times,
    _throughput,
    cnn,
    data,
    engine,
    fnn,
    fnn_folds,
    fnn_unseen,
    growth,
    latency,
    rnn,
    startup,
)
from scipy.stats import t, ttest_1samp

import zoo
from zoo.cli.options import read_options
from zoo.core.errors import UserError
from zoo.data.sequences.splits.windows import Window, series_splits

KEYS = ["name", "ours", "reference", "unit", "ratio", "range", "goal"]


def check(measures, n):
    """Check `n` complete rows, whose ratio is ours / reference."""
    assert len({measure.name for measure in measures}) == n
    for row in (measure.row for measure in measures):
        assert list(row) == KEYS
        assert row["ratio"] == pytest.approx(row["ours"] / row["reference"], rel=2e-3, abs=2e-3)


@pytest.fixture(scope="module")
def table():
    return _cases.table_case((3, 8, 8, 2), n=256, n_epochs=2)


@pytest.fixture(scope="module")
def images():
    return _cases.image_case("cnn/small", _cases.first(zoo.load_data("mnist5k"), 256))


@pytest.fixture(scope="module")
def sequences():
    splits = _cases.first(zoo.load_data("japanese_vowels"), 32)
    return _cases.sequence_case("rnn/gru", splits, n_epochs=2, by_hand=_cases.Packed)


def test_a_row_has_the_medians_their_ratio_and_the_goal():
    row = _measure.Measure("a", [1.0, 9.0, 3.0], [2.0], "s", goal=1.25).row
    assert list(row.values()) == ["a", 3.0, 2.0, "s", 1.5, "1.000 to 9.000", "<= 1.25"]
    rate = _measure.Measure("a", [1.0], [2.0], "samples/s", goal=0.9)
    assert rate.row["goal"] == ">= 0.9"
    assert rate.cells == ["a", "1.000", "2.000", "samples/s", "0.5000", "1.000 to 1.000", ">= 0.9"]


def test_the_reference_comes_before_and_after_ours():
    calls = []
    ours, references = _measure.in_turn(lambda: calls.append("ours"), lambda: calls.append("reference"), 2)
    assert calls == ["reference", "ours", "reference"] * 2
    assert (len(ours), len(references)) == (2, 4)


def test_engine_compares_steps_and_whole_fits_with_each_reference(table, tmp_path):
    measures = list(engine.compare(table, goal=1.25, n_rounds=1))
    check(measures, 6)
    assert [measure.row["goal"] for measure in measures] == ["<= 1.25", None, None, None, None, None]
    _page.save_picture(tmp_path / "engine.png", lambda figure: engine.draw(figure, measures))
    assert (tmp_path / "engine.png").stat().st_size > 5000


@pytest.mark.parametrize("case", ["table", "images", "sequences"])
def test_a_family_is_timed_in_training_and_in_inference(case, request):
    check(list(_throughput.throughput(request.getfixturevalue(case), n_rounds=1)), 2)


@pytest.mark.parametrize("case", ["table", "images", "sequences"])
def test_reference_networks_have_the_size_of_the_zoos(case, request):
    case = request.getfixturevalue(case)
    sizes = [
        sum(parameter.numel() for parameter in network.parameters())
        for network in (case.by_hand(), _case.zoo_module(case).model)
    ]
    assert sizes[0] == sizes[1]


def test_pil_batches_hold_the_same_images(images):
    pixels, _ = images.columns("train")
    batches = list(cnn.pil_batches(images)())
    assert sum(len(batch[0]) for batch in batches) == len(pixels)
    assert sum(float(batch[0].sum()) for batch in batches) == pytest.approx(float(pixels.sum()), rel=1e-4)
    check([cnn.item_by_item(images, n_rounds=1)], 1)


def test_the_example_network_is_that_of_pytorch_examples_and_the_picture_is_drawn(tmp_path):
    assert sum(parameter.numel() for parameter in cnn.example_network().parameters()) == 1_199_882
    _page.save_picture(tmp_path / "cnn.png", lambda figure: cnn.draw(figure, []))
    assert (tmp_path / "cnn.png").stat().st_size > 5000


def test_data_measures_batches_and_reads_the_large_table(tmp_path):
    check(list(data.epochs("digits", zoo.load_data("mnist5k").train)), 2)
    data.write_csv(tmp_path / "large.csv", 200)
    spec = zoo.load_data("csv", path=str(tmp_path / "large.csv"), target="y").spec
    assert len(spec.columns) == 29


def test_startup_runs_a_command_of_a_checkout_and_predicts_a_row():
    assert startup.command("list") < 30
    assert len(startup.one_row()) == 30 and len(startup.row_seconds(2)) == 2


@pytest.mark.parametrize("name", latency.NAMES)
def test_latency_compares_predict_with_forward(name):
    check([latency.prediction(name, n, n_rounds=1) for n in (1, 3)], 2)


def test_growth_fits_the_exponent_of_the_larger_sizes(tmp_path):
    sizes = (1, 10, 100, 1000, 10000)
    line = growth.growth("seconds over rows", sizes, [7.0, 7.0, *(0.1 * size**1.5 for size in sizes[2:])])
    check([line], 1)
    assert line.row["ours"] == 1.5
    assert line.row["ratio"] == pytest.approx(1.5 / growth.LIMIT, abs=1e-3)
    _page.save_picture(tmp_path / "growth.png", lambda figure: growth.draw(figure, [line]))
    assert (tmp_path / "growth.png").stat().st_size > 5000


@pytest.mark.parametrize("axis", growth.SIZES)
def test_growth_creates_data_of_the_requested_size(axis):
    case = growth.case(axis, 20)
    columns, spec = case.columns("train"), case.splits.spec
    found = {
        "rows": len(columns[0]),
        "features": columns[0].shape[-1],
        "steps of a sequence": columns[0].shape[1],
        "classes": spec.n_outputs,
    }
    assert found[axis] == 20


def test_rows_and_page_are_written(monkeypatch, tmp_path, capsys):
    line = _measure.against_target("list.py", [0.5, 0.25, 0.125], "s", 1.0)
    monkeypatch.setattr(startup, "measure", lambda: [line])
    benchmark.run("startup", {"output": tmp_path / "rows.json", "docs": tmp_path / "docs"})
    assert json.loads((tmp_path / "rows.json").read_text()) == [line.row]
    page = (tmp_path / "docs" / "startup.md").read_text()
    assert "| list.py | 0.2500 | 1.000 | s | 0.2500 | 0.1250 to 0.5000 | <= 1 |" in page
    assert benchmark.machine() in page
    assert "list.py" in capsys.readouterr().out


MIXED = "".join(f"{i},{'' if i % 7 == 0 else i % 5},{'' if i % 6 == 0 else 'ab'[i % 2]},{2 * i}\n" for i in range(60))


@pytest.mark.parametrize("name", ["LightGBM", "LogisticRegression or Ridge"])
def test_a_peer_takes_missing_numbers_and_categories_of_the_same_rows(name, tmp_path):
    (tmp_path / "mixed.csv").write_text(f"a,b,c,y\n{MIXED}")
    splits = _comparison.splits_of(["data=csv", f"data.path={tmp_path / 'mixed.csv'}", "data.target=y"])
    table = _peers.Table.of(splits)
    assert table.train.x.isna().sum().sum() == splits.train.columns["numeric"].isnan().sum() > 0
    assert (
        table.categorical == ["category_0"] and table.val.y.tolist() == splits.val.columns["target"].flatten().tolist()
    )
    peer = {**_peers.PEERS, **_peers.CLASSIC}[name]
    if reason := peer.reason(table):
        pytest.skip(reason)
    assert 0 < _comparison.fit_peer(peer, table, 0).test < _comparison.naive(table).test + 20


def test_the_comparison_has_a_row_of_every_model_and_says_which_were_not_run(tmp_path):
    trees, linear = _peers.PEERS["HistGradientBoosting"], _peers.CLASSIC["LogisticRegression or Ridge"]
    peers = {"CatBoost": linear, "missing": _peers.Peer(trees.fit, "no_such_package")}
    rows = _comparison.compare(["data=wine", "trainer.max_epochs=1"], "wine", ["fnn/mlp"], peers, 1, _results.Results())
    assert [row.model for row in rows] == ["naive answer", "CatBoost", "fnn/mlp", "missing"]
    naive, tree, ours, missing = rows
    assert ours.note == ("yes" if ours.test >= tree.test else "no")
    assert missing.row["as good as LightGBM and CatBoost"] == "not installed: pip install zoo[peers]"
    assert naive.row["seeds"] == 1 and tree.row["validation"] is None and ours.row["parameters"] > 0
    line = _measure.against_target("first", [1.0], "s", 1.0)
    assert _page.markdown([line, *rows]).count("\n\n") == 1
    assert "on 1 of 1 data sets" in fnn.after([replace(ours, model="fnn", note="yes")])
    _page.save_picture(tmp_path / "fnn.png", lambda figure: fnn.draw(figure, [line, *rows]))
    assert (tmp_path / "fnn.png").stat().st_size > 5000


def test_a_score_is_relative_to_the_best_of_the_others():
    def row(model, score, value):
        return _comparison.Comparison("data", model, score, [_comparison.Outcome(value, fit=1.0)])

    more = fnn.relative_scores([row("a", "accuracy", 0.8), row("b", "accuracy", 0.5), row("fnn", "accuracy", 0.88)])
    assert more["fnn"] == [(1.0, pytest.approx(10))] and more["a"] == [(1.0, 0.0)]
    less = fnn.relative_scores([row("a", "rmse", 2.0), row("fnn", "rmse", 2.5)])
    assert less["fnn"] == [(1.0, pytest.approx(-20))]


def test_paired_folds_are_tested_with_the_corrected_variance():
    differences = [0.01, 0.02, -0.01, 0.03, 0.015, 0.0, 0.02, 0.01, 0.005, 0.02]
    plain = ttest_1samp(differences, 0)
    assert fnn_folds.corrected_t_test(differences, n_folds=10**9) == pytest.approx(plain.pvalue)
    corrected = 2 * t.sf(plain.statistic / (10 * (1 / 10 + 1 / 4)) ** 0.5, 9)
    assert fnn_folds.corrected_t_test(differences) == pytest.approx(corrected)
    assert fnn_folds.corrected_t_test([0.0, 0.0]) == 1.0
    row = fnn_folds.Paired("wine", "SVC", "rmse", [2.0, 2.1, 2.2], [1.0, 1.1, 1.2], seconds=1.0).row
    assert row["zoo better by"] == pytest.approx(1.0) and row["zoo is"] == "better"


def test_tables_in_the_folder_of_data_are_compared_too(monkeypatch, tmp_path):
    (tmp_path / "tables").mkdir()
    (tmp_path / "tables" / "mixed.csv").write_text(f"a,b,c,y\n{MIXED}")
    monkeypatch.setenv("ZOO_DATA", str(tmp_path))
    words = fnn.data_sets()["mixed"]
    assert words[-1] == "data.target=y" and set(fnn.SETS) < set(fnn.data_sets())
    raw = fnn.raw_rows(words, 100)
    assert [*raw] == ["a", "b", "c"] and len(raw) == 100


def test_results_are_kept_in_a_file_and_measured_once(tmp_path):
    calls = []

    def measured():
        calls.append(1)
        return {"test": {"accuracy": 0.5}}

    for _ in range(2):
        kept = _results.Results(tmp_path / "rnn.jsonl", only="rnn*,naive")
        assert kept.get("wine", "rnn/gru", 0, measured)["test"] == {"accuracy": 0.5}
    assert kept.get("wine", "Rocket", 0, measured) is None
    assert _results.Results(tmp_path / "rnn.jsonl", minutes=0).get("wine", "rnn/gru", 1, measured) is None
    assert len(calls) == 1 and len(kept.of("wine", "rnn/gru")) == 1 and not kept.of("wine", "rnn/lstm")


def test_folds_that_are_kept_are_not_fitted_again_and_a_row_says_how_many_there_are(tmp_path, monkeypatch):
    peers = {"Ridge": _peers.CLASSIC["LogisticRegression or Ridge"]}
    monkeypatch.setattr(fnn_folds, "OURS", "fnn/mlp")
    monkeypatch.setattr(_comparison, "fit_ours", lambda *_: _comparison.Outcome(0.5, fit=1.0))
    first = fnn_folds.over_folds("wine", peers, 1, _results.Results(tmp_path / "folds.jsonl"))
    monkeypatch.setattr(_comparison, "fit_peer", None)
    kept = _results.Results(tmp_path / "folds.jsonl", minutes=0)
    assert fnn_folds.over_folds("wine", peers, 2, kept) == first
    assert [(row.model, len(row.scores)) for row in first] == [("fnn/mlp", 5), ("Ridge", 5)]
    late = fnn_folds.over_folds("wine", peers, 1, _results.Results(minutes=0))
    assert [row.row["zoo is"] for row in late] == ["not run: there was no time"] * 2


def test_unseen_tables_sum_up_the_error_relative_to_the_better_of_the_trees():
    scores = {"naive answer": 0.6, "LightGBM": 0.8, "CatBoost": 0.7, "XGBoost": 0.9, "fnn": 0.85}
    rows = [_comparison.Comparison("a", name, "accuracy", [_comparison.Outcome(one)]) for name, one in scores.items()]
    values = {"LightGBM": 2.0, "CatBoost": 1.0, "fnn": 3.0}
    rows += [_comparison.Comparison("b", name, "rmse", [_comparison.Outcome(one)]) for name, one in values.items()]
    rows.append(_comparison.Comparison("c", "fnn", "rmse", note="not run"))
    assert fnn_unseen.relative_errors(rows) == pytest.approx({"a": 0.75, "b": 3.0})
    assert "on 1 of 2 tables" in fnn_unseen.after(rows) and "is 1.500" in fnn_unseen.after(rows)


SHORT = ["data=ucr", "data.name=UnitTest", "trainer.max_epochs=1"]


@pytest.fixture(scope="module")
def sequence_rows():
    """The rows of a set of twenty sequences, of the quick models and of one of the zoo's for an epoch."""
    task = _sequence_tasks.Task("UnitTest", lambda _: SHORT, {"accuracy": 0.0, "f1": None}, ("rnn/gru",), 1)
    kept = _results.Results(only="naive answer,Ridge*,rnn/gru")
    return rnn.compared([task], kept)


def test_models_of_sequences_are_compared_on_every_metric(sequence_rows, tmp_path):
    by_name = {(row.model, row.score): row for row in sequence_rows}
    assert by_name["Ridge on all values", "accuracy"].test > 0.7 > by_name["naive answer", "accuracy"].test > 0.3
    assert by_name["rnn/gru", "macro-F1"].row["parameters"] > 0 and by_name["rnn/gru", "accuracy"].test > 0.3
    late = sequence_rows[-1]
    assert "Rocket" in late.model and late.row["goal"] == "not run: there was no time"
    assert {name for name, _ in rnn.relative_scores([row for row in sequence_rows if row.outcomes]).items()} == {
        *("naive answer", "Ridge on all values", "rnn/gru"),
    }
    times = _step_times.StepTimes("rnn/gru", dict.fromkeys(_step_times.LENGTHS, 1.0))
    rows = [*sequence_rows, times]
    assert "| rnn/gru | 1.000 |" in _page.markdown(rows)
    _page.save_picture(tmp_path / "rnn.png", lambda figure: rnn.draw(figure, rows))
    assert (tmp_path / "rnn.png").stat().st_size > 5000


def test_the_default_reaches_a_goal_or_misses_it():
    def row(model, score, value, data="a"):
        return _comparison.Comparison(data, model, score, [_comparison.Outcome(value, fit=1.0)], heading="goal")

    ours = [rnn.with_goal(row("rnn", "accuracy", 0.9), 0.9), rnn.with_goal(row("rnn", "nats", 1.7), 1.6)]
    assert [one.note for one in ours] == ["at least 0.9: yes", "at most 1.6: no"]
    page = rnn.after(ours)
    assert "reaches 1 of 2 goals; missed: a (nats)" in page
    assert "| `rnn/char_lm.shakespeare` | nats | " in page and "at most 1.6: yes" in page
    assert rnn.with_goal(row("rnn/gru", "accuracy", 0.9), 0.5).note == ""
    peers = [row("TF-IDF of words", "accuracy", 0.8), row("TF-IDF of characters", "accuracy", 0.7)]
    assert rnn.goal_beside(("TF-IDF*", 0.05), peers) == pytest.approx(0.75)
    sets = [row(model, "accuracy", score, data) for data in _sequence_tasks.ARCHIVE
            for model, score in (("rnn", 0.8), ("MiniRocket", 0.7))]  # fmt: skip
    assert [(one.model, one.test, one.note) for one in rnn.mean_rows(sets)] == [
        ("rnn", 0.8, "at least 0.7: yes"),
        ("MiniRocket", 0.7, ""),
    ]


@pytest.mark.parametrize("name", ["nn.LSTM", "last season"])
def test_a_forecast_to_compare_with_is_better_than_the_naive_answer(name, monkeypatch):
    monkeypatch.setattr(_plain_lstm, "N_EPOCHS", 2)
    wave = torch.sin(torch.arange(400.0) / 24 * 2 * torch.pi)[:, None] + torch.zeros(2)
    splits = series_splits("wave", [wave], ["a", "b"], [(240, 320, 400)], Window(48, 24), reading={})
    naive, peer = (_sequence_peers.PEERS[one] for one in ("naive answer", name))
    assert peer.suits(splits.spec) and not _sequence_peers.PEERS["MiniRocket"].suits(splits.spec)
    errors = [_sequence_peers.fit_and_score(one, splits, 0)["test"]["mse_scaled"] for one in (peer, naive)]
    assert errors[0] < errors[1]


def test_a_step_is_timed_and_film_reviews_are_folded_by_number():
    assert 0 < _step_times.step_time("rnn/gru", 2) < 1e4
    names = {task.name for task in _sequence_tasks.all_tasks()}
    assert {*_sequence_tasks.ARCHIVE, "shakespeare", "fsdd, unknown speaker", "etth1, 720 hours"} < names


def test_every_suite_has_measure():
    assert {"engine", "data", "cnn", "rnn", "fnn", "startup", "latency", "growth"} <= set(benchmark.SUITES)
    for name in benchmark.SUITES:
        assert callable(importlib.import_module(f"benchmarks.{name}").measure)


def test_mistakes_end_with_2_and_the_nearest_name(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["benchmark.py", "engin"])
    with pytest.raises(SystemExit) as ended:
        benchmark.main()
    assert ended.value.code == 2
    assert "no suite 'engin'; the nearest: engine" in capsys.readouterr().err
    with pytest.raises(UserError, match="results is for suites that take hours; startup measures everything at once"):
        benchmark.run("startup", {"results": Path("rnn.jsonl")})
    with pytest.raises(UserError, match="nearest: output"):
        read_options(["outptu=rows.json"], benchmark.SETTINGS)
