"""What the zoo holds: python scripts/list.py [models|data|pretrained] [pattern], such as "cnn/*" or "*mnist*"."""

import argparse

from zoo.cli.common import exit_codes
from zoo.core.console import echo


def main() -> None:
    import zoo

    kinds = {  # the setting that takes a name of the kind, and all names
        "models": ("model=", zoo.list_models),
        "data": ("data=", zoo.list_data),
        "pretrained": ("weights=", zoo.list_pretrained),
    }
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "words", nargs="*", help="a kind (data with what is known of each); a pattern of shell wildcards"
    )
    parser.add_argument("--zoo-path", help="a folder of your own with models/ and data/")
    arguments = parser.parse_args()
    kind = arguments.words[0] if arguments.words[:1] and arguments.words[0] in kinds else None
    pattern = "".join(arguments.words[kind is not None :][:1]) or "*"
    with exit_codes():
        if arguments.zoo_path:
            zoo.add_path(arguments.zoo_path)
        if kind == "data":
            echo(data_table(zoo.list_data(pattern)))
            return
        for title, (setting, names) in kinds.items():
            if kind in (None, title):
                echo(f"{title} ({setting})", *(names(pattern) or ["none match"]), sep="\n  ")


def data_table(names: list[str]) -> str:
    """A line for each data set, with what is known of it before it is read."""
    from zoo.data import Facts, facts
    from zoo.report.text import columns

    unknown = Facts("-", "-", "-", "-", "-", "-")
    known = {name: facts(name) or unknown for name in names}
    rows = [(name, one.task, one.rows, one.inputs, one.network, one.licence) for name, one in known.items()]
    header = ("data=", "task", "rows: train / val / test", "inputs", "network", "licence")
    return columns(header, rows, n_left=len(header)) if rows else "none match"


if __name__ == "__main__":
    main()
