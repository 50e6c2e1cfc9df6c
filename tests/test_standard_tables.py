"""The standard tables have their published sizes, protocols and file formats."""

import functools
import gzip
import hashlib
import json
import os

import joblib
import numpy as np
import pytest
import sklearn.datasets
import torch
from sklearn.model_selection import train_test_split

import zoo
from zoo.core.errors import UserError
from zoo.data import facts
from zoo.data.hashing import input_hashes_in_memory
from zoo.data.sources import published
from zoo.data.tables import adult, california, covertype
from zoo.data.tables._sklearn_sets import FoldOptions, random_split

NEED_FILES = pytest.mark.skipif("ZOO_DATA" not in os.environ, reason="set ZOO_DATA to a folder with the large sets")
BUNDLED = {
    "breast_cancer": (341, 114, 114),
    "digits": (1077, 360, 360),
    "wine": (106, 36, 36),
    "diabetes": (264, 89, 89),
}
load = functools.cache(zoo.load_data)


def sizes(splits):
    return len(splits.train), len(splits.val), len(splits.test)


def same(split, numeric, target):
    return torch.equal(split.columns["numeric"], torch.tensor(numeric, dtype=torch.float32)) and torch.equal(
        split.columns["target"], torch.tensor(target)
    )


@pytest.mark.parametrize("name", [*BUNDLED, "california", "adult", "covertype", "openml"])
def test_facts_name_task_licence_and_source(name):
    assert all(facts(name)[:5])
    assert facts(name).network == ("no" if name in BUNDLED else "fetched")


@pytest.mark.parametrize("name", BUNDLED)
def test_bundled_sets_are_split_at_random_60_20_20(name):
    splits, bunch = load(name), getattr(sklearn.datasets, f"load_{name}")()
    is_class = splits.spec.task == "classification"
    target = bunch.target if is_class else bunch.target[:, None].astype(np.float32)
    labels = bunch.target if is_class else None
    rest, test = train_test_split(np.arange(len(target)), test_size=0.2, random_state=0, stratify=labels)
    train, val = train_test_split(rest, test_size=0.25, random_state=0, stratify=target[rest] if is_class else None)
    assert sizes(splits) == BUNDLED[name]
    assert facts(name).rows == " / ".join(f"{size:,}" for size in BUNDLED[name])
    for split, rows in ((splits.train, train), (splits.val, val), (splits.test, test)):
        assert same(split, bunch.data[rows], target[rows])
    assert splits.spec.column_names == list(bunch.feature_names)
    assert not is_class or list(splits.spec.class_names) == [str(name) for name in bunch.target_names]


@pytest.mark.parametrize("stratified", [True, False])
@pytest.mark.parametrize(("n", "n_folds"), [(178, 5), (103, 10)])
def test_folds_are_disjoint_and_cover_all_rows_once(n, n_folds, stratified):
    labels = np.arange(n) % 3 if stratified else None
    folds = [random_split(n, FoldOptions(split_seed=1, fold=fold, n_folds=n_folds), labels) for fold in range(n_folds)]
    assert sorted(np.concatenate([test for _, _, test in folds])) == list(range(n))
    for train, val, test in folds:
        assert sorted(np.concatenate([train, val, test])) == list(range(n))
        assert len(val) == pytest.approx(0.2 * (len(train) + len(val)), abs=1)
        assert not stratified or np.ptp(np.bincount(labels[test])) <= 2


def test_a_fold_is_reproducible_and_differs_from_others():
    one, again, other = (zoo.load_data("wine", fold=fold, n_folds=3) for fold in (0, 0, 2))
    assert sizes(one) == (94, 24, 60)
    assert torch.equal(one.train.columns["numeric"], again.train.columns["numeric"])
    assert not torch.equal(one.test.columns["numeric"], other.test.columns["numeric"][:60])


@pytest.mark.parametrize(
    "options", [{"fold": 5}, {"fold": -1}, {"fold": "x"}, {"fold": 0, "n_folds": 1}, {"fold": 0, "n_folds": 999}]
)
def test_a_fold_that_does_not_exist_is_refused(options):
    with pytest.raises(UserError, match="n_folds"):
        zoo.load_data("wine", **options)


HOUSES = b"""-122.230000,37.880000,41.000000,880.000000,129.000000,322.000000,126.000000,8.325200,452600.000000
-122.220000,37.860000,21.000000,7099.000000,1106.000000,2401.000000,1138.000000,8.301400,358500.000000
-122.240000,37.850000,52.000000,1467.000000,190.000000,496.000000,177.000000,7.257400,352100.000000
"""


def as_sklearn_derives(content, folder):
    raw = np.loadtxt(content.decode().splitlines(), delimiter=",")[:, [8, 7, 2, 3, 4, 5, 6, 1, 0]]
    joblib.dump(raw, folder / "cal_housing_py3.pkz")  # as scikit-learn caches it
    return sklearn.datasets.fetch_california_housing(data_home=folder, download_if_missing=False)


def test_california_has_the_columns_of_scikit_learn(tmp_path):
    frame, bunch = california.parse(HOUSES), as_sklearn_derives(HOUSES, tmp_path)
    assert list(frame.columns) == [*bunch.feature_names, california.TARGET]
    assert (frame.to_numpy() == np.column_stack([bunch.data, bunch.target])).all()


@NEED_FILES
def test_california_has_the_published_split(tmp_path):
    splits = load("california")
    content = published.read_data_file("california_housing/cal_housing.data", california.SHA256, [])
    bunch = as_sklearn_derives(content, tmp_path)
    target = bunch.target[:, None].astype(np.float32)
    rest, test = train_test_split(np.arange(20640), test_size=0.2, random_state=0)
    train, val = train_test_split(rest, test_size=0.2, random_state=1)
    assert sizes(splits) == (13209, 3303, 4128)
    for split, rows in ((splits.train, train), (splits.val, val), (splits.test, test)):
        assert same(split, bunch.data[rows], target[rows])
    assert splits.test.columns["target"][:2].flatten().tolist() == pytest.approx([1.369, 2.413])


PEOPLE = (
    b"39, State-gov, 77516, Bachelors, 13, Never-married, Adm-clerical, Not-in-family, White, Male, 2174, 0, 40, "
    b"United-States, <=50K\n"
    b"54, ?, 180211, HS-grad, 9, Married-civ-spouse, ?, Husband, Asian-Pac-Islander, Male, 0, 0, 60, South, >50K\n"
    b"\n"
)
PEOPLE_TEST = b"|1x3 Cross validator\n" + PEOPLE.replace(b"K\n", b"K.\n")


@pytest.mark.parametrize("content", [PEOPLE, PEOPLE_TEST])
def test_both_files_of_adult_are_parsed(content):
    frame = adult.parse(content)
    assert frame["income"].tolist() == ["<=50K", ">50K"]
    assert frame["native-country"].tolist() == ["United-States", "South"]
    assert frame["workclass"].isna().tolist() == [False, True]
    assert frame["fnlwgt"].tolist() == [77516, 180211]


@NEED_FILES
def test_adult_has_the_published_split():
    splits = load("adult")
    assert sizes(splits) == (26048, 6513, 16281)
    train, val, test = (
        np.bincount(split.columns["target"]).tolist() for split in (splits.train, splits.val, splits.test)
    )
    assert (np.add(train, val).tolist(), test) == ([24720, 7841], [12435, 3846])
    assert val == [4945, 1568]
    assert splits.test.columns["target"][:4].tolist() == [0, 0, 1, 1]
    assert splits.test.columns["numeric"][0].tolist() == [25, 226802, 7, 0, 0, 40]


@NEED_FILES
def test_the_duplicates_of_adult_are_reported(capsys):
    """20 test rows are also in the training split, 6 more in the validation split."""
    splits = zoo.load_data("adult")
    train, test = (input_hashes_in_memory(split) for split in (splits.train, splits.test))
    assert np.isin(test, train).sum() == 20
    assert "26 of test" in capsys.readouterr().out and "20 of the last" in facts("adult").rows


@NEED_FILES
def test_adult_has_a_code_for_missing_values():
    splits = load("adult")
    columns = {column.name: column for column in splits.spec.columns}
    nominal = [name for name, kind in adult.KINDS.items() if kind == "categorical"]
    assert {name for name in nominal if columns[name].missing} == {"workclass", "occupation", "native-country"}
    assert splits.spec.inputs["categorical"].cardinalities == tuple(
        1 + len(columns[name].categories) + columns[name].missing for name in nominal
    )
    codes = splits.test.columns["categorical"]
    workclass = 1 + len(columns["workclass"].categories)  # the code of a missing one
    assert (codes[:, 0] == workclass).sum() == 963
    assert (codes >= 0).all() and (codes < torch.tensor(splits.spec.inputs["categorical"].cardinalities)).all()


@pytest.fixture
def patches():
    """Rows (n, 55) of a small covtype.data with all seven classes."""
    generator = np.random.default_rng(0)
    rows = np.zeros((350, 55), dtype=int)
    rows[:, :10] = generator.integers(-100, 4000, (350, 10))
    rows[np.arange(350), 10 + generator.integers(0, 4, 350)] = 1
    rows[np.arange(350), 14 + generator.integers(0, 40, 350)] = 1
    rows[:, 54] = np.arange(350) % 7 + 1
    return rows


def test_covertype_is_read_and_split_as_published(patches, tmp_path, monkeypatch):
    packed = gzip.compress("".join(",".join(map(str, row)) + "\n" for row in patches).encode())
    (tmp_path / "covertype").mkdir()
    (tmp_path / "covertype" / "covtype.data.gz").write_bytes(packed)
    monkeypatch.setenv("ZOO_DATA", str(tmp_path))
    monkeypatch.setattr(covertype, "PACKED", f"sha256:{hashlib.sha256(packed).hexdigest()}")
    splits, target = covertype.covertype(), patches[:, 54] - 1
    rest, test = train_test_split(np.arange(350), test_size=0.2, random_state=0, stratify=target)
    train, val = train_test_split(rest, test_size=0.2, random_state=1, stratify=target[rest])
    for split, rows in ((splits.train, train), (splits.val, val), (splits.test, test)):
        assert same(split, patches[rows, :54], target[rows])
    assert splits.spec.sizes["n_numeric"] == 54
    assert [column.kind for column in splits.spec.columns] == ["numeric"] * 10 + ["boolean"] * 44
    assert list(splits.spec.class_names) == list(covertype.CLASSES)


ARFF = """@RELATION goods
@ATTRIBUTE colour {red,green,blue}
@ATTRIBUTE weight REAL
@ATTRIBUTE price REAL
@ATTRIBUTE row INTEGER
@ATTRIBUTE sold {yes,no}
@DATA
"""
FEATURES = {"colour": "nominal", "weight": "numeric", "price": "numeric", "row": "numeric", "sold": "nominal"}


@pytest.fixture
def goods(tmp_path, monkeypatch):
    """OpenML's table 7 as scikit-learn caches it, in ZOO_DATA, without network; returns a function that sets the target
    names."""
    monkeypatch.setenv("ZOO_DATA", str(tmp_path))
    monkeypatch.setenv("ZOO_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    monkeypatch.setattr("sklearn.datasets._openml.time.sleep", lambda seconds: None)
    home = tmp_path / "openml" / "openml.org"
    rows = [
        f"{('red', 'green', '?')[i % 3]},{i % 7 / 2},{i * 1.5 + (i % 5)},{i},{('yes', 'no')[i % 2]}\n"
        for i in range(60)
    ]
    arff = (ARFF + "".join(rows)).encode()

    def put(path, content):
        (home / path).parent.mkdir(parents=True, exist_ok=True)
        (home / path).with_name((home / path).name + ".gz").write_bytes(gzip.compress(content))

    def targets(*names):
        features = [
            {
                "index": str(index),
                "name": name,
                "data_type": kind,
                "is_target": str(name in names).lower(),
                "is_ignore": "false",
                "is_row_identifier": str(name == "row").lower(),
                "number_of_missing_values": "20" if name == "colour" else "0",
            }
            for index, (name, kind) in enumerate(FEATURES.items())
        ]
        put("api/v1/json/data/features/7", json.dumps({"data_features": {"feature": features}}).encode())

    description = {
        "id": "7",
        "name": "goods",
        "version": "1",
        "description": "what was sold",
        "format": "ARFF",
        "status": "active",
        "licence": "Public",
        "url": "https://www.openml.org/data/v1/download/70/goods.arff",
        "md5_checksum": hashlib.md5(arff).hexdigest(),
    }
    put("api/v1/json/data/7", json.dumps({"data_set_description": description}).encode())
    put(
        "api/v1/json/data/qualities/7",
        json.dumps({"data_qualities": {"quality": [{"name": "NumberOfInstances", "value": "60"}]}}).encode(),
    )
    put("data/v1/download/70/goods.arff", arff)
    targets("sold")
    return targets


def test_openml_predicts_its_own_target(goods):
    splits = zoo.load_data("openml", id=7)
    assert sizes(splits) == (36, 12, 12)
    assert (splits.spec.name, splits.spec.task, splits.spec.licence) == ("goods", "classification", "Public")
    assert set(splits.spec.class_names) == {"yes", "no"}
    assert splits.spec.column_names == ["colour", "weight", "price"]
    assert np.bincount(splits.test.columns["target"]).tolist() == [6, 6]
    assert splits.spec.inputs["categorical"].cardinalities == (4,)


def test_openml_predicts_another_column(goods):
    splits = zoo.load_data("openml", id=7, target="price", fold=1, n_folds=4)
    assert (splits.spec.task, splits.spec.target_name) == ("regression", "price")
    assert sizes(splits) == (33, 12, 15)


def test_openml_without_a_table_or_a_target_is_refused(goods):
    with pytest.raises(UserError, match="needs the number of a table"):
        zoo.load_data("openml")
    with pytest.raises(UserError, match="no column 'prise'"):
        zoo.load_data("openml", id=7, target="prise")
    goods()
    with pytest.raises(UserError, match="names no target for table 7"):
        zoo.load_data("openml", id=7)
    goods("weight", "price")
    with pytest.raises(UserError, match="several targets"):
        zoo.load_data("openml", id=7)


def test_openml_without_network_names_the_fix(goods, tmp_path):
    with pytest.raises(UserError, match="cannot fetch table 8") as error:
        zoo.load_data("openml", id=8)
    assert str(tmp_path / "openml") in str(error.value)
    assert len(str(error.value).splitlines()) <= 5
