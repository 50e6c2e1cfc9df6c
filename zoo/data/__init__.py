"""Data sets by name: one file each, with a registered function that returns its `zoo.data.splits.Splits`."""

from zoo.data.loading import load_data
from zoo.data.registry import DATA, FORMATS, Facts, facts, list_data

__all__ = ["DATA", "FORMATS", "Facts", "facts", "list_data", "load_data"]
