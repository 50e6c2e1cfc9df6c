"""Fault 32: names from data are shown as text on a terminal, in the report and in tables."""

import ast
import csv
import html
import pickle
from pathlib import Path

import numpy as np
import pandas as pd

import zoo
from zoo.core.console import CONTROL_CHARACTERS, printable
from zoo.core.errors import UserError
from zoo.core.safe_csv import write_csv
from zoo.core.table_layout import text_table
from zoo.inference.predict_files import predict_file

ROOT = Path(zoo.__file__).parent.parent
EVIL = "\x1b[2J\x9b31m\u202e<script>=1"


def test_fault_32_control_characters_are_escaped():
    """Control characters, text direction marks and lone surrogates are escaped in printed output."""
    assert printable("a\x1b[2J\r\x7f\x9b\u202e\udcff") == r"a\x1b[2J\r\x7f\x9b\u202e\udcff"
    assert printable("two\n\tlines, Ünïcode \u4e2d") == "two\n\tlines, Ünïcode \u4e2d"


def test_fault_32_errors_from_another_process_are_escaped_too():
    """Control characters in an error message are escaped, also in one from another process."""
    error = pickle.loads(pickle.dumps(UserError(f"no file {EVIL}")))
    assert str(error) == f"no file {printable(EVIL)}"


def test_fault_32_a_cell_of_a_table_stays_in_its_line():
    """A name with newlines stays on its line of a printed table."""
    lines = text_table(["class", "n"], [["a\x1b\nb", "1"], ["c", "20"]]).splitlines()
    assert lines == ["class          n", r"a\x1b\nb       1", "c             20"]


def test_fault_32_names_in_data_are_printed_as_text(config, tmp_path, capsys):
    """Headings, classes, values and file names with escape sequences, HTML and formulas are plain text on the
    terminal, in the report and in the file of predictions.
    """
    frame = pd.DataFrame({f"x{EVIL}": np.arange(60.0) ** 2, "y": [EVIL, "=2+3"] * 30, "id": 1.5, f"id{EVIL}": 1.5})
    path = tmp_path / f"t{EVIL.replace('/', '')}.parquet"
    frame.to_parquet(path)
    choices = config("model=fnn/mlp", "data=csv", "data.target=y", "trainer=cpu", "trainer.max_epochs=1")
    choices["data"]["path"] = str(path)
    zoo.train(choices, tmp_path / "run")
    frame.assign(**{f"x{EVIL}": 1e9}).to_parquet(path)
    header, rows = predict_file(zoo.load(tmp_path / "run"), path, tmp_path / "answers.csv")
    printed = capsys.readouterr().out
    assert printable(EVIL) in printed and not CONTROL_CHARACTERS.search(printed)
    assert not CONTROL_CHARACTERS.search(text_table(header, [[str(cell) for cell in row] for row in rows]))
    written = (tmp_path / "answers.csv").read_text()
    assert "'=2+3" in written.splitlines()[0] and not CONTROL_CHARACTERS.search(written)
    report = (tmp_path / "run" / "report.html").read_text()
    assert "<script>" not in report and html.escape("<script>") in report


def test_fault_32_a_spreadsheet_runs_no_formula_of_a_written_csv(tmp_path):
    """Text that a spreadsheet would run as a formula gets an apostrophe; numbers do not change."""
    formulas = ["=1+1", "+cmd|' /C calc'!A0", "-2+3", "@SUM(A1)", "\t=1"]
    plain = ["-1", "+1.5", "-2e5", "a=1", "", -3.5, 7, "\r=1"]
    write_csv(tmp_path / "t.csv", [formulas, plain])
    with open(tmp_path / "t.csv", newline="") as file:
        rows = list(csv.reader(file))
    assert rows == [[f"'{cell}" for cell in formulas], [str(cell).replace("\r", "\\r") for cell in plain]]


def test_fault_32_everything_printed_is_escaped():
    """Every module prints by `echo`, which escapes control characters."""
    for path in (ROOT / "zoo").rglob("*.py"):
        names = {node.id for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Name)}
        assert "print" not in names, f"{path}: print by zoo.core.console.echo"
