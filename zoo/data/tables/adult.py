"""Adult (census income): does a person earn more than 50,000 $ a year. 48,842 rows with the official test split.

R. Kohavi, "Scaling up the accuracy of naive-Bayes classifiers", 1996. Validation is carved from train as in the rtdl
papers (Y. Gorishniy et al., 2021); a missing value is a category of its own.
"""

import io

import numpy as np
import pandas as pd

from zoo.data import DATA, Facts
from zoo.data.leakage import report_duplicates
from zoo.data.random_split import carve
from zoo.data.sources.published import read_data_file
from zoo.data.splits import Splits
from zoo.data.tables._build import TableData, build_splits
from zoo.data.tables._row_splits import SplitRows

FACTS = Facts(
    task="classification",
    rows="26,048 / 6,513 / 16,281, 20 of the last also in the first",
    inputs="6 numbers, 8 categories",
    licence="CC BY 4.0",
    source="B. Becker, R. Kohavi, UCI Machine Learning Repository, 1996",
    network="fetched",
)
URLS = (
    "https://archive.ics.uci.edu/ml/machine-learning-databases/adult/{}",
    "https://archive.ics.uci.edu/static/public/2/adult.zip",
)
SHA256 = {
    "adult.data": "5b00264637dbfec36bdeaab5676b0b309ff9eb788d63554ca0a249491c86603d",
    "adult.test": "a2a9044bc167a35b2361efbabec64e89d69ce82d9790d2980119aac5fd7e9c05",
}
KINDS = {
    "age": "numeric",
    "workclass": "categorical",
    "fnlwgt": "numeric",
    "education": "categorical",
    "education-num": "numeric",
    "marital-status": "categorical",
    "occupation": "categorical",
    "relationship": "categorical",
    "race": "categorical",
    "sex": "categorical",
    "capital-gain": "numeric",
    "capital-loss": "numeric",
    "hours-per-week": "numeric",
    "native-country": "categorical",
}
TARGET = "income"


@DATA.register("adult")
def adult() -> Splits:
    """26,048 / 6,513 / 16,281 rows of 6 numbers and 8 categories, two classes.

    As published, some inputs lie in two splits: 20 rows of test are also in train, and 6 in val.
    """
    known, test = (
        parse(read_data_file(f"adult/{name}", sha256, [url.format(name) for url in URLS], member=name))
        for name, sha256 in SHA256.items()
    )
    train, val = carve(len(known), 0.2, seed=1, stratify=known[TARGET].to_numpy())
    frame = pd.concat([known, test], ignore_index=True)
    data = TableData("adult", frame, TARGET, FACTS, kinds=KINDS, class_names=["<=50K", ">50K"])
    splits = build_splits(data, SplitRows(train, val, np.arange(len(known), len(frame))))
    report_duplicates(splits, advice="they are so as published")
    return splits


def parse(content: bytes) -> pd.DataFrame:
    """The rows of adult.data, or of adult.test, whose first line is a comment and whose labels end in a full stop."""
    frame = pd.read_csv(io.BytesIO(content), names=[*KINDS, TARGET], comment="|", skipinitialspace=True, na_values="?")
    return frame.assign(**{TARGET: frame[TARGET].str.rstrip(".")})
