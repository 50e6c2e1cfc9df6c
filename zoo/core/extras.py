"""The command that installs a package which the zoo needs for one thing alone, such as a logger."""

import re
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2] / "pyproject.toml"
NAME = re.compile(r"[\w-]+")


def install_command(text: str) -> str:
    """Return the command that brings a package that `text` names: the zoo's extra that has it, or the package itself.

    >>> install_command("No module named 'a_package_of_no_extra'").startswith("pip install ")
    True
    """
    for entry in _requirements():
        package, extra = NAME.match(entry), re.search(r"extra == .(\w+)", entry)
        if package and extra and extra[1] != "dev" and re.search(rf"\b{package[0]}\b", text.replace("_", "-")):
            return _extra(extra[1])
    return f"pip install {text}" if NAME.fullmatch(text) else _extra("track,sweep")


def _extra(names: str) -> str:
    return f'pip install -e ".[{names}]"' if CHECKOUT.is_file() else f'pip install "zoo[{names}]"'


def _requirements() -> list[str]:
    try:
        return requires("zoo") or []
    except PackageNotFoundError:  # a copy of the folder alone
        return []
