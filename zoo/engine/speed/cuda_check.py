"""Skip NVML when asking whether there is a GPU."""

import contextlib
import os
from collections.abc import Iterator


@contextlib.contextmanager
def quick_cuda_check() -> Iterator[None]:
    """Let torch ask the CUDA runtime whether there is a GPU. Lightning has it ask NVML, which on a machine without one
    takes 80 microseconds at each step of an optimiser."""
    name = "PYTORCH_NVML_BASED_CUDA_CHECK"
    before = os.environ.pop(name, None)
    try:
        yield
    finally:
        if before is not None:
            os.environ[name] = before
