"""The LSTM of neuralforecast, by its own defaults, on the windows of the test split."""

from typing import Any

import pandas as pd
import torch
from torch import Tensor

from zoo.data.splits import Splits


def forecasts(splits: Splits, seed: int) -> Tensor:
    """Fit to one series of several channels, and forecast each window of the test split, (n, horizon, n_channels)."""
    from neuralforecast import NeuralForecast
    from neuralforecast.models import LSTM

    parts: Any = splits.train, splits.val, splits.test
    look_back, horizon = parts[0].window
    series = torch.cat([part.series[look_back if part is not parts[0] else 0 :] for part in parts])
    table = pd.DataFrame(series.numpy()).melt(ignore_index=False, var_name="unique_id", value_name="y")
    table = table.rename_axis("ds").reset_index()
    model = LSTM(h=horizon, input_size=look_back, random_seed=seed, logger=False, enable_progress_bar=False)
    sizes = {"val_size": len(parts[1].series) - look_back, "test_size": len(parts[2].series) - look_back}
    found = NeuralForecast([model], freq=1).cross_validation(table, n_windows=None, step_size=1, **sizes)
    values = found.sort_values(["unique_id", "cutoff", "ds"])["LSTM"].to_numpy()
    return torch.from_numpy(values).view(series.shape[1], -1, horizon).permute(1, 2, 0)
