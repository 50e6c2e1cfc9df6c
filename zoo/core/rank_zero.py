"""Which of several processes this one is, and lines printed once for all."""

import os

from zoo.core.console import echo


def is_rank_zero() -> bool:
    """Whether this is the only process of a training, or the first, as torchrun, Lightning's launcher or SLURM says.

    They also say how many there are: a rank that something else has left in the environment does not count.
    """
    if os.environ.get("WORLD_SIZE", "1") != "1":
        names = ("RANK",) if "RANK" in os.environ else ("NODE_RANK", "LOCAL_RANK")
    else:
        names = ("SLURM_PROCID",) if os.environ.get("SLURM_NTASKS", "1") != "1" else ("NODE_RANK",)
    return all(os.environ.get(name, "0") == "0" for name in names)


def rank_zero_print(line: str) -> None:
    """Print a line, once for all processes."""
    if is_rank_zero():
        echo(line, flush=True)
