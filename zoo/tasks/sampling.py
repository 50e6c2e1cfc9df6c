"""How what comes next is drawn from a model's logits."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from zoo.core.errors import UserError


@dataclass(frozen=True)
class Sampling:
    """Draws tokens. `top_p`: A. Holtzman et al., "The curious case of neural text degeneration" (arXiv 1904.09751,
    section 3.1); `top_k`: A. Fan, M. Lewis, Y. Dauphin, "Hierarchical neural story generation" (arXiv 1805.04833).

    Args:
        temperature: divides the logits; below 1 favours likely tokens, above 1 unlikely ones.
        top_k: draw from so many of the likeliest tokens; None from all.
        top_p: draw from the fewest likeliest tokens that have this probability together; None from all.
        seed: of the draws.

    Raises:
        UserError: for values that say nothing.
    """

    temperature: float = 1.0
    top_k: int | None = None
    top_p: float | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        if not (_is_number(self.temperature) and 0 < self.temperature < math.inf):
            raise UserError(f"temperature is a number above 0; got {self.temperature}")
        if self.top_k is not None and (type(self.top_k) is not int or self.top_k < 1):
            raise UserError(f"top_k is a number of tokens, at least 1, or null for all; got {self.top_k}")
        if self.top_p is not None and not (_is_number(self.top_p) and 0 < self.top_p <= 1):
            raise UserError(f"top_p is a probability above 0, up to 1, or null for all tokens; got {self.top_p}")
        if type(self.seed) is not int or not 0 <= self.seed < 2**63:
            raise UserError(f"seed is a whole number from 0; got {self.seed}")

    def generator(self, device: torch.device) -> torch.Generator:
        """New random numbers on a device."""
        return torch.Generator(device).manual_seed(self.seed)

    def draw(self, logits: Tensor, generator: torch.Generator) -> Tensor:
        """A token (), by logits (n_tokens,)."""
        logits, tokens = (logits.float() / self.temperature).sort(descending=True)
        shares = logits[: self.top_k].softmax(0)
        if self.top_p is not None:
            shares = shares * (shares.cumsum(0) - shares < self.top_p)  # until those before are enough
        return tokens[torch.multinomial(shares, 1, generator=generator)[0]]


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
