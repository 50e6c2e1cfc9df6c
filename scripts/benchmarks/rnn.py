"""Recurrent networks on sequences of 7 to 29 steps (JapaneseVowels): sequences per second, against PyTorch's layers on
packed sequences in a hand-written loop. Both are bidirectional with max pooling over time."""

from collections.abc import Iterator

from benchmarks._measure import Measure


def measure() -> Iterator[Measure]:
    from benchmarks._cases import Packed, sequence_case
    from benchmarks._throughput import throughput
    from zoo.data import load_data

    splits = load_data("japanese_vowels")
    for name in ("rnn/elman", "rnn/gru", "rnn/lstm"):
        yield from throughput(sequence_case(name, splits, by_hand=Packed))
