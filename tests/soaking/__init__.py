"""The soak tests of tests/soaking/run.py, one per file."""
