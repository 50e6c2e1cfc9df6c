"""Feedforward networks on 50,000 rows of 30 numbers: samples per second, against a hand-written loop."""

from collections.abc import Iterator

from benchmarks._measure import Measure


def measure() -> Iterator[Measure]:
    from benchmarks._cases import table_case
    from benchmarks._throughput import throughput

    for widths in ((30, 10), (30, 128, 128, 10), (30, 512, 512, 512, 10)):
        yield from throughput(table_case(widths, n_epochs=3))
