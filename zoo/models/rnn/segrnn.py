"""SegRNN: a recurrent network that reads and forecasts a series segment by segment, beside a linear forecast.

S. Lin et al., "SegRNN: segment recurrent neural network for long-term time series forecasting" (arXiv 2308.11200,
section 4): each channel by itself, few recurrent steps over segments, and a decoder that starts each segment of the
forecast from the last state and embeddings of its position and channel. Deviations: the network adds to a linear
forecast that is fitted in closed form and stays (`linear`), the less the fewer windows there are, since a few are soon
learned by heart and no validation split tells; at the end of the training, when the validation split has chosen the
weights, the linear forecast is fitted to it as well; any recurrent cell of the zoo may be used (`cell`); and what is
known ahead has an effect that is taken out of the window and added to the forecast, and tells the decoder more.
"""

from collections.abc import Iterable, Mapping, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zoo.models import MODELS
from zoo.models.layers import Network
from zoo.models.rnn._instance_norm import INSTANCE_NORMS
from zoo.models.rnn._known_effect import N_ROUNDS, KnownEffect
from zoo.models.rnn._linear_path import LinearPath

MOST_SEGMENT = 24
DECODINGS = ("segments", "steps", "direct")


@MODELS.register("rnn/segrnn")
class SegRNN(Network):
    """A recurrent layer over the segments of each channel, and one of three decodings.

    Args:
        n_channels: of the series.
        n_known: values known ahead at each step.
        time: steps to look back on.
        horizon: steps to forecast.
        n_outputs: numbers to forecast: `horizon` x `n_channels`, or several times as many.
        cell: the recurrent layer, that of a model rnn/...: gru, lstm, elman ...
        width: hidden units, an even number.
        segment: steps of a segment; None is 24, or fewer for a short window or horizon.
        decoding: "segments": all at once, each from the last state and the embeddings; "steps": one after the other,
            each from the forecast before it (step by step with segment=1); "direct": one layer from the last state.
        instance_norm: of each window: "last" subtracts its last value, "mean_std" standardises it, "none".
        linear: whether the network adds to a linear forecast of the window.
        dropout: share of hidden units before the output that is zeroed in training.
    """

    learns_validation = True

    def __init__(
        self,
        *,
        n_channels: int,
        n_known: int,
        time: int,
        horizon: int,
        n_outputs: int,
        cell: str = "gru",
        width: int = 64,
        segment: int | None = None,
        decoding: str = "segments",
        instance_norm: str = "last",
        linear: bool = True,
        dropout: float = 0.1,
    ):
        super().__init__()
        segment = max(1, min(MOST_SEGMENT, time // 2, horizon)) if segment is None else segment
        _check(width, segment, decoding, instance_norm)
        self.n_channels, self.horizon, self.decoding = n_channels, horizon, decoding
        self.segment, self.padding = segment, -time % segment  # steps before the window that make whole segments
        n_segments, n_steps = (1, horizon) if decoding == "direct" else (-(-horizon // segment), segment)
        self.n_segments, self.n_numbers = n_segments, n_outputs // (horizon * n_channels)
        self.instance_norm = INSTANCE_NORMS[instance_norm]
        self.linear = LinearPath(time, horizon, n_channels) if linear else None
        self.effect = KnownEffect(n_known, n_channels) if n_known and linear else None
        self.ahead = nn.Linear(n_steps * n_known, width) if n_known else None
        self.embed = nn.Sequential(nn.Linear(segment, width), nn.ReLU())
        self.cell = MODELS.get(f"rnn/{cell}").cell(width, width, batch_first=True)  # type: ignore[attr-defined]
        if decoding == "segments":
            self.positions = nn.Parameter(torch.randn(n_segments, width // 2))
            self.channels = nn.Parameter(torch.randn(n_channels, width // 2))
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(width, n_steps * self.n_numbers)
        if linear:  # the network starts as the linear forecast, and is held near it through many epochs
            self.factors = {"head.*": (1.0, 100.0)}  # type: ignore[misc]
            nn.init.zeros_(self.head.weight)
            nn.init.zeros_(self.head.bias)

    def fit(self, inputs: Iterable[Mapping[str, Tensor]]) -> None:
        """Fit the linear forecast to the training windows, and in turn with it the effect of what is known ahead."""
        if self.linear is None:
            return
        self.linear.fit(inputs)
        if self.effect is not None:
            for _ in range(N_ROUNDS):
                self.effect.fit(inputs, self.linear)
                self.linear.fit(map(self.effect.without, inputs))

    def refit(self, inputs: Iterable[Mapping[str, Tensor]]) -> None:
        """Fit the linear forecast to other training windows, beside learnt weights."""
        self.fit(inputs)

    def features(self, sequence: Tensor, known: Tensor | None = None) -> Tensor:
        """Compute the state after the window of each channel, (batch, n_channels x width).

        Args:
            sequence: (batch, time, n_channels).
            known: what is known ahead, (batch, time + horizon, n_known).
        """
        if self.effect is not None:
            sequence = sequence - self.effect(known)[:, : sequence.shape[1]]
        centre, scale = self.instance_norm(sequence)
        return self._read((sequence - centre) / scale)[0].unflatten(0, (-1, self.n_channels)).flatten(1)

    def forward(self, sequence: Tensor, known: Tensor | None = None) -> Tensor:  # type: ignore[override]
        """Forecast (batch, n_outputs); the inputs are those of `features`."""
        n_steps, effect = sequence.shape[1], None if self.effect is None else self.effect(known)
        sequence = sequence if effect is None else sequence - effect[:, :n_steps]
        centre, scale = self.instance_norm(sequence)
        start = centre.expand(-1, self.horizon, -1) if self.linear is None else self.linear(sequence)
        ahead = self._ahead(known, n_steps)
        change = self._decode(*self._read((sequence - centre) / scale), (start - centre) / scale, ahead)
        start = start if effect is None else start + effect[:, n_steps:]
        change = change.unflatten(0, (-1, self.n_channels)).transpose(1, 3)  # (batch, n_numbers, horizon, n_channels)
        return (start[:, None] * self._middle(start.device)[:, None, None] + change * scale[:, None]).flatten(1)

    def _read(self, window: Tensor) -> tuple[Tensor, object]:
        """The last hidden state (batch x n_channels, width) of normalised windows, and the cell's state."""
        rows = F.pad(window.mT.flatten(0, 1), (self.padding, 0))  # (batch x n_channels, padding + time)
        hidden, state = self.cell(self.embed(rows.unflatten(1, (-1, self.segment))))
        return hidden[:, -1], state

    def _ahead(self, known: Tensor | None, n_steps: int) -> Sequence[Tensor | int]:
        """What is known of each segment after `n_steps`, as hidden units (batch x n_channels, width); 0 for nothing."""
        if self.ahead is None or known is None:
            return [0] * self.n_segments
        size = self.ahead.in_features // known.shape[2]  # steps of a segment
        rows = F.pad(known[:, n_steps:], (0, 0, 0, self.n_segments * size - self.horizon))
        hidden = self.ahead(rows.unflatten(1, (-1, size)).flatten(2))  # (batch, n_segments, width)
        return hidden.repeat_interleave(self.n_channels, 0).unbind(1)

    def _decode(self, last: Tensor, state: object, start: Tensor, ahead: Sequence[Tensor | int]) -> Tensor:
        """What the network adds to the normalised forecast `start` (batch, horizon, n_channels), as (batch x
        n_channels, horizon, n_numbers)."""
        if self.decoding == "direct":
            segments = [self._output(last + ahead[0])]
        elif self.decoding == "segments":
            places = zip(self._embeddings(len(start)), ahead, strict=True)
            segments = [self._output(self._step(where + what, state)[0]) for where, what in places]
        else:
            segments = self._decode_in_turn(last, state, start, ahead)
        return torch.cat(segments, 1)[:, : self.horizon]

    def _decode_in_turn(
        self, last: Tensor, state: object, start: Tensor, ahead: Sequence[Tensor | int]
    ) -> list[Tensor]:
        """Decode segment by segment, each from the forecast before it."""
        rows = F.pad(start.mT.flatten(0, 1), (0, self.n_segments * self.segment - self.horizon))
        parts, segments = rows.unflatten(1, (-1, self.segment)), [self._output(last + ahead[0])]
        for k in range(self.n_segments - 1):
            forecast = parts[:, k] + segments[-1][:, :, (self.n_numbers - 1) // 2]
            last, state = self._step(self.embed(forecast) + ahead[k + 1], state)
            segments.append(self._output(last))
        return segments

    def _step(self, x: Tensor, state: object) -> tuple[Tensor, object]:
        hidden, state = self.cell(x[:, None], state)
        return hidden[:, 0], state

    def _embeddings(self, n: int) -> Tensor:
        """What tells the decoder each position and channel, (n_segments, n x n_channels, width)."""
        positions = self.positions[:, None].expand(-1, self.n_channels, -1)
        channels = self.channels[None].expand(self.n_segments, -1, -1)
        return torch.cat([positions, channels], 2).repeat(1, n, 1)

    def _output(self, hidden: Tensor) -> Tensor:
        """Numbers (batch x n_channels, steps, n_numbers) from hidden states."""
        numbers = self.head(self.dropout(hidden)).unflatten(1, (-1, self.n_numbers))
        if self.linear is None:
            return numbers
        return numbers * (1 - (1 - self.linear.share) * self._middle(numbers.device))

    def _middle(self, device: torch.device) -> Tensor:
        """1 for the number that is added to the start, 0 for others, such as outer quantiles, (n_numbers,)."""
        return (torch.arange(self.n_numbers, device=device) == (self.n_numbers - 1) // 2).float()


def _check(width: int, segment: int, decoding: str, instance_norm: str) -> None:
    if width < 2 or width % 2 or segment < 1:
        raise ValueError(f"width is even and at least 2, segment at least 1; got width={width}, segment={segment}")
    for name, value, known in (("decoding", decoding, DECODINGS), ("instance_norm", instance_norm, INSTANCE_NORMS)):
        if value not in known:
            raise ValueError(f"{name} is one of {', '.join(known)}; got {value}")
