"""The bare words of `zoo train` and `zoo evaluate`: models, data sets, files, folders and columns."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from zoo.cli.command_words import Words, fill
from zoo.core.errors import UserError, missing_file, unknown_name
from zoo.core.plugins import add_path
from zoo.models import MODELS
from zoo.settings.conf_files import options

SPLITS = ("train", "val", "test")
PATHS = ("data.path", "data.labels")
CHOOSES_MODEL = ("model", "experiment", "finetune", "resume")  # each brings a model


def training_settings(words: Words) -> dict[str, Any]:
    """Return the settings that the bare words of `zoo train` stand for, in any order: a model, a data set or the path
    of one's own, and columns to predict; and the model that the data call for where none is named.

    A model goes before a file of the same name, and a file before a data set: `./cnn` is the file.

    Raises:
        UserError: for a word that is none of these, several paths, and a path that holds nothing to train on.
    """
    given = words.given()
    if "zoo_path" in given:
        add_path(given["zoo_path"])
    models, data = [*options("model", words.settings), *MODELS.names()], options("data", words.settings)
    settings: dict[str, Any] = {}
    path = next((given[key] for key in PATHS if key in given), None)
    rest: list[str] = []
    for word in words.bare:
        if set(word.split(",")) <= set(models) and "model" not in given | settings:
            settings["model"] = word
        elif path is None and _exists(word):
            path = _path_of_data(word)
        elif set(word.split(",")) <= set(data) and not _exists(word) and "data" not in given | settings:
            settings["data"] = word
        else:
            rest.append(word)
    if path is not None and words.bare:
        settings |= _reading(path, _columns(path, rest, [*models, *data], given), given | settings)
    elif rest:
        raise _unknown(rest[0], [*models, *data])
    return _with_model(settings, given)


def evaluation_settings(words: Words) -> dict[str, Any]:
    """Return the settings that the bare words of `zoo evaluate` stand for: the weights, a split, other data."""
    split = next((word for word in words.bare if word in SPLITS and not _exists(word)), None)
    words = Words(words.flags, words.settings, [word for word in words.bare if word != split])
    settings = fill("evaluate", ("weights", "data"), words) | ({} if split is None else {"split": split})
    word = settings.pop("data", None)
    if word is None or (word in options("data", words.settings) and not _exists(word)):
        return settings | ({} if word is None else {"data": word})
    if not _exists(word):
        raise _unknown(word, options("data", words.settings))
    given = {**words.given(), **settings}
    if "zoo_path" in given:
        add_path(given["zoo_path"])
    return settings | _like_trained(given["weights"], word)


def _exists(word: str) -> bool:
    return Path(word).expanduser().exists()


def _path_of_data(word: str) -> str:
    """A path; UserError where it holds a trained model."""
    path = Path(word).expanduser()
    if path.suffix == ".safetensors" or (path / "config.yaml").exists():  # a weights file, or a run folder
        raise UserError(
            f"{word} is a trained model, and a training takes data; finetune={word} starts from it"
            + f", run_dir={word} resume=auto continues it" * path.is_dir()
        )
    return word


def _columns(path: str, words: Sequence[str], names: Sequence[str], given: Mapping[str, str]) -> list[str]:
    """The words, which are headings of the table in a file. UserError for any other, with the nearest names."""
    from zoo.data.detection import column_names
    from zoo.data.options import match_heading

    headings = column_names(path, given.get("data.encoding")) if words else []
    for word in words:
        if match_heading(word, headings) in headings:
            continue
        if _exists(word):
            raise UserError(f"a training takes one file or folder; got {path} and {word}; a separate test file goes in "
                            f"data.test_path={word}")  # fmt: skip
        what = f"model, data set or column of {path}" if headings else "model or data set"
        raise unknown_name(what, word, [*names, *headings])
    return list(words)


def _unknown(word: str, names: Sequence[str]) -> UserError:
    """The error for a word that is neither a name nor a path, with the nearest of both."""
    from zoo.inference.pretrained import list_pretrained

    path = Path(word).expanduser()
    if word in list_pretrained():
        fix = f"finetune={word} starts from it, experiment={word} trains it again"
        return UserError(f"{word} is a pretrained file; {fix}")
    if path.suffix or path.parent != Path():
        return missing_file(path)
    return unknown_name("model, data set, file or folder", word, [*names, *(file.name for file in Path().iterdir())])


def _reading(path: str, columns: Sequence[str], given: Mapping[str, Any]) -> dict[str, Any]:
    """The settings that read a path and predict columns of it, beside those that are given."""
    from zoo.data.detection import data_settings, settings_of

    target = columns or given.get("data.target")
    if "data" in given:
        settings = settings_of(given["data"], path, target)
    else:
        settings = data_settings(path, given.get("model"), target, given.get("data.encoding"))
    return {key: value for key, value in settings.items() if key not in given}


def _with_model(settings: dict[str, Any], given: Mapping[str, str]) -> dict[str, Any]:
    """The settings with the family that fits the data in front, unless a model is chosen or no data are."""
    from zoo.data.registry import default_family

    data = {**given, **settings}.get("data")
    if data not in options("data") or set(CHOOSES_MODEL) & {*given, *settings}:
        return settings
    family = default_family(data)
    return settings if family is None else {"model": family, **settings}


def _like_trained(weights: str, path: str) -> dict[str, Any]:
    """The settings that read a path as the data that a model was trained on, if those were files of a user."""
    import zoo
    from zoo.data.detection import data_settings, settings_of
    from zoo.data.registry import LABELLED_READERS

    card = zoo.load(weights).card
    name = card["config"]["data"]["name"]
    return settings_of(name, path) if name in LABELLED_READERS.names() else data_settings(path, card["model"]["name"])
