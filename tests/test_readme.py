"""Every block of the README and of docs/ works: files are written, commands run, Python executed."""

import contextlib
import re
import runpy
import shlex
import sys
from dataclasses import replace

import pytest
from helpers.commands import ROOT, without_baselines

import zoo.folds
import zoo.training
from zoo.cli.main import main
from zoo.engine.resources import fill_auto

BLOCK = re.compile(r"(?:^`(\S+)`:\n\n)?^```(\w+)\n(.*?)^```", re.DOTALL | re.MULTILINE)  # with the name of its file

PAGES = ["README.md", "CONTRIBUTING.md", *(f"docs/{path.name}" for path in sorted((ROOT / "docs").glob("*.md")))]
N_EPOCHS = 3  # of each training, which on the page lasts longer


@pytest.fixture
def short_trainings(monkeypatch):
    """Trainings of this process end after a few epochs; all else is as on the page."""

    def fill(*arguments):
        config = fill_auto(*arguments)
        few = min(config.trainer["max_epochs"], N_EPOCHS)
        return replace(config, trainer={**config.trainer, "max_epochs": few})

    for module in (zoo.training, zoo.folds):
        monkeypatch.setattr(module, "fill_auto", fill)


@pytest.mark.slow
@pytest.mark.usefixtures("short_trainings", "own_code")
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
    """Run a command in this process, which has imported torch."""
    program, *words = shlex.split(line)
    words = without_baselines(words) if "train" in words[:1] else words
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
