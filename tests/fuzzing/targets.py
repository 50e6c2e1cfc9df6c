"""Targets: everything that the zoo reads from outside, with small valid seeds and bombs."""

import json
import math
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

import yaml
from hypothesis import strategies as st

import zoo
from fuzzing import bombs, seeds, settings, words
from fuzzing.edits import edit_bytes, edit_tree, edited, nested, tree_edits
from zoo.core.spec import DataSpec
from zoo.data.readers import read_raw


class Target(NamedTuple):
    """A reader to fuzz.

    Attributes:
        cases: strategy that draws cases.
        make: creates the content of a case, for `run`.
        run: reads a content.
        bombs: contents to run once each, before the cases.
        heavy: creates further bombs, which take seconds.
        allowed: names in `guard.FORBIDDEN` and `guard.FAMILIES`.
    """

    cases: st.SearchStrategy[Any]
    make: Callable[[Any], Any]
    run: Callable[[Any], object]
    bombs: Sequence[Any] = ()
    heavy: Callable[[], Sequence[Any]] = tuple
    allowed: Sequence[str] = ()


def files(
    path: Path,
    contents: Sequence[bytes],
    reads: Sequence[Callable[[], object]],
    bombs: Sequence[bytes] = (),
    heavy: Callable[[], Sequence[bytes]] = tuple,
) -> Target:
    """A file at `path` with edited content, read in several ways."""

    def run(given: tuple[int, bytes]) -> None:
        path.write_bytes(given[1])
        reads[given[0]]()

    ways = range(len(reads))
    return Target(
        st.tuples(st.sampled_from(ways), edited(len(contents))),
        lambda case: (case[0], edit_bytes(contents, case[1])),
        run,
        [(way, content) for way in ways for content in bombs],
        lambda: [(way, content) for way in ways for content in heavy()],
    )


def release(folder: Path) -> Target:
    """A weights file: its bytes, or its header with a valid hash; a loaded model predicts a sample."""
    model, card, raw = seeds.model()
    path = folder / "model.safetensors"
    valid = seeds.release_file(model, card)

    def make(case: Any) -> bytes:
        if isinstance(case, tuple):
            return edit_bytes([valid], case)
        return seeds.release_file(model, edit_tree(card, case))

    def run(content: bytes) -> None:
        path.write_bytes(content)
        zoo.load(path).predict(raw)

    return Target(st.one_of(edited(1), tree_edits()), make, run, [bombs.header(valid), bombs.deep_header(model)])


def card(folder: Path) -> Target:
    """The card of a pretrained file: its text, or its values."""
    from zoo.inference import pretrained

    valid = seeds.card(folder / "model.safetensors")

    def make(case: Any) -> bytes:
        if isinstance(case, tuple):
            return edit_bytes([yaml.safe_dump(valid).encode()], case)
        return yaml.dump(edit_tree(valid, case), allow_unicode=False).encode()

    def run(content: bytes) -> None:
        (folder / "model.yaml").write_bytes(content)
        with mock.patch.multiple(pretrained, CARDS=folder, WEIGHTS=folder):
            zoo.load("model")

    return Target(st.one_of(edited(1), tree_edits()), make, run, [nested().encode(), bombs.ALIASES, bombs.MERGES])


def spec(_: Path) -> Target:
    """A spec in JSON, and the task and sizes that follow from it."""
    from zoo.tasks import create_task

    valid = [example.to_json() for example in seeds.SPECS.values()]

    def run(tree: Any) -> None:
        found = DataSpec.from_json(tree)
        create_task(found)
        assert DataSpec.from_json(json.loads(json.dumps(found.to_json()))).sizes == found.sizes

    cases = st.tuples(st.integers(0, len(valid) - 1), tree_edits(6))
    return Target(cases, lambda case: edit_tree(valid[case[0]], case[1]), run)


def checkpoint(folder: Path) -> Target:
    """A checkpoint: its bytes, or its structure with a valid hash."""
    from zoo.engine.checkpoint_io import SafeCheckpointIO

    path = folder / "step=1.ckpt"
    valid, structure = seeds.checkpoint()

    def make(case: Any) -> bytes:
        if isinstance(case, tuple):
            return seeds.sealed(edit_bytes([valid], case))
        return seeds.restructured(valid, json.dumps(edit_tree(structure, case)))

    def run(content: bytes) -> None:
        path.write_bytes(content)
        SafeCheckpointIO().load_checkpoint(path)

    harmful = [seeds.restructured(valid, example) for example in bombs.structures()]
    headers = [seeds.sealed(bombs.header(valid)), valid.replace(b'"data_offsets": [0,', b'"data_offsets": [9,')]
    return Target(st.one_of(edited(1), tree_edits()), make, run, [*harmful, *headers, *bombs.pickles()])


def csv(folder: Path) -> Target:
    """A text table to train on and to predict, and its schema in yaml."""
    path, schema, table = folder / "new.csv", folder / "new.yaml", folder / "table.csv"
    table.write_bytes(seeds.CSV[0])
    contents = [*seeds.CSV, seeds.SCHEMA]

    def with_schema() -> None:
        schema.write_bytes(path.read_bytes())
        zoo.load_data("csv", path=str(table), schema=str(schema))

    ways = [
        lambda: zoo.load_data("csv", path=str(path), target="kind"),
        lambda: read_raw(seeds.SPECS["table"], path),
        with_schema,
    ]
    return files(path, contents, ways, bombs.TEXTS)


def packed(folder: Path) -> Target:
    """A compressed table."""
    path = folder / "new.csv"

    def read(suffix: str) -> Callable[[], object]:
        file = path.with_suffix(f".csv{suffix}")
        return lambda: zoo.load_data("csv", path=str(path.replace(file)), target="kind")

    ways = [read(suffix) for suffix in (".gz", ".bz2", ".xz")]
    return files(path, seeds.packed(), ways, heavy=lambda: [bombs.gzip_bomb()])


def parquet(folder: Path) -> Target:
    """A Parquet table."""
    path = folder / "new.parquet"
    ways = [
        lambda: zoo.load_data("csv", path=str(path), target="kind"),
        lambda: read_raw(seeds.SPECS["table"], path),
    ]
    return files(path, [seeds.parquet()], ways)


def npz(folder: Path) -> Target:
    """Sequences in arrays, to train on and to predict."""
    path = folder / "new.npz"
    ways = [lambda: zoo.load_data("sequences", path=str(path)), lambda: read_raw(seeds.SPECS["sequence"], path)]
    return files(path, seeds.npz(), ways, bombs.npz(), bombs.npz_bomb)


def npy(folder: Path) -> Target:
    """Sequences in a single array."""
    path = folder / "new.npy"
    return files(path, seeds.npy(), [lambda: read_raw(seeds.SPECS["sequence"], path)], bombs.npy())


def ts(folder: Path) -> Target:
    """Sequences in the archives' .ts format."""
    path = folder / "new.ts"
    ways = [lambda: zoo.load_data("sequences", path=str(path)), lambda: read_raw(seeds.SPECS["sequence"], path)]
    return files(path, [seeds.TS], ways, bombs.TEXTS)


def series(folder: Path) -> Target:
    """A time series to forecast."""
    path = folder / "new.csv"
    ways = [lambda: zoo.load_data("series", path=str(path), look_back=2, horizon=1)]
    return files(path, [seeds.SERIES], ways, bombs.TEXTS)


def wav(folder: Path) -> Target:
    """A recording."""
    path = folder / "new.wav"
    return files(path, seeds.wav(), [lambda: read_raw(seeds.SPECS["sound"], path)], bombs.wav())


def image(folder: Path) -> Target:
    """An image to predict, and one in a folder to train on."""
    path = folder / "pictures" / "a" / "new.png"
    for name in ("a/1", "a/2", "a/3", "b/1", "b/2", "b/3"):
        (folder / "pictures" / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / "pictures" / f"{name}.png").write_bytes(seeds.images()[0])
    ways = [
        lambda: read_raw(seeds.SPECS["image"], path),
        lambda: zoo.load_data("imagefolder", path=str(path.parents[1]), size=4, cache=False),
    ]
    return files(path, seeds.images(), ways, bombs.claimed_images(), bombs.images)


def text(folder: Path) -> Target:
    """A text to train on and to continue."""
    path = folder / "new.txt"
    ways = [
        lambda: zoo.load_data("text", path=str(path), n_steps=4),
        lambda: read_raw(seeds.SPECS["text"], path),
    ]
    return files(path, [seeds.TEXT], ways, bombs.TEXTS)


def overrides(folder: Path) -> Target:
    """A command line of `zoo train`, up to the start of its work."""
    from zoo.cli.config_command import run_command
    from zoo.cli.data_words import training_settings
    from zoo.core.errors import UserError

    def run(arguments: Sequence[str]) -> None:
        try:
            run_command("train", lambda *_: None, training_settings, arguments)
        except SystemExit as end:
            if end.code == 1:  # not a user's mistake
                raise AssertionError("exit 1") from end
            if end.code:
                raise UserError(f"exit {end.code}") from end

    os.chdir(folder)
    run(["model=fnn/mlp"])  # libraries load code and look for fonts at their first use
    cases = st.lists(words.overrides(), min_size=1, max_size=4)
    return Target(cases, lambda case: case, run, [["model=" + nested(50)]])


def training(folder: Path) -> Target:
    """Settings of a short training and its resume, each valid by itself. The run folder must contain metrics."""
    import zoo
    from zoo.core.errors import DivergedError, UserError
    from zoo.inference.evaluation import evaluate_weights
    from zoo.training import train, train_seeds

    starts, run_dir = settings.starts(folder), folder / "run"

    def train_as(words: Sequence[str], run_dir: Path) -> None:
        config = zoo.config(*words)
        (train if config["seeds"] is None else train_seeds)(config, run_dir)

    def make(case: Any) -> Any:
        shutil.rmtree(run_dir, ignore_errors=True)  # of the previous case
        return case

    def run(case: tuple[int, Sequence[str], Sequence[str] | None]) -> None:
        number, first, second = case
        known = folder / str(number)
        if not known.exists() and any("TRAINED" in word for word in [*first, *(second or [])]):
            train_as([*starts[number], *settings.SHORT], known)
        try:
            for words in [first] if second is None else [first, [*second, "resume=changed"]]:
                train_as([*starts[number], *(word.replace("TRAINED", str(known)) for word in words)], run_dir)
        except DivergedError as error:
            raise UserError(str(error)) from error
        for path in run_dir.rglob("metrics.json"):
            stated, found = json.loads(path.read_text())["test"], evaluate_weights(path.parent, device="cpu")["test"]
            for name, value in stated.items():
                assert math.isclose(found[name], value, rel_tol=1e-4, abs_tol=1e-6), (name, value, found[name])

    train_as([*starts[0], *settings.SHORT], folder / "0")  # libraries load code at their first use
    return Target(settings.trainings(len(starts)), make, run, allowed=["ctypes.dlopen"])


_ALL = (
    *(release, card, spec, checkpoint, csv, packed, parquet, npz, npy, ts, series, wav, image, text),
    *(overrides, training),
)
TARGETS: Mapping[str, Callable[[Path], Target]] = {target.__name__: target for target in _ALL}
