"""The command `zoo`: choose a command by its name and run it."""

import importlib
import sys

from zoo.core.console import echo

COMMANDS = ("train", "evaluate", "predict", "explain", "search", "runs", "list", "ensemble", "reproduce", "copy")
EXAMPLES = """\
  zoo train table.csv price run_dir=runs/first
  zoo predict runs/first new.csv answers.csv
  zoo predict cnn/small.mnist photo.jpg"""


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
    """Return a line for each command: the beginning of its file."""
    from zoo.cli.help import docstring

    rows = [f"  zoo {name:<10} {docstring(name).partition(': ')[0]}" for name in COMMANDS]
    return "\n".join([*rows, "", "zoo COMMAND --help explains its words and settings.", "", EXAMPLES])
