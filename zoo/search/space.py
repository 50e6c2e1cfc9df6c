"""The settings that a search varies, from words such as optim.lr=1e-4..1e-1 and model.width=32,64,128."""

import itertools
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from zoo.core.errors import UserError
from zoo.core.run_listing import flat

if TYPE_CHECKING:
    from optuna import Trial

RANGE = re.compile(r"([\w.@/]+)=(?:(log|interval)\(([^,()]+),([^,()]+)\)|()([\d.e+-]+?)\.\.([\d.e+-]+))")
LOGARITHMIC = 10.0  # times the lower limit, from where a range LOW..HIGH is on a logarithmic scale
EMBEDDINGS = ("piecewise_linear", "plr_lite")  # of numbers in a table, beside a model's default
SHALLOW = 4  # layers: up to here other depths are usual too
WHOLE = re.compile(r"[+-]?\d+")
NOT_SEARCHED = ("task.", "distill.", "seed", "run_dir", "resume", "zoo_path")  # settings that make losses incomparable
HOW = "optim.lr=1e-4..1e-1 model.dropout=0..0.5 model.width=32,64,128"


@dataclass(frozen=True)
class Choice:
    """A setting and the values to choose from, as text."""

    key: str
    values: tuple[str, ...]

    def holds(self, value: Any) -> bool:
        """Whether a value is one of them."""
        return str(value) in self.values

    def suggest(self, trial: "Trial") -> str:
        """Return a word for the next trial."""
        return f"{self.key}={trial.suggest_categorical(self.key, self.values)}"

    @property
    def examples(self) -> list[str]:
        """Words of the space, to check it by."""
        return [f"{self.key}={value}" for value in self.values]


@dataclass(frozen=True)
class Range:
    """A setting and the range of its numbers: whole ones where both limits are, on a logarithmic scale with `log`."""

    key: str
    low: float
    high: float
    log: bool
    whole: bool

    def holds(self, value: Any) -> bool:
        """Whether a value is a number in the range."""
        return isinstance(value, int if self.whole else int | float) and self.low <= value <= self.high

    def suggest(self, trial: "Trial") -> str:
        """Return a word for the next trial; other numbers than whole ones with four digits."""
        if self.whole:
            return f"{self.key}={trial.suggest_int(self.key, int(self.low), int(self.high), log=self.log)}"
        return f"{self.key}={trial.suggest_float(self.key, self.low, self.high, log=self.log):.4g}"

    @property
    def examples(self) -> list[str]:
        """Words of the space, to check it by."""
        return [f"{self.key}={int(limit) if self.whole else limit}" for limit in (self.low, self.high)]


Space = Sequence[Choice | Range]


def usual_space(config: Mapping[str, Any]) -> list[str]:
    """The words of a search that names no range: usual ranges, around their defaults, of the learning rate, the weight
    decay, and those of the model's keywords that decide its size, its dropout and how it embeds numbers.

    >>> usual_space({"optim": {"lr": 0.004}, "model": {"name": "fnn/mlp", "depth": 2, "dropout": 0.0}})
    ['optim.lr=log(0.0004,0.04)', 'model.depth=1..4', 'model.dropout=0..0.5']
    """
    optim = {f"optim.{key}": config["optim"].get(key) for key in ("lr", "weight_decay")}
    found = optim | {f"model.{key}": value for key, value in config["model"].items()}
    return [f"{key}={values}" for key, value in found.items() if (values := _usual_values(key, value))]


def _usual_values(key: str, default: Any) -> str | None:
    """The values of a setting to search, by the end of its name; None where others than the default are unusual, or the
    data decide it."""
    if key.endswith("embedding") and isinstance(default, str):
        return ",".join(dict.fromkeys((default, *EMBEDDINGS)))
    if isinstance(default, bool) or not isinstance(default, int | float):
        return None
    if key.endswith("dropout"):
        return "0..0.5"
    if key.endswith(("lr", "weight_decay")) and default > 0:
        return f"log({default / 10:g},{default * 10:g})"
    if key.endswith("width"):
        return f"{type(default)(default / 2)},{default},{2 * default}"
    if key.endswith("depth") and default <= SHALLOW:  # deeper networks have depths of their own, such as 20, 32, 44
        return f"1..{default + 2}"
    return None


def divide(words: Sequence[str]) -> tuple[list[str], list[Choice | Range]]:
    """Divide settings into those that all trials have, and those that the search varies.

    Raises:
        UserError: for a range that is none, and a setting that cannot be searched.
    """
    read = [(word, _read(word)) for word in words]
    space = [varied for _, varied in read if varied is not None]
    for varied in space:
        if varied.key.startswith(NOT_SEARCHED):
            raise UserError(
                f"a search compares validation losses, which {varied.key} changes the meaning of, or leaves to chance; "
                f"search other settings, such as {HOW}"
            )
    return [word for word, varied in read if varied is None], space


def default_params(space: Space, config: Mapping[str, Any]) -> dict[str, Any]:
    """The values of a space's settings in a config, by key, as Optuna takes them; none unless all are in the space."""
    values = dict(flat(config))
    if not all(varied.holds(values.get(varied.key)) for varied in space):
        return {}
    return {one.key: str(values[one.key]) if isinstance(one, Choice) else values[one.key] for one in space}


def n_combinations(space: Space) -> float:
    """How many combinations of values there are; infinite with a range."""
    return math.prod(len(varied.values) if isinstance(varied, Choice) else math.inf for varied in space)


def combinations(space: Space) -> list[dict[str, str]]:
    """All combinations of the values of a space without ranges, by key."""
    choices = [varied for varied in space if isinstance(varied, Choice)]
    values = itertools.product(*(choice.values for choice in choices))
    return [dict(zip((choice.key for choice in choices), row, strict=True)) for row in values]


def _read(word: str) -> Choice | Range | None:
    """The values that a word names; None for a single one."""
    from hydra.errors import HydraException

    from zoo.settings.hydra_private import parse_override, values_as_text

    if found := RANGE.fullmatch(word.replace(" ", "")):
        return _range(word, *(part for part in found.groups() if part is not None))
    try:
        override = parse_override(word)
    except HydraException:
        return None
    if not override.is_sweep_override():
        return None
    if not override.is_discrete_sweep():
        raise UserError(f"ranges are LOW..HIGH, and values a,b,c; got {word}")
    return Choice(override.key_or_group, tuple(values_as_text(override)))


def _range(word: str, key: str, kind: str, low: str, high: str) -> Range:
    try:
        limits = float(low), float(high)
    except ValueError:
        raise UserError(f"the limits of a range are numbers, such as {key}=1..10; got {word}") from None
    if not limits[0] < limits[1] or (kind == "log" and limits[0] <= 0):
        rule = "a range goes from a lower to a higher number" + ", both above 0" * (kind == "log")
        raise UserError(f"{rule}; got {word}")
    log = kind == "log" or (not kind and limits[1] >= LOGARITHMIC * limits[0] > 0)
    return Range(key, *limits, log, bool(WHOLE.fullmatch(low) and WHOLE.fullmatch(high)))
