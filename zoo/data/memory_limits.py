"""Whether data fit in memory."""

from pathlib import Path

from zoo.core.errors import UserError
from zoo.core.system import free_memory

LARGE_SHARE = 4  # data that take more than a quarter of the free memory are large


def is_large(n_bytes: float) -> bool:
    """Whether this many bytes are a large part of the free memory."""
    return LARGE_SHARE * n_bytes > free_memory()


def check_memory(n_bytes: float, what: Path | str, fix: str = "free some, or give less data") -> None:
    """Raise UserError if `what` takes more bytes than there is free memory."""
    if n_bytes > free_memory():
        raise UserError(f"{what} takes {n_bytes / 1e9:.1f} GB of memory, {free_memory() / 1e9:.1f} GB are free\n{fix}")
