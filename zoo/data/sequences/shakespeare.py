"""Tiny Shakespeare: predict each of 1.1 million characters of plays.

A. Karpathy, "The unreasonable effectiveness of recurrent neural networks", 2015. The usual last tenth is the test
split; the beginning of the rest validates, as the end of it is of the same play as the test split: to train on that is
worth .23 nats to counts of five characters.
"""

from zoo.data import DATA, Facts
from zoo.data.sequences.inputs.vocabulary import CHARACTERS
from zoo.data.sequences.splits.text_stream import text_splits
from zoo.data.sources.published import read_data_file
from zoo.data.splits import Splits

URL = "https://raw.githubusercontent.com/karpathy/char-rnn/6f9487a6fe5b/data/tinyshakespeare/input.txt"
SHA256 = "86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed"
FACTS = Facts(
    task="language_modelling",
    rows="948,085 / 55,769 / 111,540 characters",
    inputs="text, 65 different characters",
    licence="public domain",
    source="W. Shakespeare, in karpathy/char-rnn",
    network="fetched",
    model="rnn/char_lm",
)


@DATA.register("shakespeare")
def shakespeare(*, n_steps: int = 64, vocabulary: str | int = CHARACTERS, val_share: float = 0.05) -> Splits:
    """Load 948,085 / 55,769 / 111,540 characters with the default share; a training window has `n_steps` tokens, which
    are characters, or as many by byte-pair encoding as `vocabulary` says."""
    text = read_data_file("tinyshakespeare/input.txt", SHA256, [URL]).decode()
    start, end = int(val_share * len(text)), int(0.9 * len(text))
    return text_splits(
        "shakespeare",
        (text[start:end], text[:start], text[end:]),
        n_steps,
        vocabulary,
        licence=FACTS.licence,
        source=FACTS.source,
    )
