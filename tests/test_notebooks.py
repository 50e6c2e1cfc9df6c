"""Every notebook runs from top to bottom and stores what it shows."""

import pytest
from helpers.commands import ROOT

pytest.importorskip("nbclient", reason="running notebooks needs nbclient: pip install zoo[test]")
pytest.importorskip("ipykernel", reason="running notebooks needs ipykernel: pip install zoo[test]")
nbformat = pytest.importorskip("nbformat", reason="reading notebooks needs nbformat: pip install zoo[test]")

from maintain.notebooks import executed  # noqa: E402

NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


@pytest.fixture(params=NOTEBOOKS, ids=lambda path: path.stem)
def notebook(request):
    return nbformat.read(request.param, as_version=4)


def n_pictures(notebook):
    """The number of pictures in each cell."""
    outputs = [cell.get("outputs", []) for cell in notebook.cells]
    return [sum("image/png" in output.get("data", {}) for output in of_cell) for of_cell in outputs]


def test_the_folder_of_notebooks_is_not_empty():
    assert NOTEBOOKS


def test_a_notebook_stores_nothing_of_the_machine_that_ran_it(notebook):
    nbformat.validate(notebook)
    assert notebook.metadata.kernelspec.name == "python3"
    for cell in notebook.cells:
        assert "execution" not in cell.metadata
        for output in cell.get("outputs", []):
            assert output.get("name") != "stderr"
            assert "/tmp" not in str(output) and "site-packages" not in str(output), output


@pytest.mark.slow
def test_a_notebook_runs_and_stores_the_pictures_that_it_shows(notebook, monkeypatch):
    stored = n_pictures(notebook)
    assert any(stored)
    assert n_pictures(executed(notebook)) == stored, "run scripts/maintain/notebooks.py"
