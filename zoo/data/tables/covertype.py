"""Covertype: which of seven forest cover types grows on a patch of 30 by 30 m, from maps. 581,012 rows.

J. A. Blackard, D. J. Dean, "Comparative accuracies of artificial neural networks and discriminant analysis in
predicting forest cover types from cartographic variables", 1999. The split of the rtdl papers (Y. Gorishniy et al.,
2021). Columns are named as in scikit-learn.
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
    task="classification",
    rows="371,847 / 92,962 / 116,203",
    inputs="10 numbers, 44 zeros or ones",
    licence="CC BY 4.0",
    source="J. A. Blackard, UCI Machine Learning Repository, 1998",
    network="fetched",
)
URLS = (
    "https://archive.ics.uci.edu/ml/machine-learning-databases/covtype/covtype.data.gz",
    "https://ndownloader.figshare.com/files/5976039",
)
PACKED = "sha256:614360d0257557dd1792834a85a1cdebfadc3c4f30b011d56afee7ffb5b15771"
NUMBERS = (
    "Elevation",
    "Aspect",
    "Slope",
    "Horizontal_Distance_To_Hydrology",
    "Vertical_Distance_To_Hydrology",
    "Horizontal_Distance_To_Roadways",
    "Hillshade_9am",
    "Hillshade_Noon",
    "Hillshade_3pm",
    "Horizontal_Distance_To_Fire_Points",
)
BOOLEANS = [f"Wilderness_Area_{i}" for i in range(4)] + [f"Soil_Type_{i}" for i in range(40)]
CLASSES = ("Spruce/Fir", "Lodgepole Pine", "Ponderosa Pine", "Cottonwood/Willow", "Aspen", "Douglas-fir", "Krummholz")
TARGET = "Cover_Type"


@DATA.register("covertype")
def covertype() -> Splits:
    """371,847 / 92,962 / 116,203 rows of 10 numbers and 44 zeros or ones, seven classes."""
    return splits_of(parse(read_data_file("covertype/covtype.data", None, URLS, packed=PACKED)))


def parse(content: bytes) -> pd.DataFrame:
    """The rows of covtype.data; the target as codes from 0."""
    dtypes = {**dict.fromkeys(NUMBERS, "float32"), **dict.fromkeys([*BOOLEANS, TARGET], "int8")}
    frame = pd.read_csv(io.BytesIO(content), names=list(dtypes), dtype=dtypes)
    return frame.assign(**{TARGET: frame[TARGET] - 1})


def splits_of(frame: pd.DataFrame) -> Splits:
    """80 % / 20 %, and of the first again, stratified by class."""
    target = frame[TARGET].to_numpy()
    rest, test = carve(len(frame), 0.2, seed=0, stratify=target)
    train, val = carve(len(rest), 0.2, seed=1, stratify=target[rest])
    named = frame.assign(**{TARGET: np.array(CLASSES)[target]})
    kinds = {**dict.fromkeys(NUMBERS, "numeric"), **dict.fromkeys(BOOLEANS, "boolean")}
    data = TableData("covertype", named, TARGET, FACTS, kinds=kinds, class_names=CLASSES)
    return build_splits(data, SplitRows(rest[train], rest[val], test))
