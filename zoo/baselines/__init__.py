"""Baselines: quick references that a trained model is measured beside, one file for each kind of data.

A baseline is one function in this folder, or in your own (`zoo.add_path`), below a line
`@BASELINES.register("task/name")`: the task that it serves, and the name that is shown. It takes the spec, the targets
of training samples (n, ...) and, as arguments of their names, the inputs; these decide which data it is for. It returns
a function of the same inputs, whose outputs are those of the task: logits, or values in the target's units.
"""

import inspect
from collections.abc import Callable

from torch import Tensor

from zoo.core.registry import Registry
from zoo.core.spec import DataSpec

Fit = Callable[..., Callable[..., Tensor]]
BASELINES: Registry[Fit] = Registry("baseline", "BASELINES")


def takes(fit: Fit, spec: DataSpec) -> bool:
    """Whether a baseline takes all inputs of a data set, and needs no other."""
    inputs = list(inspect.signature(fit).parameters.values())[2:]
    required = {one.name for one in inputs if one.default is inspect.Parameter.empty}
    return required <= set(spec.inputs) <= {one.name for one in inputs}
