"""List models, data sets and pretrained files: zoo list [models|data|pretrained] ["cnn/*"] [zoo_path=...]."""

from collections.abc import Sequence

from zoo.cli.errors import exit_codes
from zoo.cli.options import parser, read_options
from zoo.core.console import echo


def main(words: Sequence[str] | None = None) -> None:
    """Run the command; `words` are those of its command line, by default the process's."""
    arguments = parser(__name__, __doc__)
    arguments.add_argument("words", nargs="*", help="a kind, and a pattern of shell wildcards, such as 'cnn/*'")
    arguments.add_argument("--zoo-path", help="a folder of your own, see zoo.add_path")
    parsed = arguments.parse_args(words)
    options = [word for word in parsed.words if "=" in word]
    with exit_codes():
        own = read_options(options, {"zoo_path": str}).get("zoo_path", parsed.zoo_path)
        if own:
            import zoo

            zoo.add_path(own)
        echo(listing([word for word in parsed.words if word not in options]))


def listing(words: Sequence[str]) -> str:
    """Return the names of a kind, or of all; of data sets, where asked for them alone, a table with their facts."""
    import zoo
    from zoo.core.errors import unknown_name

    names = {"models": zoo.list_models, "data": zoo.list_data, "pretrained": zoo.list_pretrained}
    settings = {"models": "model=", "data": "data=", "pretrained": "weights="}
    kinds, pattern = ([words[0]], words[1:2]) if words and words[0] in names else (list(names), words[:1])
    found = {kind: names[kind](*pattern) for kind in kinds}
    if len(kinds) > 1 and words and not any(found.values()):
        raise unknown_name(
            "kind, model, data set or pretrained file",
            words[0],
            [*names, *(name for entries in names.values() for name in entries())],
        )
    if kinds == ["data"]:
        return data_table(found["data"])
    blocks = ([f"{kind} ({settings[kind]})", *(found[kind] or ["none match"])] for kind in kinds)
    return "\n".join("\n  ".join(block) for block in blocks)


def data_table(names: Sequence[str]) -> str:
    """Return a line for each data set, with what is known of it before it is read."""
    from zoo.data import Facts, facts
    from zoo.report.text import text_table

    unknown = Facts("-", "-", "-", "-", "-", "-")
    known = {name: facts(name) or unknown for name in names}
    rows = [(name, its.task, its.rows, its.inputs, its.network, its.licence) for name, its in known.items()]
    header = ("data=", "task", "rows: train / val / test", "inputs", "network", "licence")
    return text_table(header, rows, n_left=len(header)) if rows else "none match"
