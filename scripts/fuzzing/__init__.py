"""What scripts/fuzz.py runs: the guard around a case, edits of valid files, and the targets."""
