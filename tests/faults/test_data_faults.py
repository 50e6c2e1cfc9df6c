"""Faults 9 to 13, 20, 27, 30 and 31: invalid values, tables, images, recordings, downloads and sequences."""

import dataclasses
import gzip
import json
import multiprocessing
import os
import signal

import numpy as np
import pandas as pd
import pytest
import soundfile
import test_imagefolder
import test_own_sequences
import test_published_files
import test_sequences
import test_standard_tables
import test_tables
import torch
from helpers.file_workers import kill_this_process
from helpers.images import SEEN, broken, folder_of, plain
from helpers.published_files import CONTENT as PUBLISHED
from helpers.published_files import MD5 as PACKED_MD5
from helpers.published_files import PACKED, SHA256
from helpers.sequence_files import arrays, as_npz, curves, edited, sizes, tone, with_cell, write
from helpers.tables import N, refused, same
from PIL import Image

import zoo
from zoo.core.errors import UserError
from zoo.data.columns.encode import encode
from zoo.data.images import _parallel
from zoo.data.readers import read_raw
from zoo.data.sequences.files.sound import read_sound
from zoo.data.sequences.splits.archive import archive_file
from zoo.data.sources import cache as cache_module
from zoo.data.sources import published
from zoo.data.splits import batches
from zoo.data.tables import openml

# Fixtures of other files
cache = test_imagefolder.cache
folders, server = test_published_files.folders, test_published_files.server
frame, load = test_tables.frame, test_tables.load
recordings = test_own_sequences.recordings
record, goods = test_sequences.record, test_standard_tables.goods


def pictures(root, **options):
    return zoo.load_data("imagefolder", path=str(root), **options)


# 9: values that are not numbers


def test_fault_09_a_missing_number_is_the_mean(load, frame):
    """A missing number in a table is replaced by the training mean, with a flag for it."""
    splits = load(frame.assign(rooms=frame.rooms.where(frame.index % 5 != 0)))
    rooms = next(column for column in splits.spec.columns if column.name == "rooms")
    assert rooms.missing
    preprocess = zoo.create_model("fnn/mlp", splits.spec).preprocess
    preprocess.fit(batches(splits.train))
    numeric = splits.train.columns["numeric"]
    scaled = preprocess({"numeric": numeric})["numeric"]
    assert scaled.isfinite().all()
    assert (scaled[:, 1][numeric[:, 1].isnan()] == 0).all()
    assert torch.equal(numeric[:, 2].bool(), numeric[:, 1].isnan())


def test_fault_09_infinity_in_a_table_is_refused_by_row(load, frame):
    """Infinity in a table is refused with its row; a missing value in a new row is the mean, even if training had
    none.
    """
    refused(load, "a,sold\n" + "1,1\n2,0\n" * 10 + "1,inf\n", "inf in row 22")
    refused(load, "a,sold\n" + "5,x\n7,y\n" * 20 + "inf,x\n", "inf in row 42 of houses.csv")
    spec = load(frame).spec
    batch, _ = read_raw(spec, frame.assign(size=frame["size"].where(frame.index != 3)))
    assert batch["numeric"].isnan().nonzero()[:, 0].tolist() == [3]
    with pytest.raises(UserError, match="inf in row 0"):
        read_raw(spec, frame.assign(size=np.inf))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (with_cell(3, "a", "inf"), "id s0 has infinity"),
        (edited(lambda f: f.assign(a=f.a.where(f.id != "s7"), b=f.b.where(f.id != "s7"))), "id s7 has none"),
    ],
)
def test_fault_09_infinite_and_empty_sequences_are_refused(tmp_path, make, message):
    """Infinity in a sequence, and a sequence without any value, are refused with the sequence's name."""
    with pytest.raises(UserError, match=message):
        zoo.load_data("sequences", path=str(make(tmp_path)))


def test_fault_09_gaps_in_a_sequence_are_interpolated(tmp_path, capsys):
    """Missing values in a sequence are interpolated in time, which is reported."""
    splits = zoo.load_data("sequences", path=str(with_cell(3, "a", None)(tmp_path)))
    assert "1 missing value is filled" in capsys.readouterr().out
    assert all(split.columns["sequence"].isfinite().all() for split in (splits.train, splits.val, splits.test))


# 10: tables


def test_fault_10_every_dialect_gives_the_same_tensors(load, frame, tmp_path):
    """Tables with a byte order mark, semicolons, tabs or decimal commas, in UTF-16 or compressed, give the same
    tensors.
    """
    splits = load(frame)
    assert test_tables.kinds(splits) == {"size": "numeric", "rooms": "numeric", "city": "categorical"}
    assert splits.spec.name == "houses"
    assert (splits.spec.task, splits.spec.class_names) == ("classification", ["no", "yes"])
    plain = frame.to_csv(index=False)
    same(splits, load(b"\xef\xbb\xbf" + plain.encode()))
    same(splits, load(frame.to_csv(index=False, sep=";", decimal=",")))
    same(splits, load(frame.to_csv(index=False, sep="\t"), name="houses.tsv"))
    same(splits, load(frame.to_csv(index=False, sep="|", quoting=1), name="houses.txt"))
    same(splits, load(plain.replace(",", ", ")))
    same(splits, load(plain.replace("\n", "\r\n")))
    same(splits, load(plain.encode("utf-16")))
    same(splits, load(gzip.compress(plain.encode()), name="houses.csv.gz"))
    frame.to_parquet(tmp_path / "houses.parquet")
    same(splits, zoo.load_data("csv", path=str(tmp_path / "houses.parquet"), target="sold"))


def test_fault_10_uninformative_columns_are_dropped(load, frame, capsys):
    """Columns that are constant, empty, duplicated or unique in every row are dropped, with one line each."""
    shuffled = np.random.default_rng(0).permutation(N)
    odd = frame.assign(
        number=range(N), shuffled=shuffled, name=[f"n{i}" for i in range(N)], one=1, none=None, again=frame["size"]
    )
    splits = load(odd)
    assert list(test_tables.kinds(splits)) == ["size", "rooms", "city"]
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("ignored")]
    assert ["'number', 'shuffled', 'name'" in lines[0], "'one'" in lines[1], "'none'" in lines[2]] == [True] * 3
    assert "the same as 'size': 'again'" in lines[3]
    assert all("data.schema=" in line for line in lines)


def test_fault_10_a_million_categories_are_reduced_to_the_frequent_ones(tmp_path):
    """Of a column with a million categories the 1,000 most frequent are kept; the others count as unseen."""
    n = 1_000_000
    codes = np.random.default_rng(0).integers(0, 10**7, n).astype("U7")
    pd.DataFrame({"code": np.char.add("k", codes), "y": np.arange(n) % 2}).to_parquet(tmp_path / "many.parquet")
    splits = zoo.load_data("csv", path=str(tmp_path / "many.parquet"), target="y")
    assert splits.spec.inputs["categorical"].cardinalities == (1001,)
    assert len(splits.train) == 600_000


def test_fault_10_rows_without_a_target_are_dropped(load, frame, capsys):
    """Rows without a target are dropped; a message gives their number and the first of them."""
    splits = load(frame.assign(sold=frame.sold.where(frame.index % 7 != 0)))
    assert sum(map(len, (splits.train, splits.val, splits.test))) == N - 9
    assert "9 of 60 rows (row 2 of houses.csv, row 9" in capsys.readouterr().out


def test_fault_10_a_target_without_a_column_is_refused(load, frame):
    """A target that is not a column is refused with the nearest heading."""
    refused(load, frame, "'Sold'", "nearest: sold", target="Sold")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", ["is empty"]),
        ("\n \n", ["is empty"]),
        ("a,b,sold\n", ["no rows"]),
        ("a,b,sold", ["no rows"]),
        ("a b sold\n" + "1 2 x\n" * 20, ["no column 'sold'", "separated by comma"]),
        ("a,a,sold\n1,2,3\n", ["'a' 2 times"]),
        (bytes(range(256)) * 20, ["not text"]),
        ("a,sold\n" + "1,2\n" * 20 + "1\n1,2,3\n", ["row 22 has 1", "row 23 has 3", "2 values"]),
        ("a,sold\n" + "1,2\n" * 20 + '1,"2\n' + "1,2\n" * 20, ["never closed", "row 22"]),
        ("a,sold\n1,2\n3,4\n", ["10 rows"]),
        ("a,sold\n" + "1,x\n2,x\n" * 10, ["two classes", "'x'"]),
        ("a,sold\n" + "1,2.5\n2,2.5\n" * 10, ["'sold' is 2.5"]),
        ("a,sold\n" + "1,\n2,\n" * 10, ["'sold'", "10 rows"]),
        ("a,sold\n" + "".join(f"{i % 3},w{i}\n" for i in range(30)), ["30 distinct values", "'w0' in row 2"]),
        ("a,sold\n" + "1,2020-01-01\n2,2020-01-02\n" * 10, ["'sold' holds dates"]),
        ("a,sold\n" + "5,x\n5,y\n" * 10, ["no column is left", "'a'", "data.schema="]),
        ("a,sold\n" + "5,x\n7,y\n" * 20 + "abc,x\n", ["'abc' in row 42 of houses.csv", "data.missing="]),
    ],
)
def test_fault_10_a_bad_table_is_refused(load, content, words):
    """A table that is empty, ragged, not text, of one class or with duplicate headings is refused with column and
    row.
    """
    refused(load, content, *words)


def test_fault_10_new_rows_may_have_their_columns_in_any_order(load, frame, tmp_path):
    """New rows may have their columns in any order, and additional ones; an unseen category has an index of its own."""
    spec = load(frame).spec
    expected = encode(spec.columns, frame)
    frame[["sold", "city", "rooms", "size"]].to_csv(tmp_path / "new.csv", index=False, sep=";", decimal=",")
    frame.to_parquet(tmp_path / "new.parquet")
    inputs = frame[["city", "size", "rooms"]]
    forms = (tmp_path / "new.csv", tmp_path / "new.parquet", frame, inputs, inputs.to_dict("list"))
    for raw in (*forms, inputs.to_dict("records")):
        batch, single = read_raw(spec, raw)
        assert not single
        assert all(torch.equal(batch[name], expected[name]) for name in expected)
    for raw in (frame.iloc[3], inputs.iloc[3].to_dict()):
        batch, single = read_raw(spec, raw)
        assert single
        assert all(torch.equal(batch[name], expected[name][3:4]) for name in expected)
    assert read_raw(spec, frame.assign(city="Rom"))[0]["categorical"].unique().tolist() == [0]


def test_fault_10_new_rows_that_do_not_fit_are_refused(load, frame, tmp_path):
    """New rows that lack a column, or have text in a numeric one, are refused with the nearest heading or the row."""
    spec = load(frame).spec
    frame.assign(rooms=frame.rooms.astype(object).where(frame.index != 4, "four")).to_csv(tmp_path / "new.csv")
    for raw, words in (
        (frame.rename(columns={"rooms": "room"}), "no column 'rooms'; the nearest: room"),
        (frame.assign(size="large"), "'large' in row 0"),
        (tmp_path / "new.csv", "'four' in row 6 of new.csv"),
        (pd.concat([frame, frame["size"]], axis=1), "'size' 2 times"),
        (np.zeros((2, 2)), "a row has 3 values"),
        (tmp_path / "old.csv", "no file 'old.csv'; the nearest: .*new.csv"),
        (frame.head(0), "no rows"),
    ):
        with pytest.raises(UserError, match=words):
            read_raw(spec, raw)


# 11: images and recordings


def test_fault_11_images_of_every_mode_are_converted(tmp_path, cache):
    """Greyscale, CMYK, RGBA, 16-bit and palette images, and those with an EXIF rotation, are converted to one shape."""
    turned = Image.Exif()
    turned[0x0112] = 6
    for name in ("a", "b"):
        (tmp_path / "all" / name).mkdir(parents=True)
        for file, (image, _) in SEEN.items():
            image.save(tmp_path / "all" / name / file)
        plain("RGB", 0).save(tmp_path / "all" / name / "turned.jpg", exif=turned)
    splits = zoo.load_data("imagefolder", path=str(tmp_path / "all"))
    assert sum(sizes(splits)) == 2 * (len(SEEN) + 1)
    assert splits.spec.inputs["image"].shape == (3, 28, 28)


def test_fault_11_unreadable_images_are_skipped(tmp_path, cache, capsys):
    """Files that are truncated, empty or not images are skipped with their count and a list, or refused if asked."""
    root = folder_of(tmp_path / "a", 5)
    for name in ("cut.jpg", "empty.png", "text.jpg"):
        broken(root / "red" / name)
    for cached in (True, True, "auto"):
        assert sum(map(len, (lambda s: (s.train, s.val, s.test))(pictures(root, cache=cached)))) == 15
        out = capsys.readouterr().out
        assert "left out: 3 of 18 image files cannot be read" in out
        assert "text.jpg: not an image" in out and "empty.png: the file is empty" in out
    with pytest.raises(UserError, match=r"3 of 18 image files cannot be read; remove them, or set data.corrupt=skip"):
        pictures(root, corrupt="refuse")
    for number in range(6):
        (root / "red" / f"bad{number}.png").write_text("")
    listed = pictures(root).files["skipped.txt"].splitlines()
    out = capsys.readouterr().out
    assert len(listed) == 9
    assert [line in out for line in listed] == 5 * [True] + 4 * [False]


def test_fault_11_unreadable_recordings_are_skipped(recordings, capsys):
    """Recordings that are damaged or empty are skipped with their count and a list."""
    whole = sizes(zoo.load_data("sequences", path=str(recordings)))
    low = recordings / "train" / "low"
    write(low / "bad.wav", b"RIFF no sound")
    write(low / "empty.wav", b"")
    soundfile.write(low / "none.wav", np.zeros(0), 8000)
    splits = zoo.load_data("sequences", path=str(recordings))
    printed = capsys.readouterr().out
    assert sizes(splits) == whole
    assert "left out: 3 of " in printed
    assert all(f"{name}.wav" in printed for name in ("bad", "empty", "none"))
    with pytest.raises(UserError, match=r"bad\.wav is not a sound file"):
        read_raw(splits.spec, [low / "0.wav", low / "bad.wav"])


def test_fault_11_recordings_are_resampled_to_mono(tmp_path):
    """A stereo recording, or one with another sample rate, is converted to mono and the requested rate."""
    soundfile.write(tmp_path / "a.wav", np.stack([tone(440, 1, 44100), tone(440, 1, 44100)], 1), 44100)
    samples, rate = read_sound(tmp_path / "a.wav", 8000, "a.wav")
    assert rate == 8000 and samples.shape == (8000,)
    np.testing.assert_allclose(samples[100:-100], tone(440, 1)[100:-100], atol=5e-3)


# 12: downloads


def test_fault_12_without_network_the_message_says_where_to_put_the_file(folders):
    """Without network the message names each address and where to put the file."""
    with pytest.raises(UserError, match=f"refused(.|\n)*put the file.*{folders[0]}") as error:
        published.read_data_file(
            "set.bin", SHA256, ["http://127.0.0.1:9/set.bin.gz", "http://127.0.0.1:9/other/set.bin.gz"]
        )
    assert len(str(error.value).splitlines()) == 4


def test_fault_12_the_reason_of_each_failed_mirror_is_given(folders, server):
    """If every mirror fails, by a wrong hash or a truncated file, the message gives the reasons, and no file is
    accepted.
    """
    server.contents["wrong"] = gzip.compress(b"something else")
    with pytest.raises(UserError) as error:
        published.read_data_file("set.bin", SHA256, [server.url("none"), server.url("wrong"), server.url("cut")])
    _, none, wrong, cut, advice = str(error.value).splitlines()
    assert "none" in none and "404" in none
    assert "wrong" in wrong and "not the published file" in wrong
    assert "cut" in cut and "ended after 30 of" in cut
    assert str(folders[0]) in advice
    assert not (folders[1] / "set.bin").exists()


@pytest.mark.parametrize("bad", ["none", "wrong", "empty", "cut"])
def test_fault_12_the_next_mirror_is_tried(folders, server, bad):
    """If a mirror has no file, a wrong one, an empty one or a truncated one, the next mirror is tried."""
    server.contents |= {"wrong": gzip.compress(b"something else"), "empty": b""}
    assert published.read_data_file("set.bin", SHA256, [server.url(bad), server.url("whole")]) == PUBLISHED
    assert [kind for kind, _ in server.requests] == [bad, "whole"]


def test_fault_12_an_interrupted_download_resumes(folders, server):
    """An interrupted download resumes where it stopped, and is complete only if its hash is right."""
    with pytest.raises(UserError, match="ended after"):
        published.read_data_file("set.bin", SHA256, [server.url("cut")])
    assert published.read_data_file("set.bin", SHA256, [server.url("cut")]) == PUBLISHED
    assert server.requests == [("cut", None), ("cut", "bytes=30-")]


# 13: reader processes


def test_fault_13_a_killed_decoding_process_ends_the_training(tmp_path, cache, monkeypatch):
    """If a process that decodes images is killed, the training ends in one message and does not hang."""
    paths = [tmp_path / str(i) for i in range(_parallel.CHUNK_SIZE * 12)]
    monkeypatch.setattr(_parallel, "n_cores", lambda: 2)
    with pytest.raises(UserError, match="was killed"):
        list(_parallel.map_files(kill_this_process, paths, "decoding"))


def test_fault_13_an_image_that_becomes_unreadable_is_named(tmp_path, cache):
    """An image that becomes unreadable during a training is named with its path."""
    root = folder_of(tmp_path / "a", 5)
    splits = pictures(root, cache=False)
    for path in root.rglob("*.png"):
        path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(UserError, match=r"a/\w+/\d.png: .*\n.*data\.cache=true"):
        splits.train[0]


class Faulty(torch.utils.data.Dataset):
    """A split whose sample 5 cannot be read, or kills its reader."""

    def __init__(self, split, killed):
        self.split, self.killed = split, killed

    def __len__(self):
        return len(self.split)

    def __getitem__(self, index):
        if index == 5 and self.killed:
            os.kill(os.getpid(), signal.SIGKILL)
        if index == 5:
            raise UserError("photos/5.png cannot be read")
        return self.split[index]


@pytest.mark.parametrize(("killed", "message"), [(False, "^photos/5.png cannot be read$"), (True, "was killed")])
def test_fault_13_a_failed_worker_ends_the_training(config, tmp_path, monkeypatch, killed, message):
    """A worker that raises or is killed ends the training in one message, with the sample's path if it is known."""
    splits = zoo.load_data("wine")
    faulty = dataclasses.replace(splits, train=Faulty(splits.train, killed))
    monkeypatch.setattr("zoo.engine.load_splits.load_section", lambda _: faulty)
    monkeypatch.setattr("zoo.engine.initial_module.each_value_once", lambda _: batches(splits.train))
    with pytest.raises(UserError, match=message):
        zoo.train(config("model=fnn/mlp", "data=wine", "data.num_workers=2"), tmp_path / "run")


# 20: sequences of unusual lengths


@pytest.mark.parametrize(
    ("lengths", "message"), [([0] + [4] * 9, r"sequence 0 is \(0 x 2\)"), ([5] + [4] * 9, "lengths are 0 to 4")]
)
def test_fault_20_an_impossible_length_is_refused(tmp_path, lengths, message):
    """A length of 0, or beyond the number of steps, is refused with the sequence's number."""
    with pytest.raises(UserError, match=message):
        zoo.load_data("sequences", path=str(arrays(lengths=np.array(lengths))(tmp_path)))


def test_fault_20_one_endless_sequence_among_short_ones_is_refused(tmp_path, monkeypatch):
    """A sequence so long that padding the others to it would fill the memory is refused, and the message names a
    fix.
    """
    from zoo.data.sequences.inputs import padding

    as_npz(tmp_path / "own.npz", *curves())
    monkeypatch.setattr(padding, "LARGEST", 1000)
    with pytest.raises(UserError, match=r"data\.max_steps="):
        zoo.load_data("sequences", path=str(tmp_path / "own.npz"))


def test_fault_20_a_very_long_sequence_is_predicted(runs):
    """A model predicts for sequences of one step and of thousands, alone and padded in one batch, without NaN."""
    predictor = zoo.load(runs["rnn"])
    values = np.random.default_rng(0).normal(size=(5000, 12))
    alone = [predictor.predict_proba([one]) for one in (values, values[:1])]
    both = predictor.predict_proba([values, values[:1]])
    assert np.isfinite(both).all()
    np.testing.assert_allclose(both, np.concatenate(alone), atol=1e-5)


# 27: data sets that look alike to the cache


def test_fault_27_an_image_edited_in_place_is_decoded_again(tmp_path, cache):
    """An image whose content changed is decoded again, even with the same size and modification time."""
    root = folder_of(tmp_path / "a", 5)
    path, other = root / "red" / "0.bmp", root / "red" / "1.bmp"
    for number, one in enumerate((path, other)):
        plain("RGB", 60 * number).save(one)
    before, state = pictures(root).train.columns["image"], path.stat()
    path.write_bytes(other.read_bytes())
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))
    assert path.stat().st_size == state.st_size and path.stat().st_mtime_ns == state.st_mtime_ns
    assert not torch.equal(pictures(root).train.columns["image"], before)


def test_fault_27_folders_with_equal_names_sizes_and_times_keep_their_own_images(tmp_path, cache):
    """Two folders whose files have equal names, sizes and times each give their own images."""
    for number, root in enumerate((tmp_path / "a", tmp_path / "b")):
        for name in ("box", "disc"):
            (root / name).mkdir(parents=True)
            for i in range(5):
                plain("L", 20 * number + i).save(root / name / f"{i}.bmp")
                os.utime(root / name / f"{i}.bmp", (0, 0))
    first, second = (pictures(tmp_path / name).train.columns["image"] for name in "ab")
    assert not torch.equal(first, second)


# 1: kills while a cache is written


def make_and_die(path):
    cache_module.cached(path, lambda place: (place.write_text("half"), os.kill(os.getpid(), signal.SIGKILL)))


def test_fault_01_a_kill_while_caching_leaves_no_files(tmp_path):
    """Temporary cache files of a killed process are removed at the next start, also with other data; those of a
    running process stay.
    """
    made = tmp_path / "made"
    process = multiprocessing.get_context("fork").Process(target=make_and_die, args=(tmp_path / "killed",))
    process.start()
    process.join()
    assert len(list(tmp_path.glob("*.zoo-tmp/*"))) == 1

    def make(place):
        assert [path.name for path in tmp_path.glob("*.zoo-tmp")] == ["made.zoo-tmp"]
        place.write_text("whole")
        cache_module.cached(tmp_path / "other", lambda place: place.write_text("also"))

    assert cache_module.cached(made, make).read_text() == "whole"
    assert {path.name for path in tmp_path.iterdir() if path.suffix != ".lock"} == {"made", "other"}


# 30: gaps in a series


def test_fault_30_noise_with_gaps_cannot_be_forecast(config, tmp_path):
    """White noise with 80 % missing values cannot be learnt: they are no targets, so the error is that of the mean,
    in training and validation.
    """
    n, draw = 3000, np.random.default_rng(0)
    noise = np.where(draw.random(n) < 0.8, np.nan, draw.normal(size=n))
    frame = pd.DataFrame({"hour": pd.date_range("2024-01-01", periods=n, freq="h"), "noise": noise})
    frame.to_csv(tmp_path / "noise.csv", index=False)
    made = ["model=rnn/lstm", "model.width=4", "data=series", f"data.path={tmp_path}/noise.csv", "trainer=cpu"]
    lengths = ["data.look_back=12", "data.horizon=6", "trainer.max_epochs=2"]
    metrics = zoo.train(config(*made, *lengths), tmp_path / "run")
    measured = noise[round(0.8 * n) :]
    expected = np.nanmean(((measured - np.nanmean(noise[: round(0.7 * n)])) / np.nanstd(noise[: round(0.7 * n)])) ** 2)
    assert metrics["test"]["mse_scaled"] == pytest.approx(expected, rel=0.1)
    assert metrics["val"]["loss"] == pytest.approx(metrics["val"]["mse_scaled"], rel=1e-5)
    assert "of what followed was not measured" in (tmp_path / "run" / "report.html").read_text()


def test_fault_30_missing_values_are_never_filled_from_the_future(tmp_path):
    """A missing value in a series is filled forward, never from later values; steps that the file lacks are missing
    values too.
    """
    hours, seen = pd.date_range("2024-01-01", periods=200, freq="h"), []
    for after in (0.0, 1e3):
        frame = pd.DataFrame({"hour": hours, "load": np.sin(np.arange(200))})
        frame.loc[60, "load"] = after
        frame = frame.drop(index=range(50, 55)).assign(load=lambda one: one.load.where(~one.index.isin(range(55, 60))))
        frame.to_csv(tmp_path / "load.csv", index=False)
        split = zoo.load_data("series", path=str(tmp_path / "load.csv"), look_back=6, horizon=3).train
        seen.append(split.filled[:60])
        assert split.series[50:60].isnan().all()
    assert torch.equal(*seen)
    assert (seen[0][50:] == seen[0][49]).all()


# 31: local data that changed


def test_fault_31_uncompressed_data_are_verified_after_the_compressed_file(folders, capsys):
    """If only the compressed file has a published hash, an uncompressed one is accepted with a message; once the
    compressed file was verified, a changed uncompressed one is refused.
    """
    own = folders[0] / "set.bin"
    own.write_bytes(b"what anybody wrote")
    assert published.read_data_file("set.bin", None, [], packed=PACKED_MD5) == b"what anybody wrote"
    assert "set.bin is used unchecked" in capsys.readouterr().out
    own.with_name("set.bin.gz").write_bytes(PACKED)
    assert published.read_data_file("set.bin", None, [], packed=PACKED_MD5) == PUBLISHED
    own.with_name("set.bin.gz").unlink()
    with pytest.raises(UserError, match=r"set.bin: not the published file"):
        published.read_data_file("set.bin", None, [], packed=PACKED_MD5)
    own.write_bytes(PUBLISHED)
    assert published.read_data_file("set.bin", None, [], packed=PACKED_MD5) == PUBLISHED
    assert "taken as it is" not in capsys.readouterr().out


def test_fault_31_a_changed_archive_set_is_skipped(folders, capsys):
    """A file of the UCR archive in ZOO_DATA with changed labels is skipped if the published one is available."""
    whole = zoo.load_data("ucr", name="BasicMotions").test.columns["target"]
    content = archive_file("BasicMotions", "BasicMotions_TEST.ts")
    write(folders[0] / "BasicMotions" / "BasicMotions_TEST.ts", content.replace(b"Running\n", b"Walking\n"))
    assert torch.equal(zoo.load_data("ucr", name="BasicMotions").test.columns["target"], whole)
    assert "skipped" in capsys.readouterr().out


@pytest.mark.parametrize("place", ["own", "cache"])
def test_fault_31_a_downloaded_archive_set_that_changed_is_refused(folders, record, capsys, place):
    """A downloaded file is verified offline by its record's hash; a changed one is refused or downloaded again."""
    test_sequences.load("ucr", name="Beef")
    content = archive_file("Beef", "Beef_TEST.ts").replace(b":up", b":Down", 1)
    path = folders[0] / "Beef" if place == "own" else folders[1] / "downloads" / "Beef"
    write(path / "Beef_TEST.ts", content)
    assert test_sequences.load("ucr", name="Beef").test.columns["target"].tolist() == [1, 0, 1, 0]
    assert ("skipped" in capsys.readouterr().out) == (place == "own")


@pytest.mark.filterwarnings("ignore:Invalid cache")
@pytest.mark.parametrize(
    "changed", ["api/v1/json/data/features/7", "api/v1/json/data/7", "data/v1/download/70/goods.arff"]
)
def test_fault_31_a_changed_openml_table_is_refused(goods, tmp_path, changed, capsys):
    """Files of an OpenML table in ZOO_DATA or the cache are refused if they changed after the download; if that is
    unknown, a message says that the metadata are unverified.
    """
    folder = tmp_path / "openml"
    zoo.load_data("openml", id=7)
    assert "which itself is not checked" in capsys.readouterr().out
    (folder / openml.HASHES.format(7)).write_text(json.dumps(openml._hash_metadata(folder, 7)))
    zoo.load_data("openml", id=7)
    assert "which itself is not checked" not in capsys.readouterr().out
    path = folder / "openml.org" / f"{changed}.gz"
    path.write_bytes(
        gzip.compress(gzip.decompress(path.read_bytes()).replace(b"yes", b"no").replace(b"goods", b"bads") + b" ")
    )
    with pytest.raises(
        UserError, match=r"changed since it was fetched|cannot fetch table 7|md5 checksum of local file"
    ):
        zoo.load_data("openml", id=7)
