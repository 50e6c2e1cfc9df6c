"""JapaneseVowels: which of nine speakers said /ae/, in 7 to 29 steps of 12 cepstral coefficients.

M. Kudo, J. Toyama, M. Shimbo, "Multidimensional curve classification using passing-through regions", 1999. The .ts
files of the UEA archive inside aeon, with the official split of 270 / 370.
"""

from dataclasses import replace

from zoo.core.spec import Column
from zoo.data import DATA, Facts
from zoo.data.sequences.splits.archive import archive_splits
from zoo.data.sequences.splits.labelled import Shares
from zoo.data.splits import Splits

FACTS = Facts(
    task="classification",
    rows="243 / 27 / 370",
    inputs="sequence of 7 to 29 steps, 12 channels",
    licence="CC BY 4.0",
    source="M. Kudo, J. Toyama, M. Shimbo, UCI Machine Learning Repository, 1999; in aeon",
)


@DATA.register("japanese_vowels")
def japanese_vowels(*, n_val: int = 27, split_seed: int = 0) -> Splits:
    """Load 243 / 27 / 370 sequences of 12 channels; a tenth of train validates, stratified by speaker."""
    splits = archive_splits(
        "JapaneseVowels",
        Shares(val=n_val, seed=split_seed),
        target="speaker",
        licence=FACTS.licence,
        source=FACTS.source,
    )
    spec = replace(
        splits.spec,
        name="japanese_vowels",
        class_names=[f"speaker {number}" for number in range(1, 10)],
        columns=[Column(f"cepstrum {number}") for number in range(1, 13)],
    )
    return replace(splits, spec=spec)
