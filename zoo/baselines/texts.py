"""A baseline on labelled texts: a linear model of the words in them, or of the groups of characters in short ones."""

from collections.abc import Callable
from typing import Any

from torch import Tensor

from zoo.baselines import BASELINES
from zoo.baselines._estimators import fit_linear
from zoo.core.spec import DataSpec

SHORT = 50  # mean characters of texts whose words are taken apart, such as names


@BASELINES.register("classification/logistic regression on TF-IDF")
@BASELINES.register("multi_label/logistic regression on TF-IDF")
@BASELINES.register("regression/ridge regression on TF-IDF")
def tf_idf(spec: DataSpec, target: Tensor, tokens: Tensor, lengths: Tensor) -> Callable[..., Tensor]:
    """A linear model of how often each word and pair of words occurs; in short texts, each one to four characters."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    kind: Any = ("char_wb", (1, 4)) if lengths.double().mean() < SHORT else ("word", (1, 2))
    counts = TfidfVectorizer(analyzer=kind[0], ngram_range=kind[1], sublinear_tf=True, min_df=2)
    alphabet = "\N{REPLACEMENT CHARACTER}" + spec.reading["alphabet"]
    texts = _texts(alphabet, tokens, lengths)
    predict = fit_linear(spec, target, counts.fit_transform(texts), "passthrough", decay=0.1)
    return lambda tokens, lengths: predict(counts.transform(_texts(alphabet, tokens, lengths)))


def _texts(alphabet: str, tokens: Tensor, lengths: Tensor) -> list[str]:
    """The texts that padded tokens (n, time) stand for."""
    rows: Any = zip(tokens.tolist(), lengths.tolist(), strict=True)
    return ["".join(alphabet[token] for token in row[:length]) for row, length in rows]
