"""Load a trained model by name or path; list the pretrained files that come with the zoo."""

import hashlib
from collections.abc import Mapping
from fnmatch import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.core.errors import UserError, unknown_name
from zoo.inference.weights_file import load_weights, read_bytes

if TYPE_CHECKING:
    from zoo.inference.predictor import Predictor

FOLDER = Path(__file__).parent.parent
CARDS, WEIGHTS = FOLDER / "cards", FOLDER / "weights"


def list_pretrained(pattern: str = "*") -> list[str]:
    """List the pretrained files that match a shell pattern, such as "*mnist*"."""
    names = [path.relative_to(CARDS).with_suffix("").as_posix() for path in CARDS.rglob("*.yaml")]
    return sorted(name for name in names if fnmatch(name, pattern))


def load_card(name: str) -> dict[str, Any]:
    """Read the card of a pretrained file. An unknown name raises UserError with the nearest ones."""
    from zoo.core.safe_yaml import read_yaml

    if name not in list_pretrained():
        raise unknown_name("pretrained file", name, list_pretrained())
    card = read_yaml(CARDS / f"{name}.yaml")
    if not isinstance(card, dict) or "sha256" not in card:
        raise UserError(f"{CARDS / name}.yaml is not a card, which has the file's sha256; install the zoo again")
    return card


def _weights_in(folder: Path) -> Path:
    """Return the weights file of a run folder; UserError if there is none."""
    path = folder / "model.safetensors"
    if not path.exists():
        runs = sorted(file.parent for pattern in ("*", "*/*") for file in folder.glob(f"{pattern}/{path.name}"))
        if runs:
            fix = f"name one of the runs in it, such as {runs[0]}"
        elif (folder / "checkpoints").is_dir():
            fix = "its training is not finished; resume it with resume=auto"
        else:
            fix = "name the folder of a finished run"
        raise UserError(f"{folder} has no {path.name}; {fix}")
    return path


def is_ensemble(card: Mapping[str, Any]) -> bool:
    """Whether a card is of an ensemble; its `metrics` are those of the members."""
    return "seeds" in card["file"]


def load(name_or_path: str | Path) -> "Predictor":
    """Load a trained model, ready to predict from raw input.

    Args:
        name_or_path: a name of `list_pretrained`, a run folder, or the path of its `model.safetensors`. A run that was
            interrupted answers from its best epoch so far, and says so.

    Raises:
        UserError: when there is no such name or file, or the file is damaged, of another kind, or of a newer format.
    """
    from zoo.inference.predictor import Predictor
    from zoo.inference.unfinished import load_unfinished

    name = str(name_or_path)
    if name in list_pretrained():
        card = load_card(name)
        path = WEIGHTS / f"{name}.safetensors"
        if hashlib.sha256(read_bytes(path)).hexdigest() != card["sha256"]:
            raise UserError(f"{path} is not the published file: its sha256 is not the card's; install the zoo again")
    elif (path := Path(name).expanduser()).exists() or name.endswith(".safetensors"):
        if unfinished := load_unfinished(path):
            return unfinished
        card, path = {}, _weights_in(path) if path.is_dir() else path
    else:
        beside = [str(path.parent / other.name) for other in path.parent.glob("*")]
        raise unknown_name("run folder or pretrained file", name, [*list_pretrained(), *beside])
    model, spec, header = load_weights(path)
    return Predictor(model, spec, card or header, header.get("calibration"))
