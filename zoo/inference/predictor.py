"""Predict from raw input with a trained model."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from zoo.core.errors import UserError
from zoo.core.spec import DataSpec, Input
from zoo.data.splits import Batch, NamedBatch, Split, read_batch_size
from zoo.models.ensemble import Trained
from zoo.models.layers import valid_steps
from zoo.tasks import trained_task
from zoo.tasks.base import beside
from zoo.tasks.conformal import Conformal
from zoo.tasks.sampling import Sampling

if TYPE_CHECKING:
    from zoo.inference.streaming import Stream
    from zoo.inference.table_explanation import TableExplanation


class Predictor:
    """A trained model with all it needs to predict from raw input. Made by `zoo.load`.

    Attributes:
        model: the Model, or an Ensemble of them, in evaluation mode.
        spec: of the data that it was trained on.
        task: of the model: decodes and tabulates its outputs.
        card: how it was trained, and its metrics.
        calibration: of the model on held-out samples, see `zoo.inference.calibration`; empty for a model that was not
            calibrated.
    """

    def __init__(
        self,
        model: Trained,
        spec: DataSpec,
        card: Mapping[str, Any],
        calibration: Mapping[str, Any] | None = None,
    ):
        self.model, self.spec, self.card, self.calibration = model.eval(), spec, card, calibration or {}
        self.task = trained_task(spec, card)

    def __repr__(self) -> str:
        name, inputs = self.card["model"]["name"], ", ".join(self.spec.inputs)
        return f"<Predictor {name}, {self.spec.task} of {self.spec.name} from {inputs}>"

    def predict(self, raw: Any) -> Any:
        """Predict one raw sample, or several.

        Args:
            raw: by the model's input, one sample or several:
                image: files (a path, of a folder too), PIL images, or arrays (height, width), (height, width, channels)
                or (channels, height, width) of 0 to 255; one or a list, of any size; or an array with one more axis in
                front.
                numeric, categorical: a DataFrame, a dict by column name or a list of them; values (n_columns,) or
                (n, n_columns) in the order of the columns; or the path of a table.
                sequence: array (time, n_channels), or (time,) of one channel, or a list of arrays of any lengths; a
                DataFrame where training read a table; or a path. Of a series to forecast, the last steps are read.
                tokens: a str, or a list of them; a DataFrame with a column of texts; or a pathlib.Path.

        Returns:
            A class name, or a number in the target's units, or a list of class names where each step has one; a list of
            them for several samples.

        Raises:
            UserError: when the input does not have the shape, type or columns that the model takes.
        """
        batch, single = self.read(raw)
        predictions = self.task.decode(self.outputs(batch))
        return predictions[0] if single else predictions

    def predict_proba(self, raw: Any) -> np.ndarray:
        """Probabilities of the classes in the order of `spec.class_names`: (n_classes,), or (n, n_classes); for a
        language model, of the character after each text; where each step has a class (time, n_classes), or (n, time,
        n_classes), NaN after the end of a sequence."""
        batch, single = self.read(raw)
        probabilities = self.task.probabilities(self.outputs(batch)).cpu().numpy()
        return probabilities[0] if single else probabilities

    def predict_interval(self, raw: Any, coverage: float = 0.9) -> np.ndarray:
        """Lower and upper bounds that hold the true number with a probability of at least `coverage`, over new samples
        like those that the model was calibrated on: (2,), or (n, 2) for several samples; of several targets (n_targets,
        2) or (n, n_targets, 2), and of a forecast (horizon, n_channels, 2), each covered by itself.

        Args:
            raw: as `predict` takes it.
            coverage: between 0 and 1; the nearer to 1, the more held-out samples it needs.

        Raises:
            UserError: for a model of classes, one that was not calibrated, or on too few samples for the coverage.
        """
        return self._regions(raw, coverage, "interval")

    def predict_set(self, raw: Any, coverage: float = 0.9) -> list[Any]:
        """Names of classes, the likeliest first, among which the true one is with a probability of at least `coverage`:
        a list, or a list of lists for several samples. The arguments and errors are those of `predict_interval`."""
        return self._regions(raw, coverage, "set")

    def _regions(self, raw: Any, coverage: float, kind: str) -> Any:
        conformal = self._conformal()
        if conformal.kind != kind:
            raise UserError(f"this model predicts {self.spec.target_name}: use predict_{conformal.kind}")
        self._limits(coverage)
        batch, single = self.read(raw)
        regions = conformal.decode(self.regions(self.outputs(batch), coverage))
        return regions[0] if single else regions

    def regions(self, output: Tensor, coverage: float) -> Tensor:
        """The regions of outputs (n, ...), as `zoo.tasks.conformal` has them; errors as of `predict_interval`."""
        return self._conformal().regions(output.cpu(), self._limits(coverage), coverage)

    def _conformal(self) -> Conformal:
        if self.task.conformal is None:
            raise UserError(f"coverage is for numbers, forecasts and classes; this model does {self.spec.task}")
        return self.task.conformal

    def _limits(self, coverage: float) -> Tensor:
        from zoo.inference.calibration import Calibration

        if not self.calibration:
            raise UserError(
                "this model was not calibrated, as those of older versions; train it again, or call its "
                "calibrate(zoo.load_data(...).val) with samples that it was not trained on"
            )
        return Calibration.from_json(self.calibration, self._conformal().shape).limits(coverage)

    def calibrate(self, split: Split) -> "Predictor":
        """Calibrate the model on samples that it was not trained on, such as the validation split of `zoo.load_data`,
        for `predict_interval` or `predict_set`; of classes the probabilities too, by a temperature. A training has done
        this with its validation split."""
        from zoo.inference.calibration import calibrate
        from zoo.inference.weights_file import temperature_of

        self.calibration = calibrate(self, split)
        self.model.temperature = temperature_of(self.calibration)
        return self

    def explain(
        self, raw: Any, *, multiply_adds: float = 1e11, n_pictures: int = 6, seed: int = 0
    ) -> "TableExplanation":
        """Explain a model of tables: how much it depends on each column, by permutation and by gradient, and the
        partial dependence of the answer on the most important ones. Prints as a table, and in a notebook draws too.

        Args:
            raw: rows as `predict` takes them, at least 10; with the column of targets, such as the path of a table like
                that of the training, for the importance by permutation too. Or a split of `zoo.load_data`. Rows that
                the model was not trained on tell what helps it on new ones.
            multiply_adds: of the model that it may take, about; of many rows, or for a large model, a sample is
                measured. The default is some seconds on one core of a CPU.
            n_pictures: columns whose partial dependence is computed.
            seed: of the sample and the shuffled orders.

        Raises:
            UserError: for a model of images, sequences or text, and for rows that it does not take.
        """
        from zoo.inference.table_explanation import explain

        return explain(self, raw, multiply_adds=multiply_adds, n_pictures=n_pictures, seed=seed)

    def features(self, raw: Any) -> np.ndarray:
        """The last hidden representation: (d_features,), or (n, d_features) for several samples."""
        batch, single = self.read(raw)
        features = self._apply(self.model.features, batch).float().cpu().numpy()
        return features[0] if single else features

    def generate(
        self,
        prompt: Any = "",
        n: int = 200,
        temperature: float = 1.0,
        top_k: int | None = None,
        top_p: float | None = None,
        seed: int = 0,
        documents: int = 1,
    ) -> Any:
        """Generate text with a language model, or go on with a piece of notes.

        Args:
            prompt: the text to continue, of which "" starts a new line or a new document; or the piece, as `predict`
                takes it.
            n: characters or steps to generate; a document may end before.
            temperature: divides the logits; below 1 favours likely tokens or notes, above 1 unlikely ones.
            top_k: of texts: draw from so many of the likeliest tokens; None from all.
            top_p: of texts: draw from the likeliest tokens that have this probability together; None from all.
            seed: of the sampling.
            documents: of a model of a list, such as one of names: how many to write, each after the prompt, as lines.

        Returns:
            The text that follows on the prompt, or of several documents the lines with it; or the labels of each step,
            such as [["48", "64"], ["50"]] of pitches.

        Raises:
            UserError: for a model that generates nothing, and for values without a meaning.
        """
        pieces = [*self.generate_pieces(prompt, n, temperature, top_k, top_p, seed, documents)]
        return "".join(pieces) if "tokens" in self.spec.inputs else pieces

    def generate_pieces(
        self,
        prompt: Any = "",
        n: int = 200,
        temperature: float = 1.0,
        top_k: int | None = None,
        top_p: float | None = None,
        seed: int = 0,
        documents: int = 1,
    ) -> Iterator[Any]:
        """Generate piece by piece, each as soon as it is drawn; see `generate`."""
        from zoo.inference.writing import write

        return write(self, prompt, n, documents, Sampling(temperature, top_k, top_p, seed))

    def stream(self) -> "Stream":
        """Answer to a sequence step by step, with a recurrent network that reads forwards alone: `stream.send(step)`
        gives what `predict` answers to the steps so far, and `stream.probabilities` what `predict_proba` does.

        Raises:
            UserError: for a bidirectional network, one without steps, and forecasts, which are of whole windows.
        """
        from zoo.inference.streaming import Stream

        return Stream(self)

    def tabulate(self, raw: Any, coverage: float | None = None) -> dict[str, list[Any]]:
        """Predict several raw samples as the columns of a table, by heading: names of the samples, if they have any,
        predictions, the interval or set of a coverage, if it is given, and the probability of each class."""
        return self._table(self.read(raw)[0], coverage)

    def tabulate_file(
        self, path: Path, coverage: float | None = None
    ) -> tuple[dict[str, list[Any]], np.ndarray | None]:
        """`tabulate` the samples of a file that can be read; with their mask (n,) among all in it, None for all."""
        from zoo.data.readers import read_file

        batch, readable = read_file(self.spec, path)
        return self._table(self.checked(batch), coverage), readable

    def _table(self, batch: Batch, coverage: float | None = None) -> dict[str, list[Any]]:
        output = self.outputs(batch)
        predictions = self.task.tabulate(output)
        if coverage is not None:
            regions = self._conformal().tabulate(self.regions(output, coverage))
            predictions = self.task.tabulate_regions(predictions, regions)
        rows_per_sample = len(next(iter(predictions.values()))) // len(next(iter(batch.values())))
        names = batch.names if isinstance(batch, NamedBatch) else {}
        columns = [
            [one for name in column for one in (name if isinstance(name, list) else [name] * rows_per_sample)]
            for column in names.values()
        ]
        table = beside(predictions, "input", list(names), columns)
        return {heading: column for heading, column in table.items() if heading not in predictions} | predictions

    def read(self, raw: Any) -> tuple[Batch, bool]:
        """Read raw input as a batch, and whether it was a single sample."""
        from zoo.data.readers import read_raw

        batch, single = read_raw(self.spec, raw)
        return self.checked(batch), single

    def checked(self, batch: Batch) -> Batch:
        """The batch; UserError unless its inputs have the sizes that the model was built for."""
        for name, an_input in self.spec.inputs.items():
            if name not in batch or not _fits(batch[name], an_input):
                raise UserError(f"the file's spec contradicts itself: it reads no {name} of {an_input}")
        return batch

    def outputs(self, batch: Batch) -> Tensor:
        """The model's outputs (batch, n_outputs) for any number of samples; where each step has one (batch, time, ...),
        NaN after the end of a sequence."""
        output = self._apply(self.model, batch)
        if not self.task.per_step or "lengths" not in batch:
            return output
        valid = valid_steps(batch["lengths"].to(output.device), output.shape[1])  # (batch, time)
        return output.masked_fill(~valid[..., None], torch.nan)

    def carry(self, batch: Batch, state: Any = None) -> tuple[Tensor, Any]:
        """The outputs for a batch of a stream, and the state to carry to its next batch."""
        with torch.inference_mode():
            output, state = self.model.carry(state, **self.to_device(batch))
            return self.model.restore(output.float()), state

    def _apply(self, function: Callable[..., Tensor], batch: Batch) -> Tensor:
        """Apply a function to the batch's inputs, part by part."""
        with torch.inference_mode():
            return torch.cat([function(**part) for part in self.parts(batch)])

    def parts(self, batch: Batch) -> Iterator[Batch]:
        """Yield the batch's inputs on the model's device, `read_batch_size` samples at a time."""
        n, step = len(next(iter(batch.values()))), read_batch_size({name: values[0] for name, values in batch.items()})
        for start in range(0, n, step):
            yield self.to_device({name: values[start : start + step] for name, values in batch.items()})

    def to_device(self, batch: Batch) -> Batch:
        """The batch's inputs on the model's device."""
        return {name: batch[name].to(self.device) for name in self.spec.inputs}

    def to(self, device: str | torch.device) -> "Predictor":
        """Move the model to a device, such as "cuda"."""
        self.model.to(device)
        return self

    @property
    def device(self) -> torch.device:
        """Where the model is."""
        return next(self.model.parameters()).device


def _fits(values: Tensor, an_input: Input) -> bool:
    """Whether a batch's values have the sizes, and codes below the cardinalities, that the model was built for."""
    shape, cardinalities = values.shape[1:], an_input.cardinalities
    return (
        len(shape) == len(an_input.shape)
        and all(size in (None, found) for size, found in zip(an_input.shape, shape, strict=True))
        and not (cardinalities and (values >= torch.tensor(cardinalities)).any())
    )
