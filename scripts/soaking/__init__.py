"""What scripts/soak.py runs, a file for each kind."""
