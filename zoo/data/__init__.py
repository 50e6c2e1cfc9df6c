"""Data sets by name: one file each, with a registered function that returns its `zoo.data.splits.Splits`."""

from zoo.data.registry import DATA, Facts, facts, list_data, load_data

__all__ = ["DATA", "Facts", "facts", "list_data", "load_data"]
