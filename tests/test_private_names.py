"""Undocumented names of libraries that the zoo uses: a test of each, which says what breaks where it changes."""


def test_aeon_brings_sets_along_and_knows_where_the_others_are():
    """data=ucr finds ten sets without network, and all others at Zenodo."""
    from zoo.data.sequences.splits.aeon_names import bundled_file, zenodo_record

    assert bundled_file("GunPoint", "GunPoint_TRAIN.ts").is_file()
    assert zenodo_record("GunPoint") > 0
