"""Fault 33: harmful config files."""

import pytest
import yaml

import zoo
from zoo.core.errors import UserError
from zoo.core.run_folder import Run
from zoo.core.safe_yaml import read_yaml, to_yaml
from zoo.report.sweep import write_summary

BOMB = "a: &a [x, x]\n" + "".join(f"{b}: &{b} [*{a}, *{a}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True))


@pytest.mark.parametrize("text", [BOMB, "model: !!python/object:os.system x", "[" * 5000, "- a list"])
def test_fault_33_a_harmful_config_is_refused(config, runs, tmp_path, text):
    """A run's config with aliases, tags or too deep nesting is refused in one line, by a resume and by a summary."""
    run = Run(tmp_path)
    run.checkpoints.mkdir()
    run.metrics.write_text("{}")
    run.config.write_text(text)
    for call in (lambda: zoo.train(config("model=fnn/mlp", "resume=auto"), tmp_path), lambda: write_summary(tmp_path)):
        with pytest.raises(UserError, match=r"config\.yaml") as caught:
            call()
        assert len(str(caught.value)) < 300


def test_fault_33_written_yaml_has_no_aliases(tmp_path):
    """The zoo writes yaml without aliases, so it can read it back."""
    shared = [0.9, 0.999]
    (tmp_path / "config.yaml").write_text(to_yaml({"a": shared, "b": {"c": shared}}))
    assert "&" not in (tmp_path / "config.yaml").read_text()
    assert read_yaml(tmp_path / "config.yaml") == {"a": shared, "b": {"c": shared}}
    assert yaml.safe_load((tmp_path / "config.yaml").read_text()) == {"a": shared, "b": {"c": shared}}
