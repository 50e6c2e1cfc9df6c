"""Files are written atomically."""

import os
from pathlib import Path

from zoo.core.atomic_files import write_text


def test_writing_keeps_a_link_and_writes_to_a_device(tmp_path):
    (tmp_path / "latest.csv").symlink_to(tmp_path / "first.csv")
    write_text(tmp_path / "latest.csv", "a")
    assert (tmp_path / "latest.csv").is_symlink() and (tmp_path / "first.csv").read_text() == "a"
    reader, terminal = os.openpty()
    write_text(Path(os.ttyname(terminal)), "answers")
    assert os.read(reader, 100) == b"answers"
