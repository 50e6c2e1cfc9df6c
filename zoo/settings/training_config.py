"""The config of one training, checked and typed."""

from collections.abc import Mapping, Sequence
from dataclasses import MISSING, Field, asdict, dataclass, field, fields
from typing import Any

from zoo.core.durations import parse_duration
from zoo.core.errors import UserError, unknown_name
from zoo.core.plugins import is_added

Section = Mapping[str, Any]
WHOLE = 'zoo.config("fnn/mlp"), or another model, gives a config with every setting at its default'
SECTIONS = ("model", "data", "optim", "trainer", "task", "distill")
N_SEEDS = 2**32


@dataclass(frozen=True, kw_only=True)
class Distill:
    """What a model learns from a trained one beside the targets.

    Attributes:
        teacher: a pretrained file's name or path; None for no teacher.
        weight: of the teacher in the loss.
        temperature: divides the logits.
    """

    teacher: str | None = None
    weight: float = 0.5
    temperature: float = 1.0


@dataclass(frozen=True, kw_only=True)
class TrainingConfig:
    """The config of one training: what `zoo.config` gives, with a value for each setting.

    Attributes:
        model, data, optim, trainer, task: sections, each with plain values by keyword.
        seed: of the initial weights, the order of batches and what is random.
        seeds: several in place of one, trained at once.
        folds: models to train, each validated on another fold of the data; None for one on the data's own splits.
        budget: most time for fitting, such as "2min"; None for no limit; "auto" for one where validation decides the
            length.
        run_dir: the run folder, as the config names it.
        resume: the checkpoint to resume from: "auto", "changed" or a path.
        finetune: a pretrained file's name or path to start from.
        distill: what to learn from a teacher.
        baseline: whether to measure the data's baselines too.
        zoo_path: a folder of user code, already added by `zoo.add_path`.
    """

    model: Section
    data: Section
    optim: Section
    trainer: Section
    task: Section = field(default_factory=dict)
    seed: int = 0
    seeds: tuple[int, ...] | None = None
    folds: int | None = None
    budget: str | None = None
    run_dir: str | None = None
    resume: str | None = None
    finetune: str | None = None
    distill: Distill = field(default_factory=Distill)
    baseline: bool = True
    zoo_path: str | None = None

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> "TrainingConfig":
        """Check a plain config, as `zoo.config` and a run's config.yaml have it.

        Raises:
            UserError: for anything but a config, a setting that is unknown, missing, or no seed, and a `zoo_path` that
                was not added.
        """
        if not isinstance(config, Mapping):
            raise UserError(f"a training takes a config; got {config!r}\n{WHOLE}")
        _check_names("setting", config, fields(cls))
        _check_sections(config, [entry.name for entry in fields(cls) if _is_required(entry)])
        distill = config.get("distill", {})
        _check_names("setting of distill", distill, fields(Distill))
        _check_seeds(config.get("seed", 0), config.get("seeds"))
        _check_folds(config)
        if config.get("budget") not in (None, "auto"):
            parse_duration("budget", config["budget"])
        _check_is_added(config.get("zoo_path"))
        seeds = None if config.get("seeds") is None else tuple(config["seeds"])
        return cls(**{**config, "seeds": seeds, "distill": Distill(**distill)})

    @property
    def all_seeds(self) -> tuple[int, ...]:
        """The seeds of the models that are trained."""
        return (self.seed,) if self.seeds is None else self.seeds

    @property
    def budget_seconds(self) -> float | None:
        """Most seconds for fitting."""
        return None if self.budget is None else parse_duration("budget", self.budget)

    def plain(self) -> dict[str, Any]:
        """Return the config as plain values, as config.yaml holds it."""
        return {**asdict(self), "seeds": None if self.seeds is None else list(self.seeds)}


def fill_from(config: Mapping[str, Any], before: Mapping[str, Any]) -> dict[str, Any]:
    """Fill in for each "auto" of a config what stands there in another.

    >>> fill_from({"seed": 1, "trainer": {"threads": "auto"}}, {"seed": 0, "trainer": {"threads": 4}})
    {'seed': 1, 'trainer': {'threads': 4}}
    """
    filled = dict(config)
    for key, value in config.items():
        if isinstance(value, Mapping) and isinstance(before.get(key), Mapping):
            filled[key] = fill_from(value, before[key])
        elif value == "auto" and key in before:
            filled[key] = before[key]
    return filled


def _check_names(kind: str, given: Mapping[str, Any], known: tuple[Field[Any], ...]) -> None:
    names = [entry.name for entry in known]
    for name in given:
        if name not in names:
            raise unknown_name(kind, name, names)


def _is_required(entry: Field[Any]) -> bool:
    return entry.default is MISSING and entry.default_factory is MISSING


def _check_sections(config: Mapping[str, Any], required: Sequence[str]) -> None:
    for name in required:
        if name not in config:
            raise UserError(f"a training needs the sections {', '.join(required)}; {name} is missing\n{WHOLE}")
    for name in SECTIONS:
        if not isinstance(config.get(name, {}), Mapping):
            raise UserError(f"{name} is a section, a mapping of settings; got {config[name]!r}")


def _check_seeds(seed: Any, seeds: Any) -> None:
    if seeds is not None and (not isinstance(seeds, list | tuple) or len(set(seeds)) < max(len(seeds), 2)):
        raise UserError(f"seeds are two numbers at least, all different; got {seeds}")
    for number in (seed, *(seeds or ())):
        if not (isinstance(number, int) and 0 <= number < N_SEEDS):
            raise UserError(f"a seed is a whole number from 0 to {N_SEEDS - 1}; got {number}")


def _check_folds(config: Mapping[str, Any]) -> None:
    folds = config.get("folds")
    if folds is None:
        return
    if type(folds) is not int or folds < 2:
        raise UserError(f"folds is a whole number from 2, such as folds=8, or null for one model; got {folds}")
    if config.get("seeds") is not None:
        raise UserError("folds= trains a model for each fold, the first with seed=, the next with seed + 1, ...: leave "
                        "out seeds=, or take -m seed=0,100")  # fmt: skip
    if config.get("resume") not in (None, "auto"):
        raise UserError(
            "folds= continues with its own settings and data alone, by resume=auto; for others give another run_dir; "
            f"got resume={config['resume']}"
        )
    trainer = config["trainer"]
    if trainer.get("devices", 1) not in (1, "1") or trainer.get("strategy", "auto") != "auto":
        raise UserError("folds= trains in one process; take trainer.devices=1 trainer.strategy=auto")


def _check_is_added(zoo_path: str | None) -> None:
    if zoo_path and not is_added(zoo_path):
        raise UserError(
            f"zoo_path={zoo_path} is a folder of code, which a config of somebody else's may name too; if you trust "
            f"it, add it before the training: zoo.add_path({zoo_path!r})"
        )
