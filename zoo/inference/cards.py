"""Build a pretrained file and its card from finished runs; verify that they agree."""

import math
import shutil
import statistics
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from zoo.core.atomic_files import sha256_of, write_text
from zoo.core.errors import UserError
from zoo.core.safe_yaml import to_yaml
from zoo.core.spec import DataSpec, Input
from zoo.inference.ensembling import ensemble
from zoo.inference.evaluation import calibrate_and_evaluate
from zoo.inference.held_out import LEARNED_VALIDATION
from zoo.inference.pretrained import CARDS, WEIGHTS, load_card
from zoo.inference.reproduction import finished_metrics
from zoo.inference.weights_file import load_weights, save_weights
from zoo.models.ensemble import Trained, sizes

PROBE_TOLERANCE = 1e-3
HALVED_TOLERANCE = 1e-3  # largest relative change of the validation loss by 16-bit weights


def release(name: str, runs: Path, *, as_ensemble: bool = False) -> Path:
    """Build the pretrained file `name` from the finished runs in a folder, one per seed, and write its card.

    The file is the run with the lowest validation loss; the card's metrics are over all runs. Weights are stored in 16
    bits if the validation loss does not change.

    Args:
        name: family/architecture[size].data[_recipe]; conf/experiment/<name>.yaml is its recipe.
        runs: the sweep's folder, with one finished run in each subfolder.
        as_ensemble: the file is the ensemble of all runs instead.

    Returns:
        The card's path.

    Raises:
        UserError: for a folder without finished runs, and runs that cannot form an ensemble.
    """
    finished = sorted(finished_metrics(runs), key=lambda pair: pair[1]["seed"])
    if not finished:
        raise UserError(f"{runs} holds no finished run")
    metrics = [entry for _, entry in finished]
    recipe = f"zoo train -m experiment={name} seed={','.join(str(entry['seed']) for entry in metrics)}"
    weights = WEIGHTS / f"{name}.safetensors"
    weights.parent.mkdir(parents=True, exist_ok=True)
    if as_ensemble:
        ensemble([run.weights for run, _ in finished], weights)
        recipe += " run_dir=RUNS && zoo ensemble RUNS FILE"
    else:
        best, _ = min(finished, key=lambda pair: pair[1]["val"]["loss"])
        shutil.copy(best.weights, weights)
    _store_in_16_bits(weights)
    path = CARDS / f"{name}.yaml"
    write_text(path, to_yaml({"name": name, "recipe": recipe, **_card(weights, metrics)}, width=120))
    return path


def _card(weights: Path, metrics: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The card of a weights file and of the metrics of all runs, without its name and recipe."""
    model, spec, header = load_weights(weights)
    return {
        "metrics": {split: _summaries([entry[split] for entry in metrics]) for split in ("val", "test")},
        "file": {**{key: header[key] for key in ("seed", "seeds") if key in header}, **header["metrics"]},
        "seeds": [entry["seed"] for entry in metrics],
        "seconds": _summaries([entry["seconds"] for entry in metrics]),
        "bytes": weights.stat().st_size,
        "sha256": sha256_of(weights),
        **{key: header[key] for key in ("n_parameters", "precision", "device", "hardware", "versions")},
        **{key: header[key] for key in ("fingerprints",) if key in header},
        "model": header["model"],
        "config": header["config"],
        "spec": header["spec"],
        "probe": _probe_outputs(model, spec).tolist(),
    }


def _store_in_16_bits(path: Path) -> None:
    """Store the weights of a file in 16 bits, and its metrics with these, unless its validation loss changes by
    more than HALVED_TOLERANCE. What a model that has learned the validation split says of it is from before that."""
    model, _, header = load_weights(path)
    learned = header.get(LEARNED_VALIDATION, False)
    whole = calibrate_and_evaluate(path) if learned else header
    with tempfile.TemporaryDirectory() as folder:
        halved = Path(folder) / path.name
        save_weights(halved, model, header, halved=True)
        measured = calibrate_and_evaluate(halved)
    loss, now = (one["metrics"]["val"]["loss"] for one in (whole, measured))
    if math.isclose(loss, now, rel_tol=HALVED_TOLERANCE):
        measured = {"metrics": {**header["metrics"], "test": measured["metrics"]["test"]}} if learned else measured
        save_weights(path, model, {**header, **measured}, halved=True)


def _summaries(entries: Sequence[Mapping[str, float]]) -> dict[str, dict[str, float]]:
    """Mean and sample standard deviation of each value over the runs."""
    return {
        key: {
            "mean": statistics.fmean(entry[key] for entry in entries),
            "std": statistics.stdev([entry[key] for entry in entries]) if len(entries) > 1 else 0.0,
            "n": len(entries),
        }
        for key in entries[0]
    }


def verify(name: str) -> list[str]:
    """Find differences between the card, the file and the model of a pretrained file; empty if they agree."""
    card = load_card(name)
    path = WEIGHTS / f"{name}.safetensors"
    model, spec, header = load_weights(path)
    problems = [key for key in ("model", "spec", "config", "n_parameters") if card[key] != header[key]]
    problems += [] if card["file"]["test"] == header["metrics"]["test"] else ["metrics"]
    problems += [] if card["bytes"] == path.stat().st_size else ["bytes"]
    problems += [] if card["sha256"] == sha256_of(path) else ["sha256"]
    counted = sizes(model)["n_parameters"]
    problems += [] if card["n_parameters"] == counted else [f"n_parameters counted as {counted}"]
    probe = _probe_outputs(model, spec)
    expected = torch.tensor(card["probe"])
    close = torch.allclose(probe, expected, rtol=PROBE_TOLERANCE, atol=PROBE_TOLERANCE)
    return problems + ([] if close else [f"probe outputs {probe.tolist()}"])


def probe_inputs(spec: DataSpec, n: int = 2, n_steps: int = 8) -> dict[str, Tensor]:
    """Make up `n` raw samples, the same on every machine; sequences have `n_steps` steps, each one step less."""
    generator = torch.Generator().manual_seed(0)
    return {name: _probe_input(an_input, n, n_steps, generator) for name, an_input in spec.inputs.items()}


def _probe_input(an_input: Input, n: int, n_steps: int, generator: torch.Generator) -> Tensor:
    shape = (n, *(n_steps if size is None else size for size in an_input.shape))
    if an_input.dtype == "uint8":
        return torch.randint(256, shape, generator=generator, dtype=torch.uint8)
    if an_input.cardinalities:
        return (torch.rand(shape, generator=generator) * torch.tensor(an_input.cardinalities)).long()
    if an_input.dtype == "int64":
        return n_steps - torch.arange(n)
    return torch.randn(shape, generator=generator)


def _probe_outputs(model: Trained, spec: DataSpec) -> Tensor:
    with torch.inference_mode():
        return model.eval()(**probe_inputs(spec)).float()
