"""Run the notebooks and store their outputs, so that a code host shows the pictures: scripts/maintain/notebooks.py."""

import base64
import io
import os
import re
import tempfile
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from PIL import Image

FOLDER = Path(__file__).resolve().parents[2] / "notebooks"


def main() -> None:
    for path in sorted(FOLDER.glob("*.ipynb")):
        notebook = executed(nbformat.read(path, as_version=4))
        for cell in notebook.cells:
            clean(cell)
        nbformat.write(notebook, path)
        print(f"ran {path.name}", flush=True)


def executed(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """Run a notebook from top to bottom in its folder, and return it with its outputs."""
    os.environ |= {"OMP_NUM_THREADS": "1", "MPLBACKEND": "module://matplotlib_inline.backend_inline"}
    resources = {"metadata": {"path": str(FOLDER)}}
    NotebookClient(notebook, timeout=240, kernel_name="python3", resources=resources).execute()
    return notebook


def clean(cell: nbformat.NotebookNode) -> None:
    """Drop what differs from one machine to the next: times, folders, what went to stderr; and shrink the pictures."""
    cell.metadata.pop("execution", None)
    if cell.cell_type != "code":
        return
    cell.outputs = [output for output in cell.outputs if output.get("name") != "stderr"]
    for output in cell.outputs:
        for holder in (output, output.get("data", {})):
            for kind in {"text", "text/plain", "text/html"} & set(holder):
                holder[kind] = without_folder(holder[kind])
            if "image/png" in holder:
                holder["image/png"] = smaller(holder["image/png"])


def without_folder(text: str) -> str:
    """Name the folder of the trainings, which is a temporary one, runs."""
    return re.sub(rf"{re.escape(tempfile.gettempdir())}/\w+", "runs", text)


def smaller(picture: str) -> str:
    """Reduce a PNG to 256 colours."""
    file = io.BytesIO()
    Image.open(io.BytesIO(base64.b64decode(picture))).convert("RGB").quantize(256).save(file, "PNG", optimize=True)
    return base64.b64encode(file.getvalue()).decode()


if __name__ == "__main__":
    main()
