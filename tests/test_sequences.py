"""Standard sets of sequences and texts, spectral features, and readers of raw input."""

import hashlib
import http.server
import io
import json
import os
import tarfile
import threading

import numpy as np
import pytest
import torch
from helpers.sequence_files import SOUND, sizes, tone, write

import zoo
from zoo.core.errors import UserError
from zoo.core.spec import DataSpec, Input
from zoo.data import DATA
from zoo.data.readers import read_raw
from zoo.data.sequences.files.sound import log_mel, mel_filters
from zoo.data.sequences.files.ts import read_ts
from zoo.data.sequences.inputs.gaps import interpolate_gaps
from zoo.data.sequences.inputs.tokens import encode_text
from zoo.data.sequences.splits import archive

NEED_FILES = pytest.mark.skipif("ZOO_DATA" not in os.environ, reason="set ZOO_DATA to a folder with the sets")


def load(name, /, **options):
    return DATA.get(name)(**options)


# The standard sets


def test_tokens_count_from_one_and_other_characters_are_zero():
    assert encode_text("ab\U0001f600é", "béxa\U0001f600").tolist() == [2, 4, 0, 1, 3]
    assert encode_text("ab", "").shape == (0,)


def test_mnist1d_is_the_published_set():
    splits = zoo.load_data("mnist1d")
    assert sizes(splits) == (3600, 400, 1000)
    last = splits.test.columns["sequence"][-1, -3:, 0]
    torch.testing.assert_close(last, torch.tensor([0.65987565, 0.87773435, 1.19315184]))
    other = zoo.load_data("mnist1d", seed=7)
    torch.testing.assert_close(other.test.columns["sequence"][-1, -1, 0], torch.tensor(-0.1396913))
    rows = {
        one.numpy().tobytes() for split in (splits.train, splits.val, splits.test) for one in split.columns["sequence"]
    }
    assert len(rows) == 5000


def test_mnist1d_equals_the_output_of_the_authors_package():
    package = pytest.importorskip("mnist1d.data")
    from zoo.data.sequences.mnist1d import generate

    made = package.make_dataset(package.get_dataset_args())
    curves, labels = generate(42)
    np.testing.assert_allclose(curves, np.concatenate([made["x"], made["x_test"]]), atol=1e-12)
    assert (labels == np.concatenate([made["y"], made["y_test"]])).all()


@pytest.mark.parametrize(
    ("name", "n", "longest", "n_channels", "task", "n_outputs"),
    [
        ("GunPoint", (40, 10, 150), 150, 1, "classification", 2),
        ("PickupGestureWiimoteZ", (40, 10, 50), 361, 1, "classification", 10),
        ("BasicMotions", (32, 8, 40), 100, 6, "classification", 4),
        ("CardanoSentiment", (59, 15, 33), 24, 2, "regression", 1),
    ],
)
def test_archive_sets_inside_aeon_load_without_network(name, n, longest, n_channels, task, n_outputs):
    splits = load("ucr", name=name)
    assert sizes(splits) == n
    assert (splits.spec.name, splits.spec.task, splits.spec.n_outputs) == (name, task, n_outputs)
    train = splits.train.columns
    assert train["sequence"].shape == (n[0], longest, n_channels)
    for split in (splits.train, splits.val, splits.test):
        for sequence, length in zip(split.columns["sequence"], split.columns["lengths"], strict=True):
            assert not sequence[length:].any()
    if task == "classification" and n_outputs <= n[1]:
        assert set(train["target"].tolist()) == set(range(n_outputs))
    assert DataSpec.from_json(splits.spec.to_json()) == splits.spec


def test_archive_files_are_read_as_by_aeon(tmp_path):
    from aeon.datasets import load_from_ts_file

    path = tmp_path / "JapaneseVowels_TEST.ts"
    path.write_bytes(archive.archive_file("JapaneseVowels", path.name))
    series, labels = load_from_ts_file(str(path))
    ours = read_ts(path)
    assert ours.labels.to_pylist() == labels.tolist()
    assert all((a == b.T).all() for a, b in zip(ours.values, series, strict=True))


def test_japanese_vowels_keeps_its_splits():
    splits = zoo.load_data("japanese_vowels")
    assert sizes(splits) == (243, 27, 370)
    assert splits.val.columns["target"][:12].tolist() == JAPANESE_VOWELS_VAL
    assert splits.spec.class_names[0] == "speaker 1"
    assert splits.spec.column_names[-1] == "cepstrum 12"


JAPANESE_VOWELS_VAL = [6, 0, 5, 1, 4, 6, 5, 3, 0, 4, 7, 2]

TS = """#comment
@problemName Made
@classLabel true up Down
@data
1,2,?,4:1,1,1,1:up
4,3,2:2,2,2:Down
1,2:?,?:up
9,8,7,6:0,0,0,0:Down
"""


@pytest.fixture
def folders(tmp_path, monkeypatch):
    """ZOO_DATA and the cache, both empty."""
    for variable in ("ZOO_DATA", "ZOO_CACHE"):
        monkeypatch.setenv(variable, str(tmp_path / variable))
    return tmp_path / "ZOO_DATA", tmp_path / "ZOO_CACHE"


def test_archive_sets_may_have_gaps_and_unequal_lengths(folders, capsys):
    for part in ("TRAIN", "TEST"):
        write(folders[0] / "Made" / f"Made_{part}.ts", TS)
    splits = load("ucr", name="Made")
    assert splits.spec.class_names == ["Down", "up"]
    assert splits.test.columns["sequence"][0, :, 0].tolist() == [1, 2, 3, 4]
    assert splits.test.columns["lengths"].tolist() == [4, 3, 2, 4]
    assert splits.test.columns["sequence"][2, :2, 1].isnan().all()  # no value to fill it from; the model reads the mean
    out = capsys.readouterr().out
    assert "1 missing value is filled from neighbours in the sequence" in out
    assert "2 missing values have no value to fill them from, and are read as the training split's mean" in out


def test_gaps_are_interpolated_and_the_ends_take_the_nearest_value():
    values = np.array([[np.nan, 1], [2, np.nan], [np.nan, 3], [6, np.nan]], dtype=np.float32)
    assert interpolate_gaps(values).tolist() == [[2, 1], [2, 2], [4, 3], [6, 3]]
    assert np.isnan(values).sum() == 4


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("1,2,x:1,1,1:up", "line 6.*could not convert"),
        ("1,2:1,1,1:up", "line 6 has 2, 3 values"),
        ("1,2,3:up", r"line 6 is \(3 x 1\)"),
        (":1:up", "line 6 has 0, 1 values"),
        ("::up", r"line 6 is \(0 x 2\)"),
        ("?,?:?,?:up", "line 6 has none"),
        ("1,inf:1,1:up", "line 6 has infinity"),
    ],
)
def test_a_bad_line_of_an_archive_file_is_named(folders, line, message):
    for part in ("TRAIN", "TEST"):
        write(folders[0] / "Made" / f"Made_{part}.ts", TS.replace("4,3,2:2,2,2:Down", line))
    with pytest.raises(UserError, match=message):
        load("ucr", name="Made")


def test_unknown_and_unreachable_sets_are_refused_with_a_fix(folders, monkeypatch):
    with pytest.raises(UserError, match="nearest: GunPoint,"):
        load("ucr", name="GunPont")
    monkeypatch.setattr(archive, "HOST", "http://127.0.0.1:9")
    with pytest.raises(UserError, match=f"put its files, such as Beef_TRAIN.ts, at {folders[0]}/Beef"):
        load("ucr", name="Beef")


@pytest.fixture
def record(monkeypatch):
    """A record of the set Beef, on this machine; its hash can be changed."""
    checksum = {"is": f"md5:{hashlib.md5(TS.encode()).hexdigest()}"}

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            files = [{"key": f"Beef_{part}.ts", "checksum": checksum["is"]} for part in ("TRAIN", "TEST")]
            content = TS if self.path.endswith(".ts") else json.dumps({"files": files})
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content.encode())

        def log_message(self, *args):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        monkeypatch.setattr(archive, "HOST", f"http://127.0.0.1:{running.server_port}")
        yield checksum
        running.shutdown()


def test_an_archive_set_is_downloaded_once_and_its_hash_checked(folders, record, monkeypatch):
    assert len(load("ucr", name="Beef").test) == 4
    monkeypatch.setattr(archive, "HOST", "http://127.0.0.1:9")
    assert len(load("ucr", name="Beef").test) == 4


def test_an_archive_set_with_a_wrong_hash_is_refused(folders, record):
    record["is"] = "md5:0"
    with pytest.raises(UserError, match="Beef is not available locally"):
        load("ucr", name="Beef")
    assert not list(folders[1].rglob("*.ts"))


def test_surnames_are_unique_and_equal_ones_are_in_one_split():
    DATA.get("surnames")
    from zoo.data.sequences.surnames import unique_names

    names, labels, groups = unique_names([["Li", "Lí ", "Abel", "", "Li"], ["abel", "Zu"]])
    assert names == ["Li", "Abel", "abel", "Zu"]
    assert labels.tolist() == [0, 0, 1, 1]
    assert groups[1] == groups[2] and len(set(groups)) == 3


@NEED_FILES
def test_surnames_has_the_published_rows():
    splits = zoo.load_data("surnames")
    assert sizes(splits) == (12967, 1431, 3594)  # 17,992 in all
    letters = np.array(["?", *splits.spec.reading["alphabet"]])
    texts = [
        {"".join(letters[row[:n]]).lower() for row, n in zip(*map(torch.Tensor.numpy, columns), strict=True)}
        for columns in ((s.columns["tokens"], s.columns["lengths"]) for s in (splits.train, splits.val, splits.test))
    ]
    assert not texts[0] & texts[1] and not texts[0] & texts[2] and not texts[1] & texts[2]
    assert (splits.train.columns["tokens"].amax(1) > 0).all()
    shares = [split.columns["target"].bincount() / len(split) for split in (splits.train, splits.test)]
    torch.testing.assert_close(*shares, rtol=0, atol=0.002)
    batch, single = read_raw(splits.spec, "Müller")
    assert single and batch["tokens"].shape == (1, 6) and batch["lengths"].tolist() == [6]


@NEED_FILES
def test_pixel_sequences_hold_the_pixels_of_mnist():
    mnist, rows, mixed = (zoo.load_data(name) for name in ("mnist", "smnist", "psmnist"))
    pixels = rows.test.columns["sequence"]
    assert pixels.shape == (10000, 784, 1) and pixels.dtype == torch.uint8
    assert torch.equal(pixels.view(-1, 1, 28, 28), mnist.test.columns["image"])
    other = mixed.test.columns["sequence"]
    assert not torch.equal(pixels, other)
    assert torch.equal(pixels[:50].sort(1).values, other[:50].sort(1).values)
    assert torch.equal(pixels[0, np.random.RandomState(92916).permutation(784)], other[0])


def tar_of(waves):
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as tar:
        for name, content in waves.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return file.getvalue()


def test_fsdd_is_read_from_any_tar_of_its_files_only(tmp_path):
    DATA.get("fsdd")
    from zoo.data.sequences import fsdd

    archive = tar_of({"repo/recordings/1_theo_10.wav": b"b", "repo/recordings/0_theo_2.wav": b"a", "repo/x.py": b"c"})
    assert fsdd.waves_of(archive) == {"0_theo_2.wav": b"a", "1_theo_10.wav": b"b"}
    with pytest.raises(UserError, match="not the published recordings"):
        fsdd._read_published(write(tmp_path / "a.tar.gz", archive))
    with pytest.raises(UserError, match="damaged"):
        fsdd._read_published(write(tmp_path / "a.tar.gz", archive[: len(archive) // 2]))


@pytest.mark.long
@NEED_FILES
def test_fsdd_has_the_published_splits():
    splits = zoo.load_data("fsdd")
    assert sizes(splits) == (2400, 300, 300)
    assert (splits.test.columns["target"].bincount() == 30).all()
    out = load("fsdd", speaker="jackson")
    assert sizes(out) == (2250, 250, 500)
    with pytest.raises(UserError, match="nearest: jackson"):
        load("fsdd", speaker="jakson")


# Sound


def test_a_tone_is_loudest_in_its_band():
    features = log_mel(tone(1000, 0.5), **SOUND)
    assert features.shape == (51, 20)
    middles = mel_filters(8000, 512, 20) @ torch.linspace(0, 4000, 257) / mel_filters(8000, 512, 20).sum(1)
    assert features.mean(0).argmax() == (middles - 1000).abs().argmin()
    assert (mel_filters(8000, 512, 20).sum(0)[9:230] > 0).all()


def test_mel_features_follow_their_definition():
    wave, window = tone(700, 0.1), np.hanning(201)[:-1]
    frame = np.fft.rfft(np.pad(wave[400 - 100 : 400 + 100] * window, (156, 156))[:512], 512)
    power = mel_filters(8000, 512, 20).double().numpy() @ np.abs(frame) ** 2
    np.testing.assert_allclose(log_mel(wave, **SOUND)[5], np.log(np.maximum(power, 1e-6)), atol=1e-3)


@pytest.mark.parametrize("n", [1, 10, 80, 8001])
def test_recordings_of_any_length_and_silence_have_finite_features(n):
    assert log_mel(np.zeros(n, dtype=np.float32), **SOUND).isfinite().all()
    assert len(log_mel(np.zeros(n, dtype=np.float32), **SOUND)) == 1 + n // 80


# Raw input


def spec_of(inputs, **fields):
    return DataSpec("made", "classification", inputs, 2, class_names=("a", "b"), **fields)


SEQUENCE = spec_of({"sequence": Input((None, 2), axes=("time", "n_channels")), "lengths": Input(dtype="int64")})


def test_raw_arrays_are_padded_and_their_gaps_filled():
    one = np.array([[1.0, np.nan], [np.nan, 2.0], [3.0, 4.0]])
    batch, single = read_raw(SEQUENCE, [one, torch.ones(1, 2)])
    assert not single and batch["lengths"].tolist() == [3, 1]
    assert batch["sequence"][0].tolist() == [[1, 2], [2, 2], [3, 4]]
    assert read_raw(SEQUENCE, one)[1]


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        ([], "no sequences"),
        (np.ones((0, 2)), "with at least one step"),
        (np.ones((3, 5)), r"sequence 0 is \(3 x 5\)"),
        (np.full((3, 2), np.nan), "sequence 0 has none"),
        (np.full((3, 2), np.inf), "sequence 0 has infinity"),
        ("words", "no file 'words'"),
        ({"words": 2}, "an array, a list of them, or the path of a file"),
    ],
)
def test_bad_raw_arrays_are_refused(raw, message):
    with pytest.raises(UserError, match=message):
        read_raw(SEQUENCE, raw)


def test_raw_sequences_of_another_length_are_refused_where_it_is_fixed():
    spec = spec_of({"sequence": Input((3, 2), axes=("time", "n_channels"))})
    assert read_raw(spec, np.ones((3, 2)))[1]
    with pytest.raises(UserError, match="has 3 steps; sequence 0 has 4"):
        read_raw(spec, np.ones((4, 2)))


def test_raw_files_without_the_channels_are_refused(tmp_path):
    with pytest.raises(UserError, match="not learnt from recordings"):
        read_raw(SEQUENCE, write(tmp_path / "a.wav", b"RIFF"))
    with pytest.raises(UserError, match=r"nearest: a\.wav"):
        read_raw(SEQUENCE, tmp_path / "b.wav")


def test_raw_texts_are_encoded_and_empty_ones_refused(tmp_path):
    tokens = Input((None,), "int64", ("time",), cardinalities=(4,))
    spec = spec_of({"tokens": tokens, "lengths": Input(dtype="int64")}, reading={"alphabet": "abc"})
    batch, single = read_raw(spec, write(tmp_path / "a.txt", "ab\ncxc\n"))
    assert not single and batch["tokens"].tolist() == [[1, 2, 0], [3, 0, 3]] and batch["lengths"].tolist() == [2, 3]
    for raw, message in (
        ("", "at least one"),
        ([], "a list of"),
        (["a", ""], "in text 1"),
        ([3], "texts are a str"),
        (3, "a str"),
    ):
        with pytest.raises(UserError, match=message):
            read_raw(spec, raw)
    assert read_raw(spec, write(tmp_path / "b.txt", b"a\xffb"))[0]["tokens"].tolist() == [[1, 0, 2]]  # Windows-1252
    with pytest.raises(UserError, match="not a text"):
        read_raw(spec, write(tmp_path / "b.txt", b"a\0"))
    whole = spec_of({"tokens": tokens}, reading={"alphabet": "abc\n"}, target=Input((None,), "int64", ("time",)))
    assert read_raw(whole, tmp_path / "a.txt")[0]["tokens"].shape == (1, 7)
    assert read_raw(whole, ["a", "ab"])[0]["lengths"].tolist() == [1, 2]
