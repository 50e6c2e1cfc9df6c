"""Every block of the README and of docs/ works: files are written, commands run, Python executed."""

import contextlib
import re
import runpy
import shlex
import subprocess
import sys

import pytest
from helpers.commands import ROOT, without_baselines

from zoo.cli.main import main

BLOCK = re.compile(r"(?:^`(\S+)`:\n\n)?^```(\w+)\n(.*?)^```", re.DOTALL | re.MULTILINE)  # with the name of its file

PAGES = ["README.md", "CONTRIBUTING.md", *(f"docs/{path.name}" for path in sorted((ROOT / "docs").glob("*.md")))]


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES)
def test_every_block_of_a_page_runs(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "scripts").symlink_to(ROOT / "scripts")
    names = {}  # the Python blocks share their names
    for path, language, text in BLOCK.findall((ROOT / page).read_text()):
        if "pip install" in text:
            continue
        if path:
            (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / path).write_text(text)
        elif language == "python":
            exec(compile(text, page, "exec"), names)
        elif language == "bash":
            for line in text.splitlines():
                run(line, monkeypatch)


def run(line, monkeypatch):
    """Run a command in this process, which has imported torch; in a separate one if it adds to the registries."""
    program, *words = shlex.split(line)
    words = without_baselines(words) if "train" in words[:1] else words
    if "zoo_path" in line:
        command = [sys.executable, *words] if program == "python" else [sys.executable, "-m", "zoo", *words]
        done = subprocess.run(command, capture_output=True, text=True, timeout=200)
        assert done.returncode == 0, f"{line}\n{done.stdout}\n{done.stderr}"
        return
    with monkeypatch.context() as patch, contextlib.suppress(SystemExit):
        patch.setattr(sys, "argv", words if program == "python" else [program, *words])
        if program == "zoo":
            main()
        else:
            patch.syspath_prepend(ROOT / "scripts")
            runpy.run_path(words[0], run_name="__main__")
        return
    pytest.fail(f"{line} ended early")


@pytest.mark.parametrize("page", PAGES)
def test_links_and_names_of_files_exist(page):
    text = (ROOT / page).read_text()
    for target in re.findall(r"\]\(([^)]+)\)", text):
        path, _, heading = target.partition("#")
        other = (ROOT / page).parent / path if path else ROOT / page
        assert other.exists(), target
        assert not heading or f"# {heading.replace('-', ' ')}\n" in other.read_text().lower(), target
    for name in re.findall(r"`((?:zoo|conf|scripts|notebooks)/[\w/.]*)`", text):
        assert (ROOT / name).exists(), name
