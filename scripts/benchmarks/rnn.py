"""Recurrent networks on sequences of 7 to 29 steps (JapaneseVowels): sequences a second, against torch's own layers
over packed sequences in a loop by hand. Both read in both directions and take the largest value over time."""

from collections.abc import Iterator

from benchmarks._measure import Measure


def measure() -> Iterator[Measure]:
    from benchmarks._cases import Packed, sequence_case
    from benchmarks._throughput import throughput
    from zoo.data import load_data

    splits = load_data("japanese_vowels")
    for name in ("rnn/elman", "rnn/gru", "rnn/lstm"):
        yield from throughput(sequence_case(name, splits, by_hand=Packed))
