"""From finished runs to a pretrained file with its card, and what holds a card to its file and to new runs."""

import json
import math
import shutil
import statistics
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from scipy.special import stdtrit
from torch import Tensor

from zoo.core.atomic_files import sha256_of, write_text
from zoo.core.errors import UserError
from zoo.core.run_folder import Run, finished_runs
from zoo.core.safe_yaml import to_yaml
from zoo.core.spec import DataSpec, Input
from zoo.inference.ensembling import ensemble
from zoo.inference.evaluation import measure
from zoo.inference.pretrained import CARDS, WEIGHTS, load_card
from zoo.inference.weights_file import load_file, read_tensors, save_file
from zoo.models.ensemble import Trained

PROBE_TOLERANCE = 1e-3
HALVED = 1e-3  # largest change of the validation loss by 16-bit weights, as a share


def release(name: str, runs: Path, *, together: bool = False) -> Path:
    """Make the pretrained file `name` of the finished runs in a folder, one a seed, and write its card.

    The file is the run of the lowest validation loss; the card's metrics are over all runs. Weights are stored in 16
    bits where the validation loss stays what it is.

    Args:
        name: family/architecture[size].data[_recipe]; conf/experiment/<name>.yaml is its recipe.
        runs: the sweep's folder, with one finished run in each sub-folder.
        together: the file is the ensemble of all runs instead.

    Returns:
        The card's path.

    Raises:
        UserError: for a folder without finished runs, and runs that make no ensemble.
    """
    done = finished(runs)
    if not done:
        raise UserError(f"{runs} holds no finished run")
    metrics = [entry for _, entry in done]
    target = WEIGHTS / f"{name}.safetensors"
    target.parent.mkdir(parents=True, exist_ok=True)
    seeds = [entry["seed"] for entry in metrics]
    recipe = f"zoo train -m experiment={name} seed={','.join(map(str, seeds))}"
    if together:
        ensemble([run.weights for run, _ in done], target)
        recipe += " run_dir=RUNS && zoo ensemble RUNS FILE"
    else:
        best, _ = min(done, key=lambda pair: pair[1]["val"]["loss"])
        shutil.copy(best.weights, target)
    _halve(target)
    model, spec, header = load_file(target)
    card = {
        "name": name,
        "recipe": recipe,
        "metrics": {split: _summaries([entry[split] for entry in metrics]) for split in ("val", "test")},
        "file": {**{key: header[key] for key in ("seed", "seeds") if key in header}, **header["metrics"]},
        "seeds": seeds,
        "seconds": _summaries([entry["seconds"] for entry in metrics]),
        "bytes": target.stat().st_size,
        "sha256": sha256_of(target),
        **{key: header[key] for key in ("n_parameters", "precision", "device", "hardware", "versions")},
        **{key: header[key] for key in ("fingerprints",) if key in header},
        "model": header["model"],
        "config": header["config"],
        "spec": header["spec"],
        "probe": _probe_outputs(model, spec).tolist(),
    }
    path = CARDS / f"{name}.yaml"
    write_text(path, to_yaml(card, width=120))
    return path


def _halve(path: Path) -> None:
    """Store the weights of a release file in 16 bits, and the metrics that it then has, unless its validation loss
    changes by more than HALVED."""
    model, _, header = load_file(path)
    with tempfile.TemporaryDirectory() as folder:
        halved = Path(folder) / path.name
        save_file(halved, model, header, halved=True)
        metrics = measure(halved)
    loss, now = header["metrics"]["val"]["loss"], metrics["val"]["loss"]
    if math.isclose(loss, now, rel_tol=HALVED):
        save_file(path, model, {**header, "metrics": metrics}, halved=True)


def _summaries(entries: Sequence[Mapping[str, float]]) -> dict[str, dict[str, float]]:
    """Mean and sample standard deviation of each value, over the runs."""
    return {
        key: {
            "mean": statistics.fmean(entry[key] for entry in entries),
            "std": statistics.stdev([entry[key] for entry in entries]) if len(entries) > 1 else 0.0,
            "n": len(entries),
        }
        for key in entries[0]
    }


def verify(name: str) -> list[str]:
    """What is wrong with a pretrained file: differences between card, file and model. Empty when all holds."""
    card = load_card(name)
    path = WEIGHTS / f"{name}.safetensors"
    model, spec, header = load_file(path)
    problems = [key for key in ("model", "spec", "config", "n_parameters") if card[key] != header[key]]
    problems += [] if card["file"]["test"] == header["metrics"]["test"] else ["metrics"]
    problems += [] if card["bytes"] == path.stat().st_size else ["bytes"]
    problems += [] if card["sha256"] == sha256_of(path) else ["sha256"]
    counted = sum(parameter.numel() for parameter in model.parameters())
    problems += [] if card["n_parameters"] == counted else [f"n_parameters counted as {counted}"]
    probe = _probe_outputs(model, spec)
    expected = torch.tensor(card["probe"])
    close = torch.allclose(probe, expected, rtol=PROBE_TOLERANCE, atol=PROBE_TOLERANCE)
    return problems + ([] if close else [f"probe outputs {probe.tolist()}"])


@dataclass(frozen=True)
class Comparison:
    """One metric of a split: mean and standard deviation of a card's `n` runs, the shipped file's, and the mean of
    `n_now` new runs."""

    split: str
    metric: str
    mean: float
    std: float
    n: int
    file: float
    now: float
    n_now: int

    @property
    def difference(self) -> float:
        return self.now - self.mean

    @property
    def allowed(self) -> float:
        """How far means of so many runs lie apart by chance in one case of a hundred, at most (Student's t). Where the
        card has one run, or its runs did not differ: 5 % of a loss, 1 % of what else there is."""
        if self.std == 0 or self.n < 2:
            return (0.05 if self.metric == "loss" else 0.01) * abs(self.mean)
        return float(stdtrit(self.n - 1, 0.995)) * self.std * math.sqrt(1 / self.n + 1 / self.n_now)

    @property
    def within(self) -> bool:
        return abs(self.difference) <= self.allowed


def finished(folder: Path, seeds: Sequence[int] | None = None) -> list[tuple[Run, dict[str, Any]]]:
    """The finished trainings below a folder, each with its metrics; those with `seeds`, or all."""
    runs = [(run, json.loads(run.metrics.read_text())) for run in finished_runs(folder)]
    return [(run, metrics) for run, metrics in runs if seeds is None or metrics["seed"] in seeds]


def compare(card: Mapping[str, Any], runs: Sequence[Mapping[str, Any]]) -> list[Comparison]:
    """Every metric of a card beside the mean over new runs, of which there is what their metrics.json holds."""
    return [
        Comparison(
            split=split,
            metric=metric,
            mean=stated["mean"],
            std=stated["std"],
            n=stated["n"],
            file=card["file"][split][metric],
            now=statistics.fmean(run[split][metric] for run in runs),
            n_now=len(runs),
        )
        for split, metrics in card["metrics"].items()
        for metric, stated in metrics.items()
    ]


def compare_together(card: Mapping[str, Any], runs: Sequence[Run], output: Path) -> list[Comparison]:
    """Every metric of an ensemble's file beside that of the ensemble of new runs, which is written to `output`."""
    stated = {
        split: {metric: {"mean": value, "std": 0.0, "n": 1} for metric, value in card["file"][split].items()}
        for split in card["metrics"]
    }
    return compare({**card, "metrics": stated}, [ensemble([run.weights for run in runs], output)["metrics"]])


def same_weights(name: str, run: Run) -> str:
    """In words, whether a run's tensors are those of the pretrained file, bit for bit."""
    paths = (run.weights, WEIGHTS / f"{name}.safetensors")
    ours, published = (read_tensors(path)[0] for path in paths)
    different = [
        key for key, value in published.items() if key not in ours or not torch.equal(ours[key].to(value.dtype), value)
    ]
    return f"{len(different)} of {len(published)} tensors differ from the file's" if different else "equal bit for bit"


def probe_inputs(spec: DataSpec, n: int = 2, n_steps: int = 8) -> dict[str, Tensor]:
    """`n` made-up raw samples that are the same everywhere; sequences have `n_steps` steps or one less each."""
    generator = torch.Generator().manual_seed(0)
    return {name: _made_up(an_input, n, n_steps, generator) for name, an_input in spec.inputs.items()}


def _made_up(an_input: Input, n: int, n_steps: int, generator: torch.Generator) -> Tensor:
    shape = (n, *(n_steps if size is None else size for size in an_input.shape))
    if an_input.dtype == "uint8":
        return torch.randint(256, shape, generator=generator, dtype=torch.uint8)
    if an_input.dtype == "int64":
        return n_steps - torch.arange(n)
    return torch.randn(shape, generator=generator)


def _probe_outputs(model: Trained, spec: DataSpec) -> Tensor:
    with torch.inference_mode():
        return model.eval()(**probe_inputs(spec)).float()
