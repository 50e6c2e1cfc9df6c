"""Create an untrained model by name."""

from typing import TYPE_CHECKING, Any

from zoo.core.spec import DataSpec
from zoo.models import check_fit, untrained_model

if TYPE_CHECKING:
    from zoo.models.model import Model


def create_model(name: str, spec: DataSpec, **kwargs: Any) -> "Model":
    """Build an untrained model for the data that `spec` describes.

    Args:
        name: of an architecture, see `list_models`.
        spec: of the data set; it fills in the data's sizes.
        kwargs: the architecture's own keywords; those left out keep their defaults.

    Returns:
        A Model that maps raw inputs to raw outputs. Call its `fit` with the training split before training.

    Raises:
        UserError: for an unknown name or keyword, or a data set without the inputs that the model takes.
    """
    from zoo.tasks import create_task

    check_fit(name, spec)
    return untrained_model(name, spec, combine=create_task(spec).combine, choices=kwargs)
