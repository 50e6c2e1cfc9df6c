"""Fault 35 in files of sequences, recordings and texts: dropping and converting is reported and optional."""

import numpy as np
import pytest
import soundfile
import test_own_sequences
import torch
from helpers.sequence_files import as_csv, as_npy, as_npz, as_ts, curves, sizes, tone, write

import zoo
from zoo.core.errors import UserError
from zoo.data.readers import read_file, read_labelled, read_raw

recordings = test_own_sequences.recordings


def load(path, **options):
    return zoo.load_data("sequences", path=str(path), **options)


def same(sequence, other):
    """Whether two splits have the same sequences and targets."""
    return all(
        torch.equal(getattr(sequence, part).columns[name], getattr(other, part).columns[name])
        for part in ("train", "val", "test")
        for name in ("sequence", "lengths", "target")
    )


def padded(values, fill, length=None):
    """Pad sequences (time, 2) to one array (n, longest, 2)."""
    length = length or max(map(len, values))
    return np.stack(
        [np.pad(sequence, ((0, length - len(sequence)), (0, 0)), constant_values=fill) for sequence in values]
    )


# Recordings


def test_fault_35_a_linked_class_folder_is_a_class(recordings, tmp_path, capsys):
    """A class folder that is a link is a class, and a cycle of links ends."""
    (tmp_path / "elsewhere").mkdir()
    (recordings / "train" / "low").rename(tmp_path / "elsewhere" / "low")
    (recordings / "train" / "low").symlink_to(tmp_path / "elsewhere" / "low")
    (recordings / "train" / "high" / "again").symlink_to(recordings / "train")
    splits = load(recordings)
    assert splits.spec.class_names == ["high", "low"] and sizes(splits) == (16, 4, 4)
    assert "not followed" in capsys.readouterr().out


def test_fault_35_files_that_are_not_recordings_are_reported(recordings, capsys):
    """Files that are not recordings are skipped and counted by extension, and so are classes without recordings."""
    for k in range(3):
        write(recordings / "train" / "low" / f"{k}.m4a", b"ftyp")
    write(recordings / "train" / "noise" / "1.m4a", b"ftyp")
    assert load(recordings).spec.class_names == ["high", "low"]
    out = capsys.readouterr().out
    assert "left out, as they are not recordings, such as .wav or .flac: 4 files (.m4a)" in out
    assert "no class, as there are no recordings in it: noise" in out
    with pytest.raises(UserError, match=r"there are none in .*noise, but \.m4a"):
        load(recordings / "train" / "noise")


@pytest.mark.parametrize("ending", ["opus", "mp3", "ogg", "flac", "aiff", "AIF", "au", "caf", "WAV"])
def test_fault_35_every_recording_format_is_read(tmp_path, ending):
    """Recordings are read in every format of libsndfile, with extensions in any case."""
    for label, frequency in (("low", 300), ("high", 2000)):
        (tmp_path / "tones" / label).mkdir(parents=True)
        for k in range(5):
            path = tmp_path / "tones" / label / f"{k}.{ending}"
            options = {"format": "OGG", "subtype": "OPUS"} if ending == "opus" else {}
            options = {"format": "AIFF"} if ending == "AIF" else options
            soundfile.write(path, tone(frequency, 0.1 + 0.01 * k), 8000, **options)
    splits = load(tmp_path / "tones")
    assert sizes(splits) == (6, 2, 2)
    assert read_raw(splits.spec, path)[1]


# Arrays


def test_fault_35_trailing_steps_without_values_are_padding(tmp_path, capsys):
    """Trailing steps that are NaN in all channels are padding, which is reported; other missing values are not."""
    values, labels = curves()
    values[3][2] = np.nan
    as_npz(tmp_path / "own.npz", values, labels)
    expected = load(tmp_path / "own.npz")
    capsys.readouterr()
    np.savez(tmp_path / "padded.npz", X=padded(values, np.nan), y=labels)
    splits = load(tmp_path / "padded.npz")
    out = capsys.readouterr().out
    n_short = sum(len(sequence) < max(map(len, values)) for sequence in values)
    assert same(splits, expected)
    assert f"padded.npz: {n_short} of 40 sequences end in steps without a value" in out and "`lengths`" in out
    for raw in (padded(values, np.nan), tmp_path / "padded.npz"):
        assert torch.equal(
            read_raw(splits.spec, raw)[0]["lengths"], torch.tensor([len(sequence) for sequence in values])
        )


def test_fault_35_lengths_define_the_padding(tmp_path):
    """In arrays with lengths, steps without values within these are missing values, not padding."""
    values, labels = curves()
    lengths = [len(sequence) for sequence in values]
    for sequence in values:
        sequence[-1] = np.nan
    np.savez(tmp_path / "own.npz", X=padded(values, np.nan), y=labels, lengths=lengths)
    splits = load(tmp_path / "own.npz")
    assert sum(split.columns["lengths"].sum() for split in (splits.train, splits.val, splits.test)) == sum(lengths)
    assert read_raw(splits.spec, tmp_path / "own.npz")[0]["lengths"].tolist() == lengths


def test_fault_35_padded_archive_files_are_read(tmp_path, capsys):
    """A .ts file with sequences padded by ? is read like one without padding."""
    values, labels = curves()
    as_ts(tmp_path / "own.ts", values, labels)
    as_ts(tmp_path / "padded.ts", list(padded(values, np.nan)), labels)
    write(tmp_path / "marked.ts", (tmp_path / "padded.ts").read_text().replace("nan", "?"))
    expected = load(tmp_path / "own.ts")
    assert "padding" not in capsys.readouterr().out
    assert same(load(tmp_path / "padded.ts"), expected) and same(load(tmp_path / "marked.ts"), expected)


def test_fault_35_the_axes_of_arrays_are_reported_and_can_be_swapped(tmp_path, capsys):
    """The order of an array's axes is reported; data.channels_first swaps them, also in new files."""
    random = np.random.default_rng(0)
    values, labels = random.normal(size=(40, 30, 2)).astype(np.float32), np.arange(40) % 2
    np.savez(tmp_path / "time.npz", X=values, y=labels)
    np.savez(tmp_path / "channels.npz", X=values.swapaxes(1, 2), y=labels)
    np.save(tmp_path / "new.npy", values.swapaxes(1, 2))
    expected = load(tmp_path / "time.npz")
    capsys.readouterr()
    assert load(tmp_path / "channels.npz").spec.inputs["sequence"].shape == (None, 30)
    assert (
        "channels.npz: 40 sequences of 2 steps and 30 channels, read as (n, time, n_channels); data.channels_first=true"
        in capsys.readouterr().out
    )
    splits = load(tmp_path / "channels.npz", channels_first=True)
    assert same(splits, expected)
    for raw in (tmp_path / "channels.npz", tmp_path / "new.npy", values.swapaxes(1, 2)):
        assert torch.equal(read_raw(splits.spec, raw)[0]["sequence"], torch.tensor(values))
    batch, single = read_raw(splits.spec, values[0].T)
    assert single and torch.equal(batch["sequence"][0], torch.tensor(values[0]))


# Extensions and pairs of files


@pytest.mark.parametrize("write_as", [as_npz, as_npy, as_csv, as_ts])
def test_fault_35_extensions_in_capitals_are_read(tmp_path, write_as):
    """File extensions in capitals are recognised."""
    name = f"own.{write_as.__name__[3:]}"
    write_as(tmp_path / name, *curves())
    expected = load(tmp_path / name)
    for file in tmp_path.iterdir():
        file.rename(file.with_name(file.name.upper()))
    splits = load(tmp_path / name.upper())
    assert same(splits, expected)
    assert len(read_raw(splits.spec, tmp_path / name.upper())[0]["lengths"]) == 40


@pytest.mark.parametrize(("train", "test"), [("own_TRAIN.ts", "own_TEST.ts"), ("Own_train.TS", "Own_test.TS")])
def test_fault_35_the_test_file_is_found_and_reported(tmp_path, capsys, train, test):
    """The test file beside a training file is found, whatever its extension and case, and reported."""
    as_ts(tmp_path / train, *curves())
    as_ts(tmp_path / test, *curves(20, seed=1))
    for path in (tmp_path, tmp_path / train):
        assert sizes(load(path)) == (32, 8, 20)
        assert f"{train} trains, {test} tests" in capsys.readouterr().out
    as_csv(tmp_path / "other_TRAIN.csv", *curves())
    as_csv(tmp_path / "other_TEST.csv", *curves(10))
    assert sizes(load(tmp_path / "other_TRAIN.csv")) == (32, 8, 10)
    with pytest.raises(UserError, match=r"holds several sets: say which, such as data\.path="):
        load(tmp_path)


# Files of the archives


def stamped(values, labels, times, header=""):
    lines = (
        ":".join(
            ",".join(f"({time},{value})" for time, value in zip(times, channel, strict=False)) for channel in sequence.T
        )
        for sequence in values
    )
    return f"{header}@timestamps true\n@data\n" + "\n".join(
        f"{line}:{label}" for line, label in zip(lines, labels, strict=True)
    )


@pytest.mark.parametrize("times", [range(9), [f"2024-01-{29 + k} 00:30:00" for k in range(3)] * 3])
def test_fault_35_timed_values_are_sorted(tmp_path, capsys, times):
    """The values of a .ts file are sorted by their times, which is reported."""
    values, labels = curves()
    values = [sequence[:3] for sequence in values]
    as_ts(tmp_path / "own.ts", values, labels)
    times = list(times)[:3]
    write(tmp_path / "stamped.ts", stamped([sequence[::-1] for sequence in values], labels, times[::-1]))
    expected = load(tmp_path / "own.ts")
    capsys.readouterr()
    assert same(load(tmp_path / "stamped.ts"), expected)
    assert "in the order of their times, which are no input" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("(1,2),(1,3):(1,2),(1,3):up", "line 3 has two for one"),
        ("(1,2),(2,3):(1,2),(3,3):up", "those of .*line 3 are not"),
        ("(1,2),(soon,3):(1,2),(2,3):up", "'soon' in .*line 3"),
        ("(1,2),2:(1,2),(2,3):up", "line 3 has"),
    ],
)
def test_fault_35_times_that_give_no_order_are_refused(tmp_path, line, message):
    """Values with a repeated time, different times in channels, or no time end in one message."""
    good = "(1,2),(2,3):(1,2),(2,3):"
    write(tmp_path / "own.ts", "\n".join(["@timestamps true", "@data", line, *(good + "up", good + "down") * 5]))
    with pytest.raises(UserError, match=message):
        load(tmp_path / "own.ts")


def test_fault_35_unusual_archive_headers_are_read(tmp_path):
    """A .ts file is read in any case, with unusual headers, comments, spaces, empty values, or a byte order mark."""
    values, labels = curves()
    values[3][2, 0] = np.nan
    as_ts(tmp_path / "own.ts", values, labels)
    plain = (tmp_path / "own.ts").read_text()
    body = plain.split("@data\n")[1]
    spaced = body.replace(",", " , ").replace(":", " : ").replace("\n", " \n\n# a comment\n")
    expected = load(tmp_path / "own.ts")
    for text in (
        "\ufeff#Größe\n@PROBLEMNAME own\n@TIMESTAMPS FALSE\n@SERIESLENGTH 9\n@CLASSLABEL TRUE up down\n@DATA\n" + body,
        "@problemName\town\n@equalLength false\n@classLabel\ttrue up down\n@data \n" + spaced,
        body.replace("nan", "").replace("\n", "\r\n"),
        plain.replace("nan", " ? "),
    ):
        write(tmp_path / "other.ts", text)
        assert same(load(tmp_path / "other.ts"), expected)
    write(tmp_path / "other.ts", ("#Größe\n" + plain).encode("cp1252"))
    assert same(load(tmp_path / "other.ts"), expected)


def test_fault_35_new_archive_lines_need_no_label(tmp_path):
    """A .ts file of new sequences is read with or without labels, whatever its header says."""
    values, labels = curves()
    as_ts(tmp_path / "own.ts", values, labels)
    spec = load(tmp_path / "own.ts").spec
    text = (tmp_path / "own.ts").read_text().replace(":up", "").replace(":down", "")
    write(tmp_path / "new.ts", text)
    assert torch.equal(
        read_raw(spec, tmp_path / "new.ts")[0]["sequence"], read_raw(spec, tmp_path / "own.ts")[0]["sequence"]
    )


# Evaluation


@pytest.mark.parametrize("write_as", [as_npz, as_csv, as_ts])
def test_fault_35_every_labelled_sequence_of_another_file_is_measured(tmp_path, capsys, write_as):
    """An evaluation uses every labelled sequence of another file, with the classes of the training."""
    names = [f"{part}.{write_as.__name__[3:]}" for part in ("own", "other", "strange")]
    write_as(tmp_path / names[0], *curves())
    values, labels = curves(10, seed=1)
    write_as(tmp_path / names[1], values, np.array(["up"] * 10))
    write_as(tmp_path / names[2], values, np.array(["left", *labels[1:]]))
    spec = load(tmp_path / names[0]).spec
    split = read_labelled(spec, {"name": "sequences", "path": str(tmp_path / names[1])})
    assert split.columns["target"].tolist() == [1] * 10
    assert torch.equal(split.columns["sequence"], read_raw(spec, tmp_path / names[1])[0]["sequence"])
    assert "all 10 samples that have a label" in capsys.readouterr().out
    with pytest.raises(UserError, match="are 'down', 'up'; there is 'left' in"):
        read_labelled(spec, {"name": "sequences", "path": str(tmp_path / names[2])})


def test_fault_35_a_folder_of_recordings_is_measured(recordings):
    """An evaluation uses every recording in class folders, and asks for the split if there are several."""
    spec = load(recordings).spec
    assert len(read_labelled(spec, {"name": "sequences", "path": str(recordings / "test")})) == 4
    with pytest.raises(UserError, match=r"say which to measure on, such as data.path=.*test"):
        read_labelled(spec, {"name": "sequences", "path": str(recordings)})


# Predictions


def test_fault_35_unreadable_sequences_are_reported_and_the_others_predicted(tmp_path, capsys):
    """New sequences without a value or with infinity are named, and the others are predicted."""
    values, labels = curves()
    as_npz(tmp_path / "own.npz", values, labels)
    spec = load(tmp_path / "own.npz").spec
    values[3][:], values[5][1, 0], values[7][2, 1] = np.nan, np.inf, 900
    as_npz(tmp_path / "new.npz", values, labels)
    capsys.readouterr()
    batch, answered = read_file(spec, tmp_path / "new.npz")
    assert np.flatnonzero(~answered).tolist() == [3, 5] and len(batch["sequence"]) == 38
    out = capsys.readouterr().out
    assert "not answered: 2 of 40 sequences\n  no value, or infinity, in sequence 3, sequence 5" in out
    assert "far outside of training's range: 1 of 38 sequences, such as sequence 7; 'channel 2' was" in out
    np.savez(tmp_path / "void.npz", X=np.full((2, 3, 2), np.nan))
    with pytest.raises(UserError, match="none of 2 sequences can be answered"):
        read_file(spec, tmp_path / "void.npz")
