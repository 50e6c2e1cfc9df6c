"""What users give a predictor: paths as text, tables of other libraries, and what messages call anything else."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd


def as_paths(raw: Any) -> Any:
    """Return text, or a list of texts, as paths; anything else as it is."""
    if isinstance(raw, str | Path):
        return Path(raw).expanduser()
    if isinstance(raw, list | tuple):
        return [Path(one).expanduser() if isinstance(one, str | Path) else one for one in raw]
    return raw


def as_frame(raw: Any) -> pd.DataFrame | None:
    """Return a table of pandas or of another library, a dict of columns, or a list of dicts, as a DataFrame; None for
    anything else.

    Raises:
        ValueError: for columns of unequal lengths.
    """
    if hasattr(raw, "to_pandas"):  # polars, pyarrow
        raw = raw.to_pandas()
    if isinstance(raw, Mapping):
        return pd.DataFrame([raw] if all(np.ndim(value) == 0 for value in raw.values()) else raw)
    if isinstance(raw, list | tuple) and raw and all(isinstance(row, Mapping) for row in raw):
        return pd.DataFrame(list(raw))
    return raw if isinstance(raw, pd.DataFrame) else None


def describe(raw: Any) -> str:
    """Describe input for a message.

    >>> describe(np.zeros((2, 3))), describe([1, "a"]), describe(None)
    ('an array (2, 3) of float64', 'a list of int, str', 'None')
    """
    if hasattr(raw, "shape") and hasattr(raw, "dtype"):
        return f"an array {tuple(raw.shape)} of {str(raw.dtype).removeprefix('torch.')}"
    if isinstance(raw, pd.DataFrame):
        return f"a DataFrame of {', '.join(map(str, raw.columns[:8]))}"
    if isinstance(raw, list | tuple):
        kinds = ", ".join(sorted({type(one).__name__ for one in raw}))
        return f"a {type(raw).__name__} of {kinds or 'nothing'}"
    return "None" if raw is None else f"{type(raw).__name__} {str(raw)!r:.40}"
