"""What tests/fuzzing/run.py runs: the guard around a case, edits of valid files, and the targets."""
