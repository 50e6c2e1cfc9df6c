"""Faults 33 and 35: cells that slow down a pattern, and values that are dropped, merged or converted in a table."""

import re
import unicodedata
from functools import partial

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import test_tables
import torch
from helpers.tables import N, as_json, as_parquet, kinds, refused, same

import zoo
from zoo.data.columns.numbers import as_numbers, decimal_comma_to_point
from zoo.data.columns.text import as_text
from zoo.data.formats.cell_options import CellOptions
from zoo.data.readers import read_raw
from zoo.data.tables._new_rows import read_labelled

# Fixtures of other files
frame, load = test_tables.frame, test_tables.load


@pytest.fixture
def printed(capsys):
    """Return the output since the last call."""
    return lambda: capsys.readouterr().out


# -- 33: linear time


@pytest.mark.parametrize(
    "part", ["+ ", " ", "-", "(", "1 ", "1,", "1.111", "\u00a0", "\u2009+", "\u20ac ", "(1", "\t$"]
)
def test_fault_33_a_cell_of_signs_and_spaces_takes_linear_time(load, frame, part):
    """A long cell that is nearly a number takes linear time to read, wherever it is in a file."""
    cell = part * (120_000 // len(part.encode()))
    hostile = frame.astype({"size": "object"}).assign(size=[cell, *frame["size"][1:]])
    refused(load, hostile.to_csv(index=False, sep=";"), "nearly all values of column 'size' are numbers")
    texts = pa.array([part * (1 << 20)])
    assert np.isnan(as_numbers(texts)).all()
    assert as_numbers(decimal_comma_to_point(texts)).shape == (1,)


# -- 35: reported, with an option


def test_fault_35_a_mark_of_missing_values_may_be_a_value(load, frame, printed, tmp_path):
    """A class or category NA is a value with data.not_missing, which the message on dropped rows suggests; among
    numbers it stays a missing value.
    """
    marked = frame.assign(sold=frame.sold.replace("no", "NA"), city=frame.city.replace("Ulm", "NA"))
    marked.loc[::7, "rooms"] = np.nan
    content = marked.to_csv(index=False, na_rep="NA")
    assert load(content, target="city").spec.class_names == ["Bonn", "Köln"]
    assert "marked 'NA'; if that is a value: \"data.not_missing=['NA']\"" in printed()
    load(content.replace("Bonn", "?"), target="city", not_missing=["?"])
    assert "data.not_missing=['?','NA']" in printed()
    splits = load(content, not_missing=["NA"])
    assert splits.spec.class_names == ["NA", "yes"]
    assert kinds(splits)["rooms"] == "numeric"
    assert splits.spec.columns[1].missing
    assert splits.spec.columns[2].categories == ("Bonn", "Köln", "NA")
    assert "left out" not in printed()
    (tmp_path / "new.csv").write_text(content)
    assert (read_raw(splits.spec, tmp_path / "new.csv")[0]["categorical"] > 0).all()
    assert len(read_labelled(splits.spec, {"path": str(tmp_path / "new.csv")})) == N


def test_fault_35_marks_count_in_every_file_format(load, frame):
    """Missing value markers given as an option count in Parquet and JSON lines as in CSV."""
    marked = frame.assign(rooms=frame.rooms.where(frame.index % 5 > 0, -999), city=frame.city.replace("Ulm", "none"))
    wanted = load(marked, missing=[-999, "none"])
    assert [column.missing for column in wanted.spec.columns] == [False, True, True]
    same(load(as_parquet(marked), name="houses.parquet", missing=[-999, "none"]), wanted)
    same(load(as_json(marked), name="houses.jsonl", missing=[-999, "none"]), wanted)


@pytest.mark.parametrize("mark", [-999, -999.0, "-999.00"])
@pytest.mark.parametrize("written", ["-999", "-999.0", "-999,00", "-9.99E+02"])
def test_fault_35_numeric_marks_count_however_they_are_written(load, frame, mark, written):
    """A numeric marker is compared by value, in every numeric column and in new rows; in codes it is compared as
    text.
    """
    gaps = frame["size"].map("{:.1f}".format)
    gaps[::5] = written
    marked = frame.assign(size=gaps.str.replace(".", ",") if "," in written else gaps, code=["0999", "0101"] * (N // 2))
    splits = load(marked.to_csv(index=False, sep=";"), missing=[mark, 999])
    assert [column.missing for column in splits.spec.columns] == [True, False, False, False]
    assert splits.spec.columns[0].range[0] > -900
    row = frame.iloc[0].to_dict() | {"size": -999.0, "code": "0999"}
    assert np.isnan(read_raw(splits.spec, row)[0]["numeric"][0, 0])


def test_fault_35_new_files_may_hold_only_some_of_the_categories(load, frame, tmp_path):
    """Names of classes and categories that look like numbers or booleans in a new file are still the same names."""
    named = frame.assign(sold=np.resize(["1.10", "1.20", "2.0rc"], N), city=np.resize(["True", "False", "?!"], N))
    splits = load(named.astype({"rooms": "str"}))
    new = named.assign(sold="1.20", city="True")
    new.to_csv(tmp_path / "new.csv", index=False)
    found = read_labelled(splits.spec, {"path": str(tmp_path / "new.csv")})
    assert (found.columns["target"] == 1).all() and (found.columns["categorical"] == 3).all()
    row = new.iloc[0].to_dict()
    assert read_raw(splits.spec, row | {"city": True})[0]["categorical"].tolist() == [[3]]
    assert read_raw(splits.spec, row | {"city": 1})[0]["categorical"].tolist() == [[0]]


def test_fault_35_cells_of_spaces_are_missing(load, frame):
    """Cells that contain only spaces are missing values, and markers may have spaces around them."""
    gaps = frame.astype({"size": "str"})
    gaps.loc[::5, ["size", "city"]] = ""
    padded = gaps.replace("", "    ")
    padded.loc[::10, ["size", "city"]] = " NA "
    same(load(padded), load(gaps))
    splits = load(padded, not_missing=["?"])
    assert [column.missing for column in splits.spec.columns] == [True, False, True]


@pytest.mark.parametrize("mark", ["?", "-", "None", "null", "#N/A", "<NA>"])
def test_fault_35_each_default_mark_may_be_a_value(load, frame, mark):
    """Each default missing value marker may be a class."""
    marked = frame.assign(sold=frame.sold.replace("no", mark))
    assert mark in load(marked, not_missing=[None if mark == "null" else mark]).spec.class_names


def test_fault_35_leading_zeros_are_kept(load, frame, printed, tmp_path):
    """Whole numbers with leading zeros are text, in inputs and labels: 01 and 1 differ, unless a schema says
    otherwise.
    """
    codes = np.resize(["01067", "1067", "20095", "02708"], N)
    coded = frame.assign(zip=codes, sold=np.resize(["01", "1", "10"], N))
    splits = load(coded)
    assert splits.spec.columns[-1].categories == ("01067", "1067", "02708", "20095")
    assert splits.spec.class_names == ["01", "1", "10"]
    assert "read as text, as numbers would lose zeros or digits: 'zip' ('01067')" in printed()
    coded.to_csv(tmp_path / "new.csv", index=False)
    found = read_raw(splits.spec, tmp_path / "new.csv")[0]["categorical"][:4, -1].tolist()
    assert found == [1, 2, 4, 3]
    assert len(load(coded.assign(sold=[f"{n % 30:03}" for n in range(N)])).spec.class_names) == 30
    (tmp_path / "schema.yaml").write_text("columns: {zip: numeric}")
    assert kinds(load(coded, schema=str(tmp_path / "schema.yaml")))["zip"] == "numeric"
    assert load(frame.assign(sold=[f"{n:04}" for n in range(N)]), task="regression").spec.n_outputs == 1
    assert kinds(load(frame.assign(rooms=np.resize([0, 0.5, 10], N))))["rooms"] == "numeric"
    assert kinds(load(frame.assign(rooms=np.resize(["0030", "0111", "1230"], N))))["rooms"] == "categorical"
    refused(load, frame.assign(sold=[f"{n:02}" for n in range(N)]), "data.task=regression if these are amounts")


def test_fault_35_rounded_whole_numbers_in_json_are_reported(load, frame, printed):
    """Numbers in JSON lines that lose digits are reported; in quotes they keep them."""
    ids = [str(12345678901234567890 + n % 4) for n in range(N)]
    lines = as_json(frame.assign(account=ids))
    assert load(lines, name="h.jsonl").spec.columns[-1].categories == tuple(sorted(set(ids)))
    load(re.sub(r'"(\d{20})"', r"\1", lines), name="h.jsonl")
    assert "numbers beyond 64 bits are rounded: account; write ids in quotes" in printed()


def test_fault_35_an_index_of_pandas_is_not_a_channel(tmp_path, printed):
    """The index column that pandas writes is not a channel of a series or of sequences."""
    load = pd.DataFrame({"date": pd.date_range("2024", periods=200, freq="h"), "load": np.arange(200) % 24})
    load.sample(frac=1, random_state=0).to_parquet(tmp_path / "load.parquet")
    options = {"look_back": 6, "horizon": 2}
    assert zoo.load_data("series", path=str(tmp_path / "load.parquet"), **options).spec.column_names == ["load"]
    load.set_index("date").to_parquet(tmp_path / "load.parquet")
    assert zoo.load_data("series", path=str(tmp_path / "load.parquet"), **options).spec.reading["date_column"] == "date"
    steps = [(n, t, (n * 7 + t) % 11, "ab"[n % 2]) for n in range(40) for t in range(6)]
    frame = pd.DataFrame(steps, columns=["id", "t", "x", "label"]).sample(frac=1, random_state=0)
    frame.to_parquet(tmp_path / "steps.parquet")
    assert zoo.load_data("sequences", path=str(tmp_path / "steps.parquet")).spec.column_names == ["x"]
    assert printed().count("ignored, an index of pandas: '__index_level_0__'") == 2


@pytest.mark.parametrize("first", [12345678901234567890, 1234567890123456789, 9300000000000000000])
def test_fault_35_long_whole_numbers_are_not_merged(load, frame, printed, first):
    """Whole numbers that floats would merge are text, in inputs and labels."""
    ids = [str(first + n % 4) for n in range(N)]
    splits = load(frame.assign(account=ids))
    assert splits.spec.columns[-1].categories == tuple(sorted(set(ids)))
    assert load(frame.assign(sold=ids)).spec.class_names == sorted(set(ids))
    assert f"read as text, as numbers would lose zeros or digits: 'sold' ('{first}"[:-2] in printed()


def test_fault_35_accounting_and_typeset_numbers_are_read(load, frame, printed):
    """Numbers with brackets or a trailing minus for a minus, with spaces between thousands, or with currency or per
    cent signs are read as numbers, and reported.
    """
    values = (1000 * frame["size"]).round(2)
    forms = {
        "accounting": [f"({-value:,.2f})" if value < 0 else f"{value:,.2f}" for value in values],
        "behind": [f"{-value:.2f}-" if value < 0 else f"{value:.2f}" for value in values],
        "spaced": [f"{value:,.2f}".replace(",", "\u202f").replace("-", "\u2212") for value in values],
        "money": [f"($ {-value:,.2f})" if value < 0 else f"{value:,.2f} EUR" for value in values],
        "share": [f"{value:,.2f} %" for value in values],
    }
    wanted = load(frame.assign(size=values)).train.columns["numeric"][:, 0]
    for cells in forms.values():
        for commas in (False, True):
            turned = [cell.translate(str.maketrans(",.", ".,")) for cell in cells] if commas else cells
            found = load(frame.assign(size=turned).to_csv(index=False, sep=";" if commas else ","))
            assert (found.train.columns["numeric"][:, 0] == wanted).all(), turned[:3]
            assert "read as numbers: 'size' (" in printed()
    for several in (["$5", "\u20ac5", "7"], ["50 %", "0.5", "7"]):
        load(frame.assign(rooms=np.resize(several, N)))
        assert "units are ignored: 'rooms' (" in printed()
    load(frame.assign(rooms=np.resize(["$5", "6", "7"], N)))
    assert "units" not in printed()
    for odd in ("(5", "5)", "(-5)", "--5", "5--", "()", "5-3", "A 5"):
        assert np.isnan(as_numbers(pa.array([odd]))).all(), odd


def test_fault_35_unreadable_amounts_are_reported(load, frame, printed):
    """Amounts with a unit, or with decimal commas in a file of decimal points, are reported if they are dropped,
    read as categories or refused as classes.
    """
    load(frame.assign(weight=[f"{n + 0.5} kg" for n in range(N)]))
    assert "ignored, numbers that cannot be read, to be written such as 1234.5: 'weight'" in printed()
    load(frame.assign(weight=[f"{n % 7} kg" for n in range(N)]))
    assert "read as categories: 'weight' ('0 kg'); write amounts as plain numbers" in printed()
    load(frame.assign(weight=[f"~{n % 30}" for n in range(N)], width=[f"{n % 30}±1" for n in range(N)]))
    assert "read as categories: 'weight' ('~0'), 'width' ('0±1'); write" in printed()
    load(frame.assign(weight=[f"{n:02}" for n in range(N)]))
    assert "ignored, different in every row, like an id: 'weight'" in printed()
    load(frame.assign(weight=[f"{n},5" for n in range(N)]))
    assert "ignored, numbers that cannot be read, to be written such as 1234.5: 'weight'" in printed()
    refused(load, frame.assign(sold=[f"{n},5" for n in range(N)]), "write amounts as plain numbers")


def test_fault_35_numbers_or_dates_among_other_text_are_reported(load, frame, printed):
    """Numbers and dates in a column with so much text that it is categorical are reported, with the text."""
    amounts, days = frame["size"].round(2).astype(str), pd.date_range("2024-01-01", periods=N).strftime("%Y-%m-%d")
    cells = frame.assign(
        lead=amounts.where(frame.index % 5 > 0, "<0.05"), day=days.where(frame.index % 5 > 0, "0000-00-00")
    )
    load(cells)
    out = printed()
    assert "read as categories: 'lead' ('<0.05'); write amounts as plain numbers" in out
    assert "read as categories: 'day' ('0000-00-00' to '2024-" in out and "; write dates in one form" in out
    splits = load(cells, missing=["<0.05", "0000-00-00"])
    assert (kinds(splits)["lead"], kinds(splits)["day"]) == ("numeric", "date")
    load(frame.assign(floor=np.resize(["EG", "1", "2", "3"], N)))
    assert "read as categories" not in printed()


def test_fault_35_apostrophes_and_exponents_with_commas_are_read(load, frame):
    """Apostrophes may separate thousands, an exponent may follow a decimal comma, and times after day-first dates
    may have fractions of a second.
    """
    values = (1000 * frame["size"]).round(2)
    wanted = load(frame.assign(size=values)).train.columns["numeric"][:, 0]
    for cells in ([f"{value:,.2f}".replace(",", "\u2019") for value in values], [f"{value:.9E}" for value in values]):
        for sep, turned in ((",", cells), (";", [cell.replace(".", ",") for cell in cells])):
            found = load(frame.assign(size=turned).to_csv(index=False, sep=sep))
            assert torch.allclose(found.train.columns["numeric"][:, 0], wanted), turned[:3]
    times = pd.date_range("2024-01-20", periods=N, freq="h").strftime("%d.%m.%Y %H:%M:%S.%f")
    assert kinds(load(frame.assign(at=times)))["at"] == "date"


def test_fault_35_invisible_characters_make_no_difference(load, frame):
    """Zero-width spaces, as in web exports, make no difference in headings and around values."""
    marks = [f"\u200b{city}\ufeff" if n % 2 else city for n, city in enumerate(frame.city)]
    same(load(frame.assign(city=marks).rename(columns={"sold": "\u200bsold", "size": "si\u00adze"})), load(frame))


def test_fault_35_only_classes_are_stratified(load, frame):
    """A split stratified by a number with mostly unique values is refused."""
    refused(load, frame, "goes by classes; 'size' is a number: data.split=random", target="size", split="stratified")


def test_fault_35_labels_that_differ_in_spaces_are_merged_and_in_capitals_reported(load, frame, printed):
    """Labels and categories that differ in stray spaces are merged, those that differ in capitals are not; both are
    reported.
    """
    spaced = frame.assign(city=[f"{one} " if n % 2 else one for n, one in enumerate(frame.city)])
    same(load(spaced), load(frame))
    assert "in the encoding of accents: 'city' (" in printed()
    assert load(spaced, target="city").spec.n_outputs == 3
    assert f"in the encoding of accents: 'city' ({N // 2} values, such as '" in printed()
    capitals = frame.assign(city=[one.upper() if n % 2 else one for n, one in enumerate(frame.city)])
    assert len(load(capitals).spec.columns[2].categories) == 6
    assert "values differ only in capitals: 'city' ('BONN', 'Bonn', 'KÖLN', 'Köln', 'ULM', 'Ulm')" in printed()


def test_fault_35_a_row_of_totals_is_reported(load, frame, printed, tmp_path):
    """A row with an outlying target, such as a row of totals, is reported with its row and its text."""
    total = pd.DataFrame({"size": [0.0], "rooms": [frame.rooms.sum()], "city": ["Summe"], "sold": ["no"]})
    splits = load(pd.concat([frame, total]), target="rooms")
    out = printed()
    pd.concat([frame, total]).to_csv(tmp_path / "test.csv", index=False)
    read_labelled(splits.spec, {"path": str(tmp_path / "test.csv")})
    assert f"in row {N + 2} of test.csv ('Summe'" in printed()
    assert "'rooms' is " in out and f"in row {N + 2} of houses.csv ('Summe': {frame.rooms.sum():g})" in out
    heavy = frame.assign(rooms=np.exp(np.random.default_rng(0).normal(0, 2, N)))
    load(heavy, target="rooms")
    load(frame, target="rooms")
    load(frame.assign(rooms=[0.0] * (N - 1) + [9.5]), target="rooms", test_share=0.3)
    assert "deviations from the median" not in printed()


def test_fault_35_free_text_is_reported_with_the_model_that_reads_it(load, frame, printed):
    """A column of sentences is not called an id; the message that drops it says which model reads it."""
    words = np.random.default_rng(0).choice(["sun", "fog", "rain", "cold"], (N, 6))
    load(frame.assign(review=[" ".join(row) for row in words]))
    assert "ignored, free text, which model=rnn data=texts reads: 'review'" in printed()


def test_fault_35_text_is_only_stripped_and_composed():
    """Text is stripped and Unicode-composed; nothing else changes."""
    assert as_text(pa.array([" a  b ", "e\u0301", None])).to_pylist() == ["a  b", "\u00e9", None]
    assert CellOptions(not_missing=["NA"], missing=["x"]).marks().count("NA") == 0


def test_fault_35_times_and_channels_with_leading_zeros_are_numbers(tmp_path):
    """In series and sequences, months, hours and channels may have leading zeros; ids and labels keep theirs."""
    months = pd.DataFrame({"year": np.repeat(range(1990, 2020), 12), "month": [f"{n % 12 + 1:02}" for n in range(360)]})
    months["load"] = [f"{n % 40:03}" for n in range(360)]
    months.to_csv(tmp_path / "load.csv", index=False)
    series = zoo.load_data("series", path=str(tmp_path / "load.csv"), look_back=6, horizon=2)
    assert series.spec.column_names == ["load"]
    assert series.spec.reading["date_column"] == ["year", "month"]
    steps = [(f"{n:02}", t, (n * 7 + t) % 11, f"{n % 2:02}") for n in range(40) for t in range(6)]
    pd.DataFrame(steps, columns=["id", "t", "x", "label"]).to_csv(tmp_path / "steps.csv", index=False)
    assert zoo.load_data("sequences", path=str(tmp_path / "steps.csv")).spec.class_names == ["00", "01"]


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_fault_35_options_name_headings_in_either_form_of_accents(tmp_path, form):
    """Options of series and sequences find headings whatever their Unicode normal form."""
    other = "NFD" if form == "NFC" else "NFC"
    written, named = (partial(unicodedata.normalize, one) for one in (form, other))
    hours = pd.date_range("2024-01-01", periods=200, freq="h")
    frame = pd.DataFrame({written("été"): hours, written("énergie"): np.arange(200) % 24, "b": np.arange(200) % 7})
    frame.to_csv(tmp_path / "load.csv", index=False)
    options = {"time": named("été"), "columns": [named("énergie")], "look_back": 6, "horizon": 2}
    assert zoo.load_data("series", path=str(tmp_path / "load.csv"), **options).spec.column_names == ["énergie"]
    steps = [(n, t, (n * 7 + t) % 11, "ab"[n % 2]) for n in range(40) for t in range(6)]
    names = [written("numéro"), "t", "x", written("étiquette")]
    pd.DataFrame(steps, columns=names).to_csv(tmp_path / "s.csv", index=False)
    found = zoo.load_data("sequences", path=str(tmp_path / "s.csv"), id=named("numéro"), target=named("étiquette"))
    assert found.spec.class_names == ["a", "b"]
