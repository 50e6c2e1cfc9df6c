"""A user's model, and the registries before a user's folder was added."""

import contextlib
import gc

from zoo.core import registry

MODEL = '''
"""A toy."""
from torch import nn
from zoo.models import MODELS
from zoo.models.layers import Network

@MODELS.register("fnn/toy")
class Toy(Network):
    """One hidden layer."""
    def __init__(self, *, n_numeric: int, n_outputs: int, width: int = 32):
        super().__init__()
        self.hidden = nn.Sequential(nn.Linear(n_numeric, width), nn.ReLU())
        self.head = nn.Linear(width, n_outputs)

    def features(self, numeric):
        return self.hidden(numeric)
'''


@contextlib.contextmanager
def forgotten_afterwards():
    """Take out of all registries, at the end, what `zoo.add_path` has added within."""
    before = {*registry._added}
    yield
    registries = [one for one in gc.get_objects() if type(one) is registry.Registry]
    for added in registry._added.keys() - before:
        del registry._added[added]
        for entries in registries:
            if entries.variable == added[0]:
                entries._entries.pop(added[1], None)
