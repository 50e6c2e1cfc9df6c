"""ETTh1: forecast two years of hourly readings of an electricity transformer.

H. Zhou et al., "Informer: beyond efficient transformer for long sequence time-series forecasting" (arXiv 2012.07436).
The usual protocol: 12 / 4 / 4 months of 30 days, all seven channels forecast from all seven, errors on values
standardised by the training months, all windows of the test split.
"""

import io

import pandas as pd
import torch

from zoo.data import DATA, Facts
from zoo.data.sequences.splits.windows import Window, series_splits
from zoo.data.sources.published import read_data_file
from zoo.data.splits import Splits

URL = "https://raw.githubusercontent.com/zhouhaoyi/ETDataset/1d16c8f4f943/ETT-small/ETTh1.csv"
SHA256 = "f18de3ad269cef59bb07b5438d79bb3042d3be49bdeecf01c1cd6d29695ee066"
MONTH = 30 * 24
ENDS = (12 * MONTH, 16 * MONTH, 20 * MONTH)
FACTS = Facts(
    task="forecasting",
    rows="8,640 / 2,880 / 2,880 hours",
    inputs="series of 7 channels, 96 hours to look back on",
    licence="CC BY-ND 4.0",
    source="H. Zhou et al., ETDataset, 2020",
    network="fetched",
    model="rnn/segrnn",
)


@DATA.register("etth1")
def etth1(*, look_back: int = 96, horizon: int = 96) -> Splits:
    """Load 8,449 / 2,785 / 2,785 windows of 7 channels with the default lengths, in hours; the horizon is usually 96,
    192, 336 or 720."""
    table = pd.read_csv(io.BytesIO(read_data_file("ETT/ETTh1.csv", SHA256, [URL])), index_col="date")
    series = torch.tensor(table.to_numpy(), dtype=torch.float32)
    columns = [str(name) for name in table.columns]
    return series_splits(
        "etth1",
        [series],
        columns,
        [ENDS],
        Window(look_back, horizon),
        reading={"date_column": "date"},
        licence=FACTS.licence,
        source=FACTS.source,
    )
