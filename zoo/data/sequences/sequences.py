"""Sequences of the user's own: arrays, tables of steps, .ts files, or folders of recordings, with a label each."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

from zoo.data import DATA, Facts
from zoo.data.folders import ending, folders_in
from zoo.data.images._folder import SPLITS
from zoo.data.sequences._files import Sequences
from zoo.data.sequences._formats import FORMATS, read_file
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
    channels_first: bool = False,
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
            .parquet with a row for each step; a .ts file; or a folder of recordings, <class>/*.wav, perhaps in train/
            and test/.
        test_path: the same of the test split; None takes <name>_TEST.ts beside <name>_TRAIN.ts, whatever they end in.
        target: the array or column of labels, where its name is no usual one.
        id: the column that says which sequence a row belongs to.
        time: the column that orders the rows of a sequence.
        task: "classification" or "regression"; None infers it, and says so.
        max_steps: longer sequences are cut after as many.
        channels_first: read arrays as (n, n_channels, time), here and in new files.
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
    reading: dict[str, Any] = {"id": id, "time": time, "target": target, "channels_first": channels_first}
    reading |= {"rate": rate, "n_mels": n_mels, "window": window, "hop": hop}
    train = _cut(read_file(train_path, reading, labelled=True), max_steps)
    test = None
    if tested:
        as_train = {**reading, **train.reading, "columns": train.columns}
        test = _cut(read_file(tested, as_train, labelled=True), max_steps)
    splits = sequence_splits(
        re.sub("_train$", "", Path(path or "").resolve().name.split(".")[0], flags=re.I),
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
    train, test = _pair_in(path) if path.is_dir() else (path, _test_file(path))
    if test:
        print(f"{train.name} trains, {test.name} tests; data.test_path= names another")
    return train, test


def _pair_in(folder: Path) -> tuple[Path, Path | None]:
    """The folders train/ and test/ of a folder, or the pair of files in it; else all of it."""
    named = [name for name in folders_in(folder) if name.lower() in SPLITS]
    splits = [SPLITS[name.lower()] for name in named]
    if len(named) > 1 and sorted(splits) != ["test", "train"]:
        raise UserError(f"{folder} has {', '.join(named)}; splits are train/ and test/: rename or join them")
    if len(named) > 1:
        return folder / named[splits.index("train")], folder / named[splits.index("test")]
    pairs = [(one, _test_file(one)) for one in sorted(folder.iterdir(), key=_format) if _format(one) < len(FORMATS)]
    pairs = [(train, test) for train, test in pairs if test]
    if len({train.name.split(".")[0] for train, _ in pairs}) > 1:
        raise UserError(f"{folder} holds several sets: say which, such as data.path={pairs[0][0]}")
    return pairs[0] if pairs else (folder, None)


def _format(path: Path) -> int:
    """The place of a file's format in FORMATS, or past their end."""
    return FORMATS.index(ending(path.name)) if ending(path.name) in FORMATS else len(FORMATS)


def _test_file(train: Path) -> Path | None:
    """The file beside <name>_TRAIN.* that is called <name>_TEST.*, in whatever capitals, if there is one."""
    name = re.sub(r"_train(?=(\.\w+)*$)", "_test", train.name.lower())
    others = train.parent.iterdir() if name != train.name.lower() and train.exists() else []
    return next((other for other in others if other.name.lower() == name), None)


def _cut(part: Sequences, max_steps: int | None) -> Sequences:
    n_long = sum(len(values) > max_steps for values in part.values) if max_steps else 0
    if n_long:
        print(f"{n_long} of {len(part.values)} sequences are cut after {max_steps} steps")
    return replace(part, values=[values[:max_steps] for values in part.values])
