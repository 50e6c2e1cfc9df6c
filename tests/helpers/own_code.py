"""A user's model and data set."""

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
