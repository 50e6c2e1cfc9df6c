"""The fuzzer of tests/fuzzing/run.py: a guard around each case, edits of valid files, and targets."""
