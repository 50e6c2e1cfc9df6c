"""Results that are kept in a file as they come, so that a long benchmark goes on where it was ended."""

import json
import math
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from benchmarks._measure import Measure

Key = tuple[str, str, int]  # data, model, seed


class Results:
    """Results of a suite by data set, model and seed.

    Args:
        path: a file with a line of JSON for each; None keeps them in memory.
        minutes: after which nothing else is measured.
        only: patterns of models with commas in between, such as "rnn*,*Rocket*"; others are taken from the file alone.
    """

    def __init__(self, path: Path | None = None, minutes: float = math.inf, only: str = "*"):
        self.path, self.patterns = path, only.split(",")
        self.end = time.monotonic() + 60 * minutes
        lines = path.read_text().splitlines() if path and path.is_file() else []
        self.known: dict[Key, dict[str, Any]] = {_key(one): one for one in map(json.loads, lines)}

    def get(self, data: str, model: str, seed: int, measure: Callable[[], dict[str, Any]]) -> dict[str, Any] | None:
        """Return what is known, else what `measure` returns, plain values; None where there is no time."""
        key = data, model, seed
        if key not in self.known and self._may_measure(model):
            self.known[key] = {"data": data, "model": model, "seed": seed, **measure()}
            if self.path:
                with self.path.open("a") as file:
                    file.write(json.dumps(self.known[key]) + "\n")
        return self.known.get(key)

    def of(self, data: str, model: str) -> list[dict[str, Any]]:
        """Return what is known of a model on a data set, by seed."""
        found = (one for (one_data, one_model, _), one in self.known.items() if (one_data, one_model) == (data, model))
        return sorted(found, key=lambda one: one["seed"])

    def measures(self, name: str, measure: Callable[[], Iterable[Measure]]) -> list[Measure]:
        """Return the rows that are known by a name, else those of `measure`; none where there is no time."""
        found = self.get("speed", name, 0, lambda: {"measures": [asdict(one) for one in measure()]})
        return [Measure(**one) for one in (found or {}).get("measures", [])]

    def _may_measure(self, model: str) -> bool:
        return time.monotonic() < self.end and any(fnmatch(model, pattern) for pattern in self.patterns)


def _key(result: dict[str, Any]) -> Key:
    return result["data"], result["model"], result["seed"]
