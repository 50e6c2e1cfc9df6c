"""A linear model on n-grams of texts, fitted before a network is trained.

N-grams of characters, or words and pairs of words, are counted in buckets by a hash: K. Weinberger et al., "Feature
hashing for large scale multitask learning" (arXiv 0902.2206). Words weigh as much as they tell of the target, as in
S. Wang, C. Manning, "Baselines and bigrams" (ACL 2012, section 2.3); here by the mean of the standardised target in
the texts that have them, which every kind of target has. Which n-grams, and how strong the fit is, is chosen on a fifth
of the texts.

The hash of any part of a text is a difference of two sums, of a polynomial's terms up to its end and up to its start
(R. Karp, M. Rabin, "Efficient randomized pattern-matching algorithms", 1987), modulo 2^64.
"""

import math
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zoo.models.layers import valid_steps
from zoo.models.ridge import take_sizes_on_load
from zoo.models.row_sample import RowSample

BASE = 0x1E3779B97F4A7C15  # odd, so that it has an inverse modulo 2^64
INVERSE = (pow(BASE, -1, 2**64) + 2**63) % 2**64 - 2**63
MIX = 0x56E8FEB86659FD93
SPACE, MARK, LETTER = 0, 1, 2  # characters between words, words of their own, and parts of a word
START, END, SEPARATOR = 1, 2, 3  # codes, below those of characters
APOSTROPHES = "'\N{RIGHT SINGLE QUOTATION MARK}"  # which are inside of words
LONGEST, MOST_WORDS = 4, 2  # characters, or words, of an n-gram
STRENGTHS = (1.0, 10.0, 100.0, 1000.0)  # of a fit: the weights' decay is one over this and the number of texts
LONG = 500  # characters, from which on words are better and much fewer
DOUBT = 2.0  # texts without a meaning, which are added to those that have an n-gram
N_STEPS = 60  # of L-BFGS, which ends where the loss or all weights change by less than TOLERANCE
TOLERANCE = 1e-5
HELD_OUT = 5  # one in so many texts chooses
AT_ONCE = 2**18  # characters


class Ngrams(NamedTuple):
    """The different n-grams of n texts, one after the other.

    Attributes:
        buckets: (n_entries,).
        counts: in the text, (n_entries,).
        rows: the number of the text, which rises, (n_entries,).
    """

    buckets: Tensor
    counts: Tensor
    rows: Tensor

    def of(self, chosen: Tensor) -> "Ngrams":
        """Those of the texts where `chosen`, (n,), is True."""
        kept, numbers = chosen[self.rows], chosen.cumsum(0) - 1
        return Ngrams(self.buckets[kept], self.counts[kept], numbers[self.rows[kept]])


class NgramLinear(nn.Module):
    """Logits or standardised values as a linear function of a text's n-grams.

    Args:
        alphabet: the characters of tokens 1, 2, ...
        n_outputs: outputs.
        n_weights: of words, about, as the buckets are a power of two; of characters an eighth, which are fewer.
        prior: the part of the logarithm of each class's share of the texts that is its `offset`, (n_outputs,), to be
            taken off the logits.
    """

    codes: Tensor
    kinds: Tensor
    by_words: Tensor
    importance: Tensor
    offset: Tensor | None
    weight: Tensor
    bias: Tensor

    def __init__(self, alphabet: str, n_outputs: int, n_weights: int, prior: float = 0.0):
        super().__init__()
        self.n_weights, self.prior = n_weights, prior
        kinds = [SPACE if c.isspace() else LETTER if c.isalnum() or c in APOSTROPHES else MARK for c in alphabet]
        codes = [SEPARATOR if c.isspace() else 5 + ord(c.lower()[0]) for c in alphabet]
        self.register_buffer("codes", torch.tensor([4, *codes]), persistent=False)
        self.register_buffer("kinds", torch.tensor([MARK, *kinds]), persistent=False)
        self.register_buffer("by_words", torch.zeros((), dtype=torch.bool))
        self.register_buffer("importance", torch.zeros(0))  # (n_buckets + 1,); the last one is that of no n-gram
        self.register_buffer("weight", torch.zeros(0, n_outputs))
        self.register_buffer("bias", torch.zeros(n_outputs))
        self.register_buffer("offset", torch.zeros(n_outputs) if prior else None)
        take_sizes_on_load(self, ["importance", "weight"])
        self.reads_words, self.is_fitted = False, False  # as the buffers say, which a GPU would have to be waited for
        self.register_load_state_dict_post_hook(lambda module, _: module._read_state())

    @property
    def n_fitted(self) -> int:
        """Weights of buckets, biases and importances, which count as parameters."""
        return self.weight.numel() + self.bias.numel() + self.importance.numel()

    def _read_state(self) -> None:
        self.reads_words, self.is_fitted = bool(self.by_words), len(self.weight) > 0

    def n_bits(self, by_words: bool) -> int:
        """The buckets, as the power of two that they are."""
        n = self.n_weights / len(self.bias)
        return max(round(math.log2(n if by_words else n / 8)), 1)

    def forward(self, tokens: Tensor, lengths: Tensor) -> Tensor:
        """Compute outputs (batch, n_outputs) of texts (batch, time) of some lengths (batch,), in float32."""
        with torch.autocast(tokens.device.type, enabled=False):
            buckets, counts = self.ngrams(tokens, lengths, by_words=self.reads_words)
            values = self.importance[buckets] * self._values(counts)
            values = values / values.square().sum(1, keepdim=True).sqrt().clamp(min=1e-12)
            return F.embedding_bag(buckets, self.weight, mode="sum", per_sample_weights=values) + self.bias

    def _values(self, counts: Tensor) -> Tensor:
        """What a text's n-grams count for by their numbers: words once, those of characters by the logarithm."""
        is_there = (counts > 0).float()
        return is_there if self.reads_words else is_there * (1 + counts.clamp(min=1).log())

    def ngrams(self, tokens: Tensor, lengths: Tensor, *, by_words: bool) -> tuple[Tensor, Tensor]:
        """The buckets of texts' n-grams and how many each holds, both (batch, n_most); of equal buckets the last one
        has the count, and the others 0."""
        n = len(tokens)
        valid = valid_steps(lengths, tokens.shape[1])
        marks = torch.full((n, 1), START, device=tokens.device)
        text = torch.cat([marks, torch.where(valid, self.codes[tokens], 0), 0 * marks], 1)  # (batch, time + 2)
        text = text.scatter(1, lengths[:, None] + 1, END)
        parts = PartHashes(text)
        if by_words:
            kinds = F.pad(torch.where(valid, self.kinds[tokens], SPACE), (1, 1), value=SPACE)
            found = list(_words(parts, kinds))
        else:
            found = list(_characters(parts, lengths + 2))
        n_bits = self.n_bits(by_words)
        n_buckets = 2**n_bits
        buckets = [
            torch.where(known, (hashes >> (64 - n_bits)) & (n_buckets - 1), n_buckets) for hashes, known in found
        ]
        return _counted(torch.cat(buckets, 1), n_buckets)

    @torch.no_grad()
    def fit(self, tokens: Tensor, lengths: Tensor, target: Tensor) -> None:
        """Fit to texts (n, time) of some lengths (n,), and targets as the loss sees them: classes (n,), labels that are
        all 0 or 1, or values (n, ...). Targets that are not one number for each output are not fitted."""
        truth = target if not target.is_floating_point() else target.flatten(1)
        known = ~truth.isnan() if truth.dim() == 1 else ~truth.isnan().any(1)
        tokens, lengths, truth = tokens[known], lengths[known], truth[known]
        if len(truth) < 2 or (truth.dim() == 2 and truth.shape[1] != len(self.bias)):
            return
        chooses = torch.arange(len(truth)) % HELD_OUT == HELD_OUT - 1
        found, best = {}, (float("inf"), True, STRENGTHS[0])
        is_long = float(lengths.float().median()) > LONG
        for by_words in (True,) if is_long else (False, True):
            found[by_words] = self._read(tokens, lengths, by_words)
            for strength in STRENGTHS if chooses.any() else ():
                self._solve(found[by_words].of(~chooses), truth[~chooses], strength, by_words)
                left_out = self._outputs(found[by_words].of(chooses), int(chooses.sum()))
                best = min(best, (float(loss_of(truth)(left_out, truth[chooses])), by_words, strength))
        _, by_words, strength = best
        self._solve(found[by_words], truth, strength, by_words)
        if self.offset is not None and not truth.is_floating_point():
            counts = truth.bincount(minlength=len(self.offset)) + 1  # of a class without texts one
            self.offset = self.prior * (counts / counts.sum()).log()
        self._read_state()

    def _read(self, tokens: Tensor, lengths: Tensor, by_words: bool) -> Ngrams:
        """The n-grams of many texts."""
        n_rows, read = max(AT_ONCE // tokens.shape[1], 1), []
        for start, (part, n) in enumerate(zip(tokens.split(n_rows), lengths.split(n_rows), strict=True)):
            buckets, counts = self.ngrams(part[:, : int(n.max())], n, by_words=by_words)
            rows, places = counts.nonzero(as_tuple=True)
            read.append(Ngrams(buckets[rows, places], counts[rows, places], rows + start * n_rows))
        return Ngrams(*map(torch.cat, zip(*read, strict=True)))

    def _solve(self, ngrams: Ngrams, truth: Tensor, strength: float, by_words: bool) -> None:
        """Find the weights of the lowest loss with their decay."""
        n = len(truth)
        self.by_words.fill_(by_words)
        self.reads_words = by_words
        n_rows = 2 ** self.n_bits(by_words) + 1
        self.importance = self._importance(ngrams, truth, n_rows) if by_words else torch.ones(n_rows)
        weight, bias = (torch.zeros(*size, len(self.bias), requires_grad=True) for size in ((n_rows,), ()))
        bags, loss = self._bags(ngrams, n), loss_of(truth)
        solver = torch.optim.LBFGS(
            [weight, bias], max_iter=N_STEPS, tolerance_change=TOLERANCE, line_search_fn="strong_wolfe"
        )

        def closure() -> Tensor:
            solver.zero_grad()
            error = loss(bags(weight) + bias, truth) + weight.square().sum() / (2 * strength * n)
            error.backward()
            return error

        with torch.enable_grad():
            solver.step(closure)
        self.weight, self.bias = weight.detach(), bias.detach()

    def _outputs(self, ngrams: Ngrams, n: int) -> Tensor:
        return self._bags(ngrams, n)(self.weight) + self.bias

    def _bags(self, ngrams: Ngrams, n: int) -> Callable[[Tensor], Tensor]:
        """What turns weights (n_buckets + 1, n_outputs) into the sums (n, n_outputs) of n texts."""
        values = self.importance[ngrams.buckets] * self._values(ngrams.counts)
        norms = torch.zeros(n).index_add(0, ngrams.rows, values.square()).sqrt().clamp(min=1e-12)
        values = values / norms[ngrams.rows]
        starts = torch.searchsorted(ngrams.rows, torch.arange(n))
        return lambda weight: F.embedding_bag(ngrams.buckets, weight, starts, mode="sum", per_sample_weights=values)

    def _importance(self, ngrams: Ngrams, truth: Tensor, n_rows: int) -> Tensor:
        """The root mean square over outputs of the mean standardised target of the texts that have an n-gram, which
        DOUBT shrinks, (n_buckets + 1,); 0 for one of a single text."""
        wanted = truth.float() if truth.is_floating_point() else F.one_hot(truth, len(self.bias)).float()
        wanted = (wanted - wanted.mean(0)) / wanted.std(0, correction=0).clamp(min=1e-6)
        n_texts = ngrams.buckets.bincount(minlength=n_rows)
        squares = torch.zeros(n_rows)
        for column in wanted.T:
            sums = ngrams.buckets.bincount(column[ngrams.rows], minlength=n_rows)
            squares += (sums / (n_texts + DOUBT)).float().square()
        return (squares / wanted.shape[1]).sqrt() * (n_texts > 1)


class PartHashes:
    """Hashes of parts of texts (batch, time) of codes."""

    def __init__(self, text: Tensor):
        self.n_steps = text.shape[1]
        mixed = text * MIX
        mixed = mixed ^ (mixed >> 29)
        self.sums = F.pad((mixed * _powers(BASE, self.n_steps, text.device)).cumsum(1), (1, 0))  # (batch, time + 1)
        self.inverse = _powers(INVERSE, self.n_steps + 1, text.device)

    def __call__(self, starts: Tensor, ends: Tensor, n: int) -> Tensor:
        """Hash the parts from `starts` to before `ends`, both (batch, n_parts), as n-grams of a size."""
        hashes = (self.sums.gather(1, ends) - self.sums.gather(1, starts)) * self.inverse[starts]
        hashes = (hashes ^ ((hashes >> 32) & 0xFFFFFFFF)) * MIX + n
        return (hashes ^ ((hashes >> 32) & 0xFFFFFFFF)) * BASE


def _powers(base: int, n: int, device: torch.device) -> Tensor:
    """The first n powers from 0 on, modulo 2^64."""
    return F.pad(torch.full((n - 1,), base, device=device).cumprod(0), (1, 0), value=1)


def _characters(parts: PartHashes, lengths: Tensor) -> Iterable[tuple[Tensor, Tensor]]:
    """Hashes (batch, n) of n-grams of characters, and which are within a text, by the number of characters."""
    for n in range(1, LONGEST + 1):
        starts = torch.arange(max(parts.n_steps - n + 1, 0), device=lengths.device).expand(len(lengths), -1)
        yield parts(starts, starts + n, n), starts + n <= lengths[:, None]


def _words(parts: PartHashes, kinds: Tensor) -> Iterable[tuple[Tensor, Tensor]]:
    """Hashes (batch, n) of n-grams of words, and which are within a text, by the number of words; `kinds` (batch, time)
    are those of the characters."""
    is_letter = kinds == LETTER
    steps, n_steps = torch.arange(parts.n_steps, device=kinds.device), parts.n_steps
    is_first = (kinds == MARK) | (is_letter & ~F.pad(is_letter[:, :-1], (1, 0)))
    is_last = (kinds == MARK) | (is_letter & ~F.pad(is_letter[:, 1:], (0, 1)))
    starts, ends = (torch.where(one, steps, n_steps).sort(1).values for one in (is_first, is_last))  # word by word
    for n in range(1, MOST_WORDS + 1):
        last = ends[:, n - 1 :]
        known = last < n_steps
        yield parts(starts[:, : last.shape[1]], (last + 1).clamp(max=n_steps), n), known


def _counted(buckets: Tensor, none: int) -> tuple[Tensor, Tensor]:
    """Sort buckets (batch, n), and count equal ones at the last of each; `none` is counted 0 times."""
    buckets, places = buckets.sort(1).values, torch.arange(buckets.shape[1], device=buckets.device)
    changes = buckets[:, 1:] != buckets[:, :-1]
    first = torch.where(F.pad(changes, (1, 0), value=True), places, 0).cummax(1).values
    is_last = F.pad(changes, (0, 1), value=True) & (buckets < none)
    return buckets, torch.where(is_last, places - first + 1, 0)


def loss_of(truth: Tensor) -> Callable[[Tensor, Tensor], Tensor]:
    """The loss of a target: of classes, of labels that are all 0 or 1, or of values."""
    if not truth.is_floating_point():
        return F.cross_entropy
    is_label = bool(((truth == 0) | (truth == 1)).all())
    return F.binary_cross_entropy_with_logits if is_label else F.mse_loss


def read_texts(inputs: Iterable[Mapping[str, Tensor]]) -> tuple[Tensor, Tensor, Tensor]:
    """Read many texts (n, time), their lengths (n,) and targets, of batches of `tokens`, `lengths` and `target`."""
    sample = RowSample()
    for batch in inputs:
        lengths = batch.get("lengths")
        if lengths is None:
            lengths = torch.full((len(batch["tokens"]),), batch["tokens"].shape[1])
        sample.update(batch["tokens"], lengths, batch["target"])
    return sample.rows()  # type: ignore[return-value]
