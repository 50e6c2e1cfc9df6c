"""The trainings that suites time: registered models, each with a hand-written network as reference."""

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

import zoo
from benchmarks._case import Case, create_case
from zoo.core.spec import DataSpec, Input
from zoo.data.splits import Splits, TensorSplit
from zoo.inference.untrained import create_model
from zoo.models.model import Model


def compose(*overrides: str) -> dict[str, Any]:
    """Return the config of a training without augmentation, as plain values."""
    config = zoo.config(*overrides)
    config["data"]["augment"] = {}
    return config


def table_case(
    widths: Sequence[int] = (30, 128, 128, 10), n: int = 50_000, n_epochs: int = 4, batch_size: int = 128
) -> Case:
    """A feedforward network with these layer widths, from input to output, on `n` random rows."""
    n_numeric, *hidden, n_classes = widths
    name = "fnn/mlp" if hidden else "fnn/perceptron"
    config = compose(
        f"model={name}", f"data.batch_size={batch_size}", f"trainer.max_epochs={n_epochs}", "optim.weight_decay=0.01"
    )
    if hidden:
        config["model"] |= {"depth": len(hidden), "width": hidden[0]}
    label = f"{name} {'-'.join(map(str, widths))}"
    return create_case(label, config, random_table(n, n_numeric, n_classes), lambda: layers(*widths))


def image_case(name: str, splits: Splits, n_epochs: int = 2) -> Case:
    """A convolutional network in batches of 128."""
    config = compose(f"model={name}", "data.batch_size=128", f"trainer.max_epochs={n_epochs}", "optim=adamw")
    return _case(name, config, splits, OnImages)


def sequence_case(
    name: str, splits: Splits, n_epochs: int = 20, by_hand: Callable[[Model], nn.Module] | None = None
) -> Case:
    """A recurrent network in batches of 16; the reference is the same network, or created by `by_hand`."""
    config = compose(f"model={name}", "data.batch_size=16", f"trainer.max_epochs={n_epochs}")
    return _case(name, config, splits, by_hand or OnSequences)


def _case(name: str, config: dict[str, Any], splits: Splits, by_hand: Callable[[Model], nn.Module]) -> Case:
    def network() -> nn.Module:
        choices = {key: value for key, value in config["model"].items() if key != "name"}
        model = create_model(name, splits.spec, **choices)
        model.preprocess.fit([splits.train.columns])  # type: ignore[union-attr]
        return by_hand(model)

    return create_case(f"{name} on {splits.spec.name}", config, splits, network)


def layers(*widths: int) -> nn.Sequential:
    """Linear layers with ReLU in between."""
    linear = [nn.Linear(*pair) for pair in itertools.pairwise(widths)]
    return nn.Sequential(*(part for layer in linear for part in (layer, nn.ReLU())))[:-1]


class ByHand(nn.Module):
    """A model's network on raw input, which it standardises."""

    mean: Tensor
    std: Tensor

    def __init__(self, model: Model):
        super().__init__()
        scale: Any = next(iter(model.preprocess.scales.values()))
        self.network: Any = model.network
        self.register_buffer("mean", scale.mean)
        self.register_buffer("std", scale.std)


class OnImages(ByHand):
    """Takes images (batch, channels, height, width) and converts them to channels_last."""

    def __init__(self, model: Model):
        super().__init__(model)
        self.to(memory_format=torch.channels_last)

    def forward(self, image: Tensor) -> Tensor:
        scaled = (image.float() - self.mean) / self.std
        return self.network(scaled.contiguous(memory_format=torch.channels_last))


class OnSequences(ByHand):
    """Takes sequences (batch, time, n_channels), padded at their end, and their lengths (batch,)."""

    def forward(self, sequence: Tensor, lengths: Tensor) -> Tensor:
        scaled = (sequence[:, : int(lengths.max())] - self.mean) / self.std
        return self.network(scaled, lengths=lengths)


class Packed(OnSequences):
    """PyTorch's bidirectional layer over packed sequences, max pooling over time, linear output."""

    def __init__(self, model: Model):
        super().__init__(model)
        layer, self.head = self.network.forwards[0], self.network.head
        self.network = type(layer)(layer.input_size, layer.hidden_size, batch_first=True, bidirectional=True)

    def forward(self, sequence: Tensor, lengths: Tensor) -> Tensor:
        scaled = (sequence - self.mean) / self.std
        packed = pack_padded_sequence(scaled, lengths.cpu(), batch_first=True, enforce_sorted=False)
        hidden, _ = pad_packed_sequence(self.network(packed)[0], batch_first=True, padding_value=-torch.inf)
        return self.head(hidden.amax(1))


def random_table(n: int, n_numeric: int, n_classes: int) -> Splits:
    """Create `n` rows of random numbers and classes, and up to a thousand for validation."""
    return _random_splits(
        "numeric", Input((n_numeric,), axes=("n_numeric",), scaled_axis=0), (n_numeric,), n, n_classes
    )


def random_sequences(n: int, length: int, n_channels: int = 4, n_classes: int = 10) -> Splits:
    """Create `n` random sequences of one length with classes, and up to a thousand for validation."""
    an_input = Input((None, n_channels), axes=("time", "n_channels"), scaled_axis=1)
    return _random_splits("sequence", an_input, (length, n_channels), n, n_classes)


def _random_splits(name: str, an_input: Input, shape: tuple[int, ...], n: int, n_classes: int) -> Splits:
    generator = torch.Generator().manual_seed(0)

    def split(n: int) -> TensorSplit:
        values = torch.randn(n, *shape, generator=generator)
        return TensorSplit(**{name: values}, target=torch.randint(n_classes, (n,), generator=generator))

    names = [str(label) for label in range(n_classes)]
    spec = DataSpec("random", "classification", {name: an_input}, n_classes, class_names=names)
    val = split(max(10, min(n // 10, 1000)))
    return Splits(spec, split(n), val, val)


def first(splits: Splits, n: int) -> Splits:
    """Return the same data with the first `n` training samples, and at most a thousand for validation."""
    train, val = (
        split.subset(range(min(size, len(split))))  # type: ignore[union-attr,arg-type]
        for split, size in ((splits.train, n), (splits.val, 1000))
    )
    return Splits(splits.spec, train, val, val)
