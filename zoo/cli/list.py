"""List models, data sets and pretrained files: zoo list [models|data|pretrained] ["cnn/*"] [zoo_path=...].

zoo list
zoo list data
zoo list pretrained "*mnist*"
"""

import shutil
from collections.abc import Sequence

from zoo.cli.errors import exit_codes
from zoo.cli.options import read_options, read_plain
from zoo.core.console import echo
from zoo.core.errors import UserError, unknown_name

KINDS = {"models": "model", "data": "data set", "pretrained": "pretrained file"}
WIDEST = 32  # columns of a cell of a table wider than the terminal
SETTINGS = {"models": "model=", "data": "data=", "pretrained": "weights="}


def main(words: Sequence[str] | None = None) -> None:
    """Run the command; `words` are those of its command line, by default the process's."""
    with exit_codes():
        read = read_plain("list", words, ["zoo_path"])
        own = read_options(read.settings, {"zoo_path": str}).get("zoo_path")
        if own:
            import zoo

            zoo.add_path(own)
        echo(listing(read.bare))


def listing(words: Sequence[str]) -> str:
    """Return the names of a kind, or of all; of data sets, where asked for them alone, a table with their facts.

    Raises:
        UserError: for a pattern that matches nothing, and a word too many.
    """
    import zoo

    names = {"models": zoo.list_models, "data": zoo.list_data, "pretrained": zoo.list_pretrained}
    kinds, patterns = ([words[0]], words[1:]) if words and words[0] in names else (list(names), words)
    if len(patterns) > 1:
        raise UserError(f"zoo list takes a kind ({', '.join(names)}) and a pattern; got {patterns[1]!r} too")
    found = {kind: names[kind](*patterns) for kind in kinds}
    if patterns and not any(found.values()):
        all_names = [name for kind in kinds for name in names[kind]()]
        raise unknown_name(
            KINDS.get("".join(kinds), "name or kind"),
            patterns[0],
            all_names if len(kinds) == 1 else [*names, *all_names],
        )
    if kinds == ["data"]:
        return data_table(found["data"])
    blocks = ([f"{kind} ({SETTINGS[kind]})", *found[kind]] for kind in kinds if found[kind])
    return "\n".join("\n  ".join(block) for block in blocks)


def data_table(names: Sequence[str]) -> str:
    """Return a line for each data set, with what is known of it before it is read."""
    from zoo.core.table_layout import text_table
    from zoo.data import Facts, facts

    unknown = Facts("-", "-", "-", "-", "-", "-")
    known = {name: facts(name) or unknown for name in names}
    rows: list[Sequence[str]] = [
        (name, its.task, its.rows, its.inputs, its.network, its.licence) for name, its in known.items()
    ]
    header = ("data=", "task", "rows: train / val / test", "inputs", "network", "licence")
    table = text_table(header, rows, n_left=len(header))
    width = shutil.get_terminal_size((0, 0)).columns  # 0 where the output is no terminal, such as a file
    if not width or max(map(len, table.splitlines())) <= width:
        return table
    short = text_table(header, [[_cut(cell, WIDEST) for cell in row] for row in rows], n_left=len(header))
    return "\n".join(_cut(line, width) for line in short.splitlines())


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else f"{text[: width - 1]}…"
