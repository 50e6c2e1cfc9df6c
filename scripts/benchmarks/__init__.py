"""The suites of scripts/benchmark.py, one per file: each has `measure`, some also `draw`."""
