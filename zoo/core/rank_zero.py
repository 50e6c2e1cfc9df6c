"""Tell rank zero, the first process of a training, from the others; print from it alone."""

import os

from zoo.core.console import echo

PARENT = "ZOO_PARENT"  # in the environment: the process that trains beside others, for those that it starts


def is_rank_zero() -> bool:
    """Whether this is the only or the first process of a training, by torchrun, Lightning's launcher or SLURM.

    A rank in the environment without a number of processes beside it, as other programs leave it, does not count.
    """
    if os.environ.get("WORLD_SIZE", "1") != "1":
        names = ("RANK",) if "RANK" in os.environ else ("NODE_RANK", "LOCAL_RANK")
    else:
        names = ("SLURM_PROCID",) if os.environ.get("SLURM_NTASKS", "1") != "1" else ("NODE_RANK",)
    return all(os.environ.get(name, "0") == "0" for name in names)


def is_one_of_several() -> bool:
    """Whether this process has begun a training of several processes."""
    return os.environ.get(PARENT) == str(os.getpid())


def rank_zero_print(line: str) -> None:
    """Print a line from rank zero alone."""
    if is_rank_zero():
        echo(line, flush=True)
