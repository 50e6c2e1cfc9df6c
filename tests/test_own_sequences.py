"""A user's sequences in every file format, valid and invalid."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import soundfile
import torch
from helpers.sequence_files import (
    SOUND,
    arrays,
    as_csv,
    as_npy,
    as_npz,
    as_ts,
    curves,
    edited,
    frame_of,
    sizes,
    tone,
    with_cell,
    write,
)

import zoo
from zoo.core.errors import UserError
from zoo.core.spec import DataSpec
from zoo.data.readers import read_raw


def as_shuffled_csv(path, values, labels):
    frame = frame_of(values, labels)
    frame["time"] = pd.Timestamp("2024-01-01") + pd.to_timedelta(frame["time"], unit="h")
    first = frame.drop_duplicates("id")  # the order of the ids stays
    pd.concat([first, frame.drop(first.index).sample(frac=1, random_state=0)]).to_csv(path, index=False, sep=";")


def as_parquet(path, values, labels):
    frame_of(values, labels).to_parquet(path, index=False)


FORMATS = {
    "a.npz": as_npz,
    "b.npy": as_npy,
    "c.csv": as_csv,
    "d e ü.csv": as_shuffled_csv,
    "f.parquet": as_parquet,
    "g.ts": as_ts,
}


@pytest.mark.parametrize("name", FORMATS)
def test_every_file_format_gives_the_same_samples(tmp_path, name):
    values, labels = curves()
    FORMATS[name](tmp_path / name, values, labels)
    splits = zoo.load_data("sequences", path=str(tmp_path / name))
    assert sizes(splits) == (24, 8, 8)
    assert (splits.spec.name, splits.spec.class_names) == (name.split(".")[0], ["down", "up"])
    assert DataSpec.from_json(splits.spec.to_json()) == splits.spec
    found = set()
    for split in (splits.train, splits.val, splits.test):
        assert split.columns["target"].float().mean() == 0.5
        for batch in map(split.__getitem__, range(len(split))):
            found.add(
                (batch["sequence"][: batch["lengths"]].numpy().tobytes(), splits.spec.class_names[batch["target"]])
            )
    assert found == {(sequence.tobytes(), label) for sequence, label in zip(values, labels, strict=True)}
    if name != "b.npy":
        batch, single = read_raw(splits.spec, tmp_path / name)
        assert not single and len(batch["sequence"]) == 40
        assert torch.equal(batch["sequence"][3, :5], torch.tensor(values[3][:5]))


def test_numeric_labels_are_regressed_and_a_test_file_is_used(tmp_path, capsys):
    values, _ = curves()
    for part in ("TRAIN", "TEST"):
        as_ts(tmp_path / f"own_{part}.ts", values, [f"{sequence.mean():.4f}" for sequence in values])
    splits = zoo.load_data("sequences", path=str(tmp_path), task="regression")
    assert sizes(splits) == (32, 8, 40)
    assert splits.spec.target.shape == (1,) and splits.test.columns["target"].shape == (40, 1)
    as_npz(tmp_path / "own.npz", values, np.array([sequence.mean() for sequence in values]))
    assert zoo.load_data("sequences", path=str(tmp_path / "own.npz")).spec.task == "regression"
    assert "regression of 'class'" in capsys.readouterr().out


@pytest.fixture
def recordings(tmp_path):
    """Ten high and ten low tones in train/, two of each in test/, at two rates."""
    for part, n in (("train", 10), ("test", 2)):
        for label, frequency in (("low", 300), ("high", 2000)):
            for k in range(n):
                rate = 16000 if k % 2 else 8000
                path = tmp_path / "tones" / part / label / f"{k}.wav"
                path.parent.mkdir(parents=True, exist_ok=True)
                soundfile.write(path, tone(frequency, 0.05 + 0.01 * k, rate), rate)
    return tmp_path / "tones"


def test_class_folders_of_recordings_are_read(recordings):
    splits = zoo.load_data("sequences", path=str(recordings), n_mels=20)
    assert sizes(splits) == (16, 4, 4)
    assert splits.spec.reading == {**SOUND, "rate": 8000}
    assert splits.spec.class_names == ["high", "low"] and splits.spec.name == "tones"
    sequence = recordings / "test" / "high" / "1.wav"  # 16 kHz
    batch, single = read_raw(splits.spec, sequence)
    assert single and batch["sequence"].shape == (1, 7, 20)
    assert torch.equal(batch["sequence"][0], splits.test.columns["sequence"][1, :7])
    several, single = read_raw(splits.spec, [sequence, recordings / "test" / "low" / "0.wav"])
    assert not single and several["lengths"].tolist() == [7, 6]
    assert len(read_raw(splits.spec, recordings / "test")[0]["sequence"]) == 4


def test_split_folders_of_recordings_are_not_classes(recordings):
    (recordings / "test").rename(recordings / "val")
    with pytest.raises(UserError, match=r"tones has train, val; splits are train/ and test/"):
        zoo.load_data("sequences", path=str(recordings))


def test_recordings_outside_class_folders_are_named(recordings):
    write(recordings / "train" / "loose.wav", b"RIFF")
    with pytest.raises(UserError, match=r"loose\.wav lies in none"):
        zoo.load_data("sequences", path=str(recordings))


def test_a_trained_model_reads_arrays_whatever_their_labels_are_called(tmp_path):
    as_npz(tmp_path / "own.npz", *curves())
    splits = zoo.load_data("sequences", path=str(tmp_path / "own.npz"))
    spec = replace(splits.spec, reading={"target": "mood"})
    assert len(read_raw(spec, tmp_path / "own.npz")[0]["sequence"]) == 40
    with pytest.raises(UserError, match=r"at least one step; sequence 0 is \(7\)"):
        read_raw(spec, np.zeros(7))


def test_steps_are_ordered_by_dates_of_any_common_form(tmp_path):
    values, labels = curves()
    frame = frame_of(values, labels)
    times = pd.Timestamp("2024-01-28") + pd.to_timedelta(frame["time"], unit="D")  # over the end of a month
    frame.assign(time=times.dt.strftime("%d.%m.%Y"))[::-1].to_csv(tmp_path / "own.csv", index=False)
    spec = zoo.load_data("sequences", path=str(tmp_path / "own.csv")).spec
    last = read_raw(spec, tmp_path / "own.csv")[0]["sequence"][-1]  # ids appear in reverse
    assert torch.equal(last[: len(values[0])], torch.tensor(values[0]))


def text(content, name="own.csv"):
    return lambda path: write(path / name, content)


BAD = {
    "a missing path": (lambda path: write(path / "own.csv", "x") and path / "own.cvs", "nearest: own.csv"),
    "another kind of file": (text("x", "own.docx"), "sequences are read from"),
    "an empty folder": (lambda path: path, "there are none in"),
    "an empty table": (text(""), "is empty"),
    "no ids": (edited(lambda f: f.rename(columns={"id": "who"})), "data.id= one of who, time"),
    "no labels": (edited(lambda f: f.rename(columns={"label": "mood"})), "data.target= one of id, time"),
    "a missing id": (with_cell(3, "id", None), "row 5 of own.csv"),
    "a missing time": (with_cell(3, "time", None), "row 5 of own.csv"),
    "text among values": (with_cell(3, "a", "much"), "channel 'a' holds numbers; there is 'much' in row 5"),
    "several labels": (with_cell(3, "label", "down"), "id s0 with up, down"),
    "a time twice": (with_cell(3, "time", 2), "id s0 has time 2 twice"),
    "one class": (edited(lambda f: f.assign(label="up")), "two classes"),
    "no channels": (edited(lambda f: f[["id", "time", "label"]]), "has columns of values"),
    "no label at all": (edited(lambda f: f.assign(label=None)), "no samples with a label"),
    "too few": (edited(lambda f: f[f.id.isin(["s0", "s1"])]), "too few"),
    "no array of sequences": (arrays(X=None), "name one of them sequence or"),
    "no array of labels": (arrays(y=None), "data.target="),
    "fewer labels": (arrays(y=np.zeros(9)), r"X is \(10, 4, 2\), target \(9,\)"),
    "labels of several": (arrays(y=np.zeros((10, 2))), r"target \(10, 2\)"),
    "four axes": (arrays(X=np.ones((10, 2, 2, 2))), "float64 .10, 2, 2, 2."),
    "text in arrays": (arrays(X=np.full((10, 4, 2), "x")), "sequences are numbers"),
    "pickled arrays": (arrays(X=np.array([np.ones(2), np.ones(3)], dtype=object)), "no file of plain numpy arrays"),
    "words for lengths": (arrays(lengths=np.full(10, "x")), "has x for sequence 0"),
    "one number for all labels": (arrays(y=np.array(3)), r"target \(\)"),
    "a line without values": (text("@data\n1,2:a\n3\n", "own.ts"), "line 3 has none"),
    "a cut file": (lambda path: write(path / "own.npz", b"PK\3\4 cut"), "no file of plain numpy arrays"),
    "other labels": (text("@classLabel false\n@data\n1,2\n", "own.ts"), "nothing to learn"),
    "no lines": (text("@classLabel true a b\n@data\n", "own.ts"), "has no sequences"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_sequence_files_end_in_one_message(tmp_path, case):
    make, message = BAD[case]
    with pytest.raises(UserError, match=message) as caught:
        zoo.load_data("sequences", path=str(make(tmp_path)))
    assert len(str(caught.value).splitlines()) <= 5


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"path": None}, "data.path="),
        ({"val_share": 0.6, "test_share": 0.5}, "got 0.6 and 0.5"),
        ({"task": "clasification"}, "nearest: classification"),
        ({"max_steps": 0}, "got 0"),
        ({"rate": 0}, "data.rate"),
        ({"hop": 0}, "data.hop"),
        ({"target": "lable"}, "nearest: label"),
        ({"time": "b"}, "id s0|one label|time"),
    ],
)
def test_bad_options_are_refused_by_name(tmp_path, options, message):
    frame = frame_of(*curves()).assign(b=0)
    frame.to_csv(tmp_path / "own.csv", index=False)
    with pytest.raises(UserError, match=message):
        zoo.load_data("sequences", **{"path": str(tmp_path / "own.csv"), **options})


def test_a_test_file_that_does_not_fit_is_refused(tmp_path):
    values, labels = curves()
    as_csv(tmp_path / "own.csv", values, labels)
    other = tmp_path / "other.csv"
    frame_of(values, labels).replace("up", "upwards").to_csv(other, index=False)
    with pytest.raises(UserError, match=r"the classes of 'label' are 'down', 'up'; there is 'upwards' in id s0"):
        zoo.load_data("sequences", path=str(tmp_path / "own.csv"), test_path=str(other))
    frame_of(values, labels).rename(columns={"a": "aa"}).to_csv(other, index=False)
    with pytest.raises(UserError, match="no column 'a'"):
        zoo.load_data("sequences", path=str(tmp_path / "own.csv"), test_path=str(other))
    np.savez(tmp_path / "other.npz", X=np.zeros((3, 5, 1), np.float32), label=["up", "up", "down"])
    with pytest.raises(UserError, match=r"\(time, 2\)"):
        zoo.load_data("sequences", path=str(tmp_path / "own.csv"), test_path=str(tmp_path / "other.npz"))


def test_new_tables_need_no_labels(tmp_path):
    values, labels = curves()
    frame = frame_of(values, labels).rename(columns={"id": "who", "label": "mood"})
    frame.to_csv(tmp_path / "own.csv", index=False)
    splits = zoo.load_data("sequences", path=str(tmp_path / "own.csv"), id="who", target="mood")
    assert splits.spec.target_name == "mood" and splits.spec.column_names == ["a", "b"]
    new = frame.drop(columns="mood")[["b", "who", "a", "time"]]
    new.to_csv(tmp_path / "new.csv", index=False)
    assert torch.equal(read_raw(splits.spec, tmp_path / "new.csv")[0]["sequence"][3, :5], torch.tensor(values[3][:5]))
    new[new.who == "s3"].drop(columns=["who", "time"]).to_csv(tmp_path / "one.csv", index=False)
    assert read_raw(splits.spec, tmp_path / "one.csv")[0]["sequence"].shape == (1, len(values[3]), 2)
    new.rename(columns={"a": "aa"}).to_csv(tmp_path / "new.csv", index=False)
    with pytest.raises(UserError, match=r"lacks a channel.*nearest: aa"):
        read_raw(splits.spec, tmp_path / "new.csv")


def test_unlabelled_sequences_are_dropped_and_long_ones_truncated(tmp_path, capsys):
    values, labels = curves()
    frame = frame_of(values, labels)
    frame.loc[frame.id == "s4", "label"] = None
    frame.to_csv(tmp_path / "own.csv", index=False)
    splits = zoo.load_data("sequences", path=str(tmp_path / "own.csv"), max_steps=6)
    out = capsys.readouterr().out
    assert sum(sizes(splits)) == 39 and "1 of 40 samples (id s4)" in out and "cut after 6 steps" in out
    assert splits.train.columns["sequence"].shape[1] == 6
    assert read_raw(splits.spec, [values[0].repeat(9, 0)])[0]["sequence"].shape == (1, 6, 2)
    assert "1 of 1 sequences are cut after 6 steps (data.max_steps)" in capsys.readouterr().out
