"""Undocumented parts of Hydra that the zoo uses, each with a test that fails first if they change.

Each docstring names the promise that depends on it.
"""

import sys

import pytest
from hydra.core.utils import JobReturn, JobStatus
from hydra.errors import HydraException

from zoo.settings import CONF, hydra_private
from zoo.settings.conf_files import compose_file


def test_overrides_can_be_parsed():
    """A path that Hydra cannot parse is quoted, and a sweep's folders are named by the settings that differ."""
    override = hydra_private.parse_override("optim.lr=1,2")
    assert override.key_or_group == "optim.lr" and override.is_sweep_override() and override.is_discrete_sweep()
    assert list(hydra_private.values_as_text(override)) == ["1", "2"]
    assert list(hydra_private.values_as_text(hydra_private.parse_override("optim.lr=1"))) == ["optim.lr=1"]
    with pytest.raises(HydraException):
        hydra_private.parse_override("data.path=größe(1).csv")


@pytest.mark.parametrize(("word", "answer"), [("data=wine", True), ("data=wine,csv", True), ("data=[wine,2]", False)])
def test_a_choice_can_be_distinguished_from_a_value(word, answer):
    """`model=0` gets the rule and the nearest name."""
    assert hydra_private.names_a_choice(hydra_private.parse_override(word)) is answer


def test_the_flags_of_a_command_line_are_hydras():
    """Commands tell flags from words by them, and a sweep by -m."""
    flags = hydra_private.flags()
    assert not flags["-m"] and not flags["--help"] and flags["--cfg"]
    assert hydra_private.is_sweep(["-m"]) and not hydra_private.is_sweep([])


def test_a_command_takes_arguments_other_than_sys_argv(monkeypatch, tmp_path):
    """`zoo train` leaves `sys.argv` to Lightning, which starts the other processes of a training by it."""
    monkeypatch.setattr(sys, "argv", ["zoo", "train", "not=read"])
    seen = []
    hydra_private.run(seen.append, str(CONF), "train", ["model=fnn/mlp", "seed=3", f"run_dir={tmp_path}"])
    assert seen[0].seed == 3 and sys.argv == ["zoo", "train", "not=read"]


def test_the_error_of_a_job_is_available():
    """A sweep continues after a failed job, and its summary names the failure."""
    job, error = JobReturn(status=JobStatus.FAILED), ValueError("x")
    job.return_value = error
    assert hydra_private.error_of_job(job) is error


def test_a_missing_choice_is_named_with_its_section():
    """`data=minst` gets the nearest name, and `hydra/launcher=joblib` the package to install."""
    for word, answer in {
        "data=minst": ("data", "minst"),
        "hydra/launcher=joblib": ("hydra", "launcher/joblib"),
    }.items():
        with pytest.raises(HydraException) as caught:
            compose_file("train", ["model=fnn/mlp", word])
        group, name, names = hydra_private.missing_choice(caught.value)
        assert (group, name) == answer and names
    assert hydra_private.missing_choice(ValueError()) is None


def test_an_error_inside_hydra_can_be_distinguished_from_ours():
    """A value that Hydra cannot handle ends with exit code 2, a bug of ours with a traceback."""
    with pytest.raises(Exception) as caught:  # noqa: PT011
        compose_file("train", ["model=fnn/mlp", "data=[wine,2]"])
    assert hydra_private.is_from_hydra(caught.value)
    assert not hydra_private.is_from_hydra(ValueError())
