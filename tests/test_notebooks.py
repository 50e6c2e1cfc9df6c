"""Every notebook is stored without outputs and runs from top to bottom."""

from pathlib import Path

import pytest

nbclient = pytest.importorskip("nbclient", reason="running notebooks needs nbclient: pip install zoo[test]")
pytest.importorskip("ipykernel", reason="running notebooks needs ipykernel: pip install zoo[test]")
nbformat = pytest.importorskip("nbformat", reason="reading notebooks needs nbformat: pip install zoo[test]")

FOLDER = Path(__file__).resolve().parent.parent / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))


@pytest.fixture(params=NOTEBOOKS, ids=lambda path: path.stem)
def notebook(request):
    return nbformat.read(request.param, as_version=4)


def test_the_folder_of_notebooks_is_not_empty():
    assert NOTEBOOKS


def test_a_notebook_is_stored_without_outputs(notebook):
    nbformat.validate(notebook)
    assert notebook.metadata.kernelspec.name == "python3"
    for cell in notebook.cells:
        if cell.cell_type == "code":
            assert not cell.outputs, f"cell {cell.id} stores outputs; clear them before you commit"
            assert cell.execution_count is None, f"cell {cell.id} stores an execution count; clear it before you commit"


@pytest.mark.slow
def test_a_notebook_runs_and_shows_a_picture(notebook, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("MPLBACKEND", "module://matplotlib_inline.backend_inline")
    resources = {"metadata": {"path": str(FOLDER)}}
    nbclient.NotebookClient(notebook, timeout=240, kernel_name="python3", resources=resources).execute()
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    assert any("image/png" in output.get("data", {}) for output in outputs), "the notebook shows no picture"
