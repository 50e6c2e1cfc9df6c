"""Generate docs/licences.md: the licences of the installed packages that the zoo needs, and of its data sets.

--check only reports direct dependencies and data sets that the page lacks. Install every extra before you generate it.
"""

import argparse
import re
import sys
import tomllib
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "licences.md"
HEAD = """# Licences

The zoo has the MIT licence. The licences of packages are those in their metadata, on Linux.
`python scripts/maintain/licences.py` generates this page.

"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="exit with 1 if a name is missing")
    if not parser.parse_args().check:
        PAGE.write_text(page())
    elif names := missing_names():
        sys.exit(f"docs/licences.md lacks {', '.join(names)}: run python scripts/maintain/licences.py")


def missing_names() -> list[str]:
    """List direct dependencies and data sets without a row on the page."""
    import zoo

    rows = set(re.findall(r"^\| `(.+?)`", PAGE.read_text(), re.MULTILINE))
    return sorted({*direct(), *zoo.list_data()} - rows)


def page() -> str:
    """Return the page as Markdown."""
    import zoo
    from zoo.data import Facts, facts

    unknown = Facts("-", "-", "-", "-", "-", "-")
    sets = {name: facts(name) or unknown for name in zoo.list_data()}
    dependencies = direct()
    return HEAD + "\n".join(
        [
            table(
                "Direct dependencies",
                "extra | licence",
                {n: f"{extra} | {licence(n)}" for n, extra in dependencies.items()},
            ),
            table("Indirect dependencies", "licence", {n: licence(n) for n in indirect()}),
            table("Data sets", "licence | source", {n: f"{sets[n].licence} | {sets[n].source}" for n in sets}),
        ]
    )


def table(title: str, header: str, rows: dict[str, str]) -> str:
    """Format a heading and a Markdown table with a row per name."""
    lines = [f"name | {header}", "|".join(["---"] * (header.count("|") + 2)), *(f"`{n}` | {rows[n]}" for n in rows)]
    return f"## {title}\n\n" + "".join(f"| {line} |\n" for line in lines)


def requirements() -> list[tuple[str, Requirement]]:
    """Return the requirements in pyproject.toml with their extras; the core's extra is empty."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    groups = {"": project["dependencies"], **project["optional-dependencies"]}
    pairs = [(extra, Requirement(text)) for extra, texts in groups.items() for text in texts]
    return [(extra, requirement) for extra, requirement in pairs if requirement.name != project["name"]]


def direct() -> dict[str, str]:
    """Return each direct dependency with its extra."""
    return {canonicalize_name(requirement.name): extra for extra, requirement in requirements()}


def indirect() -> list[str]:
    """List the installed packages that the direct dependencies require, directly or through others."""
    visited: set[tuple[str, str]] = set()
    for _, requirement in requirements():
        add_required(requirement, visited)
    return sorted({name for name, _ in visited} - direct().keys())


def add_required(requirement: Requirement, visited: set[tuple[str, str]]) -> None:
    """Add the name and extras of a requirement, and of everything it requires, to `visited`."""
    name = canonicalize_name(requirement.name)
    for extra in ("", *requirement.extras):
        if (name, extra) in visited or not installed(name):
            continue
        visited.add((name, extra))
        for further in map(Requirement, metadata.requires(name) or []):
            if further.marker is None or further.marker.evaluate({"extra": extra}):
                add_required(further, visited)


def installed(name: str) -> bool:
    return any(True for _ in metadata.distributions(name=name))


def licence(name: str) -> str:
    """Read the licence in a package's metadata: expression, name, classifiers or the first line of its text."""
    if not installed(name):
        return "not installed"
    fields = metadata.metadata(name)
    expression, text = ((fields.get_all(field) or [""])[0].strip() for field in ("License-Expression", "License"))
    classifiers = [entry.split(" :: ")[-1] for entry in fields.get_all("Classifier") or [] if "License ::" in entry]
    first, *more = text.removeprefix("UNKNOWN").splitlines() or [""]
    return expression or (not more and first) or ", ".join(classifiers) or first or "not stated"


if __name__ == "__main__":
    main()
