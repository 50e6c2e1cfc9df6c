"""The timed trainings: what each has to reach, and in how long."""

from collections.abc import Sequence
from dataclasses import dataclass

QUIET = ("trainer=gpu", "baseline=false", "trainer.save_every=100000")
AT_THE_END = (*QUIET, "trainer.keep=last", "trainer.check_val_every_n_epoch=1000")  # of steps that take milliseconds
GRAPHS = "trainer.tricks=[all,cuda_graphs]"
STRONG = ("~data.augment.crop", "+data.augment.trivial={}", "+data.augment.cutout={size: 12}")


@dataclass(frozen=True)
class Recipe:
    """Trainings of one kind.

    Args:
        name: in the table, and of the weights file.
        variants: settings to try in turn, until the mean of the first seeds reaches the goal, or the last.
        tiny: further settings of a dry run.
        metric: of the test split.
        goal: least accuracy, or largest loss in nats.
        seconds: of all its trainings.
        largest_fit: goal for the seconds of a fit; None has none.
        seeds: trained with the variant that reached the goal.
    """

    name: str
    variants: Sequence[Sequence[str]]
    tiny: Sequence[str]
    metric: str
    goal: float
    seconds: float
    largest_fit: float | None = None
    seeds: int = 1


TINY_IMAGES = ("data.n_val=20", "data.batch_size=50")
FAST = ("experiment=cnn/fast.cifar10", *AT_THE_END, GRAPHS, "trainer.compile=default")
RECIPES = (
    Recipe(
        "cifar10_94",
        [
            (*FAST, "data.epochs=16"),
            (*FAST, "data.epochs=22"),
            ("experiment=cnn/fast.cifar10", *AT_THE_END, "data.epochs=22"),
        ],
        (*TINY_IMAGES, "model.width=4"),
        "accuracy",
        0.94,
        seconds=150,
        largest_fit=1.5,
        seeds=10,
    ),
    Recipe(
        "resnet20",
        [
            (
                *("experiment=cnn/resnet20.cifar10", *QUIET, GRAPHS, "distill.teacher=cnn/fast.cifar10_large"),
                *("data.epochs=150", "trainer.check_val_every_n_epoch=10"),
            )
        ],
        (*TINY_IMAGES, "model.depth=8", "model.width=4", "distill.teacher=null"),
        "accuracy",
        0.94,
        seconds=120,
    ),
    Recipe(
        "six_million",
        [
            (
                *("model=cnn/wide_resnet", "data=cifar10", *QUIET, GRAPHS, "model.depth=28", "model.widening=4"),
                *("data.n_val=1000", "data.batch_size=256", "data.epochs=60", "trainer.check_val_every_n_epoch=10"),
                *(*STRONG, "task.label_smoothing=0.1", "trainer.compile=default"),
            )
        ],
        (*TINY_IMAGES, "model.depth=10", "model.widening=1"),
        "accuracy",
        0.979,
        seconds=200,
    ),
    Recipe(
        "shakespeare",
        [
            (
                *("model=rnn/lstm", "data=shakespeare", *QUIET, "model.width=600", "model.depth=2"),
                *("model.dropout=0.5", "data.n_steps=256", "data.batch_size=64", "data.epochs=70", "optim.lr=0.002"),
                "trainer.keep=best",
            )
        ],
        ("model.width=8", "data.n_steps=16", "data.batch_size=8"),
        "nats",
        1.42,
        seconds=180,
    ),
    Recipe(
        "psmnist",
        [
            (
                *("model=rnn/gru", "data=psmnist", *QUIET, "model.width=256", "data.batch_size=256"),
                *("data.epochs=15", "optim.lr=0.002", "optim.clip=1"),
            )
        ],
        (*TINY_IMAGES, "model.width=4"),
        "accuracy",
        0.951,
        seconds=150,
    ),
)
