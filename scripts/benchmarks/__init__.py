"""The suites of scripts/benchmark.py, one a file: each `measure`s, and some `draw` what they measured."""
