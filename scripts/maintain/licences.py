"""Write docs/licences.md: the licence of each package that the zoo needs, as installed here, and of each data set.

With --check only say which direct dependency or data set it leaves out. Install every extra before it is written.
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

The zoo itself is under the MIT licence. The licences of packages are those that their own metadata state, on Linux.
`python scripts/maintain/licences.py` writes this page.

"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="exit with 1 if a name is left out")
    if not parser.parse_args().check:
        PAGE.write_text(page())
    elif names := left_out():
        sys.exit(f"docs/licences.md leaves out {', '.join(names)}: run python scripts/maintain/licences.py")


def left_out() -> list[str]:
    """Direct dependencies and data sets without a row on the page."""
    import zoo

    rows = set(re.findall(r"^\| `(.+?)`", PAGE.read_text(), re.MULTILINE))
    return sorted({*direct(), *zoo.list_data()} - rows)


def page() -> str:
    """The whole page, as Markdown."""
    import zoo
    from zoo.data import Facts, facts

    unknown = Facts("-", "-", "-", "-", "-", "-")
    sets = {name: facts(name) or unknown for name in zoo.list_data()}
    asked = direct()
    return HEAD + "\n".join(
        [
            table("Direct dependencies", "extra | licence", {n: f"{asked[n]} | {licence(n)}" for n in asked}),
            table("What these need", "licence", {n: licence(n) for n in indirect()}),
            table("Data sets", "licence | source", {n: f"{sets[n].licence} | {sets[n].source}" for n in sets}),
        ]
    )


def table(title: str, header: str, rows: dict[str, str]) -> str:
    """A heading and a Markdown table: a row a name."""
    lines = [f"name | {header}", "|".join(["---"] * (header.count("|") + 2)), *(f"`{n}` | {rows[n]}" for n in rows)]
    return f"## {title}\n\n" + "".join(f"| {line} |\n" for line in lines)


def requirements() -> list[tuple[str, Requirement]]:
    """What pyproject.toml asks for, each with its extra; the core's extra is empty."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    groups = {"": project["dependencies"], **project["optional-dependencies"]}
    pairs = [(extra, Requirement(text)) for extra, texts in groups.items() for text in texts]
    return [(extra, requirement) for extra, requirement in pairs if requirement.name != project["name"]]


def direct() -> dict[str, str]:
    """The extra that brings each package the zoo asks for."""
    return {canonicalize_name(requirement.name): extra for extra, requirement in requirements()}


def indirect() -> list[str]:
    """The installed packages that the direct dependencies need, themselves or through others."""
    seen: set[tuple[str, str]] = set()
    for _, requirement in requirements():
        follow(requirement, seen)
    return sorted({name for name, _ in seen} - direct().keys())


def follow(requirement: Requirement, seen: set[tuple[str, str]]) -> None:
    """Add to `seen` the name and each extra of a requirement, and of all that it requires."""
    name = canonicalize_name(requirement.name)
    for extra in ("", *requirement.extras):
        if (name, extra) in seen or not installed(name):
            continue
        seen.add((name, extra))
        for further in map(Requirement, metadata.requires(name) or []):
            if further.marker is None or further.marker.evaluate({"extra": extra}):
                follow(further, seen)


def installed(name: str) -> bool:
    return any(True for _ in metadata.distributions(name=name))


def licence(name: str) -> str:
    """What a package's metadata state: an expression, else a name, else its classifiers, else its text's first line."""
    if not installed(name):
        return "not installed"
    fields = metadata.metadata(name)
    expression, text = ((fields.get_all(field) or [""])[0].strip() for field in ("License-Expression", "License"))
    classifiers = [entry.split(" :: ")[-1] for entry in fields.get_all("Classifier") or [] if "License ::" in entry]
    first, *more = text.removeprefix("UNKNOWN").splitlines() or [""]
    return expression or (not more and first) or ", ".join(classifiers) or first or "not stated"


if __name__ == "__main__":
    main()
