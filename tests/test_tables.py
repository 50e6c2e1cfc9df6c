"""A user's tables: every dialect, inferred columns, splits, and refused input."""

import gzip
import json

import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from helpers.tables import N, kinds, refused, same

import zoo
from zoo.core.errors import UserError
from zoo.core.spec import Column, DataSpec
from zoo.data.columns.encode import encode, table_inputs
from zoo.data.formats.table_file import read_table
from zoo.data.readers import read_labelled, read_raw
from zoo.data.registry import Facts
from zoo.data.tables._build import TableData, build_splits
from zoo.data.tables._roles import schema_yaml
from zoo.data.tables._row_splits import SplitPlan, SplitRows, split_rows
from zoo.inference.evaluation import evaluate_weights


@pytest.fixture
def frame():
    random = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "size": random.normal(size=N).round(3),
            "rooms": random.integers(0, 50, N),
            "city": random.choice(["Ulm", "Köln", "Bonn"], N),
            "sold": random.choice(["no", "yes"], N),
        }
    )


@pytest.fixture(params=[False, True], ids=["whole", "mapped"])
def load(tmp_path, request, monkeypatch):
    """Write a table to a file and load it as a user does, into memory and from the cache."""
    monkeypatch.setenv("ZOO_CACHE", str(tmp_path / "cache"))

    def load_table(content, target="sold", name="houses.csv", **options):
        path = tmp_path / name
        if isinstance(content, pd.DataFrame):
            content = content.to_csv(index=False)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return zoo.load_data("csv", path=str(path), target=target, **{"cache": request.param, **options})

    return load_table


def built(frame, rows, **options):
    facts = Facts("classification", rows="", inputs="", licence="", source="")
    return build_splits(TableData("houses", frame, "sold", facts, **options), rows)


# -- tensors


def test_each_kind_of_column_becomes_its_tensors():
    columns = [
        Column("a", "numeric", missing=True),
        Column("b", "boolean"),
        Column("c", "categorical", ("u", "v")),
        Column("d", "date"),
        Column("e", "categorical", ("1", "2"), missing=True),
    ]
    frame = pd.DataFrame(
        {
            "e": [2.0, None, 3.0],
            "d": ["1970-01-03", "2024-02-29 18:00", None],
            "c": ["v", "w", "u"],
            "b": ["yes", "false", None],
            "a": [1.5, None, 2.0],
        }
    )
    batch = encode(columns, frame)
    nan = float("nan")
    expected = [[1.5, 0, 1, 2, 1, 5, 0], [nan, 1, 0, 19782.75, 2, 3, 18], [2, 0, nan, nan, nan, nan, nan]]
    torch.testing.assert_close(batch["numeric"], torch.tensor(expected), equal_nan=True)
    assert batch["categorical"].tolist() == [[2, 2], [0, 3], [1, 0]]
    inputs = table_inputs(columns)
    assert inputs["numeric"].shape == (7,)
    assert inputs["categorical"].cardinalities == (3, 4)
    assert list(table_inputs(columns[:2])) == list(encode(columns[:2], frame)) == ["numeric"]


def test_kinds_and_categories_come_from_the_training_rows_alone(frame):
    rows = SplitRows(np.arange(40), np.arange(40, 50), np.arange(50, N))
    spec = built(frame, rows).spec
    other = frame.astype({"rooms": float})
    other.loc[45:, ["size", "rooms", "city"]] = [None, 1e6, "Rom"]
    splits = built(other, rows)
    assert splits.spec == spec
    assert splits.test.columns["categorical"].unique().tolist() == [0]
    assert splits.test.columns["numeric"][:, 0].isnan().all()


def test_classes_keep_the_given_order_or_are_sorted_as_numbers(frame):
    rows = SplitRows(np.arange(40), np.arange(40, 50), np.arange(50, N))
    codes = frame.assign(sold=(frame.sold == "yes").astype(int))
    given = built(codes, rows, class_names=["not sold", "sold"])
    assert given.spec.class_names == ["not sold", "sold"]
    ten = built(frame.assign(sold=np.arange(N) % 11), rows)
    assert ten.spec.class_names == [str(number) for number in range(11)]
    assert ten.train.columns["target"][:12].tolist() == [*range(11), 0]


@pytest.mark.parametrize("cache", [False, True])
def test_whole_numbers_index_named_classes_only_if_they_start_at_0(tmp_path, capsys, monkeypatch, cache):
    """Labels 1 to 3 of another file are not read as indices of the second to fourth class of training."""
    monkeypatch.setenv("ZOO_CACHE", str(tmp_path))
    train = pd.DataFrame({"x": np.arange(60.0) % 7, "y": list("abcd") * 15})
    train.to_csv(tmp_path / "train.csv", index=False)
    spec = zoo.load_data("csv", path=str(tmp_path / "train.csv"), target="y").spec
    data = {"name": "csv", "path": str(tmp_path / "new.csv"), "cache": cache}
    train.assign(y=[1, 2, 3] * 20).to_csv(data["path"], index=False)
    with pytest.raises(UserError, match=r"are 'a', 'b', 'c', 'd'; there is 1 in .*\n.*start at 0"):
        read_labelled(spec, data)
    train.assign(y=[0, 1, 2] * 20).to_csv(data["path"], index=False)
    capsys.readouterr()
    assert read_labelled(spec, data).__getitems__(range(4))["target"].tolist() == [0, 1, 2, 0]
    assert "'y' has whole numbers, read as indices of 'a', 'b', 'c', 'd', from 0" in capsys.readouterr().out


# -- files


def test_windows_1252_is_read_and_reported(load, frame, capsys):
    splits = load(frame.to_csv(index=False).encode("cp1252"))
    assert "Windows-1252" in capsys.readouterr().out
    assert splits.spec.columns[2].categories == ("Bonn", "Köln", "Ulm")


def test_default_and_given_marks_are_missing_values(load, frame):
    marked = frame.astype({"rooms": object})
    marked.loc[:11, "rooms"] = ["?", "NA", "", "-", "n/a", "null", "NaN", "N/A", " ?", "999", "None", "nan"]
    splits = load(marked, missing=[999])
    assert splits.spec.columns[1] == Column("rooms", missing=True)
    assert splits.spec.reading["missing"] == ["999"]
    n_missing = sum(split.columns["numeric"][:, 2].sum() for split in (splits.train, splits.val, splits.test))
    assert n_missing == 12


def test_quoted_newlines_and_unicode_headings_are_read(load, frame):
    odd = frame.rename(columns={"size": "größe", "sold": "目标"}).assign(note=['a, "b"\nc', "d;e\n"] * (N // 2))
    splits = load("\n" + odd.rename(columns={"size": "größe"}).to_csv(index=False), target="目标")
    assert kinds(splits) == {"größe": "numeric", "rooms": "numeric", "city": "categorical", "note": "categorical"}
    assert splits.spec.columns[3].categories == ('a, "b"\nc', "d;e")


def test_numbers_with_spaces_commas_and_exponents_are_read(load, frame):
    odd = frame.assign(
        price=[f"{1000 * i + 5:,}.5" for i in range(N)], heated=frame.rooms > 20, rooms=[" 7e1", "+8"] * (N // 2)
    )
    splits = load(odd)
    assert list(kinds(splits).values()) == ["numeric", "numeric", "categorical", "numeric", "boolean"]
    batch, _ = read_raw(splits.spec, {"size": "1.5", "rooms": 8, "city": "Ulm", "price": "12,345", "heated": "Yes"})
    assert batch["numeric"].tolist() == [[1.5, 8, 12345, 1]]


def test_currency_signs_and_thousands_separators_are_read(load, frame):
    numbers = np.arange(N) * 1234.5 - 20000
    plain = [f"{number:,.2f}" for number in numbers]
    odd = frame.assign(
        dollars=[f"${text}".replace("$-", "-$") for text in plain],
        euros=[f"{text}\u00a0€" for text in plain],
        swiss=[text.replace(",", "'") for text in plain],
        share=[f"{number:.1f} %" for number in numbers],
    )
    splits = load(odd, task="classification")
    assert list(kinds(splits).values()) == ["numeric", "numeric", "categorical", *["numeric"] * 4]
    for split in (splits.train, splits.val, splits.test):
        money = split.columns["numeric"][:, 2:]
        torch.testing.assert_close(money, money[:, :1].expand(-1, 4))
    batch, _ = read_raw(splits.spec, odd.iloc[:3])
    assert batch["numeric"][:, 2].tolist() == numbers[:3].tolist()
    assert load(odd, target="dollars").spec.task == "regression"


def test_a_decimal_comma_goes_with_dots_between_thousands(load, frame, tmp_path):
    numbers = np.arange(N) * 1234.5 - 20000
    text = [f"{number:,.2f}".translate(str.maketrans(",.", ".,")) for number in numbers]
    whole = [f"{1000 + 7 * i:,}".replace(",", ".") for i in range(N)]
    odd = frame.assign(price=text, people=whole, size=frame["size"])
    content = odd.to_csv(index=False, sep=";", decimal=",")
    splits = load(content, target="price")
    assert kinds(splits) == {"size": "numeric", "rooms": "numeric", "city": "categorical", "sold": "categorical"} | {
        "people": "numeric"
    }
    assert splits.spec.task == "regression"
    values = torch.cat([split.columns["target"] for split in (splits.train, splits.val, splits.test)]).flatten()
    assert sorted(values.tolist()) == numbers.tolist()
    batch, _ = read_raw(splits.spec, tmp_path / "houses.csv")
    assert batch["numeric"][:3, 2].tolist() == [1000, 1007, 1014]
    refused(load, content.replace("-20.000,00", "k.A."), "'k.A.' in row 2 of houses.csv", target="price")


def test_commas_between_thousands_are_not_decimal_commas(load, frame):
    people = [126_329 + 1000 * i if i % 2 else 3_645_000 + i for i in range(N)]
    content = frame.assign(people=[f"{number:,}" for number in people]).to_csv(index=False, sep="\t")
    splits = load(content, target="people", name="cities.tsv")
    values = torch.cat([split.columns["target"] for split in (splits.train, splits.val, splits.test)]).flatten()
    assert sorted(values.tolist()) == sorted(people)


def test_headings_may_be_numbers(load, frame):
    splits = load(frame.rename(columns={"sold": 0, "size": 1}), target=0)
    assert splits.spec.target_name == "0" and "1" in splits.spec.column_names


@pytest.mark.parametrize(
    "form",
    ["%Y-%m-%d", "%d.%m.%Y", "%m/%d/%Y", "%d/%m/%y", "%Y/%m/%d %H:%M", "%d-%b-%Y", "%B %d, %Y", "%m/%d/%Y %I:%M:%S %p"],
)
def test_dates_are_read_in_any_usual_format(load, frame, form):
    dates = pd.Series(pd.date_range("2019-11-20", periods=N, freq="7D"))
    splits = load(frame.assign(date=dates.dt.strftime(form)), ignore=["size", "rooms"])
    assert kinds(splits)["date"] == "date"
    days = torch.cat([split.columns["numeric"][:, 0] for split in (splits.train, splits.val, splits.test)])
    assert sorted(days.tolist()) == [18220 + 7 * week for week in range(N)]
    batch, _ = read_raw(splits.spec, {"date": dates[0].strftime(form), "city": "Ulm"})
    assert batch["numeric"].tolist() == [[18220, 11, 2, 0]]


def test_a_schema_is_written_corrected_and_read_back(load, frame, tmp_path):
    odd = frame.assign(number=range(N))
    path = tmp_path / "schema.yaml"
    path.write_text(schema_yaml(load(odd).spec), encoding="utf-8")
    same(load(odd), load(odd, target=None, schema=str(path)))
    schema = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert schema["columns"] == {"size": "numeric", "rooms": "numeric", "city": "categorical", "number": "ignore"}
    schema["columns"] |= {"rooms": "categorical", "number": "numeric", "size": "ignore"}
    path.write_text(yaml.safe_dump(schema))
    spec = load(odd, schema=str(path)).spec
    assert kinds(load(odd, schema=str(path))) == {"rooms": "categorical", "city": "categorical", "number": "numeric"}
    assert DataSpec.from_json(json.loads(json.dumps(spec.to_json()))) == spec


def test_codes_with_leading_zeros_stay_text_if_the_schema_says_so(load, frame, tmp_path):
    (tmp_path / "schema.yaml").write_text("columns: {zip: categorical}")
    odd = frame.assign(zip=["0100", "100"] * (N // 2))
    spec = load(odd, schema=str(tmp_path / "schema.yaml")).spec
    assert spec.columns[3].categories == ("0100", "100")
    odd.to_csv(tmp_path / "new.csv", index=False)
    batch, _ = read_raw(spec, tmp_path / "new.csv")
    assert batch["categorical"][:2, 1].tolist() == [1, 2]


def test_the_rarest_of_many_categories_count_as_unseen(load, frame, capsys):
    many = pd.concat([frame] * 5).assign(city=lambda f: ["often"] * 100 + [f"c{i // 2}" for i in range(len(f) - 100)])
    spec = load(many, max_categories=10).spec
    assert spec.inputs["categorical"].cardinalities == (11,)
    assert "often" in spec.columns[2].categories
    assert "10 most frequent" in capsys.readouterr().out


# -- tasks


def test_the_task_is_inferred_and_reported(load, frame, capsys):
    assert load(frame, target="size").spec.task == "regression"
    assert "data.task=classification" in capsys.readouterr().out
    marks = frame.assign(sold=np.arange(N) % 5)
    assert load(marks).spec.class_names == ["0", "1", "2", "3", "4"]
    assert "data.task=regression if it is an amount" in capsys.readouterr().out
    splits = load(marks, task="regression")
    assert splits.train.columns["target"].shape == (36, 1)
    assert splits.train.columns["target"].dtype == torch.float32
    assert load(frame.assign(sold=["Yes", "yes", "no"] * (N // 3))).spec.n_outputs == 3
    assert "differ only in capitals: 'sold' ('Yes', 'yes');" in capsys.readouterr().out
    assert load(frame.assign(sold=frame.sold == "yes")).spec.class_names == ["false", "true"]


# -- splits


def parts(rows):
    return [set(part.tolist()) for part in rows]


@pytest.mark.parametrize("split", ["random", "stratified", "group", "time"])
def test_splits_are_disjoint_complete_and_reproducible(split):
    by = np.random.default_rng(0).integers(0, 40, 500)
    options = {"val_share": 0.15, "test_share": 0.25}
    rows = split_rows(SplitPlan(kind=split, split_seed=1, **options), by)
    assert sorted(np.concatenate(rows)) == list(range(500))
    assert [len(part) / 500 for part in rows] == pytest.approx([0.6, 0.15, 0.25], abs=0.04)
    assert parts(rows) == parts(split_rows(SplitPlan(kind=split, split_seed=1, **options), by))
    other = split_rows(SplitPlan(kind=split, split_seed=2, **options), by)
    assert (parts(rows) == parts(other)) == (split == "time")
    train, val, test = (by[part] for part in rows)
    if split == "group":
        assert not set(train) & set(val) and not set(train) & set(test) and not set(val) & set(test)
    if split == "time":
        assert train.max() < val.min() <= val.max() < test.min()
    if split == "stratified":
        assert np.abs(np.bincount(test, minlength=40) - np.bincount(by, minlength=40) * 0.25).max() < 1


@pytest.mark.parametrize("split", ["random", "stratified", "group"])
@pytest.mark.parametrize("n_folds", [2, 3, 5, 10])
def test_folds_test_each_row_once(split, n_folds):
    by = np.random.default_rng(0).integers(0, 30, 307)
    folds = [split_rows(SplitPlan(kind=split, fold=fold, n_folds=n_folds), by) for fold in range(n_folds)]
    assert sorted(np.concatenate([rows.test for rows in folds])) == list(range(307))
    assert all(sorted(np.concatenate(rows)) == list(range(307)) for rows in folds)


def test_a_class_of_one_row_is_in_the_training_split(load, frame):
    splits = load(frame.assign(sold=frame.sold.where(frame.index != 7, "rare")))
    assert splits.spec.class_names == ["no", "rare", "yes"]
    assert (splits.train.columns["target"] == 1).sum() == 1


def test_group_and_time_columns_split_and_are_not_inputs(load, frame):
    odd = frame.assign(owner=[f"o{i // 4}" for i in range(N)], date=pd.date_range("2020-01-01", periods=N))
    grouped, timed = load(odd, group="owner", ignore=["date"]), load(odd, time="date", ignore="owner")
    assert list(kinds(grouped)) == list(kinds(timed)) == ["size", "rooms", "city"]
    np.testing.assert_allclose(timed.test.columns["numeric"][:, 0], frame["size"][48:], rtol=1e-6)


def test_a_second_file_is_the_test_split(load, frame, tmp_path):
    path = tmp_path / "later.csv"
    frame.assign(extra=1)[["extra", "sold", "city", "rooms", "size"]].to_csv(path, index=False)
    splits = load(frame, test_path=str(path))
    assert [len(part) for part in (splits.train, splits.val, splits.test)] == [48, 12, 60]
    np.testing.assert_allclose(splits.test.columns["numeric"][:, 1], frame["rooms"])
    frame.drop(columns="city").to_csv(path, index=False)
    refused(load, frame, "'city'", "later.csv", test_path=str(path))
    frame.assign(rooms="many").to_csv(path, index=False)
    refused(load, frame, "'rooms'", "'many' in row 2 of later.csv", test_path=str(path))


# -- refused input


def test_bad_options_are_refused_with_the_nearest_valid_one(load, frame, tmp_path):
    refused(load, frame, "data.path", target=None)
    refused(load, frame, "'cty'", "nearest: city", ignore=["cty"])
    refused(load, frame, "nearest: classification", task="clasification")
    refused(load, frame, "nearest: group", split="grup")
    refused(load, frame, "data.group=", split="group")
    refused(load, frame, "'ownr'", group="ownr")
    refused(load, frame, "got 0.5 and 0.6", val_share=0.5, test_share=0.6)
    refused(load, frame, "got 0.2 and None", test_share=None)
    refused(load, frame, "got 0.2 and 0.2", val_share="0.2")
    for fold, n_folds in ((5, 5), ("x", 5), (0.0, 5), (0, 1), (0, 99)):
        refused(load, frame, f"got n_folds={n_folds} and fold={fold}", fold=fold, n_folds=n_folds)
    refused(load, frame, "data.test_path", fold=0, test_path="later.csv")
    refused(load, frame, "got 0", max_categories=0)
    refused(load, frame, "no folds", fold=0, time="rooms")
    refused(load, frame, "at least 2 rows", val_share=0.001)
    refused(load, frame.assign(city=frame.city.where(frame.index != 3)), "row 5 of houses.csv", group="city")
    schema = tmp_path / "schema.yaml"
    for text, words in (
        ("columns: {size: numerik}", ["'numerik'", "nearest: numeric"]),
        ("columns: {siz: numeric}", ["'siz'", "nearest: size"]),
        ("columns: {city: numeric}", ["'city' is a number", "in row 2"]),
        ("columns: {city: date}", ["'city' holds dates", "in row 2"]),
        ("colums: {}", ["'colums'", "nearest: columns"]),
        ("- 1", ["`columns:`"]),
        ("{", ["not YAML"]),
    ):
        schema.write_text(text)
        refused(load, frame, *words, schema=str(schema))


def test_columns_of_lists_or_structs_are_refused(frame, tmp_path):
    path = tmp_path / "houses.parquet"
    frame.assign(tags=[["a"]] * N).to_parquet(path)
    for options in ({"target": "sold"}, {"target": "tags", "ignore": []}):
        with pytest.raises(UserError, match="'tags' holds list"):
            zoo.load_data("csv", path=str(path), **options)
    assert zoo.load_data("csv", path=str(path), target="sold", ignore="tags").spec.reading["ignored"] == ["tags"]


def test_bad_paths_are_refused_with_the_nearest_name(frame, tmp_path):
    frame.to_csv(tmp_path / "houses.csv", index=False)
    (tmp_path / "cut.csv.gz").write_bytes(gzip.compress(frame.to_csv().encode())[:-20])
    (tmp_path / "junk.parquet").write_bytes(b"PAR1 and no more")
    for path, words in (
        ("house.csv", "nearest: houses.csv"),
        ("no/houses.csv", "no folder"),
        (".", "is a folder with cut.csv.gz, houses.csv"),
        ("cut.csv.gz", "cannot be read"),
        ("junk.parquet", "cannot be read"),
    ):
        with pytest.raises(UserError, match=words):
            read_table(tmp_path / path)


# -- new rows for a trained model


def test_a_table_is_trained_and_predicts_a_file(load, frame, config, tmp_path):
    path = tmp_path / "houses.csv"
    frame.assign(sold=np.where(frame["size"] > 0, "yes", "no")).to_csv(path, index=False)
    overrides = ("model=fnn/mlp", "data=csv", f"data.path={path}", "data.target=sold", "trainer.max_epochs=3")
    zoo.train(config(*overrides), tmp_path / "run")
    predictor = zoo.load(tmp_path / "run" / "model.safetensors")
    answers = predictor.predict(path)
    assert len(answers) == N
    assert set(answers) <= {"no", "yes"}
    assert predictor.predict(frame.iloc[0]) == answers[0]


def test_a_model_is_evaluated_on_the_rows_of_another_file(frame, config, tmp_path):
    old, new = tmp_path / "old.csv", tmp_path / "new.csv"
    frame.to_csv(old, index=False)
    rows = frame[frame["city"] == "Ulm"].assign(extra=1)[["sold", "extra", "city", "rooms", "size"]]
    rows = pd.concat([rows, rows[:1].assign(sold=None)])
    rows.to_csv(new, index=False)
    settings = ("model=fnn/mlp", "data=csv", f"data.path={old}", "data.target=sold", "trainer.max_epochs=1")
    zoo.train(config(*settings), tmp_path / "run")
    measured = evaluate_weights(tmp_path / "run", data={"name": "csv", "path": str(new)})
    answers = zoo.load(tmp_path / "run").predict(new)
    right = np.mean([answer == sold for answer, sold in zip(answers, rows["sold"], strict=True) if sold])
    assert measured["data"] == "new.csv"
    assert measured["test"]["accuracy"] == pytest.approx(right)
    for change, message in (({"sold": "state"}, "no column 'sold'"), ({"city": "town"}, "no column 'city'")):
        rows.rename(columns=change).to_csv(new, index=False)
        with pytest.raises(UserError, match=message):
            evaluate_weights(tmp_path / "run", data={"name": "csv", "path": str(new)})
    frame.assign(rooms=frame["rooms"] % 5 + 1).to_csv(old, index=False)
    zoo.train(config(*settings[:3], "data.target=rooms", *settings[4:]), tmp_path / "numbers")
    frame.assign(rooms=frame["rooms"] % 5).to_csv(new, index=False)
    with pytest.raises(UserError, match="the classes of 'rooms' are '1', '2', '3', '4', '5'"):
        evaluate_weights(tmp_path / "numbers", data={"name": "csv", "path": str(new)})
    rows.assign(sold=None).to_csv(new, index=False)
    with pytest.raises(UserError, match="has a value of 'sold'"):
        evaluate_weights(tmp_path / "run", data={"name": "csv", "path": str(new)})
    with pytest.raises(UserError, match="of the same length"):
        zoo.load(tmp_path / "run").predict({"city": ["Ulm"], "rooms": [1, 2], "size": [1.0]})
    with pytest.raises(UserError, match="say which table"):
        evaluate_weights(tmp_path / "run", data={"name": "csv", "path": None})
