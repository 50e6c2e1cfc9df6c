"""California housing: a district's median house value, from the 1990 census. 20,640 rows.

R. K. Pace, R. Barry, "Sparse spatial autoregressions", 1997. Columns as scikit-learn derives them from StatLib's file;
the split of the rtdl papers (Y. Gorishniy et al., 2021).
"""

import io

import numpy as np
import pandas as pd

from zoo.data import DATA, Facts
from zoo.data.random_split import carve
from zoo.data.sources.published import read_data_file
from zoo.data.splits import Splits
from zoo.data.tables._build import TableData, build_splits
from zoo.data.tables._row_splits import SplitRows

FACTS = Facts(
    task="regression",
    rows="13,209 / 3,303 / 4,128",
    inputs="8 numbers",
    licence="none stated; 1990 US census",
    source="R. K. Pace, R. Barry, Sparse Spatial Autoregressions, 1997; StatLib",
    network="fetched",
)
URLS = (
    "https://ndownloader.figshare.com/files/5976036",
    "https://www.dcc.fc.up.pt/~ltorgo/Regression/cal_housing.tgz",
)
SHA256 = "a2b44dcc7e1c9091b43c4f458b25cbd1f7e8068d08edd26bc4703108d3fa6214"
RAW = (
    "longitude",
    "latitude",
    "housing_median_age",
    "total_rooms",
    "total_bedrooms",
    "population",
    "households",
    "median_income",
    "median_house_value",
)
TARGET = "MedHouseVal (100,000 $)"


@DATA.register("california")
def california() -> Splits:
    """13,209 / 3,303 / 4,128 rows of 8 numbers, one number to predict."""
    content = read_data_file("california_housing/cal_housing.data", SHA256, URLS, "CaliforniaHousing/cal_housing.data")
    frame = parse(content)
    rest, test = carve(len(frame), 0.2, seed=0)
    train, val = carve(len(rest), 0.2, seed=1)
    kinds = dict.fromkeys(frame.columns.drop(TARGET), "numeric")
    return build_splits(
        TableData("california", frame, TARGET, FACTS, kinds=kinds), SplitRows(rest[train], rest[val], test)
    )


def parse(content: bytes) -> pd.DataFrame:
    """The eight columns and the target, of the rows of StatLib's file."""
    raw = pd.read_csv(io.BytesIO(content), header=None, names=RAW, dtype=np.float64)
    return pd.DataFrame(
        {
            "MedInc": raw.median_income,
            "HouseAge": raw.housing_median_age,
            "AveRooms": raw.total_rooms / raw.households,
            "AveBedrms": raw.total_bedrooms / raw.households,
            "Population": raw.population,
            "AveOccup": raw.population / raw.households,
            "Latitude": raw.latitude,
            "Longitude": raw.longitude,
            TARGET: raw.median_house_value / 100_000,
        }
    )
