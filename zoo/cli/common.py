"""What the scripts share: Hydra's entry, with the zoo's exit codes and short messages."""

import contextlib
import itertools
import os
import re
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NoReturn

from zoo import settings

CONF = str(settings.CONF)
LONGEST = 200  # bytes of a folder's name, of which file systems take 255


def main(config_name: str, run: Callable[..., float | None]) -> None:
    """Compose the config from conf/ and the command line, and call `run` with it.

    Ends the process with 0 when done, 2 for the user's mistake, 3 when training diverged, 4 when it lost one of several
    processes, 128 + n on signal n.

    Args:
        config_name: the file in conf/, without its ending.
        run: takes the config as a dict of plain values, and the composed DictConfig itself.
    """
    import hydra
    from hydra.core.hydra_config import HydraConfig
    from hydra.types import RunMode
    from omegaconf import DictConfig, OmegaConf

    os.environ["HYDRA_FULL_ERROR"] = "1"  # errors reach us as they are, in place of Hydra's own printing
    with exit_codes():
        sys.argv[1:] = _flags_first(map(_readable, sys.argv[1:]))
        _name_jobs()
    _search_own_folder()
    if config_name == "train" and {"--help", "-h"} & set(sys.argv) and not _chosen_model():
        sys.argv.append("model=fnn")  # the settings are shown with the values that a model brings

    def task(config: DictConfig) -> float | None:
        alone = HydraConfig.get().mode is RunMode.RUN
        with exit_codes(config=config) if alone else contextlib.nullcontext():  # of a sweep's jobs, see sweep.py
            check_types(config_name, config)
            if config.get("zoo_path"):
                import zoo

                zoo.add_path(config.zoo_path)
            return run(OmegaConf.to_container(config, resolve=True), config)

    with exit_codes(config_name):
        hydra.main(version_base="1.3", config_path=CONF, config_name=config_name)(task)()


@contextlib.contextmanager
def exit_codes(config_name: str | None = None, config: Any = None) -> Iterator[None]:
    """End the process with the zoo's exit code and a short message for the errors it knows."""
    try:
        yield
    except BrokenPipeError:  # the reader of our output, such as head, has what it wanted
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (Exception, KeyboardInterrupt) as error:
        known = outcome(error, config_name, config)
        if known is None:
            raise
        end(*known)


def outcome(error: BaseException, config_name: str | None = None, config: Any = None) -> tuple[int, str] | None:
    """The exit code and the message of an error that the zoo knows; None for any other.

    Args:
        error: what ended a command or a job.
        config_name: the file in conf/, where the command line itself may be wrong.
        config: what was composed, where that is known.
    """
    from zoo.core.errors import EXIT_LOST_PROCESS, DivergedError, InterruptedTraining, LostProcessError, UserError

    if isinstance(error, DivergedError):
        return 3, str(error)
    if isinstance(error, LostProcessError):
        return EXIT_LOST_PROCESS, str(error)
    if isinstance(error, InterruptedTraining):
        return 128 + error.signum, str(error)
    if isinstance(error, KeyboardInterrupt):
        return 130, "interrupted"
    message = str(error) if isinstance(error, UserError) else explain(error, config_name, config)
    return None if message is None else (2, message)


def end(code: int, message: str) -> None:
    """Print at most five lines and end the process."""
    from zoo.core.console import echo

    echo("\n".join(message.strip().splitlines()[:5]), file=sys.stderr)
    sys.exit(code)


def parsed(words: Iterable[str], kinds: Mapping[str, Callable[[str], Any]]) -> dict[str, Any]:
    """The values of `key=value` words of a script without a config, each read by its kind, such as int or Path.

    Raises:
        UserError: for a key that there is not, and text for a number.
    """
    from zoo.core.errors import UserError, unknown_name

    values: dict[str, Any] = {}
    for key, _, value in (word.partition("=") for word in words):
        if key not in kinds:
            raise unknown_name("setting", key, kinds)
        try:
            values[key] = kinds[key](_at_home(value))
        except ValueError:
            raise UserError(f"{key} is a number; got {value}") from None
    return values


def _at_home(value: str) -> str:
    """A path in the home folder in full, as a shell leaves the tilde of run_dir=~/first as it is."""
    return os.path.expanduser(value) if value.startswith("~/") else value


def _readable(argument: str) -> str:
    """An override as it is; with its value in quotes where Hydra could not read it, such as paths beyond ASCII.

    Raises:
        UserError: a choice from a folder of conf/ that is not a name, such as `model=0`.
    """
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.errors import HydraException

    from zoo.core.errors import UserError

    key, equals, value = argument.partition("=")
    if not equals:
        return argument
    value = _at_home(value)
    argument = settings.meant(f"{key}={value}")
    try:
        chosen = OverridesParser.create().parse_override(argument).value()
    except HydraException:
        if value[:1] in ("[", "{", "'", '"'):
            return argument
        return f"{key}='" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"
    group = key.lstrip("+~")
    if (Path(CONF) / group).is_dir() and group and not _names(chosen):
        raise UserError(f"{group} is a name, such as {_options(group)[0]}; got {value or 'nothing'}")
    return argument


def _names(chosen: Any) -> bool:
    """Whether Hydra can look `chosen` up: a name, several, or a sweep over them."""
    from hydra.core.override_parser.types import Sweep

    names = chosen if isinstance(chosen, list) else [chosen]
    return all(isinstance(name, str | Sweep) for name in names)


def _flags_first(words: Iterable[str]) -> list[str]:
    """The words of a command with its flags, such as -m, in front of its overrides, as Hydra wants them.

    Raises:
        UserError: for a flag that there is not.
    """
    from hydra._internal.utils import get_args_parser

    from zoo.core.errors import UserError

    def refuse(message: str) -> NoReturn:
        raise UserError(f"{message}; flags are -m, for a sweep, and --help; settings are written key=value")

    words = sorted(words, key=lambda word: not word.startswith("-") and ("=" in word or word.startswith("~")))
    parser = get_args_parser()
    parser.error = refuse  # type: ignore[method-assign]
    parser.parse_args(words)
    return words


UNNAMED = ("run_dir", "resume", "zoo_path")  # in conf/train.yaml too


def _name_jobs() -> None:
    """Name the folders of a sweep's jobs by their overrides, less paths and a logger's settings, which may be secret;
    where that is long by what they differ in and the seed, and where that is long too by their numbers."""
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.errors import HydraException

    if not {"-m", "--multirun"} & set(sys.argv):
        return
    with contextlib.suppress(HydraException):  # it says what is wrong when its turn comes
        given = [word for word in sys.argv[1:] if not word.startswith("-") and "=" in word]
        parsed = OverridesParser.create().parse_overrides(given)
        overrides = {one.key_or_group: one for one in parsed if one.key_or_group not in UNNAMED}
        swept = {key for key, one in overrides.items() if one.is_sweep_override()}
        for named in ({key for key in overrides if not _private(key)} | swept, swept | {"seed"} & set(overrides)):
            if sum(_width(overrides[key]) for key in named) <= LONGEST:
                break
        excluded = [*UNNAMED, *(f"'{key}'" for key in overrides if key not in named)]
        sys.argv.append(f"hydra.job.config.override_dirname.exclude_keys=[{','.join(excluded)}]")
        if any(key.startswith("logger.") for key in swept) or sum(_width(overrides[key]) for key in named) > LONGEST:
            sys.argv.append("hydra.sweep.subdir=${hydra:job.num}")


def _private(key: str) -> bool:
    """Whether what a setting holds may be a secret or a path."""
    from zoo.core.config_paths import is_path

    return key.startswith("logger.") or is_path(key.rpartition(".")[2], "")


def _width(override: Any) -> int:
    """Bytes that an override takes in a folder's name, at most."""
    values = override.sweep_string_iterator() if override.is_discrete_sweep() else [override.input_line]
    return len(override.key_or_group) + 2 + max(len(value.encode()) for value in values)


def _search_own_folder() -> None:
    """Let conf/ of a `zoo_path=` on the command line be searched beside the zoo's."""
    for argument in sys.argv[1:]:
        if argument.startswith("zoo_path="):
            folder = Path(argument.removeprefix("zoo_path=")).resolve() / "conf"
            if folder.is_dir():
                sys.argv += ["--config-dir", str(folder)]


def check_types(config_name: str, config: Any) -> None:
    """Raise UserError where a value on the command line has another type than the one it replaces."""
    from hydra import compose
    from hydra.core.hydra_config import HydraConfig
    from omegaconf import OmegaConf

    from zoo.core.errors import UserError

    hydra = HydraConfig.get()
    choices = [entry for entry in hydra.overrides.task if entry.split("=")[0].lstrip("+~") in hydra.runtime.choices]
    before = compose(config_name, choices)
    for entry in set(hydra.overrides.task) - set(choices):
        key = entry.split("=")[0]
        old, new = OmegaConf.select(before, key), OmegaConf.select(config, key)
        if not _fits(old, new) and not (new is None and _may_be_null(key, config_name)):
            raise UserError(f"{key} is {TYPES[type(old)]}, such as {old}; got {new}")


TYPES = {bool: "true or false", int: "a whole number", float: "a number"}


def _fits(old: Any, new: Any) -> bool:
    """Whether `new` may replace `old`. A null default, text and structures take anything; "auto" goes anywhere."""
    from omegaconf import OmegaConf

    if type(old) not in TYPES or new == "auto":
        return True
    same = type(new) is type(old) or (type(old) is float and type(new) is int)
    return same or OmegaConf.is_config(new)


def _may_be_null(key: str, config_name: str) -> bool:
    """Whether a key is null in a file of its section, which says that it means something there."""
    from omegaconf import OmegaConf

    section, _, name = key.partition(".")
    files = [(path, name) for path in Path(CONF, section).glob("*.yaml")] or [(Path(CONF, f"{config_name}.yaml"), key)]
    return any(OmegaConf.select(OmegaConf.load(path), name, default="nothing") is None for path, name in files)


def explain(error: BaseException, config_name: str | None, config: Any = None) -> str | None:
    """What Hydra, OmegaConf, the file system or the memory complains of, in a few lines; None for any other error."""
    from hydra.errors import HydraException, MissingConfigException
    from omegaconf.errors import OmegaConfBaseException

    from zoo.core.errors import unknown_name

    text = [line for line in str(error).splitlines() if line.strip()]
    if isinstance(error, MissingConfigException) and error.missing_cfg_file and error.options is not None:
        group, _, name = error.missing_cfg_file.partition("/")
        if group == "hydra":  # such as hydra/launcher=joblib, a package of its own
            kind, _, name = name.partition("/")
            package = f"hydra-{name.split('_')[0]}-{kind}"
            return f"no {kind} '{name}' is installed; there are: {', '.join(error.options)}\n{_install(package)}"
        return str(unknown_name(group, name, _options(group)))
    missing = _missing_package(error)
    if missing:
        return f"{missing}\n{_install(missing)}"
    if isinstance(error, OSError) and not isinstance(error, HydraException):
        return f"{error.filename or 'a file'}: {error.strerror or error}"
    if isinstance(error, MemoryError | RuntimeError) and OUT_OF_MEMORY.search(str(error)):
        return _less_memory(str(error), config)
    if not isinstance(error, HydraException | OmegaConfBaseException) and not _of_hydra(error):
        return None
    return (_wrong_name(config_name) if config_name else None) or "\n".join(text)


def _of_hydra(error: BaseException) -> bool:
    """Whether Hydra itself failed at what it was given, such as a list for a name."""
    frames = list(traceback.walk_tb(error.__traceback__))
    return bool(frames) and frames[-1][0].f_globals.get("__name__", "").startswith(("hydra.", "omegaconf."))


ACCUMULATED = ("data.batch_size", "trainer.accumulate_grad_batches")
OUT_OF_MEMORY = re.compile(r"out of memory|can't allocate memory|unable to allocate", re.IGNORECASE)


def _less_memory(text: str, config: Any) -> str:
    """How to do with less, in one line, and in numbers where the config has them."""
    from omegaconf import OmegaConf

    asked = re.search(r"to allocate ([\d.]+ \w+)", text, re.IGNORECASE)
    lack = f"out of memory, asked for {asked[1]}" if asked else "out of memory"
    size, n = (OmegaConf.select(config, key) for key in ACCUMULATED) if config else (None, None)
    if not isinstance(size, int) or not isinstance(n, int):
        return f"{lack}; halve {ACCUMULATED[0]} and double {ACCUMULATED[1]}, or take device=cpu"
    if size == 1:
        return f"{lack} with {ACCUMULATED[0]}=1; take a smaller model"
    return f"{lack}; halve the batch and accumulate two: {ACCUMULATED[0]}={-(-size // 2)} {ACCUMULATED[1]}={2 * n}"


def _missing_package(error: BaseException | None) -> str | None:
    """The first line of an import that failed somewhere behind `error`."""
    while error is not None and not isinstance(error, ModuleNotFoundError):
        error = error.__cause__
    return str(error).splitlines()[0] if error else None


def _install(text: str) -> str:
    """The command that brings a package that `text` names: with the extra of the zoo's that has it, or by itself."""
    from importlib.metadata import requires

    for entry in requires("zoo") or ():
        package, extra = re.match(r"[\w-]+", entry), re.search(r"extra == .(\w+)", entry)
        if package and extra and re.search(rf"\b{package[0]}\b", text.replace("_", "-")):
            return f'pip install -e ".[{extra[1]}]"'
    return f"pip install {text}" if re.fullmatch(r"[\w-]+", text) else 'pip install -e ".[track,sweep]"'


def _wrong_name(config_name: str) -> str | None:
    """What is wrong with the command line's settings: one that is not there, or none where one is needed."""
    from zoo.core.errors import unknown_name
    from zoo.data.augment import AUGMENTATIONS

    settings = _settings(config_name)
    given = [argument for argument in sys.argv[1:] if "=" in argument]
    for argument in sorted(given, key=lambda argument: argument.startswith("+")):  # what is added may be new
        key = argument.split("=")[0].lstrip("+~")
        added = re.match(r"data\.augment\.(\w+)", argument)
        if added and added[0] not in settings and added[1] in AUGMENTATIONS.names():
            return f"this data has no {added[0]} of its own; a plus before it adds it: +{argument}"
        if key not in settings and not key.startswith("hydra"):
            return str(unknown_name("setting", key, settings))
    if config_name == "train" and not _chosen_model():
        return "say which model: model=" + " or ".join(name for name in _options("model") if "/" not in name)
    return None


def _chosen_model() -> bool:
    return any(argument.startswith(("model=", "experiment=")) for argument in sys.argv[1:])


def _options(group: str) -> list[str]:
    own = [Path(folder) for flag, folder in itertools.pairwise(sys.argv) if flag == "--config-dir"]
    return settings.options(group, own)


def _settings(config_name: str) -> list[str]:
    """Every setting there is, dotted, with the model and data of the command line where they are right."""
    from hydra import compose, initialize_config_dir
    from hydra.errors import HydraException
    from omegaconf import OmegaConf

    groups = [path.name for path in Path(CONF).iterdir() if path.is_dir()]
    choices = [argument for argument in sys.argv[1:] if argument.split("=")[0] in groups]
    with initialize_config_dir(CONF, version_base="1.3"):
        for attempt in (choices, ["model=fnn"], []):  # the first that composes
            with contextlib.suppress(HydraException, TypeError):
                return sorted({*groups, *_keys(OmegaConf.to_container(compose(config_name, attempt)))})
    return groups


def _keys(config: Any, prefix: str = "") -> Iterator[str]:
    for key, value in config.items():
        yield prefix + str(key)
        if isinstance(value, dict):
            yield from _keys(value, f"{prefix}{key}.")
