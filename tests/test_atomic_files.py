"""Files are written atomically."""

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from zoo.core.atomic_files import write_text
from zoo.core.new_folders import make_run_folder


def test_writing_keeps_a_link_and_writes_to_a_device(tmp_path):
    (tmp_path / "latest.csv").symlink_to(tmp_path / "first.csv")
    write_text(tmp_path / "latest.csv", "a")
    assert (tmp_path / "latest.csv").is_symlink() and (tmp_path / "first.csv").read_text() == "a"
    reader, terminal = os.openpty()
    write_text(Path(os.ttyname(terminal)), "answers")
    assert os.read(reader, 100) == b"answers"


def test_runs_on_one_file_have_folders_of_their_own_even_at_once(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(make_run_folder, [{"name": "csv", "path": "my data/churn of 2024.csv.gz"}] * 8))
    names = ["churn_of_2024", *(f"churn_of_2024-{number}" for number in range(2, 9))]
    assert sorted(folder.name for folder in made) == names
    assert make_run_folder({"name": "wine"}).as_posix() == "runs/wine"
