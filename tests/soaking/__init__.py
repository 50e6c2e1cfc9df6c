"""What tests/soaking/run.py runs, a file for each kind."""
