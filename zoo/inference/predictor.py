"""From raw input to a named answer."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from zoo.core.atomic_files import check_output_path
from zoo.core.console import echo, merge_repeats
from zoo.core.errors import UserError, missing_file, unknown_name
from zoo.core.safe_csv import write_csv
from zoo.core.spec import DataSpec, Input
from zoo.data.folders import list_files
from zoo.data.splits import Batch, NamedBatch, read_batch_size
from zoo.models.ensemble import Trained
from zoo.tasks import trained_task
from zoo.tasks.base import SAMPLE, beside

DEVICES = ("auto", "cpu", "cuda")


class Predictor:
    """A trained model with all it needs to answer raw input. Made by `zoo.load`.

    Attributes:
        model: the Model, or an Ensemble of them, in evaluation mode.
        spec: what it takes and gives.
        card: how it was trained and how good it is.
    """

    def __init__(self, model: Trained, spec: DataSpec, card: Mapping[str, Any]):
        self.model, self.spec, self.card = model.eval(), spec, card
        self.task = trained_task(spec, card)

    def predict(self, raw: Any) -> Any:
        """The answer for one raw sample, or a list of answers for several.

        Args:
            raw: by the model's input:
                image: uint8 array (height, width), (channels, height, width) or (height, width, channels), or several
                with one more axis in front; or PIL images or files, one or a list, of any size.
                numeric, categorical: a DataFrame, a dict by column name or a list of them; where all columns are
                numbers, an array (n_numeric,) or (n, n_numeric).
                sequence: array (time, n_channels), or several as a list of arrays of any lengths.
                tokens: a str, or a list of them.
                A pathlib.Path is read as a file of that kind; of a series to forecast from, its last steps.

        Returns:
            A class name, or a number in the target's units; a list of them for several samples.

        Raises:
            UserError: when the input does not have the shape, type or columns the model takes.
        """
        batch, single = self.read(raw)
        answers = self.task.decode(self.outputs(batch))
        return answers[0] if single else answers

    def predict_proba(self, raw: Any) -> np.ndarray:
        """Probabilities of the classes in the order of `spec.class_names`: (n_classes,), or (n, n_classes); of a
        language model, for what follows each text."""
        batch, single = self.read(raw)
        probabilities = self.task.probabilities(self.outputs(batch)).cpu().numpy()
        return probabilities[0] if single else probabilities

    def features(self, raw: Any) -> np.ndarray:
        """The last hidden representation: (d_features,), or (n, d_features) for several samples."""
        batch, single = self.read(raw)
        features = self._in_parts(self.model.features, batch).float().cpu().numpy()
        return features[0] if single else features

    def generate(self, prompt: str = "\n", n: int = 200, temperature: float = 1.0, seed: int = 0) -> str:
        """Text of a language model's own.

        Args:
            prompt: what it goes on from; one character at least.
            n: characters to write.
            temperature: below 1 keeps to the likelier characters, above 1 strays from them.
            seed: of the draws.

        Raises:
            UserError: for a model that is not a language model, an empty prompt, or a temperature of 0 or below.
        """
        from zoo.data.sequences.inputs.tokens import encode_text

        if not self.task.generates:
            raise UserError(f"generate needs a language model; this model does {self.spec.task}: use predict")
        if not prompt or temperature <= 0 or n < 0:
            rule = "the prompt is not empty, the temperature above 0 and n at least 0"
            raise UserError(f"{rule}; got {prompt!r}, {temperature} and {n}")
        tokens = encode_text(self.spec.reading["alphabet"], prompt)[None]  # (1, time)
        if n_strange := int((tokens == 0).sum()):
            echo(f"{n_strange:,} of {len(prompt):,} characters of the prompt were not in training's text")
        with torch.inference_mode():
            return self.task.write(
                lambda step, state: self.model.carry(state, tokens=step), tokens.to(self.device), n, temperature, seed
            )

    def answers(self, raw: Any) -> dict[str, list[Any]]:
        """The answers as the columns of a table, with the names of the samples where they have some, and the
        probability of each class where there are classes."""
        return self._tabulated(self.read(raw)[0])

    def file_answers(self, path: Path) -> tuple[dict[str, list[Any]], np.ndarray | None]:
        """`answers` for the samples of a file that can be read, and the mask (n,) of these among all in it; None for
        all."""
        from zoo.data.readers import read_file

        batch, answered = read_file(self.spec, path)
        return self._tabulated(self._checked(batch)), answered

    def _tabulated(self, batch: Batch) -> dict[str, list[Any]]:
        answers = self.task.tabulate(self.outputs(batch))
        n_rows = len(next(iter(answers.values()))) // len(next(iter(batch.values())))  # of a sample
        names = batch.names if isinstance(batch, NamedBatch) else {}
        columns = [[one for one in column for _ in range(n_rows)] for column in names.values()]
        table = beside(answers, "input", list(names), columns)
        return {heading: column for heading, column in table.items() if heading not in answers} | answers

    def outputs(self, batch: Batch) -> Tensor:
        """The model's outputs (batch, n_outputs) for any number of samples."""
        return self._in_parts(self.model, batch)

    def carry(self, batch: Batch, state: Any = None) -> tuple[Tensor, Any]:
        """The outputs for a batch, and the state from which the next batch of a stream goes on."""
        with torch.inference_mode():
            output, state = self.model.carry(state, **self.to_device(batch))
            return self.model.preprocess.restore(output.float()), state

    def to(self, device: str | torch.device) -> "Predictor":
        """Move the model to a device, such as "cuda"."""
        self.model.to(device)
        return self

    @property
    def device(self) -> torch.device:
        """Where the model is."""
        return next(self.model.parameters()).device

    def read(self, raw: Any) -> tuple[Batch, bool]:
        """Raw input as a batch, and whether it was a single sample."""
        from zoo.data.readers import read_raw

        batch, single = read_raw(self.spec, raw)
        return self._checked(batch), single

    def _checked(self, batch: Batch) -> Batch:
        for name, an_input in self.spec.inputs.items():
            if name not in batch or not _fits(batch[name], an_input):
                raise UserError(f"the file's spec contradicts itself: it reads no {name} of {an_input}")
        return batch

    def _in_parts(self, function: Callable[..., Tensor], batch: Batch) -> Tensor:
        """`function` of the batch's inputs."""
        with torch.inference_mode():
            return torch.cat([function(**part) for part in self.parts(batch)])

    def parts(self, batch: Batch) -> Iterator[Batch]:
        """The batch's inputs, where the model is, of as many samples at a time as `read_batch_size` says."""
        n, step = len(next(iter(batch.values()))), read_batch_size({name: values[0] for name, values in batch.items()})
        for start in range(0, n, step):
            yield self.to_device({name: values[start : start + step] for name, values in batch.items()})

    def to_device(self, batch: Batch) -> Batch:
        """The batch's inputs, where the model is."""
        return {name: batch[name].to(self.device) for name in self.spec.inputs}


def _fits(values: Tensor, an_input: Input) -> bool:
    """Whether a batch's values have the sizes, and codes below the cardinalities, that the model was built for."""
    shape, sizes = values.shape[1:], an_input.cardinalities
    return (
        len(shape) == len(an_input.shape)
        and all(size in (None, found) for size, found in zip(an_input.shape, shape, strict=True))
        and not (sizes and (values >= torch.tensor(sizes)).any())
    )


def choose_device(name: str) -> str:
    """ "cpu" or "cuda" for a name of DEVICES; UserError for another, and for CUDA where there is none."""
    if name not in DEVICES:
        raise unknown_name("device", name, DEVICES)
    if name == "cuda" and not torch.cuda.is_available():
        raise UserError("device=cuda: no CUDA device is available here; use device=cpu, or device=auto")
    return ("cuda" if torch.cuda.is_available() else "cpu") if name == "auto" else name


def predict_file(predictor: Predictor, path: Path, output: Path | None = None) -> tuple[list[str], list[list[Any]]]:
    """Answer a file of the user's, or every file of a folder.

    Args:
        predictor: of the model.
        path: a table, an image, a recording, sequences or a series; or a folder of images or recordings.
        output: a CSV file to write.

    Returns:
        The table's header and its rows: the samples' names, and what `Predictor.answers` gives for each; empty texts
        for those that cannot be read.

    Raises:
        UserError: when there is no such path, what is there does not fit the model, or `output` is the input.
    """
    if not path.exists():
        raise missing_file(path)
    if output is not None:
        check_output_path(output, list_files(path) if path.is_dir() else [path])
    if path.is_dir():
        header, rows = _answer_folder(predictor, path)
    else:
        header, rows = _answer_file(predictor, path)
    if output is not None:
        write_csv(output, [header, *rows])
    return header, rows


def _answer_file(predictor: Predictor, path: Path) -> tuple[list[str], list[list[Any]]]:
    """The answers for what is in a file; those for samples that cannot be read are empty."""
    columns, answered = predictor.file_answers(path)
    given = zip(*columns.values(), strict=True)
    answers = given if answered is None else (next(given) if one else [""] * len(columns) for one in answered)
    return [SAMPLE, *columns], [[n, *row] for n, row in enumerate(answers)]


def _answer_folder(predictor: Predictor, folder: Path) -> tuple[list[str], list[list[Any]]]:
    """The answers for each file in a folder; files that the model cannot take are left out, and named."""
    header: list[str] = []
    rows: list[list[Any]] = []
    skipped: list[str] = []
    files = list_files(folder)
    with merge_repeats():
        for file in files:
            try:
                columns = predictor.answers(file)
            except UserError as error:
                skipped.append(str(error).splitlines()[0])
                continue
            header = [SAMPLE, *columns]
            rows += [[str(file.relative_to(folder)), *row] for row in zip(*columns.values(), strict=True)]
    if not rows:
        raise UserError("\n".join([f"none of the {len(files)} files in {folder} can be answered", *skipped[:3]]))
    if skipped:
        echo(f"left out: {len(skipped):,} of {len(files):,} files", *skipped[:5], sep="\n  ")
    return header, rows
