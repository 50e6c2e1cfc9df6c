"""Generate docs/newcomer.md by doing what it tells: scripts/maintain/newcomer.py [ENVIRONMENT].

Installs the zoo into the virtual environment ENVIRONMENT, a new one without it, and runs every command of the page in
an empty folder, as a newcomer would. The files that play a newcomer's own come from ZOO_DATA.
"""

import argparse
import lzma
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
import venv
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from zoo.cli.errors import exit_codes
from zoo.core.errors import UserError
from zoo.core.system import hardware
from zoo.data.sources.cache import folder_from_variable

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "newcomer.md"
COLUMNS, HEAD, TAIL = 100, 10, 24  # of what a command prints: width, and the lines shown of a long output
INTRODUCTION = """# From a table to an answer

<!-- written by scripts/maintain/newcomer.py -->

What a newcomer types and sees, from an empty folder to answers for tables, photos, recordings, series and texts of
their own. Every command was run for this page as it stands here, one after the other, with nothing tuned; the seconds
are those on the clock, from Return to the next prompt. How quickly each command starts, beside `import torch` alone and
beside what it was before, is measured in [startup](benchmarks/startup.md).

Machine: {hardware}; Python {python}; {versions}.
"""


@dataclass(frozen=True)
class Step:
    """A section of the page.

    Attributes:
        title: of the section.
        text: before the commands.
        commands: each as it is typed.
        prepare: writes the files that the commands read into the current folder.
    """

    title: str
    text: str
    commands: tuple[str, ...]
    prepare: Callable[[Path], None] = lambda _: None


def table(data: Path) -> None:
    lines = (data / "tables" / "abalone.csv").read_text().splitlines()
    Path("abalone.csv").write_text("\n".join(lines[:-5]) + "\n")
    Path("new.csv").write_text("\n".join([lines[0], *lines[-5:]]) + "\n")


def photos(data: Path) -> None:
    """Write 300 photos each of cats, ships and trucks, and one more ship."""
    records = np.frombuffer(lzma.open(data / "cifar-10-batches-bin" / "data_batch_1.bin.xz").read(), np.uint8)
    records = records.reshape(-1, 3073)
    for label, name in ((3, "cat"), (8, "ship"), (9, "truck")):
        folder = Path("photos", name)
        folder.mkdir(parents=True)
        for i, record in enumerate(records[records[:, 0] == label][:301]):
            image = Image.fromarray(record[1:].reshape(3, 32, 32).transpose(1, 2, 0))
            image.save(folder / f"{i:03}.png")
    shutil.move("photos/ship/300.png", "photo.png")
    Path("photos/cat/300.png").unlink()
    Path("photos/truck/300.png").unlink()


def recordings(data: Path) -> None:
    """Write 60 recordings of each spoken digit of four speakers, and one more."""
    with tarfile.open(data / "fsdd" / "fsdd-recordings.tar.xz") as archive:
        for member in archive:
            match = re.fullmatch(r"recordings/(\d)_(george|jackson|nicolas|theo)_(\d+)\.wav", member.name)
            if match and int(match[3]) < 16:
                path = Path("digits", match[1], f"{match[2]}_{match[3]}.wav")
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(archive.extractfile(member).read())  # type: ignore[union-attr]
    shutil.move("digits/7/theo_15.wav", "seven.wav")


def series(data: Path) -> None:
    shutil.copy(data / "series" / "daily-min-temperatures.csv", "temperatures.csv")


def names(data: Path) -> None:
    """Write a list of surnames, one a line."""
    shutil.copy(data / "names" / "English.txt", "names.txt")


STEPS = (
    Step(
        "Train",
        "Real data that comes inside a package, so nothing is downloaded.",
        ("zoo train fnn run_dir=runs/first",),
    ),
    Step(
        "Look",
        "`runs/first/report.html` opens in a browser, as [this one](report.png) of a CNN. In a terminal:",
        ("zoo runs", "zoo evaluate runs/first", "zoo list 'cnn/*'"),
    ),
    Step(
        "A table of your own",
        "`abalone.csv` holds measurements of 4,172 sea snails; the number of rings in a shell tells the age.",
        ("zoo train abalone.csv rings run_dir=runs/abalone", "zoo predict runs/abalone new.csv"),
        table,
    ),
    Step(
        "Photos of your own",
        "`photos/` holds 300 small photos each of cats, ships and trucks, in a folder for each.",
        ("zoo train photos run_dir=runs/photos", "zoo predict runs/photos photo.png"),
        photos,
    ),
    Step(
        "Recordings of your own",
        "`digits/` holds spoken digits: 64 recordings of each, of four speakers, in a folder for each digit.",
        ("zoo train digits run_dir=runs/digits", "zoo predict runs/digits seven.wav"),
        recordings,
    ),
    Step(
        "A series of your own",
        "`temperatures.csv` holds the lowest temperature of each day in Melbourne, for ten years.",
        (
            "zoo train rnn temperatures.csv run_dir=runs/temperatures",
            "zoo predict runs/temperatures temperatures.csv forecast.csv",
        ),
        series,
    ),
    Step(
        "A text of your own",
        "`names.txt` is a list of English surnames, one a line.",
        ("zoo train names.txt run_dir=runs/names", "zoo predict runs/names Har length=60"),
        names,
    ),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("environment", nargs="?", type=Path)
    with exit_codes(), tempfile.TemporaryDirectory() as folder:
        environment = parser.parse_args().environment or Path(folder, "venv")
        data = folder_from_variable("ZOO_DATA")
        if data is None:
            raise UserError("the files of the page come from ZOO_DATA; set it to a folder with the data sets")
        os.makedirs(Path(folder, "newcomer"))
        os.chdir(Path(folder, "newcomer"))
        PAGE.write_text("\n".join(page(environment.absolute(), data)), encoding="utf-8")
        print(f"wrote {PAGE.relative_to(ROOT)}")


def page(environment: Path, data: Path) -> Iterator[str]:
    """Do each step, and yield the parts of the page."""
    installed = list(install(environment))
    yield INTRODUCTION.format(hardware=hardware(), **versions(environment))
    yield from installed
    for step in STEPS:
        print(step.title, file=sys.stderr, flush=True)
        step.prepare(data)
        yield f"## {step.title}\n\n{step.text}\n"
        for command in step.commands:
            yield transcript(command, environment)


def install(environment: Path) -> Iterator[str]:
    """Install the zoo into a new environment and yield the section about it; nothing if it is there already."""
    if environment.exists():
        return
    start = time.perf_counter()
    venv.create(environment, with_pip=True)
    subprocess.run([environment / "bin" / "pip", "install", "-q", ROOT], check=True)
    yield "## Install\n\nIn a new virtual environment; most of the time goes into downloading PyTorch.\n"
    yield f"```console\n$ pip install .\n```\n\n{since(start)}.\n"


def transcript(command: str, environment: Path) -> str:
    """Run a command and return a block with it, what it printed, and its seconds."""
    path = f"{environment / 'bin'}{os.pathsep}{os.environ['PATH']}"
    hidden = {"ZOO_DATA", "ZOO_CACHE", "PYTHONPATH", "OMP_NUM_THREADS", "MKL_NUM_THREADS"}
    env = {key: value for key, value in os.environ.items() if key not in hidden}
    env |= {"PATH": path, "COLUMNS": str(COLUMNS), "XDG_CACHE_HOME": str(Path.cwd() / ".cache")}
    start = time.perf_counter()
    done = subprocess.run(command, shell=True, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    seconds = since(start)
    if done.returncode:
        raise UserError(f"{command} ended with {done.returncode}:\n{done.stdout}")
    lines = [line.rstrip() for line in done.stdout.replace(f"{Path.cwd()}/", "").splitlines()]
    if len(lines) > HEAD + TAIL:
        lines = [*lines[:HEAD], "...", *lines[-TAIL:]]
    return "\n".join(["```console", f"$ {command}", *lines, "```", "", f"{seconds}.", ""])


def since(start: float) -> str:
    return f"{time.perf_counter() - start:.1f} seconds"


def versions(environment: Path) -> dict[str, str]:
    """The versions of Python and of the main packages in an environment."""
    code = (
        "import platform; from importlib.metadata import version as v; "
        "print(platform.python_version(), *(f'{name} {v(name)}' for name in ('zoo', 'torch', 'lightning')), sep=', ')"
    )
    done = subprocess.run([environment / "bin" / "python", "-c", code], capture_output=True, text=True, check=True)
    python, _, packages = done.stdout.strip().partition(", ")
    return {"python": python, "versions": packages}


if __name__ == "__main__":
    main()
