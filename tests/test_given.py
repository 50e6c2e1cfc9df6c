"""Data given in Python: `zoo.fit`, `zoo.load_data` and `predict` take what people have in memory."""

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import zoo
from zoo.core.errors import UserError
from zoo.data.given import given_data
from zoo.data.splits import batches, each_value_once
from zoo.inference.predictor import Predictor

N = 60
RNG = np.random.default_rng(0)
FRAME = pd.DataFrame({"area": RNG.normal(70, 20, N), "place": RNG.choice(["north", "south"], N)})
FRAME["price"] = 3 * FRAME["area"] + 20 * (FRAME["place"] == "north")
LABELS = ["ab"[i % 2] for i in range(N)]
PIXELS = RNG.integers(0, 256, (N, 8, 8, 3), np.uint8)
SEQUENCES = [RNG.normal(i % 2, 1, (5 + i % 4, 2)) for i in range(N)]
TEXTS = [f"{'fine' if i % 2 else 'dull'} number {i}" for i in range(N)]
HOURS = pd.date_range("2024-01-01", periods=400, freq="h")
SERIES = pd.Series(np.sin(np.arange(400) / 3), HOURS, name="load")


def as_arrow(frame):
    import pyarrow as pa

    return pa.Table.from_pandas(frame)  # has to_pandas, as a DataFrame of polars does


TABLES = [FRAME, FRAME.to_dict("list"), FRAME.to_dict("records"), as_arrow(FRAME)]


@pytest.mark.parametrize("data", TABLES, ids=["frame", "columns", "dicts", "arrow"])
def test_a_table_in_any_form_gives_the_splits_of_its_file(data, tmp_path):
    FRAME.to_parquet(tmp_path / "table.parquet")
    expected = zoo.load_data("csv", path=str(tmp_path / "table.parquet"), target="price")
    splits = zoo.load_data(data, target="price")
    assert splits.spec == expected.spec
    assert all((splits.train.columns[name] == values).all() for name, values in expected.train.columns.items())


SAMPLES = {
    "rows": (RNG.normal(size=(N, 3)), LABELS, "numeric", (3,)),
    "images": (PIXELS, LABELS, "image", (3, 28, 28)),
    "grey images": (PIXELS[..., 0], LABELS, "image", (1, 28, 28)),
    "PIL images": ([Image.fromarray(image) for image in PIXELS], LABELS, "image", (3, 28, 28)),
    "sequences": (SEQUENCES, LABELS, "sequence", (None, 2)),
    "sequences of one channel": ([values[:, 0] for values in SEQUENCES], LABELS, "sequence", (None, 1)),
    "equally long sequences": (RNG.normal(size=(N, 6, 2)), np.arange(N) % 2, "sequence", (None, 2)),
    "texts": (TEXTS, pd.Series(LABELS, name="opinion"), "tokens", (None,)),
}


@pytest.mark.parametrize("name", SAMPLES)
def test_samples_with_labels_are_read_as_what_they_are(name):
    samples, labels, kind, shape = SAMPLES[name]
    splits = zoo.load_data((samples, labels))
    assert splits.spec.inputs[kind].shape == shape
    assert splits.spec.class_names in (["a", "b"], ["0", "1"])
    assert len(splits.train) + len(splits.val) + len(splits.test) == N


def test_dates_in_the_index_order_a_series():
    frame = pd.DataFrame({"load": SERIES, "heat": -SERIES})
    for data, names in ((SERIES, ["load"]), (frame, ["load", "heat"]), (SERIES.to_period(), ["load"])):
        splits = zoo.load_data(data, look_back=24, horizon=6)
        assert (splits.spec.task, list(splits.spec.column_names)) == ("forecasting", names)
        assert splits.spec.reading["date_column"] == "date"


def test_a_family_decides_how_arrays_and_tables_are_read():
    assert given_data(RNG.normal(size=(N, 9)), LABELS).name == "csv"
    assert given_data(RNG.normal(size=(N, 9)), LABELS, "rnn").name == "sequences"
    assert given_data(pd.DataFrame({"text": TEXTS, "label": LABELS}), "label", "rnn").name == "texts"
    assert given_data([str(i) for i in range(N)], LABELS, "cnn").name == "imagefolder"


def test_the_path_of_a_file_is_read_as_what_the_file_holds(tmp_path):
    FRAME.to_csv(tmp_path / "flats.csv", index=False)
    SERIES.to_frame().to_csv(tmp_path / "power.csv")
    for path in (tmp_path / "flats.csv", str(tmp_path / "flats.csv")):
        given = given_data(path, "price")
        assert (given.name, given.save(tmp_path / "data")) == ("csv", {"path": str(path), "target": "price"})
        assert zoo.load_data(path, target="price").spec.column_names == ["area", "place"]
    assert given_data(tmp_path / "power.csv", None, "rnn").name == "series"
    with pytest.raises(UserError, match=r"'flat.csv'; the nearest: flats.csv"):
        zoo.fit(tmp_path / "flat.csv", "price")


REFUSED = {
    "it has no labels": (SEQUENCES, None),
    "say what to predict: target=<heading>, of 'area', 'place', 'price'": (FRAME, None),
    "no column 'prise'; the nearest: price": (FRAME, "prise"),
    "got 60 samples and 2 labels": (SEQUENCES, ["a", "b"]),
    "it is empty": (pd.DataFrame(), "price"),
    "pixels are whole numbers from 0 to 255; got float64": (PIXELS / 255, LABELS),
    "with the same channels; these are": ([*SEQUENCES[1:], np.zeros((5, 3))], LABELS),
    "'price' is a column of the table and the labels": (FRAME, FRAME["price"]),
    "names a column, and these data have none": (SEQUENCES, "label"),
    "this int is not taken": (7, None),
}


@pytest.mark.parametrize("message", REFUSED)
def test_other_data_are_refused_with_what_is_taken(message, tmp_path):
    with pytest.raises(UserError, match=message) as error:
        zoo.fit(*REFUSED[message], run_dir=tmp_path / "run")
    assert len(str(error.value).splitlines()) <= 3
    assert not (tmp_path / "run").exists()


def test_a_fit_leaves_a_run_that_resumes_and_evaluates(tmp_path):
    words = ("trainer.max_epochs=1", "baseline=false")
    result = zoo.fit(FRAME, "price", "fnn/mlp", *words, run_dir=tmp_path / "run", width=8)
    assert {"val", "test"} <= set(result.metrics) and len(result.history) == 1
    assert zoo.inference.evaluation.evaluate_weights(result.path)["test"] == result["test"]
    again = zoo.fit(FRAME, "price", "fnn/mlp", *words, "resume=auto", run_dir=tmp_path / "run", width=8)
    assert again.metrics == result.metrics
    (tmp_path / "run").rename(tmp_path / "moved")
    assert zoo.evaluate(tmp_path / "moved")[0]["loss"] == pytest.approx(result["test"]["loss"])
    (tmp_path / "moved").rename(tmp_path / "run")
    with pytest.raises(UserError, match="holds other data"):
        zoo.fit(FRAME[:50], "price", "fnn/mlp", "resume=auto", run_dir=tmp_path / "run")


@pytest.fixture(scope="module")
def untrained():
    """A predictor of an untrained model on given data."""

    def build(data, model, **options):
        splits = zoo.load_data(data, **options)
        network = zoo.create_model(model, splits.spec)
        network.fit(each_value_once(splits.train), batches(splits.train))
        return Predictor(network, splits.spec, {"model": {"name": model}})

    return build


def answers(predictor, *forms):
    """The answers to several forms of the same input."""
    return [np.array(predictor.predict(raw)).tolist() for raw in forms]


def all_equal(values):
    return all(value == values[0] for value in values)


def test_rows_are_predicted_in_any_form(untrained, tmp_path):
    predictor, rows = untrained(FRAME, "fnn/perceptron", target="price"), FRAME[["area", "place"]][:3]
    rows.to_csv(tmp_path / "rows.csv", index=False)
    lists = rows.to_numpy().tolist()
    several = [rows, rows.to_dict("list"), rows.to_dict("records"), as_arrow(rows), lists, rows.to_numpy()]
    assert all_equal(answers(predictor, *several, tmp_path / "rows.csv", str(tmp_path / "rows.csv")))
    assert all_equal(answers(predictor, rows.iloc[0], dict(rows.iloc[0]), lists[0]))


def test_images_are_predicted_in_any_form(untrained, tmp_path):
    predictor, image = untrained((PIXELS, LABELS), "cnn/tiny"), PIXELS[0]
    Image.fromarray(image).save(tmp_path / "photo.png")
    path = str(tmp_path / "photo.png")
    single = [image, image.transpose(2, 0, 1), image.astype(int), image.tolist(), Image.fromarray(image), path]
    assert all_equal(answers(predictor, *single))
    assert all_equal(
        answers(predictor, np.stack([image] * 2), [image, path], [Image.fromarray(image), image], [path] * 2)
    )


def test_sequences_and_series_are_predicted_in_any_form(untrained, tmp_path):
    one = [values[:, 0] for values in SEQUENCES]
    predictor = untrained((one, LABELS), "rnn/gru")
    assert all_equal(answers(predictor, one[0], one[0].tolist(), one[0][:, None], pd.Series(one[0])))
    assert all_equal(answers(predictor, one[:2], [one[0].tolist(), one[1][:, None]]))
    predictor = untrained(SERIES, "rnn/gru", look_back=24, horizon=6)
    SERIES.to_frame().to_csv(tmp_path / "load.csv")
    frame, path = SERIES.to_frame(), str(tmp_path / "load.csv")
    assert all_equal(
        answers(predictor, SERIES, frame, frame.reset_index(), SERIES.to_numpy(), SERIES.tolist()[-24:], path)
    )


def test_texts_are_predicted_in_any_form(untrained):
    predictor, texts = untrained((TEXTS, LABELS), "rnn/gru"), TEXTS[:2]
    frame = pd.DataFrame({"number": [1, 2], "text": texts})
    assert all_equal(answers(predictor, texts, pd.Series(texts), np.array(texts), frame, frame.to_dict("list")))
    with pytest.raises(UserError, match="no column of texts 'text'"):
        predictor.predict({"a": texts, "b": texts})


@pytest.mark.parametrize("raw", [7, None, [], [1, "a"], object()])
def test_what_is_no_input_is_refused_with_what_is_taken(raw, untrained):
    for data, model, what in (
        ((FRAME[["area", "price"]].to_numpy(), LABELS), "fnn/perceptron", "rows are a dict"),
        ((PIXELS, LABELS), "cnn/tiny", "images are files"),
        ((SEQUENCES, LABELS), "rnn/gru", r"a sequence here is \(time, 2\)|there are no sequences"),
        ((TEXTS, LABELS), "rnn/gru", "texts are a str"),
    ):
        with pytest.raises(UserError, match=what):
            untrained(data, model).predict(raw)


def test_a_fit_starts_from_a_trained_file(tmp_path):
    quick, start = ("trainer.max_epochs=1", "baseline=false"), str(tmp_path / "first")
    zoo.fit(FRAME, "price", None, *quick, run_dir=start, width=8)
    dear = FRAME.assign(dear=FRAME["price"] > 210).drop(columns="price")
    again = zoo.fit(dear, "dear", None, *quick, run_dir=tmp_path / "again", finetune=start)
    assert zoo.load(again.path).card["model"]["width"] == 8
    with pytest.raises(UserError, match="was trained on other columns; 'size, place' here, 'area, place' there"):
        zoo.fit(FRAME.rename(columns={"area": "size"}), "price", run_dir=tmp_path / "new" / "other", finetune=start)
    assert not (tmp_path / "new").exists()


def test_the_public_functions_name_what_they_take():
    spec = zoo.load_data("wine").spec
    for mistake, message in (
        (lambda: zoo.evaluate("fnn/mlp.breast_cancer", "tst"), "no split 'tst'"),
        (lambda: zoo.evaluate("fnn/mlp.breast_cancer", 5), "a split is train, val or test"),
        (lambda: zoo.evaluate(5), "evaluate takes what zoo.load returns"),
        (lambda: zoo.create_model("fnn/mlp", "wine"), "a spec is that of a data set"),
        (lambda: zoo.list_models(spec="wine"), "a spec is that of a data set"),
        (lambda: zoo.config("fnn/mlp", 5), "settings are text"),
        (lambda: zoo.config("fnn/mlp", data="win"), "no data 'win'; the nearest: wine"),
        (lambda: zoo.config("fnn/mlp", data="wine", wid=3), "no setting of model fnn/mlp 'wid'"),
    ):
        with pytest.raises(UserError, match=message):
            mistake()
    assert zoo.config("fnn/mlp", data="wine", seed=3, width=8) == zoo.config(
        "fnn/mlp", "data=wine", "seed=3", "model.width=8"
    )
    assert zoo.evaluate("fnn/mlp.breast_cancer", "val")[0]["accuracy"] > 0.9 and len(spec.class_names) == 3


def test_a_setting_that_the_model_brings_is_left_out_where_the_task_lacks_it(capsys):
    from zoo.engine.task_settings import drop_foreign_settings
    from zoo.settings.training_config import TrainingConfig

    spec = zoo.load_data("diabetes").spec
    brought = TrainingConfig.of(zoo.config("cnn"))
    assert drop_foreign_settings(brought, spec).task["label_smoothing"] is None
    assert "left out: task.label_smoothing=0.1 of cnn/small, which regression does not have" in capsys.readouterr().out
    given = TrainingConfig.of(zoo.config("cnn", "task.label_smoothing=0.3"))
    assert drop_foreign_settings(given, spec).task["label_smoothing"] == 0.3  # refused where the task is created
