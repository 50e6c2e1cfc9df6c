"""Copy a settings file to edit it: zoo copy NAME [NEW] [zoo_path=own].

The file of conf/ goes to the conf/ folder of `zoo_path`, by default own; a second name renames it.

  zoo copy model/fnn/mlp
  zoo copy model/fnn/mlp model/fnn/mine
  zoo train fnn/mine zoo_path=own
"""

import shutil
from collections.abc import Sequence
from pathlib import Path

from zoo.cli.errors import exit_codes
from zoo.cli.options import read_command
from zoo.core.console import echo


def main(words: Sequence[str] | None = None) -> None:
    """Run the command; `words` are those of its command line, by default the process's."""
    with exit_codes():
        read = read_command("copy", words, {"name": str, "new": str}, {"zoo_path": Path})
        echo(f"wrote {copy(read['name'], read.get('new', read['name']), read.get('zoo_path', Path('own')))}")


def copy(name: str, new: str, folder: Path) -> Path:
    """Copy conf/`name`.yaml to `folder`/conf/`new`.yaml, and return its path.

    Raises:
        UserError: for a name that does not exist, and a file that is there already.
    """
    from zoo.core.errors import UserError, unknown_name
    from zoo.settings.conf_files import CONF, options, sections

    names = [f"{section}/{choice}" for section in sections() for choice in options(section)]
    if name not in names:
        raise unknown_name("settings file", name, names)
    section = new.partition("/")[0]
    if section not in sections():
        raise unknown_name("section", section, sections())
    path = folder / "conf" / f"{new}.yaml"
    if path.exists():
        raise UserError(f"{path} is there already; give the copy another name, such as {new}_2")
    path.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(CONF / f"{name}.yaml", path)
    return path
