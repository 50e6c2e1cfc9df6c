"""The linear model on n-grams of texts: what it counts, and every kind of target that it is fitted to."""

import pandas as pd
import pytest
import torch

import zoo
from zoo.data.splits import Batches
from zoo.models.ensemble import sizes
from zoo.models.rnn._ngrams import NgramLinear
from zoo.models.rnn.ngram_gru import NgramGRU

ALPHABET = " abcdefghijklmnopqrstuvwxyz"


def encoded(*texts):
    """Tokens (n, time) and lengths (n,), padded with 0."""
    rows = [torch.tensor([ALPHABET.find(letter) + 1 for letter in text]) for text in texts]
    return torch.nn.utils.rnn.pad_sequence(rows, batch_first=True), torch.tensor([len(text) for text in texts])


def reviews(n=60):
    """Texts of common words, where one pair of words tells good from bad."""
    words, generator = ["the", "a", "film", "plot", "actor", "was", "it", "of", "and"], torch.Generator().manual_seed(0)
    target = torch.arange(n) % 2
    texts = []
    for label in target.tolist():
        drawn = [words[i] for i in torch.randint(len(words), (12,), generator=generator).tolist()]
        texts.append(" ".join([*drawn[:6], "not bad" if label else "bad not", *drawn[6:]]))
    return *encoded(*texts), target


@pytest.mark.parametrize("by_words", [False, True])
def test_n_grams_are_counted_exactly(by_words):
    tokens, lengths = encoded("a bb a", "a")
    buckets, counts = NgramLinear(ALPHABET, 2, 2**20).ngrams(tokens, lengths, by_words=by_words)
    found = [sorted(row[row > 0].tolist()) for row in counts]
    if by_words:  # "a" twice, "bb", "a bb", "bb a"; "a"
        assert found == [[1, 1, 1, 2], [1]]
    else:  # of 8 and 3 characters with the ends
        assert [sum(row) for row in found] == [8 + 7 + 6 + 5, 3 + 2 + 1]
    assert (buckets[counts > 0] < 2**19).all()


def test_few_texts_are_told_apart_by_a_pair_of_words():
    model, (tokens, lengths, target) = NgramLinear(ALPHABET, 2, 2**16), reviews(80)
    model.fit(tokens[:60], lengths[:60], target[:60])
    assert (model(tokens[60:], lengths[60:]).argmax(1) == target[60:]).float().mean() >= 0.9


def test_padding_and_company_never_change_an_output_and_weights_are_counted():
    model, (tokens, lengths, target) = NgramLinear(ALPHABET, 2, 2**15), reviews()
    model.fit(tokens, lengths, target)
    assert sizes(model)["n_parameters"] == sum(one.numel() for one in (model.weight, model.bias, model.importance))
    longer = torch.nn.functional.pad(tokens, (0, 9), value=5)
    torch.testing.assert_close(model(tokens, lengths), model(longer, lengths))
    alone = torch.cat([model(one[None, :n], n[None]) for one, n in zip(tokens, lengths, strict=True)])
    torch.testing.assert_close(model(tokens, lengths), alone)


@pytest.mark.parametrize("kind", ["class", "labels", "value"])
def test_every_kind_of_target_is_fitted_and_restored(kind):
    tokens, lengths, classes = reviews()
    target = {"class": classes, "labels": torch.stack([classes, 1 - classes], 1).float(),
              "value": classes[:, None] * 2.0 - 1}[kind]  # fmt: skip
    model, again = (NgramLinear(ALPHABET, 1 if kind == "value" else 2, 2**15) for _ in range(2))
    model.fit(tokens, lengths, target)
    output = model(tokens, lengths)
    told = output.argmax(1) if kind == "class" else output[:, 0] > (0.5 if kind == "labels" else 0)
    assert (told == classes).float().mean() > 0.9
    again.load_state_dict(model.state_dict())
    assert again.is_fitted and torch.equal(again(tokens, lengths), output)


def test_single_characters_unknown_ones_and_spaces_have_an_output():
    model = NgramLinear(ALPHABET, 2, 2**15)
    model.fit(*encoded("a", "b", "?", " ", "ab", "ba"), torch.tensor([0, 1, 0, 1, 0, 1]))
    assert model(*encoded("?", " ", "z")).isfinite().all()


def test_one_text_or_a_target_of_another_shape_leaves_it_out():
    model, (tokens, lengths, target) = NgramLinear(ALPHABET, 2, 2**15), reviews()
    model.fit(tokens[:1], lengths[:1], target[:1])
    model.fit(tokens, lengths, torch.randn(len(tokens), 3))
    assert not model.is_fitted


def test_a_prior_lowers_both_members_by_the_share_of_each_class():
    tokens, lengths, target = reviews()
    target = (target > 0) & (torch.arange(len(target)) < 20)  # 10 of 60
    sizes = {"n_channels": 0, "n_known": 0, "cardinalities": [27], "n_outputs": 2, "per_step": False, "causal": False}
    torch.manual_seed(0)
    network = NgramGRU(alphabet=ALPHABET, prior=0.5, n_weights=2**15, width=4, **sizes)
    network.fit([{"tokens": tokens, "lengths": lengths, "target": target.long()}])
    expected = 0.5 * torch.tensor([51 / 62, 11 / 62]).log()
    lowered, raised = network.eval()(tokens, lengths), network.train()(tokens, lengths)
    assert lowered.shape == (60, 2, 2) and raised.shape == (60, 1, 2)  # the first member alone is trained
    network.fitted.offset.zero_()
    torch.testing.assert_close(network.eval()(tokens, lengths) - lowered, expected.expand(60, 2, 2))
    with pytest.raises(ValueError, match="learnt with the n-grams"):
        NgramGRU(alphabet=ALPHABET, prior=0.5, n_weights=0, **sizes)


def test_the_linear_model_is_fitted_to_the_validation_split_at_the_end(tmp_path):
    texts = pd.DataFrame({"text": [f"it is {'good' if i % 2 else 'poor'} no {i}" for i in range(80)]})
    texts.assign(label=[i % 2 for i in range(80)]).to_csv(tmp_path / "texts.csv", index=False)
    words = ["data=texts", f"data.path={tmp_path}/texts.csv", "data.target=label", "trainer.max_epochs=1"]
    result = zoo.train(zoo.config("model=rnn/ngram_gru", *words, "baseline=false"), tmp_path / "run")
    splits = zoo.load_data("texts", path=str(tmp_path / "texts.csv"), target="label")
    network = result.predictor.model.network
    found = network.fitted.weight.clone()
    for known, same in ((Batches(splits.train), False), (Batches(splits.train, splits.val), True)):
        result.predictor.model.refit(known)
        assert torch.allclose(found, network.fitted.weight, atol=1e-4) == same
