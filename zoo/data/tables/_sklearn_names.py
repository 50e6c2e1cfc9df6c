"""Undocumented names of scikit-learn that the zoo uses; tests/test_private_names.py fails first if one changes."""

METADATA = ("", "features/", "qualities/")  # the first describes a table, with the hash of its data


def openml_metadata(id: int) -> list[str]:
    """The files that `fetch_openml` keeps of a table's metadata, below the folder "openml" of `data_home`."""
    return [f"openml.org/api/v1/json/data/{kind}{id}.gz" for kind in METADATA]
