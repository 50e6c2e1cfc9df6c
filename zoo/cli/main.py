"""The command `zoo`: choose a command by its name and run it."""

import ast
import importlib
import sys
from pathlib import Path

from zoo.core.console import echo

COMMANDS = ("train", "evaluate", "predict", "list", "ensemble", "reproduce", "copy")


def main() -> None:
    """Run the command of the first word, such as `zoo train model=cnn`."""
    name, words = next(iter(sys.argv[1:]), "--help"), sys.argv[2:]
    if name in ("--help", "-h"):
        echo(usage())
    elif name == "--version":
        import zoo

        echo(zoo.__version__)
    elif name in COMMANDS:
        importlib.import_module(f"zoo.cli.{name}").main(words)
    else:
        from zoo.cli.errors import end
        from zoo.core.errors import unknown_name

        end(2, f"{unknown_name('command', name, COMMANDS)}\nzoo --help says what each does")


def usage() -> str:
    """Return a line for each command: the first of its file."""
    lines = [_first_line(Path(__file__).with_name(f"{name}.py")) for name in COMMANDS]
    width = max(len(what) for what, _ in lines)
    rows = [f"  {what:<{width}}  {how}" for what, how in lines]
    return "\n".join([*rows, "", "zoo COMMAND --help says more of each."])


def _first_line(path: Path) -> tuple[str, str]:
    """Return a command's description and usage, from its docstring, without importing it."""
    text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    what, _, how = text.splitlines()[0].partition(": ")
    return what, how.removesuffix(".")
