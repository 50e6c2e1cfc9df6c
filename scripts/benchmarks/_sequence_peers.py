"""Other libraries' models of sequences and texts, by name, fitted to the splits that the zoo uses.

Models that choose nothing by the validation split are fitted to it as well. Those of aeon take sequences of one length:
shorter ones are padded with zeros at their end.
"""

import functools
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from benchmarks._comparison import quiet
from benchmarks._plain_lstm import train
from zoo.baselines import BASELINES
from zoo.baselines.linear_networks import DLinear, NLinear, trained_forecast
from zoo.core.spec import IGNORE_INDEX, DataSpec
from zoo.data.splits import Batch, Split, Splits, batches, each_value_once, read
from zoo.models.preprocess import Preprocess
from zoo.tasks import create_task
from zoo.tasks.scores import Scores


@dataclass(frozen=True)
class Fitted:
    """A fitted model.

    Args:
        answer: gives the outputs of the task for a batch, in the target's units.
        n_parameters: None where the library does not say.
    """

    answer: Callable[[Batch], Tensor]
    n_parameters: int | None = None


@dataclass(frozen=True)
class SequencePeer:
    """A model of another library, or of a few lines.

    Args:
        fit: fits it to splits, with a seed.
        task: that it is for; None is any.
        takes: the input that it reads; None is any.
        package: that has it.
        n_seeds: to fit with, at most.
        whole: whether it reads texts of any length.
        selects: whether the validation split only chooses its epoch.
    """

    fit: Callable[[Splits, int], Fitted]
    task: str | None = "classification"
    takes: str | None = "sequence"
    package: str = "torch"
    n_seeds: int = 5
    whole: bool = False
    selects: bool = False

    def suits(self, spec: DataSpec) -> bool:
        """Whether it is for such data."""
        return self.task in (None, spec.task) and (self.takes is None or self.takes in spec.inputs)

    @property
    def reason(self) -> str:
        """Why it is not run; "" if it is."""
        return "" if find_spec(self.package) else f"not installed: pip install {self.package}"


def fit_and_score(peer: SequencePeer, splits: Splits, seed: int) -> dict[str, Any]:
    """Fit a model, and return its metrics and the processor's seconds."""
    with quiet():
        start = time.process_time()
        fitted = peer.fit(splits, seed)
        fit = time.process_time() - start
        answers = [fitted.answer(batch) for batch in batches(splits.test)]
        predict = time.process_time() - start - fit
        test = scores(splits, splits.test, answers)
        val = scores(splits, splits.val, map(fitted.answer, batches(splits.val))) if peer.selects else {}
    return {"test": test, "val": val, "fit": fit, "predict": predict, "n_parameters": fitted.n_parameters}


def scores(splits: Splits, split: Split, answers: Iterable[Tensor]) -> dict[str, float]:
    """The metrics of the task over the answers for the batches of a split."""
    scale = Preprocess(splits.spec)
    scale.fit(each_value_once(splits.train))
    measured = Scores(create_task(splits.spec), scale.scale_target)
    for batch, answer in zip(batches(split), answers, strict=True):
        measured.update(answer, batch["target"])
    return measured.compute()


# -- classes of sequences


def rocket(kind: str, splits: Splits, seed: int) -> Fitted:
    """A classifier of aeon's module convolution_based."""
    import aeon.classification.convolution_based as models

    n_steps, batch = longest(splits), train_and_val(splits)
    model = getattr(models, kind)(random_state=seed).fit(series(batch, n_steps), batch["target"].numpy())
    return Fitted(lambda batch: logits(splits, model.predict(series(batch, n_steps))))


def ridge(splits: Splits, _: int) -> Fitted:
    """A linear model of all values of a sequence, whose decay is chosen by leaving samples out."""
    from sklearn.linear_model import RidgeClassifierCV
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    n_steps, batch = longest(splits), train_and_val(splits)
    model = make_pipeline(StandardScaler(), RidgeClassifierCV(np.logspace(-3, 3, 10)))
    model.fit(flat(series(batch, n_steps)), batch["target"].numpy())
    return Fitted(lambda batch: logits(splits, model.predict(flat(series(batch, n_steps)))))


def longest(splits: Splits) -> int:
    """The steps that the sequences of all splits are padded to."""
    return max(split[0]["sequence"].shape[0] for split in (splits.train, splits.val, splits.test))


def train_and_val(splits: Splits) -> Batch:
    """The training and the validation samples, padded alike."""
    parts = [whole(split) for split in (splits.train, splits.val)]
    return {name: torch.cat(_alike([part[name] for part in parts], name)) for name in parts[0]}


def _alike(parts: Sequence[Tensor], name: str) -> list[Tensor]:
    """Pad tensors (n, time, ...) to the longest one's steps, targets by what is ignored."""
    n_steps = max(part.shape[1] if part.dim() > 1 else 0 for part in parts)
    value = IGNORE_INDEX if name == "target" else 0
    return [
        F.pad(part, (0, 0) * (part.dim() - 2) + (0, n_steps - part.shape[1]), value=value) if part.dim() > 1 else part
        for part in parts
    ]


def whole(split: Split) -> Batch:
    """All samples of a split."""
    return read(split, range(len(split)))  # type: ignore[arg-type]


def series(batch: Batch, n_steps: int) -> np.ndarray:
    """Sequences as aeon takes them, (n, n_channels, n_steps), padded with zeros."""
    sequence = batch["sequence"].nan_to_num().mT
    return F.pad(sequence, (0, n_steps - sequence.shape[2])).double().numpy()


def flat(values: np.ndarray) -> np.ndarray:
    """Flatten each sample."""
    return values.reshape(len(values), -1)


def logits(splits: Splits, classes: np.ndarray) -> Tensor:
    """Logits (n, n_classes) of predicted classes (n,)."""
    return 10.0 * F.one_hot(torch.as_tensor(classes.astype(np.int64)), splits.spec.n_outputs)


# -- classes of texts


def tf_idf(analyzer: str, lengths: tuple[int, int], splits: Splits, seed: int) -> Fitted:
    """A linear support vector machine on TF-IDF of n-grams of these lengths."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.pipeline import make_pipeline
    from sklearn.svm import LinearSVC

    batch = train_and_val(splits)
    counts = TfidfVectorizer(analyzer=analyzer, ngram_range=lengths, sublinear_tf=True)
    model = make_pipeline(counts, LinearSVC(random_state=seed))
    model.fit(texts(splits, batch), batch["target"].numpy())
    return Fitted(lambda batch: logits(splits, model.predict(texts(splits, batch))))


def texts(splits: Splits, batch: Batch) -> list[str]:
    """The texts that padded tokens (n, time) stand for."""
    alphabet = "\N{REPLACEMENT CHARACTER}" + splits.spec.reading["alphabet"]
    rows: Any = zip(batch["tokens"].tolist(), batch["lengths"].tolist(), strict=True)
    return ["".join(alphabet[token] for token in row[:length]) for row, length in rows]


# -- what the zoo measures beside every training


def baseline(name: str, splits: Splits, _: int) -> Fitted:
    """A baseline of the zoo, fitted to all samples, not to a part of them as beside a training."""
    spec, samples = splits.spec, train_and_val(splits)
    predict = BASELINES.get(f"{spec.task}/{name}")(spec, **samples)
    return Fitted(lambda batch: predict(**{name: batch[name] for name in spec.inputs}))


def naive(number: int, splits: Splits, _: int) -> Fitted:
    """The task's naive answer of this number; the second of a series is the last season."""
    answers = list(create_task(splits.spec).naive(train_and_val(splits)).values())
    return Fitted(answers[min(number, len(answers) - 1)])


# -- networks


def plain_lstm(splits: Splits, seed: int) -> Fitted:
    """nn.LSTM in a hand-written loop."""
    fitted = train(splits, seed)
    return Fitted(fitted.answer, sum(parameter.numel() for parameter in fitted.parameters()))


def linear_network(kind: type[NLinear] | type[DLinear], splits: Splits, seed: int) -> Fitted:
    """A linear forecast that is trained by gradients."""
    return Fitted(trained_forecast(kind, splits, seed))


def neural_forecast(splits: Splits, seed: int) -> Fitted:
    """The LSTM of neuralforecast by its defaults: one network for all channels, each a series by itself."""
    from benchmarks._neuralforecast import forecasts

    rest = iter(forecasts(splits, seed))  # for the windows in their order
    return Fitted(lambda batch: torch.stack([next(rest) for _ in batch["target"]]))


def _of(fit: Callable[..., Fitted], *options: Any) -> Callable[[Splits, int], Fitted]:
    return functools.partial(fit, *options)


PEERS: Mapping[str, SequencePeer] = {  # the quick ones first
    "naive answer": SequencePeer(_of(naive, 0), None, None, n_seeds=1),
    "last season": SequencePeer(_of(naive, 1), "forecasting", n_seeds=1),
    "Ridge on all values": SequencePeer(ridge, n_seeds=1),
    "Ridge on the window": SequencePeer(_of(baseline, "ridge regression on the window"), "forecasting", n_seeds=1),
    "n-grams, Witten-Bell": SequencePeer(_of(baseline, "n-gram counts"), "language_modelling", "tokens", n_seeds=1),
    "TF-IDF of characters + LinearSVC": SequencePeer(
        _of(tf_idf, "char_wb", (1, 4)), takes="tokens", whole=True, n_seeds=1
    ),
    "TF-IDF of words + LinearSVC": SequencePeer(_of(tf_idf, "word", (1, 2)), takes="tokens", whole=True, n_seeds=1),
    "MiniRocket": SequencePeer(_of(rocket, "MiniRocketClassifier"), package="aeon"),
    "NLinear": SequencePeer(_of(linear_network, NLinear), "forecasting", n_seeds=3, selects=True),
    "DLinear": SequencePeer(_of(linear_network, DLinear), "forecasting", n_seeds=3, selects=True),
    "Rocket": SequencePeer(_of(rocket, "RocketClassifier"), package="aeon", n_seeds=3),
    "nn.LSTM": SequencePeer(plain_lstm, None, None, n_seeds=1, selects=True),
    "MultiRocket-Hydra": SequencePeer(_of(rocket, "MultiRocketHydraClassifier"), package="aeon", n_seeds=3),
    "neuralforecast LSTM": SequencePeer(neural_forecast, "forecasting", package="neuralforecast", n_seeds=1),
}
