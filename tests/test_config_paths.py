"""Paths in a config are recognised, and follow the folder they are read from."""

from zoo.core.config_paths import absolute_if_exists, base_name, is_path, map_paths, relocated


def test_settings_are_paths_by_their_exact_name_or_as_existing_absolute_paths(tmp_path):
    assert is_path("test_path", "new.csv") and is_path("mask", str(tmp_path))
    assert not is_path("drop_path", "0.1") and not is_path("path", None)
    assert not is_path("target", "/imu/x") and not is_path("missing", "~")


def test_paths_of_every_section_are_changed_and_nothing_else():
    config = {
        "finetune": "a/b",
        "model": {"drop_path": 0.1, "width": 2},
        "data": {"path": "C:\\c\\d.csv", "target": "y"},
    }
    assert map_paths(config, base_name) == {
        **config,
        "finetune": "b",
        "data": {"path": "d.csv", "target": "y"},
    }


def test_a_path_of_a_moved_project_is_found_by_its_ending(tmp_path, monkeypatch):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "a.csv").touch()
    monkeypatch.chdir(tmp_path)
    assert relocated("/elsewhere/project/data/a.csv") == str(tmp_path / "data" / "a.csv")
    assert relocated("/elsewhere/data/b.csv") == "/elsewhere/data/b.csv"
    assert absolute_if_exists("cnn/small.mnist5k") == "cnn/small.mnist5k"
