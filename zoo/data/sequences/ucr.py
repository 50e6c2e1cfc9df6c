"""The UCR, UEA and TSER archives: any of their sets of whole time series, by name.

H. Dau et al., "The UCR time series archive" (arXiv 1810.07758); A. Bagnall et al., "The UEA multivariate time series
classification archive" (arXiv 1811.00075); C. W. Tan et al., "Time series extrinsic regression" (arXiv 2006.10996). As
.ts files of the aeon package, some of which come inside it.
"""

from zoo.data import DATA, Facts
from zoo.data.sequences.splits.archive import archive_splits
from zoo.data.sequences.splits.labelled import Shares
from zoo.data.splits import Splits

FACTS = Facts(
    task="any",
    rows="the official ones; a fifth of train validates",
    inputs="sequence, one channel or several, of one length or many",
    licence="of each set, see timeseriesclassification.com",
    source="UCR, UEA and TSER archives, in aeon's form",
    network="fetched, but for ten sets",
)


@DATA.register("ucr")
def ucr(*, name: str = "GunPoint", val_share: float = 0.2, split_seed: int = 0) -> Splits:
    """Load the official train and test split of the set `name`; `val_share` of train validates.

    Sequences of unequal length are padded, and missing values interpolated within the sequence. Sets inside aeon, which
    need no network: ACSF1, ArrowHead, BasicMotions, CardanoSentiment, Covid3Month, GunPoint, ItalyPowerDemand,
    JapaneseVowels, OSULeaf, PickupGestureWiimoteZ.
    """
    shares = Shares(val=val_share, seed=split_seed)
    return archive_splits(name, shares, licence=FACTS.licence, source=FACTS.source)
