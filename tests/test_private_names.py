"""Undocumented names of libraries that the zoo uses: a test of each, which says what breaks where it changes."""

from urllib.parse import urlsplit


def test_aeon_brings_sets_along_and_knows_where_the_others_are():
    """data=ucr finds ten sets without network, and all others at Zenodo."""
    from zoo.data.sequences.splits.aeon_names import bundled_file, zenodo_record

    assert bundled_file("GunPoint", "GunPoint_TRAIN.ts").is_file()
    assert zenodo_record("GunPoint") > 0


def test_scikit_learn_keeps_the_metadata_of_openml_in_the_files_that_are_hashed(tmp_path):
    """data=openml reads tables of ZOO_DATA, and refuses metadata that changed since they were fetched."""
    from sklearn.datasets import _openml

    from zoo.data.tables._sklearn_names import openml_metadata

    for url, file in zip(
        (_openml._DATA_INFO, _openml._DATA_FEATURES, _openml._DATA_QUALITIES), openml_metadata(7), strict=True
    ):
        path = urlsplit(url.format(7)).path.lstrip("/")
        assert _openml._get_local_path(path, str(tmp_path / "openml")) == str(tmp_path / "openml" / file)
