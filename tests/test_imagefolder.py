"""A user's images: from files to splits, and from a raw image to a prediction."""

import json
import os

import numpy as np
import pandas as pd
import pytest
import torch
from helpers.file_workers import refuse_sevens
from helpers.images import COLOURS, broken, folder_of, picture, plain
from PIL import Image
from torch.utils.data import DataLoader

import zoo
from zoo.core.errors import UserError
from zoo.data import facts, stored
from zoo.data.folders import list_files
from zoo.data.images import _image_store, _parallel
from zoo.data.images._class_folders import list_images
from zoo.data.images._decode import decode_file
from zoo.data.readers import read_labelled, read_raw
from zoo.data.splits import TensorSplit, batches, collate
from zoo.inference.evaluation import evaluate_weights
from zoo.inference.predict_files import predict_file

# Image folders


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("ZOO_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "imagefolder"


def load(root, **options):
    return zoo.load_data("imagefolder", path=str(root), **options)


def colours_agree(split):
    """Whether each image has the colour of its class."""
    batch = next(batches(split))
    colours = torch.tensor(list(COLOURS.values())).float()
    distance = (batch["image"].float().mean((2, 3))[:, None] - colours).norm(dim=2)
    return torch.equal(distance.argmin(1), batch["target"])


def test_class_folders_give_the_classes(tmp_path, cache, capsys):
    root = folder_of(tmp_path / "my pictures é")
    (root / "red" / "more").mkdir()
    (root / "red" / "3.png").rename(root / "red" / "more" / "3.PNG")
    for ignored in (".hidden.png", "red/notes.txt", "red/.DS_Store", "red/._1.png"):
        (root / ignored).write_text("no image")
    (root / ".git").mkdir()
    splits = load(root)
    assert splits.spec.class_names == ["blue", "green", "red"]
    assert splits.spec.inputs["image"].shape == (3, 32, 32)
    assert splits.spec.licence == facts("imagefolder").licence
    assert splits.spec.name == "my pictures é"
    assert [len(split) for split in (splits.train, splits.val, splits.test)] == [18, 6, 6]
    assert all(colours_agree(split) for split in (splits.train, splits.val, splits.test))
    assert splits.test.columns["target"].bincount().tolist() == [2, 2, 2]
    assert capsys.readouterr().out == (
        "left out, as they are not images, such as .jpg or .png: 1 file (.txt)\n"
        "30 images of 3 classes; 18 / 6 / 6 to train, validate and test; 3 x 32 x 32\n"
    )
    assert not torch.equal(splits.test.columns["image"], load(root, split_seed=1).test.columns["image"])


@pytest.mark.parametrize(
    ("parts", "sizes"),
    [
        (("train", "val", "test"), [30, 15, 9]),
        (("Train", "test"), [24, 6, 9]),
        (("train", "validation"), [24, 15, 6]),
        (("train",), [18, 6, 6]),
    ],
)
def test_split_folders_are_used(tmp_path, cache, parts, sizes):
    for part, n in zip(parts, (10, 5, 3) if len(parts) == 3 or parts[-1] != "test" else (10, 3), strict=False):
        folder_of(tmp_path / "pictures" / part, n)
    splits = load(tmp_path / "pictures")
    assert [len(split) for split in (splits.train, splits.val, splits.test)] == sizes
    assert colours_agree(splits.test)
    assert len(set(next(batches(splits.train, 8))["target"].tolist())) > 1  # what a first layer is fitted to


def test_other_folders_beside_split_folders_are_ignored(tmp_path, cache, capsys):
    for part, n in (("train", 10), ("test", 3)):
        folder_of(tmp_path / part, n)
    for extra in ("labels", "validation"):
        (tmp_path / extra).mkdir()
    (tmp_path / "labels" / "train.csv").write_text("1,red")
    picture((0, 0, 0), 0).save(tmp_path / "validation" / "loose.png")
    splits = load(tmp_path)
    assert "left out, as the classes are those of test/, train/: labels, validation" in capsys.readouterr().out
    assert splits.spec.class_names == ["blue", "green", "red"]
    assert [len(split) for split in (splits.train, splits.val, splits.test)] == [24, 6, 9]


def test_train_may_be_a_class(tmp_path, cache):
    folder_of(tmp_path)
    (tmp_path / "red").rename(tmp_path / "train")
    assert load(tmp_path).spec.class_names == ["blue", "green", "train"]


def test_two_folders_of_one_split_are_refused(tmp_path, cache):
    for part in ("train", "val", "validation"):
        folder_of(tmp_path / part, 3)
    with pytest.raises(UserError, match="one folder for each split"):
        load(tmp_path)


@pytest.mark.parametrize(
    ("size", "expected"),
    [((1280, 720), (126, 224)), ((4032, 3024), (168, 224)), ((200, 20), (28, 280)), ((20, 30), (42, 28))],
)
def test_a_measured_size_keeps_the_proportions(tmp_path, cache, size, expected):
    for number in range(9):
        (tmp_path / f"class {number % 3}").mkdir(exist_ok=True)
        plain = Image.new("RGB", size, (number, 0, 0))  # noise of millions of pixels takes long to pack
        plain.save(tmp_path / f"class {number % 3}" / f"{number}.png")
    assert load(tmp_path).spec.inputs["image"].shape == (3, *expected)


def test_a_model_is_evaluated_on_another_folder(config, tmp_path, cache):
    settings = (f"data.path={folder_of(tmp_path / 'a')}", "data.size=32", "trainer=debug")
    zoo.train(config("model=cnn", "data=imagefolder", *settings), tmp_path / "run")
    other = folder_of(tmp_path / "b", 4, (50, 40))
    data = {"name": "imagefolder", "path": str(other)}
    found = evaluate_weights(tmp_path / "run", data=data)
    predictor = zoo.load(tmp_path / "run")
    right = [predictor.predict(path) == path.parent.name for path in other.rglob("*.png")]
    assert len(right) == 12
    assert found["test"]["accuracy"] == pytest.approx(sum(right) / 12)
    assert found["data"] == "b"
    folder_of(tmp_path / "c" / "train", 3)
    with pytest.raises(UserError, match=r"has splits.*data.path=.*/test"):
        evaluate_weights(tmp_path / "run", data={**data, "path": str(tmp_path / "c")})
    (other / "red").rename(other / "rde")
    with pytest.raises(UserError, match=r"the classes of .class. are .*red.; there is .rde. in"):
        evaluate_weights(tmp_path / "run", data=data)
    with pytest.raises(UserError, match="this model takes numeric"):
        evaluate_weights("fnn/mlp.breast_cancer", data=data)


def test_size_and_channels_are_measured_or_given(tmp_path, cache):
    assert load(folder_of(tmp_path / "a", 3, (44, 32))).spec.inputs["image"].shape == (3, 32, 44)
    assert load(tmp_path / "a", size=20, channels=1).spec.inputs["image"].shape == (1, 20, 20)
    assert load(tmp_path / "a", size=[20, 30]).spec.inputs["image"].shape == (3, 20, 30)
    root = folder_of(tmp_path / "b", 3, (8, 9))
    assert load(root).spec.inputs["image"].shape == (3, 32, 28)
    for path in root.rglob("*.png"):
        Image.open(path).convert("L").resize((1000, 41)).save(path)
    assert load(root).spec.inputs["image"].shape == (1, 28, 224)
    plain("L", 0, (300, 300)).save(root / "red" / "0.png")
    assert load(root).spec.inputs["image"].shape == (1, 28, 224)


def decoded(cache):
    return sorted(path.name for path in cache.iterdir() if path.is_dir())


def test_images_are_decoded_once(tmp_path, cache, monkeypatch):
    root = folder_of(tmp_path / "a", 5)
    first = load(root).train.columns["image"]
    (root / "red" / "0.png").touch()  # says nothing
    monkeypatch.setattr(_image_store, "_decode_all", None)
    assert torch.equal(load(root, corrupt="refuse").train.columns["image"], first)
    assert len(decoded(cache)) == 1


@pytest.mark.parametrize("options", [{"cache": True}, {"cache": False}])
def test_images_read_from_disk_equal_those_in_memory(tmp_path, cache, monkeypatch, options):
    root = folder_of(tmp_path / "a", 5)
    wanted = load(root)
    assert isinstance(wanted.train, TensorSplit)
    monkeypatch.setattr(stored, "IN_MEMORY", 0)
    for name in ("train", "val", "test"):
        split = getattr(load(root, **options), name)
        assert not isinstance(split, TensorSplit)
        loader = DataLoader(split, batch_sampler=[[1, 0], [2]], collate_fn=collate, num_workers=2)
        for index, batch in zip(([1, 0], [2]), loader, strict=True):
            for key, value in getattr(wanted, name).__getitems__(index).items():
                assert torch.equal(batch[key], value)
    assert torch.equal(split[2]["image"], wanted.test[2]["image"])


@pytest.mark.parametrize("name", ["pixels", "contents.json"])
def test_a_damaged_cache_is_rebuilt(tmp_path, cache, name):
    root = folder_of(tmp_path / "a", 5)
    first = load(root).train.columns["image"]
    for path in cache.glob(f"*/{name}"):
        path.write_bytes(path.read_bytes()[:50])
    assert torch.equal(load(root).train.columns["image"], first)


def test_a_class_folder_without_images_is_reported(tmp_path, cache, capsys):
    root = folder_of(tmp_path / "a", 5)
    (root / "phone").mkdir()
    (root / "phone" / "1.mp4").write_bytes(b"")
    assert load(root).spec.class_names == sorted(COLOURS)
    assert "hold no images" in capsys.readouterr().out


def test_parallel_results_keep_the_order_of_the_files(tmp_path, monkeypatch):
    monkeypatch.setattr(_parallel, "n_cores", lambda: 2)
    names = [f"{i:04}" for i in range(_parallel.CHUNK_SIZE * 10 + 3)]
    results = list(_parallel.map_files(refuse_sevens, [tmp_path / name for name in names], "naming"))
    assert list(map(str, results)) == names
    assert [isinstance(result, UserError) for result in results] == [name.endswith("7") for name in names]


def test_an_interrupted_decoding_leaves_no_files(tmp_path, cache, monkeypatch):
    root = folder_of(tmp_path / "a", 3)

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(_image_store, "_write_pixels", full)
    with pytest.raises(UserError, match="No space left on device\nset ZOO_CACHE"):
        load(root)
    assert decoded(cache) == []
    monkeypatch.setattr(_image_store.shutil, "disk_usage", lambda folder: type("Usage", (), {"free": 1000}))
    assert not isinstance(load(root).train, TensorSplit)  # decodes whenever an image is asked for
    with pytest.raises(UserError, match=r"data.cache=false"):
        load(root, cache=True)


# Tables of paths and labels


def table_of(root, heading="filename,label", separator=",", label=str):
    rows = [f"{path.relative_to(root)}{separator}{label(path.parent.name)}" for path in sorted(root.rglob("*.png"))]
    (root / "labels.csv").write_text("\n".join([heading, *rows]), encoding="utf-8-sig")
    return root / "labels.csv"


@pytest.mark.parametrize(("heading", "separator"), [("filename,label", ","), ("x;y", ";"), ("Image\tClass", "\t")])
def test_a_table_gives_the_classes(tmp_path, cache, heading, separator):
    root = folder_of(tmp_path / "a", 5)
    table = table_of(root, heading, separator)
    expected = load(root)
    for options in ({"labels": str(table)}, {"labels": "labels.csv", "path": str(root)}):
        splits = zoo.load_data("imagefolder", **options)
        assert splits.spec.class_names == ["blue", "green", "red"]
        assert torch.equal(splits.train.columns["image"], expected.train.columns["image"])


def test_columns_are_found_by_name(tmp_path, cache):
    root = folder_of(tmp_path / "a", 5)
    for heading in ("species,number,path", "class,number,x,path", "number,Label,file"):
        columns = heading.split(",")
        cells = {"number": "1", "x": "2"}
        lines = [
            ",".join(
                cells.get(column, str(path) if column in ("path", "file") else path.parent.name) for column in columns
            )
            for path in sorted(root.rglob("*.png"))
        ]
        (root / "t.csv").write_text("\n".join([heading, *lines]))
        splits = zoo.load_data("imagefolder", labels=str(root / "t.csv"))
        assert splits.spec.class_names == ["blue", "green", "red"]


def test_a_table_of_numbers_is_a_regression(tmp_path, cache):
    root = folder_of(tmp_path / "a", 5)
    table = table_of(root, label=lambda name: len(name) / 2)
    splits = zoo.load_data("imagefolder", labels=str(table), task="regression")
    assert (splits.spec.task, splits.spec.n_outputs, splits.spec.class_names) == ("regression", 1, [])
    assert splits.train.columns["target"].shape == (9, 1)
    assert set(splits.train.columns["target"].flatten().tolist()) <= {1.5, 2.0, 2.5}
    table_of(root)
    with pytest.raises(UserError, match=r"a number, such as 2\.5; there is 'blue'"):
        zoo.load_data("imagefolder", labels=str(table), task="regression")


def rows_of(root, **columns):
    """A table of all pictures: each column is a function of the picture's path."""
    paths = sorted(root.rglob("*.png"))
    table = pd.DataFrame({name: [cell(i, path) for i, path in enumerate(paths)] for name, cell in columns.items()})
    table.to_csv(root / "t.csv", index=False)
    return root / "t.csv"


def relative(root):
    return lambda i, path: str(path.relative_to(root))


def label(i, path):
    return path.parent.name


WORDS = (("train", "valid", "test"), ("Training", "validation ", "TESTING"), ("train", "dev", "test"))


@pytest.mark.parametrize("words", WORDS)
def test_a_column_of_splits_is_used_and_reported(tmp_path, cache, capsys, words):
    root = folder_of(tmp_path / "a", 10)
    split = [0, 0, 0, 0, 0, 0, 1, 1, 1, 2]
    table = rows_of(root, file=relative(root), label=label, part=lambda i, path: words[split[i % 10]])
    splits = zoo.load_data("imagefolder", labels=str(table))
    assert [len(part) for part in (splits.train, splits.val, splits.test)] == [18, 9, 3]
    assert all(colours_agree(part) for part in (splits.train, splits.val, splits.test))
    assert "splits are those of column 'part': 18 / 9 / 3 rows" in capsys.readouterr().out
    one = read_labelled(splits.spec, {"name": "imagefolder", "path": None, "labels": str(table)})
    assert torch.equal(one.columns["image"], splits.test.columns["image"])  # the others are training images


def test_a_split_column_with_other_words_is_not_used_which_is_reported(tmp_path, cache, capsys):
    root = folder_of(tmp_path / "a", 5)
    table = rows_of(root, file=relative(root), label=label, split=lambda i, path: "train" if i % 2 else "pilot")
    assert len(zoo.load_data("imagefolder", labels=str(table)).train) == 9
    assert "not used: split" in capsys.readouterr().out


WRITTEN = {  # notations of a path in a table, for red/3.png
    "windows": lambda path: f"{path.parent.name}\\{path.name}",
    "elsewhere": lambda path: f"C:\\Users\\me\\{path.parent.name}\\{path.name}",
    "without ending": lambda path: f"{path.parent.name}/{path.stem}",
    "name alone": lambda path: path.name,
    "identifier": lambda path: path.stem,
    "other capitals": lambda path: f"{path.parent.name}/{path.name}".upper(),
    "dot": lambda path: f"./{path.parent.name}/{path.name} ",
}


@pytest.mark.parametrize("form", WRITTEN)
def test_files_are_found_in_every_notation_of_their_paths(tmp_path, cache, form):
    root = folder_of(tmp_path / "a", 5)
    for number, path in enumerate(sorted(root.rglob("*.png"))):
        path.rename(path.with_name(f"{number:03}.png"))
    table = rows_of(root, id_code=lambda i, path: WRITTEN[form](path), diagnosis=label)
    splits = zoo.load_data("imagefolder", labels=str(table))
    assert splits.spec.class_names == ["blue", "green", "red"] and colours_agree(splits.test)


def test_a_path_that_fits_several_files_is_refused(tmp_path, cache):
    root = folder_of(tmp_path / "a", 5)
    table = rows_of(root, id=lambda i, path: path.stem, label=label)
    with pytest.raises(UserError, match=r"leads to one file; it may be blue/0.png or green/0.png or red/0.png"):
        zoo.load_data("imagefolder", labels=str(table))


def test_labels_are_read_as_text(tmp_path, cache, capsys):
    root = folder_of(tmp_path / "a", 5)
    names = {"red": "01", "green": "1", "blue": "NA "}
    table = rows_of(root, file=relative(root), label=lambda i, path: names[path.parent.name])
    assert zoo.load_data("imagefolder", labels=str(table)).spec.class_names == ["01", "1", "NA"]
    out = capsys.readouterr().out
    assert "spaces around labels are removed, in 5 rows" in out
    assert "leading zeros are different classes: 01 and 1" in out


def test_class_folders_may_have_any_name(tmp_path, cache):
    root = folder_of(tmp_path / "a", 5)
    for old, new in {"red": "NA", "green": "None", "blue": "01"}.items():
        (root / old).rename(root / new)
    assert load(root).spec.class_names == ["01", "NA", "None"]


def test_tables_are_read_in_other_encodings_and_formats(tmp_path, cache):
    root = folder_of(tmp_path / "a", 5)
    names = {"red": "赤", "green": "緑", "blue": "青"}
    frame = pd.read_csv(rows_of(root, file=relative(root), label=lambda i, path: names[path.parent.name]))
    frame.to_csv(root / "t.csv", index=False, encoding="shift_jis")
    frame.to_json(root / "t.jsonl", orient="records", lines=True)
    frame.to_parquet(root / "t.parquet")
    for name, encoding in (("t.csv", "shift_jis"), ("t.jsonl", None), ("t.parquet", None)):
        spec = zoo.load_data("imagefolder", labels=str(root / name), encoding=encoding).spec
        assert spec.class_names == sorted(names.values())
    with pytest.raises(UserError, match="no encoding 'shiftjs'"):
        zoo.load_data("imagefolder", labels=str(root / "t.csv"), encoding="shiftjs")


def test_the_label_column_can_be_named(tmp_path, cache):
    root = folder_of(tmp_path / "a", 5)
    table = rows_of(root, x=lambda i, path: "1", label=lambda i, path: "no", file=relative(root), y=label)
    assert zoo.load_data("imagefolder", labels=str(table), target="y").spec.class_names == ["blue", "green", "red"]
    with pytest.raises(UserError, match=r"no column .data.target. 'yy'; the nearest: y"):
        zoo.load_data("imagefolder", labels=str(table), target="yy")
    with pytest.raises(UserError, match=r"a column of the table data.labels"):
        load(root, target="y")


def test_a_wrong_table_is_refused_with_the_rule_it_breaks(tmp_path, cache):
    root = folder_of(tmp_path / "a", 3)
    table = root / "labels.csv"
    for content, message in {
        "": "is not a CSV of paths and labels",
        "path\nred/0.png": "it has 1 columns and 1 rows",
        "path,label\nred/0.png,a\nred/9.png,b\nred/8.png,b": "every path of .* there is no .*red/9.png, .*red/8.png",
        "path,label\nred/0.png,a\nred/1.png,": "every row of .* has a label; row 3",
        "path,label\nred/0.png,a\nred/0.png,b": "a file has one row in .*: .*red/0.png",
    }.items():
        table.write_text(content)
        with pytest.raises(UserError, match=message):
            zoo.load_data("imagefolder", labels=str(table))


# Mistakes


def test_a_wrong_folder_is_refused_with_the_rule_it_breaks(tmp_path, cache):
    root = folder_of(tmp_path / "flowers", 3)
    for path, message in {
        tmp_path / "flower": "does not exist: no file or folder 'flower'; the nearest: flowers",
        root / "red" / "0.png": "data.path is a folder; .* is a file",
        root / "red": "has none; the images lie outside such folders\n.*data.labels",
        tmp_path: "two classes or more; all images are of class 'flowers'",
    }.items():
        with pytest.raises(UserError, match=message):
            load(path)
    (root / "red" / "0.png").unlink()
    with pytest.raises(UserError, match="so 3; class 'red' has 2"):
        load(root)
    with pytest.raises(UserError, match=r"needs data.path"):
        zoo.load_data("imagefolder")


def test_a_broken_link_is_skipped(tmp_path, cache, capsys):
    root = folder_of(tmp_path / "flowers", 3)
    (root / "red" / "gone.png").symlink_to(tmp_path / "nowhere.png")
    for _ in range(2):
        splits = load(root)
        assert sum(map(len, (splits.train, splits.val, splits.test))) == 9
        assert "gone.png: No such file" in capsys.readouterr().out


def test_a_folder_without_a_readable_image_is_refused(tmp_path, cache):
    for name in ("a", "b"):
        (tmp_path / "files" / name).mkdir(parents=True)
        (tmp_path / "files" / name / "1.png").write_text("")
    with pytest.raises(UserError, match=r"none of the 2 image files can be read\n.*the file is empty"):
        load(tmp_path / "files")
    for name in ("a", "b"):
        broken(tmp_path / "files" / name / "cut.png")
        (tmp_path / "files" / name / "1.png").unlink()
    with pytest.raises(UserError, match=r"none of the 2 image files can be read\n.*cut.png"):
        load(tmp_path / "files")


def test_a_class_without_training_images_is_refused(tmp_path, cache):
    folder_of(tmp_path / "a" / "train", 3)
    folder_of(tmp_path / "a" / "test", 3)
    (tmp_path / "a" / "test" / "red").rename(tmp_path / "a" / "test" / "rod")
    with pytest.raises(UserError, match=r"class 'rod', train/ has not; .*nearest: red"):
        load(tmp_path / "a")
    (tmp_path / "a" / "test" / "rod").rename(tmp_path / "a" / "test" / "red")
    for path in (tmp_path / "a" / "train" / "red").iterdir():
        path.write_text("")
    with pytest.raises(UserError, match="each class has a readable image to train; class 'red' has none"):
        load(tmp_path / "a")


def test_the_same_file_in_two_classes_is_reported(tmp_path, cache, capsys):
    root = folder_of(tmp_path / "a", 5)
    (root / "red" / "9.png").write_bytes((root / "blue" / "1.png").read_bytes())
    (root / "red" / "8.png").write_bytes((root / "red" / "1.png").read_bytes())
    for _ in range(2):
        load(root)
        assert "the same file is in two classes, 1 time; such as" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"task": "clasification"}, "no task 'clasification'; the nearest: classification"),
        ({"task": "regression"}, "needs data.labels"),
        ({"size": 0}, "data.size is a number of pixels"),
        ({"size": [3]}, "data.size is a number of pixels"),
        ({"size": "big"}, "data.size is a number of pixels"),
        ({"size": True}, "data.size is a number of pixels"),
        ({"channels": 4}, "data.channels is one of None, 1, 3"),
        ({"corrupt": "ignore"}, "data.corrupt is one of skip, refuse"),
        ({"cache": "yes"}, "data.cache is one of auto, True, False"),
        ({"test_share": 0.0}, "above 0, and below 1 together"),
        ({"test_share": 0.6, "val_share": 0.5}, "above 0, and below 1 together"),
        ({"test_share": 0.8, "val_share": 0.1}, "too few|add images"),
    ],
)
def test_a_wrong_option_is_refused_with_the_allowed_values(tmp_path, cache, options, message):
    root = folder_of(tmp_path / "a", 3)
    with pytest.raises(UserError, match=message):
        load(root, **options)


# From raw images to a prediction


def test_raw_images_are_converted_to_the_models_shape(tmp_path, cache):
    root = folder_of(tmp_path / "a", 3)
    spec = load(root).spec
    red = root / "red" / "0.png"
    wanted = torch.from_numpy(decode_file(red, (3, 32, 32)))
    for raw, single in ((red, True), (Image.open(red), True), ([red], False), ([Image.open(red), red], False)):
        batch, alone = read_raw(spec, raw)
        assert alone is single
        assert torch.equal(batch["image"], wanted.expand(len(batch["image"]), -1, -1, -1))
    batch, alone = read_raw(spec, root)
    assert batch["image"].shape == (9, 3, 32, 32) and not alone
    batch, _ = read_raw(spec, [picture((1, 2, 3), 0, (90, 50)).convert("L"), red])
    assert batch["image"].shape == (2, 3, 32, 32)
    pixels = np.array(Image.open(red))
    assert torch.equal(read_raw(spec, pixels)[0]["image"][0], wanted)
    with pytest.raises(UserError, match=r"an image is \(height, width\) or"):
        read_raw(spec, np.zeros((2, 32, 30, 5), np.uint8))
    with pytest.raises(UserError, match="there are no images in"):
        read_raw(spec, tmp_path / "cache")
    with pytest.raises(UserError, match=r"none.png: No such file"):
        read_raw(spec, tmp_path / "none.png")


def test_a_model_learns_a_folder_and_predicts_its_files(tmp_path, cache, config):
    root = folder_of(tmp_path / "a", 20)
    values = config(
        "model=cnn", "data=imagefolder", f"data.path='{root}'", "data.cache=false", "data.num_workers=1",
        "trainer.max_epochs=3", "data.batch_size=9", "trainer.precision=32-true",
    )  # fmt: skip
    metrics = zoo.train(values, tmp_path / "run")
    assert metrics["test"]["accuracy"] > 0.9
    predictor = zoo.load(tmp_path / "run" / "model.safetensors")
    assert predictor.predict(root / "red" / "0.png") == "red"
    assert predictor.predict([picture(COLOURS["green"], 5, (50, 90))]) == ["green"]


@pytest.mark.long
def test_the_script_trains_on_a_folder(tmp_path, script):
    root = folder_of(tmp_path / "my pictures", 20)
    (root / "red" / "bad.png").write_text("")
    done = script(
        "train", "model=cnn", "data=imagefolder", f"data.path='{root}'", "trainer.max_epochs=2", "data.batch_size=9",
        f"run_dir={tmp_path / 'run'}", env={"ZOO_CACHE": str(tmp_path / "cache"), "COLUMNS": "80"},
    )  # fmt: skip
    assert done.code == 0, done.err
    assert "left out: 1 of 61 image files cannot be read" in done.out
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert metrics["test"]["accuracy"] > 0.5


def test_a_folder_is_predicted_file_by_file(tmp_path, capsys):
    folder = tmp_path / ".cache" / "new"
    for place in ("", "more", ".thumbnails"):
        (folder / place).mkdir(parents=True, exist_ok=True)
        plain("L", 90, (30, 28)).save(folder / place / "1.png")
    (folder / "notes.txt").write_text("no image")
    header, rows = predict_file(zoo.load("cnn/small.mnist5k"), folder, tmp_path / "answers.csv")
    assert [row[0] for row in rows] == ["1.png", "more/1.png"]
    assert (tmp_path / "answers.csv").read_text().splitlines()[0] == ",".join(header)
    assert "left out: 1 of 3 files" in capsys.readouterr().out


def test_unreadable_heic_photos_are_reported_as_such(tmp_path, cache, capsys):
    root = folder_of(tmp_path / "a", 5)
    for name, path in {"0.HEIC": root / "red", "1.jpg": root / "blue", "2.heif": root / "blue"}.items():
        (path / name).write_bytes(b"\0\0\0\x18ftypheic" + bytes(100))
    load(root)
    out = capsys.readouterr().out
    assert "left out: 3 of 18 image files" in out and out.count("HEIC photo") == 3
    for path in root.rglob("*.png"):
        path.rename(path.with_suffix(".HEIC")).write_bytes(b"\0\0\0\x18ftypheic" + bytes(100))
    with pytest.raises(UserError, match=r"none of the 17 image files can be read\n.*HEIC photo"):
        load(root)


# Linked folders


def test_files_behind_links_are_read(tmp_path, cache, capsys):
    root, elsewhere = folder_of(tmp_path / "pictures"), tmp_path / "elsewhere"
    (root / "red").rename(elsewhere)
    (root / "red").symlink_to(elsewhere)  # a class
    (elsewhere / "more").mkdir()
    (elsewhere / "7.png").rename(elsewhere / "more" / "7.png")
    (root / "blue" / "more").mkdir()
    (root / "blue" / "more" / "some").symlink_to(tmp_path / "others")  # deep in a class
    folder_of(tmp_path / "others", 2)
    for name in ("red", "green"):
        (tmp_path / "others" / name).rename(tmp_path / name)
    splits = load(root)
    assert splits.spec.class_names == ["blue", "green", "red"]
    assert sum(map(len, (splits.train, splits.val, splits.test))) == 32
    assert "not followed" not in capsys.readouterr().out


def test_circular_links_end_and_each_file_counts_once(tmp_path, capsys):
    root = folder_of(tmp_path / "pictures", 2)
    links = {
        "red/up": "..",
        "red/me": ".",
        "blue/a": "b",
        "blue/b": "a",
        "blue/0.link.png": "0.png",
        "blue/x": "../red",
    }
    for link, target in links.items():
        (root / link).symlink_to(target)
    found = [str(file.relative_to(root / "blue")) for file in list_images(root / "blue")]
    assert found == ["0.png", "1.png", "x/0.png", "x/1.png"]
    assert capsys.readouterr().out.startswith("not followed, as their targets were found already: 3 links, such as ")
    assert len(list_files(root)) == 8  # a and b lead nowhere


def test_a_linked_folder_is_predicted(tmp_path, runs):
    folder_of(tmp_path / "pictures", 1, (8, 8))
    (tmp_path / "linked").mkdir()
    (tmp_path / "linked" / "more").symlink_to(tmp_path / "pictures")
    _, rows = predict_file(zoo.load(runs["cnn"]), tmp_path / "linked")
    assert [row[0] for row in rows] == ["more/blue/0.png", "more/green/0.png", "more/red/0.png"]


def test_a_class_folder_whose_name_is_not_utf8_is_refused(tmp_path):
    folder_of(tmp_path / "a")
    os.mkdir(os.fsencode(tmp_path / "a") + b"/caf\xe9")
    with pytest.raises(UserError, match=r"text in UTF-8; .* has b'caf\\xe9'\nrename it"):
        zoo.load_data("imagefolder", path=str(tmp_path / "a"))


def test_a_table_without_headings_is_refused(tmp_path):
    root = folder_of(tmp_path / "a")
    table = tmp_path / "labels.csv"
    table.write_text("\n".join(f"{path},{path.parent.name}" for path in list_images(root)))
    with pytest.raises(UserError, match=r"begins with a file, .*; write headings above it, such as file,label"):
        zoo.load_data("imagefolder", labels=str(table))


@pytest.mark.parametrize("contents", ["[]", '{"rows": [0]}', '{"rows": 1, "shape": [1]}', "{"])
def test_a_cache_with_other_contents_is_rebuilt(tmp_path, monkeypatch, contents):
    monkeypatch.setenv("ZOO_CACHE", str(tmp_path / "cache"))
    root = str(folder_of(tmp_path / "a"))
    whole = zoo.load_data("imagefolder", path=root).test[0]["image"]
    next((tmp_path / "cache" / "imagefolder").glob("*/contents.json")).write_text(contents)
    assert torch.equal(zoo.load_data("imagefolder", path=root).test[0]["image"], whole)
