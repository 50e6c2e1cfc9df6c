"""Long series and texts: windows, forecasts, language models, and the state carried over in evaluation."""

import json
import math

import numpy as np
import pandas as pd
import pytest
import torch
from helpers.datasets import NEED_FILES

import zoo
from zoo.cli.predict import text_to_continue
from zoo.core.errors import UserError
from zoo.core.spec import IGNORE_INDEX, DataSpec
from zoo.data.batches import EpochBatches
from zoo.data.fingerprints import sample_hashes
from zoo.data.sequences.inputs.vocabulary import Vocabulary
from zoo.data.sequences.splits.text_stream import text_splits
from zoo.data.sequences.splits.windows import Window, WindowSplit, series_splits
from zoo.data.splits import batches, each_value_once
from zoo.inference.evaluation import evaluate
from zoo.inference.predictor import Predictor
from zoo.tasks import create_task
from zoo.tasks.sampling import Sampling

SERIES = torch.arange(60.0).view(30, 2)


def series(look_back=4, horizon=3, values=SERIES):
    return series_splits("made", [values], ["a", "b"], [(18, 24, 30)], Window(look_back, horizon), reading={})


def text(length=300, n_steps=16):
    stream = torch.randint(3, (length,), generator=torch.Generator().manual_seed(0))
    letters = "".join("abc"[index] for index in stream.tolist())
    return text_splits("made", (letters, letters[:100], letters[:70]), n_steps)


def predictor(splits, **choices):
    torch.manual_seed(0)
    model = zoo.create_model("rnn/lstm", splits.spec, width=8, **choices)
    model.preprocess.fit(each_value_once(splits.train))
    return Predictor(model, splits.spec, {})


def test_windows_are_views_at_every_position_of_the_series():
    split = WindowSplit([SERIES], Window(look_back=4, horizon=3))
    assert len(split) == 30 - 4 - 3 + 1
    for i in (0, 11, len(split) - 1):
        assert torch.equal(split[i]["sequence"], SERIES[i : i + 4])
        assert torch.equal(split[i]["target"], SERIES[i + 4 : i + 7])
    assert split.columns["sequence"].untyped_storage().data_ptr() == SERIES.untyped_storage().data_ptr()


def test_later_splits_look_back_but_never_forecast_earlier_steps():
    splits = series()
    assert [len(split) for split in (splits.train, splits.val, splits.test)] == [12, 4, 4]
    assert torch.equal(splits.val[0]["target"], SERIES[18:21])
    assert torch.equal(splits.test[0]["target"], SERIES[24:27])
    assert torch.equal(splits.test[-1]["target"], SERIES[27:30])


def test_statistics_count_each_training_row_once():
    preprocess = predictor(series()).model.preprocess
    train = SERIES[:18].double()
    for scale in (preprocess.scales["sequence"], preprocess.target_scale):
        torch.testing.assert_close(scale.mean.double(), train.mean(0))
        torch.testing.assert_close(scale.std.double(), train.std(0, correction=0))


@pytest.mark.parametrize("lengths", [{"look_back": 0}, {"horizon": 0}, {"horizon": 7}, {"look_back": 40}])
def test_windows_that_do_not_fit_are_refused(lengths):
    with pytest.raises(UserError, match=r"data\.horizon"):
        series(**lengths)


def test_forecasts_are_measured_scaled_and_in_units():
    splits = series(values=SERIES * torch.tensor([1.0, 10.0]))
    model = predictor(splits)
    metrics, outputs, targets = evaluate(model, splits.test)
    assert outputs.shape == targets.shape == (4, 3, 2)
    errors = (outputs - targets).double()
    scaled = errors / model.model.preprocess.target_scale.std.double()
    assert metrics["mse"] == pytest.approx(float(errors.square().mean()), rel=1e-4)
    assert metrics["mae"] == pytest.approx(float(errors.abs().mean()), rel=1e-4)
    assert metrics["mse_scaled"] == pytest.approx(float(scaled.square().mean()), rel=1e-4)
    assert metrics["mae_scaled"] == pytest.approx(float(scaled.abs().mean()), rel=1e-4)
    assert metrics["loss"] == pytest.approx(metrics["mse_scaled"], rel=1e-4)


def test_each_token_is_followed_by_its_target_once():
    train = text().train.columns
    valid = train["target"] != IGNORE_INDEX
    assert valid.sum() == 299
    assert torch.equal(train["tokens"].flatten()[1:299], train["target"].flatten()[:298])


@pytest.mark.parametrize("name", zoo.list_models(spec=text().spec))
def test_evaluation_carries_the_state_over_the_whole_text(name):
    splits = text(length=2100)
    torch.manual_seed(0)
    model = zoo.create_model(name, splits.spec, width=8, depth=2).eval()
    stream = splits.test.columns
    whole = model(tokens=stream["tokens"].view(1, -1))
    nats = create_task(splits.spec).loss(whole, stream["target"].view(1, -1)).item()
    for size in (1, 2, 1000):
        state, outputs = None, []
        for batch in batches(splits.test, size):
            output, state = model.carry(state, tokens=batch["tokens"])
            outputs.append(output.flatten(0, 1))
        torch.testing.assert_close(torch.cat(outputs)[None], whole, rtol=1e-4, atol=1e-5)
    metrics, _, _ = evaluate(Predictor(model, splits.spec, {}), splits.test)
    assert metrics["nats"] == pytest.approx(nats, abs=1e-5)
    assert metrics["bits"] == pytest.approx(nats / math.log(2), abs=1e-5)


@pytest.mark.parametrize("name", zoo.list_models(spec=text().spec))
def test_a_language_model_never_looks_ahead_and_steps_equal_forward(name):
    splits = text()
    model = zoo.create_model(name, splits.spec, width=8).eval()
    tokens = splits.test.columns["tokens"][:1]
    changed = tokens.clone()
    changed[0, 9] = tokens[0, 9] % 3 + 1
    assert torch.equal(model(tokens=tokens)[:, :9], model(tokens=changed)[:, :9])
    state, outputs = None, []
    for t in range(tokens.shape[1]):
        output, state = model.step(state, tokens=tokens[:, t])
        outputs.append(output)
    torch.testing.assert_close(torch.stack(outputs, 1), model(tokens=tokens), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("choice", [{"bidirectional": True}, {"pooling": "max"}])
def test_choices_that_would_look_ahead_are_refused(choice):
    with pytest.raises(UserError, match="leave it null"):
        zoo.create_model("rnn/lstm", text().spec, **choice)


def test_generation_is_a_function_of_prompt_and_seed(capsys):
    model = predictor(text())
    assert model.generate("ab", n=20, seed=1) == model.generate("ab", n=20, seed=1)
    assert model.generate("ab", n=20, seed=1) != model.generate("ab", n=20, seed=2)
    assert len(model.generate("a?", n=5)) == 5
    assert "1 of 2 characters of the prompt were not in the training text" in capsys.readouterr().out
    assert model.generate(n=5) == model.generate("\n", n=5)  # a new line
    with pytest.raises(UserError, match="use predict"):
        predictor(series()).generate()


def test_a_file_that_is_not_there_is_no_prompt(tmp_path):
    (tmp_path / "new.csv").write_text("a")
    for text in ("nwe.csv", str(tmp_path / "nwe.csv"), "a/b", "my words.txt"):
        with pytest.raises(UserError, match="to continue this text itself: prompt="):
            text_to_continue({"input": text, "prompt": None})
    assert text_to_continue({"input": str(tmp_path / "new.csv"), "prompt": None}) == "a"
    for text in ("ROMEO:", "He came. She", "3.14"):
        assert text_to_continue({"input": text, "prompt": None}) == text
    assert text_to_continue({"input": None, "prompt": "nwe.csv"}) == "nwe.csv"


@pytest.mark.parametrize(
    ("mistake", "message"),
    [
        ({"temperature": 0.0}, "above 0"),
        ({"temperature": float("nan")}, "above 0"),
        ({"top_k": 0}, "at least 1"),
        ({"top_p": 1.5}, "up to 1"),
        ({"seed": -1}, "from 0"),
        ({"n": -1}, "from 0"),
        ({"prompt": 3}, "a str"),
        ({"documents": 2}, "without an end"),
    ],
)
def test_values_that_say_nothing_of_a_text_are_refused(mistake, message):
    with pytest.raises(UserError, match=message):
        predictor(text()).generate(**mistake)


def test_the_likeliest_tokens_are_drawn():
    logits = torch.tensor([0.5, 0.3, 0.15, 0.05]).log()
    for options, possible in (
        ({"top_k": 2}, {0, 1}),
        ({"top_p": 0.8}, {0, 1}),
        ({"top_p": 0.81}, {0, 1, 2}),
        ({}, {0, 1, 2, 3}),
    ):
        sampling = Sampling(**options)
        generator = sampling.generator(torch.device("cpu"))
        assert {int(sampling.draw(logits, generator)) for _ in range(300)} == possible


def names(tmp_path, **options):
    """Splits of a list of lines of different lengths."""
    lines = [letters * n for letters in ("ann", "bo", "carl") for n in range(1, 21)]
    (tmp_path / "names.txt").write_text("\n".join(lines) + "\n\n")
    return zoo.load_data("text", path=str(tmp_path / "names.txt"), **options)


def test_the_lines_of_a_list_are_documents(tmp_path, capsys):
    splits = names(tmp_path)
    assert "1 blank line is left out" in capsys.readouterr().out
    known, starts = splits.spec.class_names, 0
    for split in (splits.train, splits.val, splits.test):
        for i in range(len(split)):
            tokens, target = split[i]["tokens"], split[i]["target"]
            n = int(split[i]["lengths"])
            line = "".join(known[token] for token in target[:n])
            assert line.endswith("\n") and "\n" not in line[:-1]
            assert "".join(known[token] for token in tokens[:n]) == "\n" + line[:-1]
            assert (target[n:] == IGNORE_INDEX).all()
            starts += 1
    assert starts == 60


def test_documents_do_not_depend_on_one_another_and_end(tmp_path):
    splits = names(tmp_path)
    torch.manual_seed(0)
    model = Predictor(zoo.create_model("rnn/char_lm", splits.spec, width=16), splits.spec, {})
    metrics, outputs, targets = evaluate(model, splits.test)
    assert metrics["nats"] == pytest.approx(
        float(torch.nn.functional.cross_entropy(outputs.flatten(0, 1), targets.flatten())), abs=1e-4
    )
    for size in (1, 3):
        alone = [
            evaluate(model, splits.test.subset(range(i, min(i + size, len(splits.test)))))[1]
            for i in range(0, len(splits.test), size)
        ]
        torch.testing.assert_close(torch.cat(alone), outputs, rtol=1e-4, atol=1e-5)
    lines = model.generate("an", n=10_000, documents=5, temperature=0.5).split("\n")
    assert len(lines) == 5 and all(line.startswith("an") for line in lines) and len(set(lines)) > 1
    assert "\n" not in model.generate(n=1000)
    with pytest.raises(UserError, match="a line each"):
        model.generate("ann\nbo")


def test_copies_of_a_line_are_in_one_split(tmp_path):
    (tmp_path / "names.txt").write_text("\n".join(f"name {i // 3}" for i in range(300)))
    splits = zoo.load_data("text", path=str(tmp_path / "names.txt"))
    parts = [set(sample_hashes(split).tolist()) for split in (splits.train, splits.val, splits.test)]
    assert sum(map(len, parts)) == len(set.union(*parts)) == 100


def test_streams_side_by_side_go_on_from_batch_to_batch():
    batches = EpochBatches(23, 4, [0], streams=True)
    for epoch in (0, 1):
        order = torch.stack(batches.of_epoch(epoch))  # (n_batches, streams)
        assert order.shape == (6, 4)
        assert torch.equal(order[1:], (order[:-1] + 1) % 23)
        assert set(order.flatten().tolist()) == set(range(23))
    assert len({int(batches.of_epoch(epoch)[0][0]) for epoch in range(5)}) > 1


@pytest.mark.parametrize("name", zoo.list_models("rnn/*", spec=text().spec))
def test_each_stream_of_a_batch_continues_from_its_state(name):
    splits = text()
    model = zoo.create_model(name, splits.spec, width=8).eval()
    tokens = splits.train.columns["tokens"][:4]
    whole, state, parts = model(tokens=tokens), None, []
    for part in tokens.split(6, 1):
        output, state = model.advance(state, tokens=part)
        parts.append(output)
    torch.testing.assert_close(torch.cat(parts, 1), whole, rtol=1e-4, atol=1e-5)


def test_byte_pairs_spell_the_text_and_are_measured_by_character():
    pytest.importorskip("tokenizers")
    words = "the cat and the hat and the bat \n" * 40
    splits = text_splits("made", (words, words[:300], words[:200]), 16, 20)
    assert (
        splits.spec.n_outputs == 20 and DataSpec.from_json(json.loads(json.dumps(splits.spec.to_json()))) == splits.spec
    )
    vocabulary = Vocabulary.of_reading(splits.spec.reading)
    assert vocabulary == Vocabulary.of_text(words, 20)
    tokens = vocabulary.encode("the hat?")
    assert "".join(splits.spec.class_names[token] for token in tokens) == "the hat\N{REPLACEMENT CHARACTER}"
    assert len(tokens) < 8
    model = predictor(splits)
    metrics, _, targets = evaluate(model, splits.test)
    n_characters = sum(len(splits.spec.class_names[token]) for token in targets[targets != IGNORE_INDEX])
    n_tokens = (targets != IGNORE_INDEX).sum()
    assert metrics["bits"] * n_characters == pytest.approx(metrics["bits_per_token"] * float(n_tokens), rel=1e-4)
    assert len(model.generate("the", n=7)) == 7
    with pytest.raises(UserError, match=r"of 10 different characters at least 12"):
        Vocabulary.of_text(words, 11)


def test_a_language_model_returns_probabilities_of_the_next_token():
    model = predictor(text())
    probabilities = model.predict_proba(["ab", "cb"])
    np.testing.assert_allclose(probabilities.sum(1), 1, rtol=1e-5)
    assert [model.spec.class_names[i] for i in probabilities.argmax(1)] == model.predict(["ab", "cb"])


@NEED_FILES
def test_etth1_is_split_as_in_the_literature():
    splits = zoo.load_data("etth1", horizon=720)
    assert [len(split) for split in (splits.train, splits.val, splits.test)] == [7825, 2161, 2161]
    assert splits.test[0]["target"].shape == (720, 7)
    assert splits.spec.column_names[-1] == "OT"


@NEED_FILES
def test_shakespeare_is_split_as_in_the_literature():
    splits = zoo.load_data("shakespeare")
    counts = [
        int((split.columns["target"] != IGNORE_INDEX).sum()) + 1 for split in (splits.train, splits.val, splits.test)
    ]
    assert counts == [948_085, 55_769, 111_540]
    assert splits.spec.n_outputs == 66


def power(n=200):
    hours = pd.date_range("2024-01-01", periods=n, freq="h")
    return pd.DataFrame({"when": hours, "load": np.sin(np.arange(n) / 4).round(4), "heat": np.arange(n) % 24})


def own_series(folder, frame, **options):
    frame.to_csv(folder / "power.csv", index=False)
    return zoo.load_data("series", path=str(folder / "power.csv"), look_back=8, horizon=4, **options)


def test_a_users_series_is_forecast_after_training(tmp_path):
    splits = own_series(tmp_path, power())
    assert splits.spec.name == "power"
    assert splits.spec.column_names == ["load", "heat"]
    assert [len(split) for split in (splits.train, splits.val, splits.test)] == [129, 17, 37]
    assert splits.test[-1]["target"][-1, 1] == 199 % 24
    assert own_series(tmp_path, power(), columns=["heat"]).spec.column_names == ["heat"]


def test_unsorted_rows_and_missing_steps_are_corrected_and_reported(tmp_path, capsys):
    whole = own_series(tmp_path, power()).train.series
    gapped = power().drop(index=[20, 21, 60]).sample(frac=1, random_state=0)
    train = own_series(tmp_path, gapped).train.series
    out = capsys.readouterr().out
    assert "sorted by time" in out
    assert "3 are missing in 2 gaps, the first after" in out
    own_series(tmp_path, power().drop(index=[20]))
    assert "; 1 is missing, after" in capsys.readouterr().out
    assert len(train) == len(whole)
    assert train.isnan().all(1).nonzero().flatten().tolist() == [20, 21, 60]  # no targets
    measured = ~train.isnan()
    assert torch.equal(train[measured], whole[measured])


@pytest.mark.parametrize(("freq", "name"), [("B", "a working day"), ("MS", "a month"), ("ME", "a month")])
def test_missing_steps_of_a_calendar_are_filled_in(tmp_path, capsys, freq, name):
    days = pd.date_range("2000-01-31", periods=200, freq=freq)
    own_series(tmp_path, power().assign(when=days).drop(index=[30, 31, 60]))
    assert f"steps are of {name}; 3 are missing in 2 gaps" in capsys.readouterr().out
    assert len(own_series(tmp_path, power().assign(when=days).drop(index=[30, 31, 60])).train.series) == 140


@pytest.mark.parametrize("form", ["%d.%m.%Y %H:%M", "%m/%d/%Y %H:%M"])
def test_dates_of_any_usual_form_order_the_rows(tmp_path, form):
    frame = power()
    text = frame.assign(when=frame["when"].dt.strftime(form))[::-1]  # the newest first
    assert torch.equal(own_series(tmp_path, text).train.series, own_series(tmp_path, frame).train.series)


def test_the_columns_used_are_reported(tmp_path, capsys):
    own_series(tmp_path, power().assign(note="fine", fixed=1.0))
    out = capsys.readouterr().out
    assert "forecasts load, heat, fixed, in the order of 'when'; left out, as they are no numbers: note" in out
    assert "one value only in the training split: fixed" in out


def test_irregular_steps_are_reported_and_kept(tmp_path, capsys):
    frame = power()
    frame.loc[50:, "when"] += pd.Timedelta("7min")
    assert len(own_series(tmp_path, frame).train.series) == 140
    assert "1 of 199 differ" in capsys.readouterr().out


def test_missing_values_are_filled_from_the_past_and_are_no_targets(tmp_path, capsys):
    frame = power()
    frame.loc[:1, "load"] = np.nan
    frame.loc[10:12, "heat"] = np.nan
    frame.loc[138:141, "heat"] = np.nan  # train ends after row 139
    splits = own_series(tmp_path, frame)
    assert "9 missing values are filled with the last value before" in capsys.readouterr().out
    assert splits.train.filled[10:13, 1].tolist() == [9, 9, 9]
    assert splits.train.series[10:13, 1].isnan().all()
    assert splits.train.filled[:2, 0].isnan().all()  # a model reads the mean
    assert splits.val.filled[8:10, 1].tolist() == [137 % 24] * 2
    assert splits.val[0]["target"][:2, 1].isnan().all()
    assert splits.val[0]["sequence"][-2:, 1].tolist() == [137 % 24] * 2


def gapped(share, n=1000, width=2):
    """Splits of white noise with a share of missing values, and the noise."""
    draw = torch.Generator().manual_seed(0)
    noise = torch.randn(n, width, generator=draw) * torch.tensor([1.0, 20.0]) + 5
    values = noise.masked_fill(torch.rand(n, width, generator=draw) < share, torch.nan)
    return series_splits("noise", [values], ["a", "b"], [(600, 800, n)], Window(8, 4), reading={})


def test_loss_and_metrics_use_measured_values_only():
    splits = gapped(0.5)
    model = predictor(splits)
    metrics, outputs, targets = evaluate(model, splits.test)
    measured = ~targets.isnan()
    assert 0.4 < measured.float().mean() < 0.6
    scale = model.model.preprocess.target_scale
    scaled = ((outputs - targets) / scale.std)[measured].double()
    assert metrics["mse_scaled"] == pytest.approx(float(scaled.square().mean()), rel=1e-5)
    assert metrics["mae_scaled"] == pytest.approx(float(scaled.abs().mean()), rel=1e-5)
    assert metrics["loss"] == pytest.approx(metrics["mse_scaled"], rel=1e-5)
    assert metrics["mae"] == pytest.approx(float((outputs - targets)[measured].abs().mean()), rel=1e-5)
    trained = splits.train.series.double()
    torch.testing.assert_close(scale.mean.double(), trained.nanmean(0))


@pytest.mark.parametrize("loss", ["mse", "mae", "huber"])
def test_batch_losses_are_weighted_by_their_measured_values(loss):
    task = create_task(gapped(0.0).spec, loss=loss)
    draw = torch.Generator().manual_seed(1)
    output, target = torch.randn(6, 4, 2, generator=draw, requires_grad=True), torch.randn(6, 4, 2, generator=draw)
    assert task.loss(output, target) == task.head.loss(output, target)
    assert task.count(target) == 6
    target[:3, 1:] = torch.nan
    parts = [(task.loss(*part), task.count(part[1])) for part in zip(output.split(3), target.split(3), strict=True)]
    whole = sum(mean * n for mean, n in parts) / sum(n for _, n in parts)
    torch.testing.assert_close(task.loss(output, target), whole)
    measured = ~target.isnan()
    torch.testing.assert_close(whole, task.head.loss(output[measured], target[measured]))
    whole.backward()
    assert (output.grad[~measured] == 0).all()
    assert (output.grad[measured] != 0).all()


def test_windows_without_a_measured_target_are_left_out(tmp_path, capsys):
    frame = power()
    frame.loc[30:39, ["load", "heat"]] = np.nan
    splits = own_series(tmp_path, frame)
    assert "7 windows are left out" in capsys.readouterr().out
    assert len(splits.train) == 129 - 7
    targets = splits.train.__getitems__(range(len(splits.train)))["target"]
    assert (~targets.isnan()).flatten(1).any(1).all()


def test_windows_of_series_with_gaps_have_distinct_hashes():
    splits = gapped(0.8)
    keys = sample_hashes(splits.train)
    assert len(set(keys.tolist())) == len(splits.train) < 600 - 8 - 4 + 1
    whole = gapped(0.0)
    assert len(sample_hashes(whole.test)) == len(whole.test)


@pytest.mark.parametrize("reading", ["file", "array"])
def test_a_forecast_fills_gaps_from_the_past(tmp_path, capsys, reading):
    frame = power()
    splits = own_series(tmp_path, frame)
    model = predictor(splits)
    last, gapped = frame[["load", "heat"]].to_numpy()[-8:], frame.copy()
    gapped.loc[195:196, "load"] = np.nan
    last[3:5, 0] = last[2, 0]
    gapped.to_csv(tmp_path / "gapped.csv", index=False)
    raw = tmp_path / "gapped.csv" if reading == "file" else gapped[["load", "heat"]].to_numpy()[-8:]
    assert model.predict(raw) == model.predict(last)
    assert "2 missing values are filled with the last value before" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("change", "options", "message"),
    [
        (lambda frame: frame.assign(load="high"), {"columns": ["load"]}, "'high' in row 2"),
        (lambda frame: frame.assign(load=np.inf), {}, "finite"),
        (lambda frame: frame.assign(when=frame["when"][0]), {}, "each time once"),
        (lambda frame: frame[["when"]], {}, "no column of numbers"),
        (lambda frame: frame.assign(load=np.nan), {"columns": ["load"]}, "no value at all"),
        (lambda frame: frame.assign(load=frame["load"].where(frame.index >= 140)), {}, "no value at all"),
        (lambda frame: frame, {"columns": ["lod"]}, "nearest: load"),
        (lambda frame: frame, {"time": "whn"}, "nearest: when"),
        (lambda frame: frame, {"time": "heat"}, "each time once"),
        (lambda frame: frame.assign(note="fine"), {"time": "note"}, "holds a date or a number in each row"),
        (lambda frame: frame.assign(load=1.0), {"columns": ["load"]}, "nothing to learn"),
        (lambda frame: frame[:20], {}, r"the horizon to 2 at most, and both together to 14 at most"),
        (lambda frame: frame[:4], {}, r"has 3 / 0 / 1 steps .*\ngive more, or raise data.val_share"),
        (lambda frame: frame, {"val_share": 0.0}, "above 0"),
    ],
)
def test_unusable_series_are_refused(tmp_path, change, options, message):
    with pytest.raises(UserError, match=message):
        own_series(tmp_path, change(power()), **options)


@pytest.mark.parametrize(("n", "window"), [(2000, (96, 24)), (144, (33, 7)), (30, (7, 1))])
def test_the_window_of_a_short_series_is_short(tmp_path, n, window):
    path = tmp_path / "sales.csv"
    pd.DataFrame({"month": pd.date_range("1949", periods=n), "sales": np.arange(n) % 12.0}).to_csv(path, index=False)
    splits = zoo.load_data("series", path=str(path))
    assert (splits.spec.inputs["sequence"].shape[0], splits.spec.target.shape[0]) == window
    assert all(map(len, (splits.train, splits.val, splits.test)))
    assert zoo.load_data("series", path=str(path), look_back=5).spec.inputs["sequence"].shape[0] == 5


def test_a_window_holds_a_season_longer_than_usual(tmp_path):
    hours = np.arange(3000)
    week = np.where(hours // 24 % 7 > 4, 0.2, 1.0) * np.sin(hours * np.pi / 12)
    pd.DataFrame({"hour": pd.date_range("2020", periods=3000, freq="h"), "load": week}).to_csv(tmp_path / "load.csv")
    assert zoo.load_data("series", path=str(tmp_path / "load.csv")).spec.inputs["sequence"].shape[0] == 168 + 24


def test_a_users_text_trains_a_language_model(tmp_path, capsys):
    (tmp_path / "book.txt").write_bytes(b"\xef\xbb\xbf" + b"abc\r\n" * 100 + b"z" * 30)
    splits = zoo.load_data("text", path=str(tmp_path / "book.txt"), n_steps=8, split="order")
    assert splits.spec.reading["alphabet"] == "\nabc"
    assert "30 characters" in capsys.readouterr().out
    assert (splits.test.columns["target"][-1] <= 0).all()
    (tmp_path / "old.txt").write_bytes("déjà vu ".encode("cp1252") * 50)
    assert "é" in zoo.load_data("text", path=str(tmp_path / "old.txt")).spec.reading["alphabet"]
    assert "Windows-1252" in capsys.readouterr().out
    assert len(zoo.load_data("text", path=str(tmp_path), n_steps=8).train) > len(splits.train)


@pytest.mark.parametrize(
    ("content", "options", "message"),
    [
        (b"", {}, "is empty"),
        (b"ab\0cd", {}, "not a text"),
        (b"abc", {}, "two characters"),
        (b"abc" * 99, {"n_steps": 0}, "at least 1"),
        (b"abc" * 99, {"test_share": 1.0}, "below 1"),
        (None, {}, "no file"),
    ],
)
def test_unusable_texts_are_refused(tmp_path, content, options, message):
    if content is not None:
        (tmp_path / "book.txt").write_bytes(content)
    with pytest.raises(UserError, match=message):
        zoo.load_data("text", path=str(tmp_path / "book.txt"), **options)
