"""Prove the zoo on a GPU, in minutes: python scripts/maintain/gpu.py run|pack|unpack|page ...

run MINUTES [output=FOLDER] [only=tests,families,...]: run tests/gpu, a training of each family, benchmarks and the
    timed recipes, in the order of their value, each with a limit of time. Writes results.json, log.txt and, in pieces,
    runs.zip as it goes. Recipes need ZOO_DATA. `run 0` tries all of it on the CPU at tiny sizes.
pack FOLDER packages=NAME,NAME [python=3.12] [mb=32]: pack, for a machine without network, wheels of the packages that
    it lacks, and the data sets of ZOO_DATA, in parts of so many megabytes.
unpack PART data=FOLDER site=FOLDER: unpack a part there; then set ZOO_DATA and PYTHONPATH to the two folders.
page RESULTS.json [docs=docs]: write docs/benchmarks/cuda.md, and what docs/reliability.md says of it.
"""

import os
import sys
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:1] = [str(ROOT), str(ROOT / "scripts")]  # not this folder, whose names others have too


def main(words: list[str]) -> None:
    if len(words) < 2 or words[0] not in ("run", "pack", "unpack", "page", "task"):
        raise SystemExit(__doc__)
    (command, first), more = words[:2], words[2:]
    if command == "task":
        from gpu.running import run_task

        return run_task(first, Path(more[0]), float(more[1]))
    given = dict(word.split("=", 1) for word in more if "=" in word)
    known = {"run": "output only", "pack": "packages python mb", "unpack": "data site", "page": "docs"}[command].split()
    if unknown := [word for word in more if word.partition("=")[0] not in known]:
        raise SystemExit(f"{command} takes {', '.join(f'{name}=' for name in known)}; got {unknown[0]}")
    commands: dict[str, Callable[..., None]] = {"run": run, "pack": pack, "unpack": unpack, "page": page}
    commands[command](first, **given)


def run(minutes: str, output: str = "", only: str = "") -> None:
    """Measure."""
    from gpu.running import run as measure
    from gpu.tasks import TASKS

    names = only.split(",") if only else list(TASKS)
    if unknown := [name for name in names if name not in TASKS]:
        raise SystemExit(f"no task {unknown[0]}; there are {', '.join(TASKS)}")
    measure(float(minutes), names, Path(output or os.environ.get("OUT") or "runs/cuda"))


def pack(folder: str, packages: str, python: str = "3.12", mb: str = "32") -> None:
    """Pack wheels and data."""
    from gpu.packing import pack as write

    for part in write(Path(folder), Path(os.environ["ZOO_DATA"]), float(mb), python, packages.split(",")):
        print(part, f"{sum(file.stat().st_size for file in part.iterdir()) / 1e6:.1f} MB")


def unpack(part: str, data: str, site: str) -> None:
    """Unpack one part."""
    from gpu.packing import unpack as read

    read(Path(part), Path(data), Path(site))


def page(results: str, docs: str = "") -> None:
    """Write the page."""
    from gpu.page import write_page

    print(f"wrote {write_page(Path(results), Path(docs or ROOT / 'docs'))}")


if __name__ == "__main__":
    main(sys.argv[1:])
