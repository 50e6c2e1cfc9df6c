"""Architectures by name, `family/architecture`, one file each."""

import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from zoo.core.errors import UserError, unknown_name
from zoo.core.registry import Registry
from zoo.core.spec import DataSpec

if TYPE_CHECKING:
    from torch import Tensor

    from zoo.models.layers import Network
    from zoo.models.model import Model

MODELS: "Registry[type[Network]]" = Registry("model", "MODELS")

_OPTIONAL_SIZES: dict[str, Any] = {  # where an input is absent
    **dict.fromkeys(("n_numeric", "n_channels", "n_known"), 0),
    "cardinalities": (),
}


def list_models(pattern: str = "*", *, spec: DataSpec | None = None) -> list[str]:
    """List the architectures that match a shell pattern, such as "cnn/*", and that fit the data of `spec`, if given."""
    _check_spec(spec)
    return [name for name in MODELS.names(pattern) if spec is None or not _misfit(name, spec)]


def untrained_model(
    name: str, spec: DataSpec, *, combine: Callable[["Tensor"], "Tensor"], choices: Mapping[str, Any]
) -> "Model":
    """Build an untrained model; see `zoo.create_model`.

    Args:
        name: of an architecture.
        spec: of the data set; it fills in the data's sizes.
        combine: of the task, see `Model`.
        choices: the architecture's own keywords; those left out keep their defaults.

    Raises:
        UserError: for an unknown name or keyword, or a data set without the inputs that the model takes.
    """
    from zoo.models.model import Model

    check_fit(name, spec)
    network = _architecture(name)
    sizes = {size: spec.sizes.get(size, _OPTIONAL_SIZES.get(size)) for size in network.required_sizes()}
    known = network.defaults()
    for key in choices:
        if key not in known:
            raise unknown_name(f"keyword of model {name}", key, known)
        if isinstance(choices[key], float) and not math.isfinite(choices[key]):
            raise UserError(f"{key} of model {name} is a finite number; got {choices[key]}")
    try:
        return Model(spec, network(**sizes, **choices), combine=combine)
    except ValueError as error:
        raise UserError(f"model {name} on data {spec.name}: {error}") from error


def _architecture(name: str) -> "type[Network]":
    """The class of an architecture. UserError for one of a user's that the zoo cannot train."""
    from zoo.models.layers import Network

    network = MODELS.get(name)
    if not (isinstance(network, type) and issubclass(network, Network) and hasattr(network, "features")):
        raise UserError(
            f"a model derives from zoo.models.layers.Network and has features; '{name}' is a "
            f"{getattr(network, '__name__', network)}, which does not\nits constructor takes sizes such as n_numeric "
            "and n_outputs, features(self, numeric) returns (batch, d_features), self.head turns them into n_outputs"
        )
    return network


def _check_spec(spec: Any) -> None:
    if not isinstance(spec, DataSpec | None):
        raise UserError(f"a spec is that of a data set, zoo.load_data(...).spec; got {type(spec).__name__}")


def check_fit(name: str, spec: DataSpec) -> None:
    """Raise UserError unless a data set has the inputs and sizes that a model takes; it names the models that fit."""
    _check_spec(spec)
    problem = _misfit(name, spec)
    if problem:
        fitting = ", ".join(list_models(spec=spec)) or "none"
        raise UserError(f"{problem}\nmodels that fit data={spec.name}: {fitting}")


def _misfit(name: str, spec: DataSpec) -> str | None:
    """Why a model does not fit a data set; None if it does."""
    network = _architecture(name)
    takes, offers = network.inputs(), list(spec.inputs)
    needs = {key for key, needed in takes.items() if needed}
    if not needs <= set(offers) <= set(takes):
        return f"model {name} takes {', '.join(takes)}; data {spec.name} offers {', '.join(offers)}"
    missing = [size for size in network.required_sizes() if size not in spec.sizes | _OPTIONAL_SIZES]
    if missing:
        return f"model {name} asks for the size {', '.join(missing)}; data {spec.name} has {spec.sizes}"
    return None
