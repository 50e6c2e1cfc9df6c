"""The data sets of sequences and texts on which models are compared, with what is to be reached on each."""

import os
import tarfile
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, lru_cache
from pathlib import Path

import pandas as pd

from benchmarks._comparison import quiet
from zoo import config
from zoo.core.spec import DataSpec
from zoo.data.module import load_section
from zoo.data.splits import Splits

ARCHIVE = (
    *("UnitTest", "GunPoint", "ItalyPowerDemand", "ArrowHead", "BasicMotions", "Covid3Month_disc", "JapaneseVowels"),
    *("OSULeaf", "PickupGestureWiimoteZ", "ACSF1"),
)  # the labelled sets inside aeon
SPEAKERS = ("george", "jackson", "lucas", "nicolas", "theo", "yweweler")
HORIZONS = {96: 0.362, 192: 0.398, 336: 0.428, 720: 0.430}  # hours, and the goal
N_FOLDS = 5  # of film reviews
OF_CLASSES = ("rnn", "rnn/gru", "rnn/lstm", "rnn/conv_gru", "rnn/mingru", "rnn/lru", "rnn/xlstm", "cnn/inception_time")
LESS_IS_BETTER = ("nats", "mse", "mse_scaled")


def goal_note(score: str, goal: float, *values: float) -> tuple[str, list[bool]]:
    """A goal in words, and which values of a score reach it."""
    less = score in LESS_IS_BETTER
    reached = [value <= goal if less else value >= goal for value in values]
    return f"{'at most' if less else 'at least'} {goal:.4g}", reached


@dataclass(frozen=True)
class Task:
    """A data set with the models of the zoo that are tried on it.

    Args:
        name: in the table.
        words: the settings that name it, for a seed.
        goals: its metrics, and what they are to reach; None where there is no goal.
        ours: models of the zoo, the default first.
        n_seeds: of ours, and of others at most.
        folds: whether a seed has splits of its own, so that all models have all seeds.
        whole: further settings, for models that read texts of any length.
        beside: models that the zoo's is to be as good as, as a pattern, less a margin.
        file: the pretrained file of these data; "" if there is none.
    """

    name: str
    words: Callable[[int], list[str]]
    goals: Mapping[str, float | None]
    ours: Sequence[str] = OF_CLASSES
    n_seeds: int = 5
    folds: bool = False
    whole: Sequence[str] = ()
    beside: tuple[str, float] = field(default=("", 0.0))
    file: str = ""

    def models(self, seed: int) -> Sequence[str]:
        """Models of the zoo that are trained with a seed: with the first, and where a seed has a split of its own, all;
        with another the default."""
        if seed >= self.n_seeds:
            return ()
        return self.ours if seed == 0 or self.folds else self.ours[:1]

    @property
    def spec(self) -> DataSpec:
        """What the first splits are described by."""
        return _spec(*self.words(0))

    def splits(self, seed: int, *, whole: bool = False) -> Splits:
        """The splits of a seed, perhaps with texts that are not cut."""
        return _splits(*self.words(seed), *(self.whole if whole else ()))


@lru_cache(maxsize=2)
def _splits(*words: str) -> Splits:
    with quiet():
        return load_section(config("rnn", *words)["data"])


@cache
def _spec(*words: str) -> DataSpec:
    return _splits(*words).spec


def all_tasks() -> list[Task]:
    """All of them, the quick ones first."""
    few = ("rnn", "rnn/gru", "rnn/lstm")
    return [
        *(Task(name, _always("data=ucr", f"data.name={name}"), {"accuracy": None}) for name in ARCHIVE),
        Task(
            "japanese_vowels",
            _always("data=japanese_vowels"),
            {"accuracy": 0.99},
            few,
            n_seeds=10,
            file="rnn/rocket_gru.japanese_vowels",
        ),
        Task(
            "surnames",
            _always("data=surnames"),
            {"accuracy": 0.845, "f1": 0.56},
            few,
            file="rnn/ngram_gru.surnames",
        ),
        Task(
            "mnist1d",
            lambda seed: ["data=mnist1d", f"data.seed={42 + seed}"],
            {"accuracy": 0.983},
            few[:2],
            folds=True,
            file="rnn/rocket_gru.mnist1d",
        ),
        Task("surnames, a line each", lambda _: ["data=text", f"data.path={names_file()}"], {"nats": None}, few[:2], 1),
        Task(
            "shakespeare",
            _always("data=shakespeare"),
            {"nats": 1.6},
            few[:2],
            1,
            file="rnn/char_lm.shakespeare",
        ),
        Task(
            "film reviews",
            lambda fold: ["data=texts", f"data.path={review_tables()}/{fold}_TRAIN.csv", "data.target=label"],
            {"accuracy": None},
            few[:2],
            N_FOLDS,
            folds=True,
            whole=["data.max_chars=100000"],
            beside=("TF-IDF*", 0.005),
        ),
        Task("fsdd", _always("data=fsdd"), {"accuracy": 0.997}, few, file="rnn/rocket_gru.fsdd"),
        Task(
            "fsdd, unknown speaker",
            lambda seed: ["data=fsdd", f"data.speaker={SPEAKERS[seed]}"],
            {"accuracy": 0.88},
            few[:2],
            len(SPEAKERS),
            folds=True,
        ),
        *(
            Task(
                f"etth1, {n} hours",
                _always("data=etth1", f"data.horizon={n}"),
                {"mse_scaled": goal},
                few[:2],
                1,
                file="rnn/segrnn.etth1" if n == 96 else "",
            )
            for n, goal in HORIZONS.items()
        ),
    ]


def _always(*words: str) -> Callable[[int], list[str]]:
    return lambda _: [*words]


@cache
def _folder() -> tempfile.TemporaryDirectory[str]:
    """Where files are put that are made of others; deleted when the process ends."""
    return tempfile.TemporaryDirectory()


def published(name: str) -> Path:
    """A file or folder of $ZOO_DATA."""
    return Path(os.environ.get("ZOO_DATA", "data"), name)


@cache
def names_file() -> Path:
    """All surnames, a line each."""
    path = Path(_folder().name, "names.txt")
    texts = [file.read_text("utf-8") for file in sorted(published("names").glob("*.txt"))]
    names = {name.strip() for text in texts for name in text.splitlines()}
    path.write_text("\n".join(sorted(names - {""})) + "\n", "utf-8")
    return path


@cache
def review_tables() -> Path:
    """A folder with a table of the training and one of the test reviews of each fold, by the files' numbers."""
    rows = []
    with tarfile.open(published("texts/review_polarity.tar.gz")) as tar:
        for member in tar:
            if member.isfile() and member.name.endswith(".txt"):
                label, name = member.name.split("/")[-2:]
                text = tar.extractfile(member).read().decode("latin-1")  # type: ignore[union-attr]
                words = "".join(c if c.isprintable() else " " for c in text).split()
                rows.append((" ".join(words), label, int(name[2:5]) % N_FOLDS))
    table, folder = pd.DataFrame(rows, columns=["text", "label", "fold"]), Path(_folder().name)
    for fold in range(N_FOLDS):
        for split, part in (("TRAIN", table.fold != fold), ("TEST", table.fold == fold)):
            table.loc[part, ["text", "label"]].to_csv(folder / f"{fold}_{split}.csv", index=False)
    return folder
