"""Commands start and end quickly: what serves speed there changes nothing else."""

import gc
import weakref

from zoo.cli.quick_imports import quick_imports


class Cycle:
    """Garbage that only a collection frees."""

    def __init__(self):
        self.itself = self


def test_imports_are_not_collected_and_what_comes_after_them_is(monkeypatch):
    monkeypatch.setattr("atexit.register", lambda function: None)
    n = gc.get_freeze_count()
    with quick_imports():
        assert not gc.isenabled()
    assert gc.isenabled() and gc.get_freeze_count() > n
    later = weakref.ref(Cycle())
    gc.collect()
    assert later() is None
    gc.unfreeze()
