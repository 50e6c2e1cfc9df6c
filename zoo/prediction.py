"""From raw input to a named answer."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from zoo.data.sequences._sequences import pad
from zoo.data.splits import Batch
from zoo.errors import UserError, unknown
from zoo.models.model import Model
from zoo.registry import Registry
from zoo.spec import DataSpec
from zoo.tasks import create_task

READERS: Registry[Callable[[DataSpec, Any], tuple[Batch, bool]]] = Registry("kind of input")


class Predictor:
    """A trained model with all it needs to answer raw input. Made by `zoo.load`.

    Attributes:
        model: the Model, in evaluation mode.
        spec: what it takes and gives.
        card: how it was trained and how good it is.
    """

    def __init__(self, model: Model, spec: DataSpec, card: Mapping[str, Any]):
        self.model, self.spec, self.card = model.eval(), spec, card
        self.task = create_task(spec)

    def predict(self, raw: Any) -> Any:
        """The answer for one raw sample, or a list of answers for several.

        Args:
            raw: by the model's input:
                image: uint8 array (height, width), (channels, height, width) or (height, width, channels), or several
                with one more axis in front; or a PIL image.
                numeric: array (n_numeric,) or (n, n_numeric), a DataFrame, or a dict by column name.
                sequence: array (time, n_channels), or several as a list of arrays of any lengths.

        Returns:
            A class name, or a number in the target's units; a list of them for several samples.

        Raises:
            UserError: when the input does not have the shape, type or columns the model takes.
        """
        batch, single = self._read(raw)
        answers = self.task.decode(self.outputs(batch))
        return answers[0] if single else answers

    def predict_proba(self, raw: Any) -> np.ndarray:
        """Probabilities of the classes in the order of `spec.class_names`: (n_classes,), or (n, n_classes)."""
        if not self.spec.class_names:
            raise UserError(f"predict_proba needs classes; this model predicts {self.spec.target_name}: use predict")
        batch, single = self._read(raw)
        probabilities = self.outputs(batch).softmax(1).cpu().numpy()
        return probabilities[0] if single else probabilities

    def features(self, raw: Any) -> np.ndarray:
        """The last hidden representation: (d_features,), or (n, d_features) for several samples."""
        batch, single = self._read(raw)
        with torch.inference_mode():
            features = self.model.features(**self._to_device(batch)).float().cpu().numpy()
        return features[0] if single else features

    def outputs(self, batch: Batch) -> Tensor:
        """The model's outputs (batch, n_outputs) for a batch of its inputs."""
        with torch.inference_mode():
            return self.model(**self._to_device(batch))

    def to(self, device: str | torch.device) -> "Predictor":
        """Move the model to a device, such as "cuda"."""
        self.model.to(device)
        return self

    def _to_device(self, batch: Batch) -> Batch:
        device = next(self.model.parameters()).device
        return {name: batch[name].to(device) for name in self.spec.inputs}

    def _read(self, raw: Any) -> tuple[Batch, bool]:
        return READERS.get(next(iter(self.spec.inputs)))(self.spec, raw)


@READERS.register("image")
def read_images(spec: DataSpec, raw: Any) -> tuple[Batch, bool]:
    """One image or several as {"image": uint8 (n, channels, height, width)}, and whether it was one."""
    shape = spec.inputs["image"].shape
    try:
        image = raw if isinstance(raw, Tensor) else torch.tensor(np.array(raw))
    except (TypeError, ValueError) as error:
        raise UserError(f"images are arrays of one size, or a PIL image: {error}") from error
    if image.dtype != torch.uint8:
        raise UserError(f"images are uint8, 0 to 255; got {image.dtype}: give the pixels as they are in the file")
    for axes in range(2 * (image.numel() > 0)):
        last = image.movedim(-1, -3) if image.dim() >= 3 else image  # channels last
        with_channel = image[..., None, :, :] if image.dim() >= 2 else image
        for candidate in (image, with_channel, last):
            if candidate.dim() == 3 + axes and candidate.shape[axes:] == shape:
                return {"image": candidate if axes else candidate[None]}, not axes
    raise UserError(
        f"an image here is {' x '.join(map(str, shape))} (channels, height, width); got {tuple(image.shape)}"
    )


@READERS.register("numeric")
def read_rows(spec: DataSpec, raw: Any) -> tuple[Batch, bool]:
    """One row or several as {"numeric": (n, n_numeric)}, and whether it was one. Named columns may come in any
    order."""
    single = False
    if hasattr(raw, "to_dict"):  # a DataFrame of rows, or a Series that is one
        raw = raw.to_dict("list") if hasattr(raw, "columns") else raw.to_dict()
    if isinstance(raw, Sequence) and raw and all(isinstance(row, Mapping) for row in raw):
        raw = {column: [row.get(column) for row in raw] for column in raw[0]}
    try:
        rows = torch.tensor(np.asarray(_by_column(spec, raw), dtype=np.float32))
    except (TypeError, ValueError) as error:
        raise UserError(f"every value of a row is a number: {error}") from error
    if rows.dim() == 1:
        rows, single = rows[None], True
    if rows.dim() != 2 or rows.shape[1] != len(spec.columns) or not len(rows):
        raise UserError(f"a row here has {len(spec.columns)} numbers; got an array of shape {tuple(rows.shape)}")
    _check_finite(rows, "row")
    return {"numeric": rows}, single


def _by_column(spec: DataSpec, raw: Any) -> Any:
    """The columns the model takes, in its order, where they have names."""
    if not isinstance(raw, Mapping):
        return raw
    missing = [column for column in spec.columns if column not in raw]
    if missing:
        raise UserError(f"the input lacks a column: {unknown('column', missing[0], map(str, raw))}")
    return np.stack([np.asarray(raw[column], dtype=np.float32) for column in spec.columns], axis=-1)


@READERS.register("sequence")
def read_sequences(spec: DataSpec, raw: Any) -> tuple[Batch, bool]:
    """One sequence or several as {"sequence": (n, time, n_channels), "lengths": (n,)}, and whether it was one."""
    n_channels = spec.inputs["sequence"].shape[-1]
    single = not isinstance(raw, Sequence) and np.ndim(raw) == 2
    sequences = [torch.tensor(np.asarray(one, dtype=np.float32)) for one in ([raw] if single else raw)]
    for index, sequence in enumerate(sequences):
        if sequence.dim() != 2 or sequence.shape[1] != n_channels or not len(sequence):
            raise UserError(
                f"a sequence here is (time, {n_channels}), with one step at least; "
                f"number {index} is {tuple(sequence.shape)}"
            )
        _check_finite(sequence, f"sequence {index}, step")
    if not sequences:
        raise UserError("there are no sequences in this input")
    sequence, lengths = pad(sequences)
    return {"sequence": sequence, "lengths": lengths}, single


def _check_finite(values: Tensor, what: str) -> None:
    bad = (~values.isfinite()).any(1).nonzero().squeeze(1).tolist()
    if bad:
        raise UserError(f"every value is a finite number; {what} {', '.join(map(str, bad[:5]))} has NaN or infinity")
