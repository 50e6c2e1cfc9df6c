"""Data given in Python: DataFrames, arrays and lists are written as files that the data sets of a user's files read."""

from zoo.data.given.recognition import given_data, load_given

__all__ = ["given_data", "load_given"]
