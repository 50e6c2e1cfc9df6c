"""Write text with a language model, or go on with a piece of notes, piece by piece."""

import itertools
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from zoo.core.console import echo
from zoo.core.errors import UserError
from zoo.data.sequences.inputs.vocabulary import Vocabulary
from zoo.tasks.sampling import Sampling

if TYPE_CHECKING:
    from zoo.inference.predictor import Predictor

NEW_LINE = "\n"  # what an empty prompt of a long text stands for


def write(predictor: "Predictor", prompt: Any, n: int, documents: int, sampling: Sampling) -> Iterator[Any]:
    """Write after a prompt; the arguments and errors are those of `Predictor.generate`."""
    spec = predictor.spec
    if not predictor.task.generates:
        raise UserError(f"generate needs a language model; this model does {spec.task}: use predict")
    for name, value, least in (("n", n, 0), ("documents", documents, 1)):
        if type(value) is not int or value < least:
            raise UserError(f"{name} is a whole number from {least}; got {value}")
    if documents > 1 and "start" not in spec.reading:
        raise UserError(f"this model writes without an end, not documents; got documents={documents}: use 1")
    if "tokens" not in spec.inputs:
        return itertools.islice(_written(predictor, _piece(predictor, prompt), sampling), n)
    tokens = _tokens(predictor, prompt)
    if documents == 1:
        return _at_most(_written(predictor, tokens, sampling), n)
    return _at_most(_lines(predictor, prompt, tokens, sampling, documents), n)


def _at_most(pieces: Iterator[str], n: int) -> Iterator[str]:
    """The first `n` characters."""
    while n and (piece := next(pieces, None)) is not None:
        yield piece[:n]
        n -= len(piece[:n])


def _lines(predictor: "Predictor", prompt: str, tokens: Tensor, sampling: Sampling, n: int) -> Iterator[str]:
    """Several documents after the same prompt, each a line."""
    generator = sampling.generator(predictor.device)
    for index in range(n):
        yield NEW_LINE * (index > 0) + prompt
        yield from _written(predictor, tokens, sampling, generator)


def _written(
    predictor: "Predictor", start: Tensor, sampling: Sampling, generator: torch.Generator | None = None
) -> Iterator[Any]:
    name = next(iter(predictor.spec.inputs))

    def carry(steps: Tensor, state: Any) -> tuple[Tensor, Any]:
        with torch.inference_mode():
            return predictor.model.carry(state, **{name: steps})

    device = predictor.device
    return predictor.task.write(carry, start.to(device), sampling, generator or sampling.generator(device))


def _tokens(predictor: "Predictor", prompt: Any) -> Tensor:
    """The tokens of a text to continue (1, time), at least one."""
    reading = predictor.spec.reading
    start = reading.get("start", "")
    if not isinstance(prompt, str):
        raise UserError(f"the prompt is the text to continue, a str; got {type(prompt).__name__}")
    if start and start in prompt:
        raise UserError(f"this model writes texts of a line each, and continues one; got {prompt!r}")
    tokens = Vocabulary.of_reading(reading).encode(start + prompt or NEW_LINE)
    if prompt and (n_unknown := int((tokens == 0).sum())):
        echo(f"{n_unknown:,} of {len(prompt):,} characters of the prompt were not in the training text")
    return tokens[None]


def _piece(predictor: "Predictor", raw: Any) -> Tensor:
    """The steps of one piece to continue, (1, time, n_labels)."""
    batch, _ = predictor.read(raw)
    if len(batch["sequence"]) != 1:
        raise UserError(f"generate goes on with one piece; got {len(batch['sequence'])}")
    return batch["sequence"][:, : int(batch["lengths"][0])]
