"""What the scripts share: Hydra's entry, with the zoo's exit codes and short messages."""

import contextlib
import itertools
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

CONF = str(Path(__file__).resolve().parent.parent / "conf")


def main(config_name: str, run: Callable[..., float | None]) -> None:
    """Compose the config from conf/ and the command line, and call `run` with it.

    Ends the process with 0 when done, 2 for the user's mistake, 3 when training diverged, 128 + n on signal n.

    Args:
        config_name: the file in conf/, without its ending.
        run: takes the config as a dict of plain values, and the composed DictConfig itself.
    """
    import hydra
    from omegaconf import DictConfig, OmegaConf

    os.environ["HYDRA_FULL_ERROR"] = "1"  # errors reach us as they are, in place of Hydra's own printing
    sys.argv[1:] = map(_quoted, sys.argv[1:])
    _search_own_folder()
    if config_name == "train" and {"--help", "-h"} & set(sys.argv) and not _chosen_model():
        sys.argv.append("model=fnn")  # the settings are shown with the values that a model brings

    def task(config: DictConfig) -> float | None:
        with exit_codes():
            check_types(config_name, config)
            if config.get("zoo_path"):
                import zoo

                zoo.add_path(config.zoo_path)
            return run(OmegaConf.to_container(config, resolve=True), config)

    with exit_codes(config_name):
        hydra.main(version_base="1.3", config_path=CONF, config_name=config_name)(task)()


@contextlib.contextmanager
def exit_codes(config_name: str | None = None) -> Iterator[None]:
    """End the process with the zoo's exit code and a short message for the errors it knows."""
    from zoo.errors import DivergedError, InterruptedTraining, UserError

    try:
        yield
    except DivergedError as error:
        end(3, str(error))
    except InterruptedTraining as error:
        end(128 + error.signum, str(error))
    except KeyboardInterrupt:
        end(130, "interrupted")
    except BrokenPipeError:  # the reader of our output, such as head, has what it wanted
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except UserError as error:
        end(2, str(error))
    except Exception as error:
        message = explain(error, config_name)
        if message is None:
            raise
        end(2, message)


def end(code: int, message: str) -> None:
    """Print at most five lines and end the process."""
    print("\n".join(message.strip().splitlines()[:5]), file=sys.stderr)
    sys.exit(code)


def _quoted(argument: str) -> str:
    """An override as it is; with its value in quotes where Hydra could not read it, such as paths beyond ASCII."""
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.errors import HydraException

    key, equals, value = argument.partition("=")
    if not equals or value[:1] in ("[", "{", "'", '"'):
        return argument
    try:
        OverridesParser.create().parse_override(argument)
    except HydraException:
        return f"{key}='" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"
    return argument


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

    from zoo.errors import UserError

    hydra = HydraConfig.get()
    choices = [entry for entry in hydra.overrides.task if entry.split("=")[0].lstrip("+~") in hydra.runtime.choices]
    before = compose(config_name, choices)
    for entry in set(hydra.overrides.task) - set(choices):
        key = entry.split("=")[0]
        old, new = OmegaConf.select(before, key), OmegaConf.select(config, key)
        if not _fits(old, new):
            raise UserError(f"{key} is {TYPES[type(old)]}, such as {old}; got {new}")


TYPES = {bool: "true or false", int: "a whole number", float: "a number"}


def _fits(old: Any, new: Any) -> bool:
    """Whether `new` may replace `old`. A null default, text and structures take anything; "auto" goes anywhere."""
    from omegaconf import OmegaConf

    if type(old) not in TYPES or new == "auto":
        return True
    same = type(new) is type(old) or (type(old) is float and type(new) is int)
    return same or OmegaConf.is_config(new)


def explain(error: Exception, config_name: str | None) -> str | None:
    """What Hydra, OmegaConf or the file system complains of, as one short message; None for any other error."""
    from hydra.errors import HydraException, MissingConfigException
    from omegaconf.errors import OmegaConfBaseException

    from zoo.errors import unknown

    text = [line for line in str(error).splitlines() if line.strip()]
    if isinstance(error, MissingConfigException) and error.missing_cfg_file and error.options is not None:
        group, _, name = error.missing_cfg_file.partition("/")
        if group == "hydra":  # such as hydra/launcher=joblib, a package of its own
            kind, _, name = name.partition("/")
            return (
                f"no {kind} '{name}' is installed; there are: {', '.join(error.options)}\n"
                f"pip install hydra-{name.split('_')[0]}-{kind}"
            )
        return str(unknown(group, name, _options(group)))
    missing = _missing_package(error)
    if missing:
        return f'{missing}\npip install -e ".[track,sweep]" brings what is optional'
    if isinstance(error, OSError):
        return f"{error.filename or 'a file'}: {error.strerror or error}"
    if not isinstance(error, HydraException | OmegaConfBaseException):
        return None
    return (_wrong_name(config_name) if config_name else None) or "\n".join(text)


def _missing_package(error: BaseException | None) -> str | None:
    """The first line of an import that failed somewhere behind `error`."""
    while error is not None and not isinstance(error, ModuleNotFoundError):
        error = error.__cause__
    return str(error).splitlines()[0] if error else None


def _wrong_name(config_name: str) -> str | None:
    """What is wrong with the command line's settings: one that is not there, or none where one is needed."""
    from zoo.errors import unknown

    settings = _settings(config_name)
    given = [argument.split("=")[0].lstrip("+~") for argument in sys.argv[1:] if "=" in argument]
    for key in given:
        if key not in settings and not key.startswith("hydra"):
            return str(unknown("setting", key, settings))
    if config_name == "train" and not _chosen_model():
        return "say which model: model=" + " or ".join(name for name in _options("model") if "/" not in name)
    return None


def _chosen_model() -> bool:
    return any(argument.startswith(("model=", "experiment=")) for argument in sys.argv[1:])


def _options(group: str) -> list[str]:
    own = [Path(folder) for flag, folder in itertools.pairwise(sys.argv) if flag == "--config-dir"]
    folders = [Path(CONF), *own]
    paths = [(path, folder / group) for folder in folders for path in (folder / group).rglob("*.yaml")]
    return sorted(path.relative_to(folder).with_suffix("").as_posix() for path, folder in paths)


def _settings(config_name: str) -> list[str]:
    """Every setting there is, dotted, with the model and data of the command line where they are right."""
    from hydra import compose, initialize_config_dir
    from hydra.errors import HydraException
    from omegaconf import OmegaConf

    groups = [path.name for path in Path(CONF).iterdir() if path.is_dir()]
    choices = [argument for argument in sys.argv[1:] if argument.split("=")[0] in groups]
    with initialize_config_dir(CONF, version_base="1.3"):
        for attempt in (choices, ["model=fnn"], []):  # the first that composes
            with contextlib.suppress(HydraException):
                return sorted({*groups, *_keys(OmegaConf.to_container(compose(config_name, attempt)))})
    return groups


def _keys(config: Any, prefix: str = "") -> Iterator[str]:
    for key, value in config.items():
        yield prefix + str(key)
        if isinstance(value, dict):
            yield from _keys(value, f"{prefix}{key}.")
