"""The lock and the licences cover every dependency."""

import json
import re

from helpers.commands import ROOT
from maintain.licences import missing_names, requirements
from packaging.utils import canonicalize_name

ENTRY = re.compile(r"^([\w.-]+)==(\S+) \\\n((?:    --hash=sha256:[0-9a-f]{64}(?: \\)?\n)+)", re.MULTILINE)


def test_the_lock_has_every_tested_package_with_its_hashes():
    text = (ROOT / "requirements.lock").read_text()
    lock = {name: version for name, version, _ in ENTRY.findall(text)}
    assert len(lock) == len(re.findall(r"^\w", text, re.MULTILINE))  # nothing without a hash
    assert "://" not in text
    for extra, requirement in requirements():
        if extra in ("", "test", "dev"):
            assert requirement.specifier.contains(lock[canonicalize_name(requirement.name)]), requirement


def test_the_suite_passed_at_the_ends_of_the_versions():
    results = json.loads((ROOT / "docs" / "reliability" / "ranges.json").read_text())
    core = {needed.name: needed.specifier for extra, needed in requirements() if not extra}
    for end in results.values():
        assert end["passed"] > 1000
        assert all(specifier.contains(end["versions"][name]) for name, specifier in core.items())
    assert f">={results['oldest']['versions']['torch']}".startswith(str(core["torch"]))


def test_the_page_of_licences_names_every_dependency_and_data_set():
    assert missing_names() == []
