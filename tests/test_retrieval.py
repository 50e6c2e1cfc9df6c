"""Retrieval networks: training rows are searched exactly, never by themselves, and are part of the weights file."""

import copy
import dataclasses
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from helpers.models import SPECS

import zoo
from zoo.core.errors import UserError
from zoo.core.run_folder import Run
from zoo.core.spec import Input
from zoo.data.splits import NumberedSplit, TensorSplit, numbered
from zoo.engine.data_guard import DataGuard
from zoo.engine.speed.stacked import Stacked
from zoo.inference.finetuning import copy_weights
from zoo.inference.weights_file import load_weights, read_tensors, save_weights
from zoo.models import MODELS
from zoo.models.ensemble import Ensemble
from zoo.models.fnn import _retrieval
from zoo.models.fnn._left_over import LeftOver
from zoo.models.fnn._retrieval import Retrieval
from zoo.models.layers import concat_inputs
from zoo.models.model import ScaledBatches

CODES = Input((2,), "int64", ("n_categorical",), cardinalities=(3, 4))
TABLE = dataclasses.replace(SPECS["table"], inputs={**SPECS["table"].inputs, "categorical": CODES})
SPEC_OF = {
    "class": TABLE,
    "labels": dataclasses.replace(TABLE, task="multi_label", target=Input((3,))),
    "values": dataclasses.replace(
        TABLE, task="regression", class_names=(), target=Input((3,), "float32", ("n_values",), 0)
    ),
}
every_kind = pytest.mark.parametrize("kind", SPEC_OF)
every_model = pytest.mark.parametrize("name", [n for n in zoo.list_models() if issubclass(MODELS.get(n), Retrieval)])


def rows(kind, n=40, seed=0):
    draw = torch.Generator().manual_seed(seed)
    codes = torch.stack([torch.randint(size, (n,), generator=draw) for size in CODES.cardinalities], 1)
    target = {
        "class": torch.randint(3, (n,), generator=draw),
        "labels": torch.randint(2, (n, 3), generator=draw).float(),
        "values": torch.randn(n, 3, generator=draw),
    }
    return {"numeric": torch.randn(n, 6, generator=draw), "categorical": codes, "target": target[kind]}


def inputs_of(batch):
    return {name: value for name, value in batch.items() if name != "target"}


def fitted(name, kind="class", batch=None, **kwargs):
    torch.manual_seed(0)
    model, batch = zoo.create_model(name, SPEC_OF[kind], **kwargs), batch or rows(kind)
    model.fit([batch], [batch])
    return model.eval()


def loop_modern_nca(network, hidden, keys, targets):
    for one in hidden:
        weights = torch.stack([(-(one - key).norm()).exp() for key in keys])
        yield sum(weight * target for weight, target in zip(weights, targets, strict=True)) / weights.sum()


def loop_tabr(network, hidden, keys, targets):
    for one in hidden:
        query = network.to_key(one)
        nearest = sorted(range(len(keys)), key=lambda i: (query - keys[i]).norm().item())[: network.context]
        weights = torch.stack([-(query - keys[i]).square().sum() for i in nearest]).softmax(0)
        for weight, i in zip(weights, nearest, strict=True):
            correction = network.correction(network.difference(query - keys[i]))
            one = one + weight * (network.target_value(targets[i]) + correction)
        for block in network.blocks:
            one = one + block(one)
        yield network.head(network.norm(one).relu())


@every_kind
@pytest.mark.parametrize(
    ("name", "loop", "options"), [("modern_nca", loop_modern_nca, {}), ("tabr", loop_tabr, {"context": 5})]
)
def test_answers_equal_a_plain_double_loop(name, kind, loop, options):
    model, asked = fitted(f"fnn/{name}", kind, **options), inputs_of(rows(kind, 6, seed=1))
    network, candidates = model.network, model.network.candidates
    encoded = [network.encode(network.table(**model.preprocess(one))) for one in (asked, inputs_of(rows(kind)))]
    looped = loop(network, encoded[0], *network.keys(encoded[1]), candidates.vectors(candidates.target))
    expected = torch.stack(list(looped))
    if name == "modern_nca":
        expected = network.head(expected)
    torch.testing.assert_close(model.scaled(**asked), expected, rtol=1e-3, atol=1e-4)


@every_kind
def test_each_kernel_of_tabm_nca_weighs_the_rows_by_closeness_in_its_own_space(kind):
    model, asked = fitted("fnn/tabm_nca", kind, d_key=4), inputs_of(rows(kind, 6, seed=1))
    network, candidates = model.network, model.network.candidates
    scaled, learnt = model.preprocess(asked), model.preprocess(inputs_of(rows(kind)))
    one, others = network.encode(network.read(**scaled)), network.encode(network.read(**learnt))
    columns = [concat_inputs(x["numeric"], network.table.categorical(x["categorical"])) for x in (scaled, learnt)]
    places = [(one[:, :4], others[:, :4]), [x * network.column_scales.exp() for x in columns]]
    targets, trend = network.value(others, candidates.vectors(candidates.target)), -network.value(one, torch.zeros(()))
    expected = []
    for mine, theirs in places:
        weights = (-(mine[:, None] - theirs).norm(dim=2)).softmax(1)
        expected.append(weights @ targets + trend if kind == "values" else network.shares(weights @ targets))
    answers = network.found(**scaled)[:, network.table.width :]
    torch.testing.assert_close(answers, torch.cat(expected, 1), rtol=1e-3, atol=1e-4)


def test_gradients_of_a_kernel_are_those_of_its_formula_and_finite_at_a_candidate():
    torch.manual_seed(0)
    keys, values, queries = torch.randn(30, 4), torch.randn(30, 2), torch.randn(5, 4)

    def gradients(mean, *inputs):
        inputs = [one.clone().requires_grad_() for one in inputs]
        return torch.autograd.grad(mean(*inputs).square().sum(), inputs)

    def kernel(queries, keys):
        return _retrieval.kernel_mean(_retrieval.Space(keys).distances(queries), _retrieval.counted(values))

    def formula(queries, keys):
        return (-(queries[:, None] - keys).norm(dim=2)).softmax(1) @ values

    torch.testing.assert_close(
        gradients(kernel, queries, keys), gradients(formula, queries, keys), rtol=1e-3, atol=1e-4
    )
    assert all(one.isfinite().all() and one.abs().max() < 10 for one in gradients(kernel, keys[:5], keys))


@every_model
@every_kind
def test_a_row_never_retrieves_itself_in_training(name, kind):
    """Other targets of rows 3 and 4 change the answer for row 5, a duplicate of 3, but not those for themselves."""
    batch = rows(kind)
    for values in batch.values():
        values[5] = values[3]
    changed = {**batch, "target": batch["target"].clone()}
    answers = []
    for index in (None, 3, 4):
        target = changed["target"].clone()
        if index is not None:
            target[index] = (batch["target"][index] + 1) % 3 if kind == "class" else 1 - batch["target"][index]
        model = fitted(name, kind, batch)  # whose target's scale stays
        model.network.candidates.fit(ScaledBatches(model.preprocess, [{**batch, "target": target}]))
        for layer in model.modules():
            layer.training = not isinstance(layer, torch.nn.Dropout)
        answers.append(
            model.scaled(**{key: value[3:6] for key, value in inputs_of(batch).items()}, row=torch.arange(3, 6))
        )
    before, third, fourth = answers
    assert torch.equal(third[0], before[0]) and torch.equal(fourth[1], before[1])
    assert (third[2] - before[2]).abs().max() > 1e-4


@every_model
def test_answers_do_not_depend_on_how_many_rows_are_searched_at_once(name, monkeypatch):
    model, asked = fitted(name), inputs_of(rows("class", 50, seed=1))
    at_once = model(**asked)
    for constant, value in (("BLOCK_VALUES", 150), ("BLOCK_ROWS", 7)):
        monkeypatch.setattr(_retrieval, constant, value)
    torch.testing.assert_close(model.eval()(**asked), at_once, rtol=1e-4, atol=1e-5)


@every_model
def test_encodings_that_are_kept_follow_the_weights_and_give_gradients_of_inputs(name):
    model, other, asked = fitted(name), fitted(name), inputs_of(rows("class", 5, seed=1))
    for value in other.network.parameters():
        value.data += 0.1
    with torch.inference_mode():
        model(**asked), other(**asked)
    asked["numeric"].requires_grad_()
    model(**asked).sum().backward()
    assert asked["numeric"].grad.abs().sum() > 0
    model.load_state_dict(other.state_dict())
    assert torch.equal(model(**asked), other(**asked))


@every_model
@every_kind
def test_a_file_has_the_training_rows_of_each_model(name, kind, tmp_path):
    task = zoo.tasks.create_task(SPEC_OF[kind])
    models = [fitted(name, kind, rows(kind, n)) for n in (30, 20)]
    asked, path = inputs_of(rows(kind, 5, seed=1)), tmp_path / "m.safetensors"
    card = {"model": {"name": name}, "spec": SPEC_OF[kind].to_json()}
    for model, more in ((models[0], {}), (Ensemble(models, combine=task.combine).eval(), {"members": 2})):
        save_weights(path, model, card | more)
        again = load_weights(path)[0].eval()
        assert torch.equal(again(**asked), model(**asked))
    assert [len(member.network.candidates) for member in again.members] == [30, 20]


def test_a_released_file_has_codes_in_as_few_bits_as_hold_them(tmp_path):
    model, path = fitted("fnn/tabr"), tmp_path / "m.safetensors"
    save_weights(path, model, {"model": {"name": "fnn/tabr"}, "spec": TABLE.to_json()}, halved=True)
    codes = model.network.candidates.categorical
    assert read_tensors(path)[0]["network.candidates.categorical"].dtype == torch.uint8
    assert torch.equal(load_weights(path)[0].network.candidates.categorical, codes) and codes.dtype == torch.int64


def test_a_file_with_codes_that_the_model_has_no_place_for_is_refused(tmp_path):
    card = {"model": {"name": "fnn/tabr"}, "spec": TABLE.to_json()}
    for name, value in (("target", 3), ("target", -1), ("categorical", 9)):
        model = fitted("fnn/tabr")
        getattr(model.network.candidates, name)[0] = value
        save_weights(tmp_path / "m.safetensors", model, card)
        with pytest.raises(UserError, match=f"as {name}; others are here"):
            load_weights(tmp_path / "m.safetensors")


def test_of_a_larger_table_so_many_rows_are_kept_at_random(capsys):
    batch, model = rows("class", 500), zoo.create_model("fnn/modern_nca", TABLE, max_candidates=60)
    parts = [{key: value[start : start + 100] for key, value in batch.items()} for start in range(0, 500, 100)]
    model.fit(parts, parts)
    candidates = model.network.candidates
    assert "60 of 500 training rows, drawn at random, are candidates" in capsys.readouterr().out
    assert len(candidates.row.unique()) == 60 and candidates.row.max() > 300
    assert torch.equal(candidates.target, batch["target"][candidates.row])
    kept = candidates.row
    model.fit(parts, parts)
    assert torch.equal(candidates.row, kept)


@every_model
def test_finetuning_keeps_the_rows_of_its_own_data_as_the_copied_preprocessing_scales_them(name):
    trained = zoo.Predictor(fitted(name), TABLE, card={})
    batch = {key: value[:25] for key, value in rows("class", seed=1).items()}
    model = fitted(name, batch=batch)
    assert copy_weights(model, TABLE, trained, "other") == []
    model.refit([batch])
    assert torch.equal(model.network.candidates.target, batch["target"])
    assert torch.equal(
        model.network.candidates.numeric, trained.model.preprocess({"numeric": batch["numeric"]})["numeric"]
    )


@every_model
def test_a_copy_that_loads_other_weights_answers_by_those(name):
    batch = inputs_of(rows("class", seed=3))
    model, other = fitted(name).eval(), fitted(name).eval()
    for weight in other.parameters():
        weight.data += 0.3 * torch.randn_like(weight)
    model(**batch)
    copied = copy.deepcopy(model)
    copied.load_state_dict(other.state_dict())
    torch.testing.assert_close(copied(**batch), other(**batch))


def near_places(kind, n, seed):
    """Rows whose targets are those of their place, one of 200, which say nothing of any other."""
    places, targets = (torch.randn(200, d, generator=torch.Generator().manual_seed(d)) for d in (6, 3))
    targets = {"values": targets, "class": targets.argmax(1), "labels": (targets > 0).float()}[kind]
    draw = torch.Generator().manual_seed(seed)
    index = torch.randint(200, (n,), generator=draw)
    numeric = places[index] + 0.01 * torch.randn(n, 6, generator=draw)
    return {"numeric": numeric, "categorical": torch.ones(n, 2, dtype=torch.int64), "target": targets[index]}


@every_kind
def test_what_tabm_nca_leaves_over_at_near_rows_corrects_values_until_it_is_trained_on(kind, tmp_path):
    learnt, new, asked = (near_places(kind, n, seed) for n, seed in ((600, 1), (300, 2), (300, 3)))
    model = fitted("fnn/tabm_nca", kind, learnt, ridge_rows=0)

    def answers():
        return model.eval()(**inputs_of(asked)).detach()

    def error():
        return float((answers() - asked["target"]).square().mean())

    start = answers()
    share = model.correct([new])
    if kind != "values":
        assert share == 0
        torch.testing.assert_close(answers(), start)
        return
    model.train()
    torch.testing.assert_close(answers(), start)
    before = error()
    assert model.correct([new]) == share > 0.5
    assert error() < 0.5 * before
    model.refit([learnt, new])
    assert model.network.fitted_left_over.residuals.shape == (900, 3)
    after = answers()
    assert error() < 0.5 * before
    path, card = tmp_path / "m.safetensors", {"model": {"name": "fnn/tabm_nca"}, "spec": SPEC_OF[kind].to_json()}
    save_weights(path, model, card)
    torch.testing.assert_close(load_weights(path)[0].eval()(**inputs_of(asked)), after)


def test_an_answer_is_not_corrected_by_what_says_nothing_of_unseen_rows():
    draw = torch.Generator().manual_seed(0)
    left, wanted = torch.randn(500, 1, generator=draw), torch.randn(200, 1, generator=draw)
    left_over = LeftOver(1)
    assert left_over.fit(left, torch.rand(200, 500, generator=draw), wanted) == 0
    assert not left_over.is_fitted and list(left_over.residuals.shape) == [0, 1]
    assert left_over.fit(left, torch.cdist(left[:20], left), left[:20]) == 0  # too few rows to be sure
    assert left_over.fit(left, torch.cdist(left[:40], left), left[:40]) > 0.5 and left_over.is_fitted


def test_missing_values_of_a_target_count_as_its_mean():
    batch = rows("values")
    batch["target"][::2, 1] = torch.nan
    model = fitted("fnn/modern_nca", "values", batch)
    assert model(**inputs_of(batch)).isfinite().all()


def test_samples_have_their_number_in_the_split():
    split = TensorSplit(numeric=torch.randn(9, 2), target=torch.arange(9))
    for one in (numbered(split), NumberedSplit(split)):
        assert torch.equal(one.__getitems__([4, 2])["row"], torch.tensor([4, 2]))
        assert (one[3]["row"], one[3]["target"], len(one)) == (3, 3, 9)


def test_several_seeds_at_once_are_refused():
    with pytest.raises(UserError, match="one seed at a time"):
        Stacked([fitted("fnn/tabr"), fitted("fnn/tabr")])


def test_a_resume_on_other_data_is_refused(tmp_path):
    guard, before = (DataGuard(Run(tmp_path), {"train": np.arange(n, dtype=np.uint64)}) for n in (3, 4))
    checkpoint = {}
    before.on_save_checkpoint(None, None, checkpoint)
    with pytest.raises(UserError, match=f"finetune={tmp_path}"):
        guard.on_load_checkpoint(None, SimpleNamespace(n_candidates=3), checkpoint)


def test_only_a_network_with_outputs_of_its_own_gives_several_numbers_for_a_value():
    spec = dataclasses.replace(SPEC_OF["values"], n_per_value=2)
    batch = rows("values")
    model = zoo.create_model("fnn/tabr", spec)
    model.fit([batch], [batch])
    assert model.eval().scaled(**inputs_of(batch)).shape == (40, 2, 3)
    with pytest.raises(UserError, match=r"leave out task\.head"):
        zoo.create_model("fnn/modern_nca", spec)


def test_the_rows_that_a_file_holds_are_said_also_of_an_ensemble():
    from zoo.inference.ensembling import combine
    from zoo.inference.evaluation import evaluate_weights
    from zoo.inference.pretrained import WEIGHTS
    from zoo.inference.weights_file import load_weights
    from zoo.report.text import metrics_table

    name = "fnn/tabm_nca.wine"
    assert "hold 142 rows of the data" in metrics_table(evaluate_weights(name, device="cpu"), None)
    loaded = [load_weights(WEIGHTS / f"{name}.safetensors") for _ in range(2)]
    assert combine(loaded)[1]["n_candidates"] == 284
