"""Keep freed memory for the next tensors, in large pages."""

import contextlib
import ctypes
import mmap
from collections.abc import Iterator

from zoo.core.system import free_memory


@contextlib.contextmanager
def memory_kept() -> Iterator[None]:
    """Have glibc keep the memory of freed tensors for the next ones, and Linux give it in pages of 2 MiB. It is else
    taken anew again and again, cleared, 4 KiB at a time: a third of the time of a training of convolutions."""
    try:
        glibc = ctypes.CDLL("libc.so.6")
    except OSError:  # another system's
        yield
        return
    largest_mapped, kept_at_top = -3, -1  # M_MMAP_THRESHOLD and M_TRIM_THRESHOLD of mallopt(3)
    glibc.mallopt(largest_mapped, 2**30)
    glibc.mallopt(kept_at_top, -1)  # all of it
    _ask_for_large_pages(glibc)
    try:
        yield
    finally:
        glibc.mallopt(largest_mapped, 2**25)  # as far as they grow by themselves
        glibc.mallopt(kept_at_top, 2**26)
        glibc.malloc_trim(0)


def _ask_for_large_pages(glibc: ctypes.CDLL) -> None:
    """Let the next GiB that glibc takes for the heap, up to half of what is free, be in large pages. No memory is used
    before tensors need it."""
    address, size, gib = ctypes.c_void_p, ctypes.c_size_t, 2**30 - 2**12  # just below what is mapped apart
    glibc.malloc.restype, glibc.malloc.argtypes = address, [size]
    glibc.free.argtypes, glibc.madvise.argtypes = [address], [address, size, ctypes.c_int]
    blocks = [block for _ in range(min(8, free_memory() // 2**31)) if (block := glibc.malloc(gib))]
    for block in blocks:
        start = -(-block // mmap.PAGESIZE) * mmap.PAGESIZE
        glibc.madvise(start, block + gib - start, mmap.MADV_HUGEPAGE)
    for block in blocks:
        glibc.free(block)
