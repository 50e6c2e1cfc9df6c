"""What a user's file or folder is taken for."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from zoo.core.errors import UserError
from zoo.data.detection import data_settings, detect_data
from zoo.data.registry import default_family

DAYS = pd.date_range("2024-01-01", periods=60, freq="D")
HOURS = pd.date_range("2024-01-01", periods=1100, freq="h")
RNG = np.random.default_rng(0)
TABLES = {
    "flats": {"area": RNG.normal(70, 20, 60), "district": RNG.choice(["north", "south"], 60), "price": RNG.random(60)},
    "sales": {"date": DAYS, "sold": RNG.integers(0, 9, 60)},
    "stacked": {"shop": ["a"] * 1100 + ["b"] * 1100, "hour": [*HOURS] * 2, "sold": RNG.integers(0, 9, 2200)},
    "shops": {"shop": ["a", "b"] * 30, "date": DAYS.repeat(2)[:60], "sold": RNG.integers(0, 9, 60)},
    "churn": {
        "since": RNG.permutation(DAYS),
        "plan": RNG.choice(["a", "b"], 60),
        "left": RNG.choice(["yes", "no"], 60),
    },
    "loans": {"since": RNG.choice(pd.date_range("2010", "2024"), 60), "sum": RNG.random(60), "lost": RNG.random(60)},
    "months": {"month": pd.date_range("2015-01-01", periods=60, freq="MS"), "passengers": RNG.integers(0, 99, 60)},
    "reviews": {"text": [f"a long day with {k} birds" for k in range(60)], "label": ["good", "bad"] * 30},
    "names": {"name": [f"n{k}" for k in range(60)], "language": ["one", "two", "three"] * 20},
    "cars": {"weight": RNG.random(60), "name": [f"model {k}" for k in range(60)], "mpg": RNG.random(60)},
    "walks": {"id": np.arange(60) // 20, "time": np.arange(60) % 20, "x": RNG.random(60), "label": ["a"] * 60},
    "steps": {**{f"t{k}": RNG.random(60) for k in range(9)}, "label": ["a", "b"] * 30},
    "photos": {"file": [f"{k}.jpg" for k in range(60)], "species": ["a", "b"] * 30},
}
FOLDERS = {
    "images": ("disc/1.png", "box/2.jpg"),
    "recordings": ("low/1.wav", "high/2.flac", "high/cover.jpg"),
    "letters": ("good/1.txt", "bad/2.txt"),
    "poems": ("1.txt", "2.txt"),
}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("files")
    for name, columns in TABLES.items():
        pd.DataFrame(columns).to_csv(folder / f"{name}.csv", index=False)
    pd.DataFrame(TABLES["flats"]).to_parquet(folder / "flats.parquet")
    pd.DataFrame(TABLES["flats"]).to_json(folder / "flats.jsonl", orient="records", lines=True)
    pd.DataFrame(TABLES["steps"]).round(3).iloc[:, ::-1].to_csv(folder / "ucr.tsv", sep="\t", index=False, header=False)
    for folder_name, names in FOLDERS.items():
        for name in names:
            path = folder / folder_name / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
    for name in ("waves.npz", "waves.ts", "poem.txt", "one.wav", "letter.docx"):
        (folder / name).touch()
    Image.new("L", (8, 8)).save(folder / "one.png")
    (folder / "empty").mkdir()
    return folder


@pytest.mark.parametrize(
    ("name", "model", "target", "data"),
    [
        ("flats.csv", None, "price", "csv"),
        ("flats.csv", "fnn", None, "csv"),
        ("flats.parquet", None, "price", "csv"),
        ("flats.jsonl", None, "price", "csv"),
        ("cars.csv", None, "mpg", "csv"),
        ("sales.csv", None, None, "series"),
        ("sales.csv", "rnn", None, "series"),
        ("sales.csv", "rnn/gru", "sold", "series"),
        ("sales.csv", None, "sold", "csv"),
        ("shops.csv", None, None, "series"),
        ("stacked.csv", None, None, "series"),
        ("shops.csv", "rnn", None, "series"),
        ("months.csv", None, None, "series"),
        ("churn.csv", "rnn", None, "series"),
        ("reviews.csv", None, None, "texts"),
        ("reviews.csv", "rnn", "label", "texts"),
        ("names.csv", None, "language", "texts"),
        ("names.csv", "rnn", None, "texts"),
        ("names.csv", "fnn", "language", "csv"),
        ("names.csv", "fnn,fnn/perceptron", "language", "csv"),
        ("walks.csv", None, None, "sequences"),
        ("walks.csv", "rnn", "label", "sequences"),
        ("steps.csv", "rnn", "label", "sequences"),
        ("steps.csv", None, "label", "csv"),
        ("steps.csv", "cnn/inception_time", None, "sequences"),
        ("ucr.tsv", "rnn", None, "sequences"),
        ("photos.csv", None, "species", "imagefolder"),
        ("waves.npz", None, None, "sequences"),
        ("waves.ts", "cnn/inception_time", None, "sequences"),
        ("poem.txt", None, None, "text"),
        ("images", "cnn", None, "imagefolder"),
        ("recordings", None, None, "sequences"),
        ("letters", None, None, "texts"),
        ("poems", "rnn", None, "text"),
    ],
)
def test_contents_model_and_target_tell_what_reads_a_path(
    files: Path, name: str, model: str | None, target: str | None, data: str
) -> None:
    assert detect_data(files / name, model, target) == data


def test_the_settings_name_the_path_and_the_target_as_the_data_set_does(files: Path) -> None:
    sales, photos = files / "sales.csv", files / "photos.csv"
    assert data_settings(sales, "rnn", "sold") == {"data": "series", "data.path": str(sales), "data.columns": ["sold"]}
    assert data_settings(photos, None, "species")["data.labels"] == str(photos)
    assert default_family("csv") == "fnn" and default_family("imagefolder") == "cnn" and default_family("text") == "rnn"


@pytest.mark.parametrize(
    ("name", "target", "words"),
    [
        ("flats.csv", None, "which column .* area, district, price"),
        ("churn.csv", None, "which column .* zoo train churn.csv left; .* zoo train rnn churn.csv"),
        ("loans.csv", None, "which column .* zoo train loans.csv lost; .* zoo train rnn loans.csv"),
        ("flats.csv", "prise", "nearest: price"),
        ("ucr.tsv", None, "headings .* zoo train rnn ucr.tsv"),
        ("one.wav", None, "a folder for each class"),
        ("one.png", None, "a folder for each class"),
        ("letter.docx", None, r"\.csv.*\.txt"),
        ("empty", None, "holds nothing"),
        ("flat.csv", None, "nearest: flats.csv"),
    ],
)
def test_what_cannot_be_trained_on_is_refused_with_what_is_taken(
    files: Path, name: str, target: str | None, words: str
) -> None:
    with pytest.raises(UserError, match=f"(?s){words}"):
        detect_data(files / name, None, target)
