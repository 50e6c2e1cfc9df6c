"""Sequences of the user's own: arrays, tables of steps, .ts files, or folders of recordings, with a label each."""

from dataclasses import replace
from pathlib import Path

from zoo.data import DATA, Facts
from zoo.data.images._folder import SPLITS
from zoo.data.sequences._files import Sequences
from zoo.data.sequences._formats import read_file
from zoo.data.sequences._labelled import sequence_splits
from zoo.data.sequences._sound import check_sound
from zoo.data.splits import Splits, check_shares, sample_keys, say_twins
from zoo.errors import UserError, unknown

TASKS = ("classification", "regression")
FACTS = Facts(
    task="any",
    rows="as found; 60 / 20 / 20 % where there is no test file",
    inputs="sequence of any lengths and channels; recordings as log-mel spectrograms",
    licence="that of the files",
    source="files of the user's own",
)


@DATA.register("sequences")
def sequences(
    *,
    path: str | None = None,
    test_path: str | None = None,
    target: str | None = None,
    id: str | None = None,
    time: str | None = None,
    task: str | None = None,
    max_steps: int | None = None,
    rate: int | None = None,
    n_mels: int = 40,
    window: float = 25.0,
    hop: float = 10.0,
    val_share: float = 0.2,
    test_share: float = 0.2,
    split_seed: int = 0,
) -> Splits:
    """Whole sequences with a class or a number each, split at random where no test file is given or found.

    Args:
        path: an .npz or .npy of `X` (n, time, n_channels), `y` (n,) and perhaps `lengths` (n,); a .csv, .tsv or
            .parquet with a row for each step; a .ts file, <name>_TRAIN.ts with its <name>_TEST.ts; or a folder of
            recordings, <class>/*.wav, perhaps in train/ and test/.
        test_path: the same of the test split.
        target: the array or column of labels, where its name is no usual one.
        id: the column that says which sequence a row belongs to.
        time: the column that orders the rows of a sequence.
        task: "classification" or "regression"; None infers it, and says so.
        max_steps: longer sequences are cut after as many.
        rate: Hz that recordings are brought to; None takes that of the first.
        n_mels: bands of the spectrogram of recordings.
        window: milliseconds that a step of it sees.
        hop: milliseconds from step to step.
        val_share: share of the sequences that validate.
        test_share: share that test, where there is no test file.
        split_seed: of the splits.
    """
    check_shares(val_share, test_share)
    id, time, target = (None if one is None else str(one) for one in (id, time, target))  # headings may be numbers
    check_sound(n_mels=n_mels, window=window, hop=hop)
    _check_options(path, task, max_steps=max_steps, rate=rate)
    train_path, tested = _pair(Path(path or "").expanduser(), test_path)
    reading = {"id": id, "time": time, "target": target, "rate": rate, "n_mels": n_mels, "window": window, "hop": hop}
    train = _cut(read_file(train_path, reading, labelled=True), max_steps)
    test = None
    if tested:
        as_train = {**reading, **train.reading, "columns": train.columns}
        test = _cut(read_file(tested, as_train, labelled=True), max_steps)
    splits = sequence_splits(
        Path(path or "").resolve().name.split(".")[0].removesuffix("_TRAIN"),
        train,
        test,
        val=val_share,
        test_share=test_share,
        split_seed=split_seed,
        target=target or train.reading.get("target", "class"),
        task=task,
        reading=train.reading | ({"max_steps": max_steps} if max_steps else {}),
        licence=FACTS.licence,
        source=FACTS.source,
    )
    say_twins(*map(sample_keys, (splits.train, splits.val, splits.test)))
    return splits


def _check_options(path: str | None, task: str | None, **counts: int | None) -> None:
    if not path:
        raise UserError("data=sequences reads your own files: say where they are, data.path=<file or folder>")
    if task not in (None, *TASKS):
        raise unknown("task (data.task)", task, TASKS)
    for name, count in counts.items():
        if not (count is None or (type(count) is int and count >= 1)):
            raise UserError(f"data.{name} is a whole number from 1; got {count}")


def _pair(path: Path, test_path: str | None) -> tuple[Path, Path | None]:
    """The training and the test file or folder, the latter None where there is none."""
    if test_path:
        return path, Path(test_path).expanduser()
    if path.is_dir():
        named = sorted(one.name for one in path.iterdir() if one.is_dir() and one.name.lower() in SPLITS)
        if len(named) > 1 and named != ["test", "train"]:
            raise UserError(f"{path} has {', '.join(named)}; splits are train/ and test/: rename or join them")
        for train, test in ((path / "train", path / "test"), *_ts_pairs(path)):
            if train.exists() and test.exists():
                return train, test
    if path.name.endswith("_TRAIN.ts"):
        test = path.with_name(path.name.replace("_TRAIN.ts", "_TEST.ts"))
        return path, test if test.exists() else None
    return path, None


def _ts_pairs(folder: Path) -> list[tuple[Path, Path]]:
    """The training file of each .ts pair in a folder, and the test file it should have."""
    return [(train, train.with_name(train.name.replace("_TRAIN", "_TEST"))) for train in folder.glob("*_TRAIN.ts")]


def _cut(part: Sequences, max_steps: int | None) -> Sequences:
    n_long = sum(len(values) > max_steps for values in part.values) if max_steps else 0
    if n_long:
        print(f"{n_long} of {len(part.values)} sequences are cut after {max_steps} steps")
    return replace(part, values=[values[:max_steps] for values in part.values])
