"""The page of reliability is complete and up to date, and the soak scripts work."""

import json

import pytest
from maintain import reliability
from soaking import run as soak

from zoo.core.errors import UserError


def test_every_fault_has_a_test_with_its_promise():
    found = reliability.promises()
    assert {int(name.split("_")[2]) for name in found} == set(range(1, 36))
    assert all(found.values())


def test_the_page_is_up_to_date():
    assert reliability.PAGE.read_text() == reliability.page(), "run python scripts/maintain/reliability.py"


@pytest.mark.long
def test_a_short_soak_of_memory(tmp_path):
    soak.run("memory", ["steps=44", "epochs=2", f"docs={tmp_path}"])
    trainings = json.loads((tmp_path / "memory.json").read_text())["trainings"]
    assert all(training["steps"][-1] > 0 and min(training["MiB"]) > 0 for training in trainings.values())
    assert (tmp_path / "memory.png").stat().st_size > 1000


@pytest.mark.parametrize(
    ("what", "settings", "message"),
    [("kill", [], "nearest: kills"), ("kills", ["m=3"], "no setting 'm'"), ("kills", ["n=x"], "n is a number; got x")],
)
def test_a_mistaken_soak_gets_the_nearest_name_or_the_rule(what, settings, message):
    with pytest.raises(UserError, match=message):
        soak.run(what, settings)
