"""A user's tables: spreadsheet exports, encodings, file formats and unusual headings."""

import gzip
import io
import unicodedata
import zipfile

import numpy as np
import pandas as pd
import pytest
import test_tables
from helpers.tables import N, as_json, as_parquet, kinds, refused, same

import zoo
from zoo.core.errors import UserError
from zoo.data.formats import dialect as _dialect
from zoo.data.readers import read_raw
from zoo.data.tables._new_rows import read_labelled

# Fixtures of other files
frame, load = test_tables.frame, test_tables.load


def zipped(**files):
    """Pack files as .zip."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return packed.getvalue()


# -- titles, comments and trailing delimiters


def test_columns_without_headings_are_numbered(load, frame, capsys):
    semicolons = frame.assign(a="", b="").to_csv(index=False, sep=";", decimal=",").replace(";a;b", ";;")
    same(load(semicolons), load(frame))
    assert "ignored, empty: 'column 5', 'column 6'" in capsys.readouterr().out
    unnamed = frame.rename(columns={"city": "", "rooms": " "})
    assert kinds(load(unnamed)) == {"size": "numeric", "column 2": "numeric", "column 3": "categorical"}


@pytest.mark.parametrize(
    "above",
    [
        "sep=;\n",
        '"sep=;"\r\n',
        "# exported on Monday\n",
        "#\n\n# by; whom; and why; \n",
        "sep=;\n#one\n#two\n\n",
        "\n\n",
    ],
)
def test_comments_and_separator_lines_above_the_headings_are_skipped(load, frame, capsys, above):
    content = frame.to_csv(index=False, sep=";", decimal=",")
    same(load(above + content), load(frame))
    bad = above + content.replace(content.splitlines()[5], "1;2;3")
    refused(
        load, bad, f"row {6 + above.count(chr(10))} has 3", f"headings in {'its first line' if not above else 'row'}"
    )


def test_a_sep_line_names_the_delimiter(load, frame):
    same(load("sep=^\n" + frame.to_csv(index=False, sep="^")), load(frame))


def test_lines_left_out_above_the_headings_are_reported(load, frame, capsys):
    load("# a note\n" + frame.to_csv(index=False))
    assert "houses.csv: the headings are those of row 2; what is above is left out" in capsys.readouterr().out


def test_a_comment_as_wide_as_the_rows_is_their_headings(load, frame):
    numbers = frame[["size", "rooms"]].to_csv(index=False)
    assert kinds(load("# " + numbers, target="rooms")) == {"# size": "numeric"}
    assert kinds(load("#\n# " + numbers, target="rooms")) == {"# size": "numeric"}


@pytest.mark.parametrize("delimiter", [",", ";"])
@pytest.mark.parametrize(
    "title", ["Houses of 2023{0}{0}{0}\n", "Houses\n", "Houses{0}{0}{0}\n{0}{0}{0}\n", "a{0}1\nb{0}2\n"]
)
def test_a_title_above_the_headings_is_refused_with_their_row(load, frame, delimiter, title):
    title = title.format(delimiter)
    content = title + frame.to_csv(index=False, sep=delimiter, decimal="." if delimiter == "," else ",")
    refused(load, content, f"row {1 + title.count(chr(10))} looks like headings: size, rooms, city, sold")


def test_a_title_above_headings_of_a_table_without_numbers_is_found_by_the_target(load, frame):
    words = frame.assign(size=np.resize(["small", "large"], N), rooms="some").to_csv(index=False)
    refused(load, "Houses,,,\n" + words, "no column 'sold'", "row 2 has it", "delete the rows above")


def test_a_delimiter_at_the_end_of_each_row_is_ignored(load, frame, capsys):
    content = frame.to_csv(index=False, sep=";", decimal=",").replace("\n", ";\n").replace("sold;\n", "sold\n")
    same(load(content), load(frame))
    assert "ignored, empty: 'column 5'" in capsys.readouterr().out
    refused(load, content.replace("yes;\n", "yes;x\n"), "each row", "row")


def test_headings_of_several_lines_become_one_line(load, frame):
    frame = frame.rename(columns={"size": "size\n(m\u00b2)", "sold": "sold\u00a0 off"})
    splits = load(frame, target="sold off")
    assert set(kinds(splits)) == {"size (m\u00b2)", "rooms", "city"}
    assert len(read_raw(splits.spec, frame)[0]["numeric"]) == N


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_headings_longer_than_the_sample_of_the_dialect_are_read(load, frame, monkeypatch, encoding):
    genes = frame.assign(**{f"gene {n}": frame["size"] * n + frame["rooms"] for n in range(20)})
    content = genes.to_csv(index=False, sep=";", decimal=",")
    wanted = load(content)
    monkeypatch.setattr(_dialect, "SAMPLE", 64)
    same(load(content.encode(encoding)), wanted)


def test_a_title_above_headings_with_empty_columns_is_refused(load, frame):
    content = frame.assign(a="", b="").to_csv(index=False).replace(",a,b", ",,")
    refused(load, "Houses,,,,,\n" + content, "row 2 looks like headings: size, rooms, city, sold")


@pytest.mark.parametrize("first", ["", "#", "NA"])
def test_headings_that_lack_the_first_one_are_still_headings(load, frame, first):
    """R writes row names without a heading, and the first row below may look like headings."""
    frame = frame.astype({"size": "object", "rooms": "object"})
    frame.loc[0, ["size", "rooms"]] = "NA"
    named = frame.set_axis([f"r{n}" for n in range(N)]).to_csv(index_label=first)
    assert kinds(load(named)) == {"size": "numeric", "rooms": "numeric", "city": "categorical"}


# -- file formats


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("houses.CSV", lambda frame: frame.to_csv(index=False)),
        ("houses.csv.GZ", lambda frame: gzip.compress(frame.to_csv(index=False).encode())),
        ("houses.csv.zip", lambda frame: zipped(**{"in/h.csv": frame.to_csv(index=False), "__MACOSX/in/._h.csv": "x"})),
        ("houses.PARQUET", as_parquet),
        ("houses.zip", lambda frame: zipped(**{"h.parquet": as_parquet(frame)})),
        ("houses.jsonl", as_json),
        ("houses.NDJSON", lambda frame: as_json(frame).replace("\n", "\n\n")),
        ("houses.jsonl.gz", lambda frame: gzip.compress(as_json(frame).encode())),
        ("houses.zip", lambda frame: zipped(**{"h.jsonl": as_json(frame)})),
    ],
)
def test_every_format_gives_the_same_tensors(load, frame, name, content):
    same(load(content(frame), name=name), load(frame))


def test_a_row_of_json_may_lack_entries(load, frame):
    frame.loc[1::3, "size"] = float("nan")
    lines = [row.dropna().to_json() for _, row in frame.iterrows()]
    same(load("\n".join(lines), name="houses.jsonl"), load(frame))


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("t.zip", zipped(a="x", b="y"), ["one file", "holds 2: a, b"]),
        ("t.zip", zipped(), ["holds 0"]),
        ("t.zip", b"PK\3\4 cut", ["cannot be read as a table"]),
        ("t.jsonl", b'[{"a": 1}]', ["an object of values in each line", "object to array"]),
        ("t.jsonl", b'{"a": 1}\n{"a": "x"}', ["from number to string in row 1"]),
        ("t.jsonl", b'{"a": {"b": 1}, "sold": 1}\n' * 20, ["'a' holds struct", "data.ignore=[a]"]),
    ],
)
def test_files_that_are_no_table_are_refused_with_the_reason(load, name, content, words):
    refused(load, content, *words, name=name)


def test_an_index_of_pandas_is_not_an_input(load, frame, capsys, tmp_path):
    shuffled = frame.sample(frac=1, random_state=0)
    splits = load(as_parquet(shuffled), name="houses.parquet")
    assert "ignored, an index of pandas: '__index_level_0__'" in capsys.readouterr().out
    frame.head(3).to_parquet(tmp_path / "new.parquet")
    assert len(read_raw(splits.spec, tmp_path / "new.parquet")[0]["numeric"]) == 3
    frame.to_parquet(tmp_path / "test.parquet")
    load(as_parquet(shuffled), name="houses.parquet", test_path=str(tmp_path / "test.parquet"))
    dated = as_parquet(frame.set_axis(pd.date_range("2024", periods=N, name="day")))
    assert set(kinds(load(dated, name="houses.parquet"))) == {"size", "rooms", "city"}
    assert load(dated, name="houses.parquet", time="day").spec.reading["ignored"] == ["day"]
    assert load(as_parquet(frame.set_index("sold")), name="houses.parquet").spec.class_names == ["no", "yes"]


# -- encodings


@pytest.mark.parametrize("encoding", ["shift_jis", "cp1251", "utf-16-le", "iso2022_jp"])
def test_any_encoding_is_read_by_its_name(load, frame, tmp_path, encoding):
    words = (
        {"Ulm": "Обь", "Köln": "Ока", "Bonn": "Дон"}
        if encoding == "cp1251"
        else {"Ulm": "東京", "Köln": "大阪", "Bonn": "京都"}
    )
    frame = frame.replace(words).rename(columns={"city": "город" if encoding == "cp1251" else "都市"})
    text = frame.to_csv(index=False)
    splits = load(text.encode(encoding), encoding=encoding)
    same(splits, load(text))
    assert splits.spec.reading == {"encoding": encoding}
    new, test = tmp_path / "new.csv", tmp_path / "test.csv"
    new.write_bytes(text.encode(encoding))
    test.write_bytes(text.encode(encoding))
    columns = read_raw(splits.spec, new)[0]
    new.write_bytes(text.encode())
    assert (read_raw(splits.spec, new)[0]["categorical"] == columns["categorical"]).all()
    assert len(load(text.encode(encoding), encoding=encoding, test_path=str(test)).test) == N
    found = read_labelled(splits.spec, {"path": str(test)})
    assert len(found) == N and (found.columns["categorical"] == columns["categorical"]).all()


def test_a_wrong_encoding_is_refused_with_its_name(load, frame):
    text = frame.replace({"Ulm": "、"}).drop(columns="city").assign(city="、").to_csv(index=False)
    refused(load, text.encode("shift_jis"), "neither UTF-8 nor Windows-1252", "data.encoding=shift_jis")
    late = frame.replace({"Köln": "Koeln"})
    late = late.to_csv(index=False) * 200 + frame.head(1).assign(city="、").to_csv(index=False, header=False)
    refused(load, late.encode("shift_jis"), "neither UTF-8 nor Windows-1252", "data.encoding=shift_jis")
    refused(load, text.encode("shift_jis"), "neither UTF-8 nor ascii", "data.encoding=", encoding="ascii")
    for encoding in ("shift_gis", "hex", "../x"):
        refused(load, text.encode("shift_jis"), f"no encoding '{encoding}'", encoding=encoding)


def test_utf8_files_are_read_whatever_the_encoding_option_says(load, frame, capsys):
    same(load(frame, encoding="cp1251"), load(frame))
    assert "houses.csv is Unicode, and read so, not as cp1251" in capsys.readouterr().out


# -- headings in options


@pytest.mark.parametrize(
    ("heading", "value"),
    [
        ("2020", 2020),
        ("2.50", 2.5),
        ("1e3", 1000.0),
        ("1_000", 1000),
        ("007", 7),
        ("true", True),
        ("YES", True),
        ("no", False),
        ("12:30", 750),
        ("null", "null"),
        ("prix payé", unicodedata.normalize("NFD", "prix payé")),
        (unicodedata.normalize("NFD", "prix payé"), "prix payé"),
    ],
)
def test_options_name_headings_that_look_like_numbers_or_are_decomposed(load, frame, heading, value):
    frame = frame.rename(columns={"sold": heading})
    assert load(frame, target=value).spec.n_outputs == 2
    assert heading not in kinds(load(frame, target="size", ignore=[value]))
    assert heading not in kinds(load(frame, target="size", group=value, split="random"))


def test_a_column_called_null_can_be_ignored(load, frame):
    assert "null" not in kinds(load(frame.rename(columns={"size": "null"}), ignore=[None]))


def test_a_heading_that_the_command_line_misreads_is_refused_with_how_to_quote_it(load, frame):
    refused(load, frame, "no column '2.5'", "quote a heading", target=2.5)
    refused(load, frame, "data.target=", "quote a heading that is null", target=None)


def test_composed_and_decomposed_accents_are_the_same(load, frame, capsys):
    decomposed = unicodedata.normalize("NFD", frame.rename(columns={"city": "Städte"}).to_csv(index=False))
    splits = load(decomposed)
    same(splits, load(frame))
    assert splits.spec.columns[2].categories == ("Bonn", "Köln", "Ulm")
    new = frame.rename(columns={"city": unicodedata.normalize("NFD", "Städte")})
    assert (read_raw(splits.spec, new)[0]["categorical"] > 0).all()
    capsys.readouterr()
    mixed = frame.assign(city=[unicodedata.normalize("NFD", one) if n % 2 else one for n, one in enumerate(frame.city)])
    same(load(mixed), load(frame))
    assert "in the encoding of accents: 'city' (" in capsys.readouterr().out
    twice = frame.assign(**{"Städte": 1, unicodedata.normalize("NFD", "Städte"): 2})
    refused(load, twice, "a heading names one column", "2 times")


def test_not_missing_takes_only_default_marks():
    with pytest.raises(UserError, match="no usual mark of missing values 'nope'"):
        zoo.load_data("csv", path="t.csv", target="y", not_missing=["nope"])


# -- tables of sequences


@pytest.mark.parametrize("data", ["series", "sequences", "texts"])
def test_series_sequences_and_texts_are_read_in_other_encodings(tmp_path, data):
    path, utf8 = tmp_path / "t.csv", tmp_path / "utf8.csv"
    hours = pd.date_range("2024-01-01", periods=200, freq="h")
    words = ["、 sun and fog", "rain and 、 wind", "cold 、 and warm"]
    steps = [(n, t, n * t % 7, "、。"[n % 2]) for n in range(40) for t in range(6)]
    frame, options = {
        "series": ({"時": hours, "力、": np.arange(200) % 24}, {"look_back": 6, "horizon": 2, "time": "時"}),
        "sequences": (dict(zip("番t力種", zip(*steps, strict=True), strict=True)), {"id": "番", "target": "種"}),
        "texts": ({"文": words * 20, "種": ["、", "。"] * 30}, {"target": "種", "text": "文"}),
    }[data]
    frame = pd.DataFrame(frame)
    frame.to_csv(path, index=False, encoding="shift_jis")
    frame.to_csv(utf8, index=False)
    with pytest.raises(UserError, match=r"data\.encoding=shift_jis"):
        zoo.load_data(data, path=str(path), **options)
    splits = zoo.load_data(data, path=str(path), encoding="shift_jis", **options)
    same(splits, zoo.load_data(data, path=str(utf8), **options))
    assert splits.spec.reading["encoding"] == "shift_jis"
    (new, _), (wanted, _) = (read_raw(splits.spec, one) for one in (path, utf8))
    assert all((new[name] == wanted[name]).all() for name in new)


# -- a user's file format

ROWS = '''
"""Rows of `key=value` pairs."""

import pyarrow as pa

from zoo.data import FORMATS


@FORMATS.register(".rows")
def read(path, cells):
    rows = [dict(pair.split("=") for pair in line.split()) for line in path.read_text().splitlines()]
    return pa.Table.from_pylist(rows)
'''


@pytest.fixture
def rows_format(tmp_path, own_code):
    """A format that a user adds with one function in a folder."""
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "rows.py").write_text(ROWS)
    return tmp_path / "mine"


def as_rows(frame):
    return "\n".join(" ".join(f"{name}={value}" for name, value in row.items()) for row in frame.to_dict("records"))


def test_a_users_file_format_is_one_function(load, frame, rows_format, tmp_path, config):
    zoo.add_path(rows_format)
    splits = load(as_rows(frame), name="houses.rows")
    same(splits, load(frame))
    assert len(read_raw(splits.spec, tmp_path / "houses.rows")[0]["numeric"]) == N
    settings = config(
        "model=fnn/mlp", "data=csv", f"data.path={tmp_path}/houses.rows", "data.target=sold", "trainer=cpu"
    )
    settings["trainer"]["max_epochs"] = 1
    assert zoo.train(settings, tmp_path / "run")["test"]


def test_a_file_that_is_not_text_is_refused_with_the_registered_formats(load, rows_format):
    words = ["is not text", "one of .csv, .json, .jsonl, .ndjson, .parquet, .tsv, .txt", "zoo_path"]
    refused(load, b"PK\3\4\0\0" * 9, *words, name="houses.xlsx")
    zoo.add_path(rows_format)
    refused(load, b"PK\3\4\0\0" * 9, ".parquet, .rows, .tsv", name="houses.xlsx")


def test_missing_value_marks_count_in_json(load, frame):
    marked = frame.assign(rooms=frame["rooms"].where(frame.index % 7 > 0, -9))
    splits = load(as_json(marked), name="houses.jsonl", missing=[-9])
    assert splits.spec.columns[1].missing
