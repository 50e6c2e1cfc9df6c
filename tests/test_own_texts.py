"""A user's labelled texts, from tables and folders, valid and invalid."""

import unicodedata

import numpy as np
import pandas as pd
import pytest
from helpers.sequence_files import sizes, write

import zoo
from zoo.core.errors import UserError
from zoo.core.spec import DataSpec
from zoo.data.fingerprints import sample_hashes
from zoo.data.readers import read_file, read_labelled, read_raw
from zoo.inference.held_out import check_compatible
from zoo.inference.predict_files import predict_file

WORDS = ("cold", "fog", "rain", "wind", "warm")


def reviews(n=40, seed=0):
    """Texts of three words, half of which mention the sun, and their labels."""
    random = np.random.default_rng(seed)
    rows = [(" ".join([*random.choice(WORDS, 3), "sun"][k % 2 :]), ("neg", "pos")[k % 2]) for k in range(n)]
    rows = [(text if label == "pos" else text.replace(" sun", ""), label) for text, label in rows]
    return pd.DataFrame(
        [(k, f"{text} {k}", label) for k, (text, label) in enumerate(rows)], columns=["n", "review", "label"]
    )


def as_table(path, frame):
    write = {".parquet": frame.to_parquet, ".tsv": lambda p, index: frame.to_csv(p, index=index, sep="\t")}
    write.get(path.suffix, frame.to_csv)(path, index=False)
    return path


def as_folder(path, frame):
    for n, text, label in frame.itertuples(index=False):
        write(path / label / f"{n:02}.txt", text)
    return path


def load(path, **options):
    return zoo.load_data("texts", path=str(path), **options)


def held(splits):
    """Decode the texts of all splits, with their classes."""
    letters = np.array(["?", *splits.spec.reading["alphabet"]])
    return {
        ("".join(letters[row["tokens"][: row["lengths"]]]), splits.spec.class_names[row["target"]])
        for split in (splits.train, splits.val, splits.test)
        for row in map(split.__getitem__, range(len(split)))
    }


@pytest.mark.parametrize("name", ["own.csv", "own.tsv", "own.parquet", "OWN.CSV", "folder"])
def test_every_form_of_texts_gives_the_same_samples(tmp_path, name):
    frame = reviews()
    path = (as_table if "." in name else as_folder)(tmp_path / name, frame)
    splits = load(path)
    assert sizes(splits) == (24, 8, 8)
    assert (splits.spec.task, splits.spec.class_names) == ("classification", ["neg", "pos"])
    assert held(splits) == set(zip(frame.review, frame.label, strict=True))
    assert DataSpec.from_json(splits.spec.to_json()) == splits.spec
    split = read_labelled(splits.spec, {"name": "texts", "path": str(path)})
    assert sorted(split.columns["target"].tolist()) == [0] * 20 + [1] * 20


def test_the_columns_read_are_reported(tmp_path, capsys):
    frame = reviews().assign(note="x")
    frame.loc[3, "review"], frame.loc[5, "label"] = None, None
    splits = load(as_table(tmp_path / "own.csv", frame), max_chars=12)
    out = capsys.readouterr().out
    assert (
        "own.csv: texts of 'review' (data.text), target 'label' (data.target); left out are the columns n, note" in out
    )
    assert "left out, without a text: 1 of 40 samples (row 5 of own.csv)" in out
    assert "left out, without a label: 1 of 39 samples (row 7 of own.csv)" in out
    assert "39 texts are cut after 12 characters (data.max_chars); the longest has" in out
    assert splits.train.columns["tokens"].shape[1] == 12
    assert read_raw(splits.spec, "fog " * 99)[0]["tokens"].shape == (1, 12)


def test_text_and_label_columns_are_found_or_named(tmp_path):
    frame = reviews()
    by_place = frame[["review", "label"]].set_axis(["text", "mood"], axis=1)
    assert load(as_table(tmp_path / "two.csv", by_place)).spec.target_name == "mood"
    named = frame.assign(longer=frame.review * 2, stars=np.arange(40) % 2 + 0.5)
    path = as_table(tmp_path / "own.csv", named)
    assert held(load(path, text="review")) == set(zip(frame.review, frame.label, strict=True))
    splits = load(path, text="review", target="stars", task="regression")
    assert splits.spec.target.shape == (1,) and splits.spec.target_name == "stars"


def test_class_folders_can_be_links_and_hold_other_files(tmp_path, capsys):
    as_folder(tmp_path / "own" / "train", reviews())
    as_folder(tmp_path / "own" / "test", reviews(10, seed=1))
    (tmp_path / "own" / "train" / "pos").rename(tmp_path / "pos")
    (tmp_path / "own" / "train" / "pos").symlink_to(tmp_path / "pos")
    write(tmp_path / "pos" / "1.pdf", b"%PDF")
    write(tmp_path / "own" / "train" / "neg" / "98.TXT", "fog")
    write(tmp_path / "own" / "train" / "neg" / "99.txt", "")
    write(tmp_path / "own" / "train" / "neg" / "96.txt", b"a\0")
    (tmp_path / "own" / "train" / "neg" / "97.txt").symlink_to("nowhere.txt")
    splits = load(tmp_path / "own")
    out = capsys.readouterr().out
    assert sizes(splits) == (33, 8, 10) and splits.spec.class_names == ["neg", "pos"]
    assert "train trains, test tests" in out and "not texts, such as .txt: 1 file (.pdf)" in out
    assert "without a text: 1 of 42 samples (neg/99.txt)" in out
    assert "left out: 2 of 44 texts" in out and "96.txt is not a text" in out and "97.txt cannot be read" in out
    with pytest.raises(UserError, match="say which to measure on"):
        read_labelled(splits.spec, {"name": "texts", "path": str(tmp_path / "own")})


def test_the_alphabet_comes_from_the_training_split(tmp_path, capsys):
    frame = reviews()
    as_table(tmp_path / "own.csv", frame)
    as_table(tmp_path / "new.csv", frame.assign(review=frame.review + " ~"))
    splits = load(tmp_path / "own.csv", test_path=str(tmp_path / "new.csv"))
    assert "~" not in splits.spec.reading["alphabet"]
    assert {row[:1] for row, _ in held(splits)} <= set("cfrwps")
    other = load(as_table(tmp_path / "other.csv", frame.replace("warm", "warq", regex=True)))
    assert other.spec.inputs == splits.spec.inputs
    same = np.isin(sample_hashes(other.train), sample_hashes(splits.train))
    assert 0 < same.sum() < len(same)  # hashes are of the texts, not of their tokens
    with pytest.raises(UserError, match="has other characters than own"):
        check_compatible(splits.spec, other.spec)
    few = load(tmp_path / "own.csv", max_alphabet=5)
    assert len(few.spec.reading["alphabet"]) == 5 and few.spec.inputs["tokens"].cardinalities == (6,)
    assert "all but the 5 most frequent count as one unknown (data.max_alphabet)" in capsys.readouterr().out


def test_composed_and_decomposed_accents_are_equal(tmp_path):
    frame = reviews().replace("fog", "brouillard épais", regex=True)
    apart = frame.assign(review=[unicodedata.normalize("NFD", text) for text in frame.review])
    one, other = (load(as_table(tmp_path / f"{k}.csv", table)) for k, table in enumerate((frame, apart)))
    assert held(one) == held(other)
    texts = [text for table in (frame, apart) for text in table.review[:3]]
    assert read_raw(one.spec, texts[:3])[0]["tokens"].tolist() == read_raw(one.spec, texts[3:])[0]["tokens"].tolist()


BAD = {
    "no path": (None, {}, "data=texts reads your own files"),
    "no text": (reviews()[["n"]].assign(label=1), {}, "a table of texts has a column of text; own.csv has n, label"),
    "no label": (reviews().rename(columns={"label": "mood"}), {}, "data.target="),
    "another label": (reviews(), {"target": "lable"}, "nearest: label"),
    "another text": (reviews().assign(more="x"), {"text": "reviw"}, "nearest: review"),
    "one class": (reviews().assign(label="pos"), {}, "two classes"),
    "no characters": (reviews(), {"max_chars": 0}, "data.max_chars is a whole number from 1; got 0"),
    "another task": (reviews(), {"task": "clasification"}, "nearest: classification"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_tables_and_options_end_in_one_message(tmp_path, case):
    frame, options, message = BAD[case]
    path = None if frame is None else str(as_table(tmp_path / "own.csv", frame))
    with pytest.raises(UserError, match=message) as caught:
        zoo.load_data("texts", path=path, **options)
    assert len(str(caught.value).splitlines()) <= 5


def test_a_folder_without_texts_is_named(tmp_path):
    write(tmp_path / "own" / "pos" / "1.pdf", b"%PDF")
    with pytest.raises(UserError, match=r"a folder of texts has files such as \.txt; there are none in .*but \.pdf"):
        load(tmp_path / "own")


@pytest.fixture(scope="module")
def trained(config, tmp_path_factory):
    """Run folders of two short trainings: on a table, and on a folder."""
    root = tmp_path_factory.mktemp("texts")
    as_table(root / "own.csv", reviews())
    as_folder(root / "own", reviews())
    short = ("trainer.max_epochs=1", "model.width=4", "trainer=cpu")
    for name in ("own.csv", "own"):
        zoo.train(config("model=rnn", "data=texts", f"data.path={root / name}", *short), root / f"{name} run")
    return root / "own.csv run", root / "own run"


def test_new_texts_are_predicted_from_any_file(trained, tmp_path):
    frame = reviews(6, seed=2)
    by_table, by_folder = map(zoo.load, trained)
    expected = by_table.predict_proba(list(frame.review))
    assert by_table.predict_proba(frame.review[0]).shape == (2,)
    write(tmp_path / "lines.txt", "\n".join(frame.review))
    for path in (
        tmp_path / "lines.txt",
        as_table(tmp_path / "new.csv", frame[["review"]]),
        as_table(tmp_path / "new.TSV", frame),
        as_table(tmp_path / "new.txt", frame),
    ):
        np.testing.assert_allclose(by_table.predict_proba(path), expected, rtol=1e-4, atol=1e-6)
    with pytest.raises(UserError, match=r"no column .*'review'"):
        by_table.predict(as_table(tmp_path / "other.parquet", frame[["review"]].rename(columns={"review": "body"})))
    folder = as_folder(tmp_path / "new", frame.assign(review=frame.review + "\nsecond line"))
    header, rows = predict_file(by_folder, folder)
    assert header[:2] == ["sample", "prediction"] and len(rows) == 6
    assert len(by_folder.predict([folder.read_text() for folder in folder.rglob("*.txt")])) == 6


def test_empty_and_unknown_texts_are_reported_and_the_others_predicted(tmp_path, capsys):
    spec = load(as_table(tmp_path / "own.csv", reviews())).spec
    write(tmp_path / "new.txt", "cold fog\n\n日日日日日日\nsun")
    capsys.readouterr()
    batch, answered = read_file(spec, tmp_path / "new.txt")
    assert answered.tolist() == [True, False, True, True] and batch["lengths"].tolist() == [8, 6, 3]
    out = capsys.readouterr().out
    assert "not answered: 1 of 4 texts\n  no text in line 2" in out
    assert "1 of 3 texts have characters that training has not seen (line 3)" in out
    read_raw(spec, ["cold fog", "日日日日日日"])
    assert "1 of 2 texts have characters that training has not seen (text 1)" in capsys.readouterr().out


@pytest.mark.parametrize("columns", [["label", "review"], ["review", "label"]])
@pytest.mark.parametrize("labels", [("neg", "pos"), (0, 1)])
def test_a_table_without_a_header_is_detected_and_keeps_its_first_row(tmp_path, capsys, columns, labels):
    frame = reviews().replace({"label": dict(zip(("neg", "pos"), labels, strict=True))})[columns]
    frame.to_csv(tmp_path / "own.tsv", sep="\t", header=False, index=False)
    splits = load(tmp_path / "own.tsv")
    assert "own.tsv without headings (data.headings=true if it has some)" in capsys.readouterr().out
    assert held(splits) == set(zip(frame.review, frame.label.astype(str), strict=True))
    frame[["review"]].to_csv(tmp_path / "new.csv", header=False, index=False)
    for name in ("own.tsv", "new.csv"):
        assert read_raw(splits.spec, tmp_path / name)[0]["tokens"].shape[0] == 40
    assert len(read_labelled(splits.spec, {"name": "texts", "path": str(tmp_path / "own.tsv")})) == 40
    assert sum(sizes(load(tmp_path / "own.tsv", headings=True))) == 39


@pytest.mark.parametrize("name", ["own.csv", "own.tsv"])
def test_encodings_and_marks_of_missing_values_are_options(tmp_path, capsys, name):
    frame = reviews().replace({"label": {"neg": "NA", "pos": "да"}}).replace("fog", "туман", regex=True)
    frame.loc[0, "review"] = "nil"
    path = tmp_path / name
    bare = name == "own.tsv"
    frame[["label", "review"]].to_csv(path, sep="\t" if bare else ",", header=not bare, index=False, encoding="cp1251")
    options = {"encoding": "cp1251", "not_missing": ["NA"], "missing": ["nil"]}
    splits = load(path, **options)
    assert splits.spec.class_names == ["NA", "да"] and sum(sizes(splits)) == 39
    assert any("туман" in text for text, _ in held(splits))
    assert options.items() <= splits.spec.reading.items()
    assert (read_raw(splits.spec, ["туман"])[0]["tokens"] > 0).all()
    assert len(read_labelled(splits.spec, {"name": "texts", "path": str(path)})) == 39
    with pytest.raises(UserError, match="no encoding 'cp125l'"):
        load(path, encoding="cp125l")


@pytest.mark.parametrize("value", [0, True])
def test_headings_can_look_like_numbers_or_booleans(tmp_path, value):
    frame = reviews().rename(columns={"label": {0: "0", True: "yes"}[value], "review": "2024"}).assign(more="x y z")
    splits = load(as_table(tmp_path / "own.csv", frame), target=value, text=2024)
    assert splits.spec.target_name == {0: "0", True: "yes"}[value] and len(held(splits)) == 40


ENCODED = {
    "utf-16": {},
    "utf-16-le": {"encoding": "utf-16-le"},
    "shift_jis": {"encoding": "shift_jis"},
    "iso2022_jp": {"encoding": "iso2022_jp"},
}


@pytest.mark.parametrize("name", ENCODED)
def test_text_files_can_have_any_encoding(tmp_path, name):
    for n, text, label in reviews().itertuples(index=False):
        write(tmp_path / "own" / label / f"{n}.txt", f"霧 {text}".encode(name))
    splits = load(tmp_path / "own", **ENCODED[name])
    assert held(splits) == {(f"霧 {text}", label) for _, text, label in reviews().itertuples(index=False)}
    file = next((tmp_path / "own").rglob("*.txt"))
    assert (read_raw(splits.spec, file)[0]["tokens"] > 0).all()
    written = zoo.load_data("text", path=str(tmp_path / "own"), n_steps=8, **ENCODED[name]).spec.reading["alphabet"]
    assert "霧" in written and "\x1b" not in written


def test_only_a_newline_ends_a_text_in_a_file_of_lines(tmp_path):
    spec = load(as_table(tmp_path / "own.csv", reviews())).spec
    for end in ("\n", "\r\n", "\r"):
        write(tmp_path / "new.txt", f"cold\x0cfog{end}sun\u2028rain{end}".encode())
        assert read_raw(spec, tmp_path / "new.txt")[0]["lengths"].tolist() == [8, 8]


def test_truncated_new_texts_are_reported(tmp_path, capsys):
    spec = load(as_table(tmp_path / "own.csv", reviews()), max_chars=10).spec
    assert "texts are cut after 10 characters (data.max_chars)" in capsys.readouterr().out
    assert read_raw(spec, ["cold", "cold fog " * 9])[0]["lengths"].tolist() == [4, 10]
    assert "1 of 2 texts are cut after 10 characters (data.max_chars); the longest has 81" in capsys.readouterr().out


def test_a_tab_is_the_delimiter_though_each_text_has_a_comma(tmp_path):
    frame = reviews().assign(review=lambda frame: frame.review + ", yes")
    frame[["label", "review"]].to_csv(tmp_path / "own.tsv", sep="\t", header=False, index=False)
    assert held(load(tmp_path / "own.tsv")) == set(zip(frame.review, frame.label, strict=True))


def test_nearly_equal_labels_are_reported(tmp_path, capsys):
    frame = reviews()
    frame.loc[1, "label"], frame.loc[[3, 5, 7], "label"] = " pos ", "Pos"
    splits = load(as_table(tmp_path / "own.csv", frame))
    out = capsys.readouterr().out
    assert splits.spec.class_names == ["Pos", "neg", "pos"]
    assert "values differ only in capitals: 'label' ('Pos', 'pos')" in out
    assert "differ only in spaces around them" in out and "'label' (1 values, such as ' pos ')" in out


def test_a_prompt_file_can_have_another_encoding(tmp_path):
    write(tmp_path / "own.txt", ("туман и дождь " * 40).encode("cp1251"))
    splits = zoo.load_data("text", path=str(tmp_path / "own.txt"), encoding="cp1251", n_steps=8)
    assert splits.spec.reading["alphabet"] == "".join(sorted(set("туман и дождь")))


def test_another_text_is_evaluated_whole(tmp_path, capsys):
    write(tmp_path / "own.txt", "one two three " * 40)
    write(tmp_path / "other.txt", "one four " * 3)
    spec = zoo.load_data("text", path=str(tmp_path / "own.txt"), n_steps=8).spec
    split = read_labelled(spec, {"name": "text", "path": str(tmp_path / "other.txt"), "n_steps": 8})
    assert "all 27 characters, 6 of which the training text lacks" in capsys.readouterr().out
    letters = np.array(["?", *spec.reading["alphabet"]])
    assert "".join(letters[split.columns["target"].flatten()[:26]]) == ("one ?o?r " * 3)[1:]


def test_a_list_is_split_by_shuffled_entries_and_other_texts_are_not(tmp_path, capsys):
    names = [f"{first}{rest}" for first in "ABCDEFGHIJ" for rest in ("nna", "ertram", "ertram", "o la Cruz")]
    write(tmp_path / "names.txt", "\n".join(names))

    def test_entries(**options):
        splits = zoo.load_data("text", path=str(tmp_path / "names.txt"), n_steps=400, test_share=0.3, **options)
        letters = np.array(["\n", *splits.spec.reading["alphabet"]])  # padding ends a line too
        texts = ["".join(letters[part.columns["tokens"].flatten()]) for part in (splits.train, splits.test)]
        return [[line for line in text.split("\n")[1:] if line] for text in texts]

    train, test = test_entries()
    assert "one entry a line, shuffled" in capsys.readouterr().out
    assert not set(train) & set(test), "copies of an entry are in one split"
    assert test_entries(split_seed=1)[1] != test
    assert len(train) + len(test) + 2 == 40 and {*names} == {*train, *test, *set(names)}
    assert not {name[0] for name in test_entries(split="order")[1][1:]} & set("ABCDEFG")
    with pytest.raises(UserError, match=r"'line'.*lines"):
        test_entries(split="line")
    write(tmp_path / "poem.txt", "the owl and the pussycat went to sea\n" * 20)
    zoo.load_data("text", path=str(tmp_path / "poem.txt"))
    assert "poem.txt: one entry a line" not in capsys.readouterr().out


@pytest.mark.parametrize("columns", [["label", "review"], ["review", "label"]])
def test_a_quote_that_swallows_rows_is_refused(tmp_path, columns):
    frame = reviews()
    frame.loc[3, "review"] = "fog,\nrain, and sun"  # a text of two lines
    sep = {"own.csv": ",", "own.tsv": "\t"}
    for name, mark in sep.items():
        frame[columns].to_csv(tmp_path / name, sep=mark, index=False)
        assert sum(sizes(load(tmp_path / name))) == 40
        lines = (tmp_path / name).read_text().splitlines()
        lines[12] = lines[12].replace(mark, f'{mark}"') if columns[0] == "label" else f'"{lines[12]}'
        lines[30] = lines[30].replace(mark, f'"{mark}') if columns[0] == "review" else f'{lines[30]}"'
        write(tmp_path / name, "\n".join([*lines, ""]))
        with pytest.raises(UserError, match=r"a quoted text is never closed.*in row 1[123] of own"):
            load(tmp_path / name)


def test_what_was_found_in_texts_is_printed(tmp_path, capsys):
    pd.DataFrame({"text": [f"words {'a' * k}" for k in range(50)], "label": ["x", "y"] * 25}).to_csv(
        tmp_path / "notes.csv", index=False
    )
    zoo.load_data("texts", path=str(tmp_path / "notes.csv"))
    assert "texts: 30 / 10 / 10 to train, validate and test; 2 classes; " in capsys.readouterr().out
