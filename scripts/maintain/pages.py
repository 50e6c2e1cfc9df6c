"""Generate pages and tables from code and cards: python scripts/maintain/pages.py [--check].

These are docs/map.md, docs/reference.md, the tables of pretrained files in docs/pretrained.md and README.md, and the
headers of the recipes in conf/experiment/. With --check it writes nothing, and exits with 1 if one is out of date.
"""

import argparse
import ast
import inspect
import itertools
import re
import sys
import textwrap
from collections.abc import Iterator, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).resolve().parents[1]))  # of the package that this file is in

from maintain.pretrained_table import FIRST, recipe_header, table

ROOT = Path(__file__).resolve().parents[2]
WRITTEN, END = "<!-- written by scripts/maintain/pages.py -->\n", "<!-- end of what is written -->"
FOR_EXTENSIONS = (
    "zoo.core.registry.Registry",
    "zoo.models.layers.Network",
    "zoo.data.splits.Splits",
    "zoo.data.splits.TensorSplit",
    "zoo.tasks.base.Task",
    "zoo.inference.table_explanation.TableExplanation",
    "zoo.inference.image_explanation.heat_maps",
    "zoo.inference.image_explanation.filters",
)
ROOMS = {
    "zoo": "public names, and a training from config to run folder",
    "zoo/cli": "the command `zoo`, one file per command",
    "zoo/settings": "config: composed, checked and typed",
    "zoo/core": "registry, spec, errors, files: what everything may import",
    "zoo/models": "networks, pure `torch.nn`, one file per architecture",
    "zoo/data": "data sets, file readers, splits, the data module",
    "zoo/tasks": "loss, metrics, predictions and report of each task, one file each",
    "zoo/baselines": "naive answers and quick references, which a model is measured beside",
    "zoo/optim": "optimisers, schedules, weight averaging",
    "zoo/inference": "weights files, prediction, evaluation, explanation",
    "zoo/engine": "the three LightningModules and their Trainer",
    "zoo/report": "report.html, and output in a terminal",
    "scripts": "commands in a checkout, benchmarks and maintenance",
    "tests": "tests, by promise",
}


def main() -> None:
    """Write the pages, or check them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    check = parser.parse_args().check
    for name, text in pages().items():
        path = ROOT / name
        if check and path.read_text(encoding="utf-8") != text:
            sys.exit(f"{name} is out of date: run python scripts/maintain/pages.py")
        path.write_text(text, encoding="utf-8")


def pages() -> dict[str, str]:
    """The text of each page, by its path from the root."""
    import zoo

    return {
        "docs/map.md": house_map(),
        "docs/reference.md": reference(),
        "docs/pretrained.md": with_table("docs/pretrained.md", zoo.list_pretrained()),
        "README.md": with_table("README.md", FIRST),
        **{f"conf/experiment/{name}.yaml": with_header(name) for name in zoo.list_pretrained()},
    }


def with_table(page: str, names: Sequence[str]) -> str:
    """A page with an updated table of pretrained files."""
    before, _, rest = (ROOT / page).read_text(encoding="utf-8").partition(WRITTEN)
    return before + WRITTEN + table(names) + END + rest.partition(END)[2]


def with_header(name: str) -> str:
    """A recipe with an updated header; Hydra reads its package from the first line."""
    package, *lines = (ROOT / "conf" / "experiment" / f"{name}.yaml").read_text(encoding="utf-8").splitlines()
    settings = itertools.dropwhile(lambda line: line.startswith("#"), lines)
    return "\n".join([package, recipe_header(name) + next(settings), *settings, ""])


def house_map() -> str:
    """List the code's files, a line each."""
    parts = [f"# Map of the code\n{WRITTEN}", "One line per file. Imports run down this page, never up.\n"]
    for room, what in ROOMS.items():
        files = sorted((ROOT / room).rglob("*.py"))
        others = [ROOT / other for other in ROOMS if other != room]
        own = [path for path in files if not any(path.is_relative_to(other) for other in others if room in str(other))]
        lines = [(path.relative_to(ROOT / room).as_posix(), first_line(path)) for path in own]
        rows = "".join(f"| `{name}` | {line} |\n" for name, line in lines if line)
        if rows:
            parts.append(f"## `{room}/`: {what}\n\n| file | what is in it |\n|---|---|\n{rows}")
    return "\n".join(parts)


def first_line(path: Path) -> str:
    """The first sentence of a file's docstring; "" where it has none."""
    text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    return " ".join(text.partition("\n\n")[0].split()).replace("|", "\\|")


def reference() -> str:
    """The public names with their signatures and docstrings."""
    import zoo

    parts = [
        f"# Reference\n{WRITTEN}",
        "The public names of `zoo`, and what you need to extend it, from their docstrings.\n",
    ]
    for name in zoo.__all__:
        parts += described(f"zoo.{name}", getattr(zoo, name))
    for name in FOR_EXTENSIONS:
        module, _, attribute = name.rpartition(".")
        parts += described(name, getattr(import_module(module), attribute))
    return "\n".join(parts)


def described(name: str, entry: Any, level: int = 2) -> Iterator[str]:
    """The section of a function or a class, its public methods and properties included."""
    yield f"{'#' * level} `{name}`\n"
    if (callable(entry) and not isinstance(entry, type(Exception))) or inspect.isclass(entry):
        yield f"```text\n{name.rpartition('.')[2]}{signature(entry)}\n```\n"
    yield markdown(inspect.getdoc(entry) or "")
    if inspect.isclass(entry) and not issubclass(entry, BaseException):
        for member, value in vars(entry).items():
            if not member.startswith("_") and (inspect.isfunction(value) or isinstance(value, property | classmethod)):
                function = getattr(entry, member) if not isinstance(value, property) else value
                yield from described(f"{name.rpartition('.')[2]}.{member}", function, level + 1)


def signature(entry: Any) -> str:
    """The parameters and what is returned, a parameter a line, as the source has them."""
    function = entry.__init__ if inspect.isclass(entry) else entry
    try:
        node = ast.parse(textwrap.dedent(inspect.getsource(function))).body[0]
    except (OSError, TypeError):  # a dataclass has no source of its __init__
        return f"({', '.join(inspect.signature(entry).parameters)})"
    assert isinstance(node, ast.FunctionDef)
    returns = f" -> {ast.unparse(node.returns)}" if node.returns and not inspect.isclass(entry) else ""
    parameters = re.sub(r"(self|cls)(, )?", "", ast.unparse(node.args), count=1)
    text = f"({parameters}){returns}"
    return re.sub(r"(: |-> |\| )'([\w.\[\], |]+)'", r"\1\2", text)


def markdown(docstring: str) -> str:
    """A docstring's sections as lists."""
    lines: list[str] = []
    listed = False
    for line in docstring.splitlines():
        if re.fullmatch(r"(Args|Returns|Raises|Attributes|Yields):", line):
            lines += [f"**{line[:-1]}**", ""]
            listed = True
        elif listed and (found := re.match(r"    (\w[\w, ]*): (.*)", line)):
            lines.append(f"- `{found[1]}`: {found[2]}")
        else:
            lines.append(f"  {line.strip()}" if listed and line.startswith("     ") else line.strip())
            listed = listed and bool(line.strip() or True)
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
