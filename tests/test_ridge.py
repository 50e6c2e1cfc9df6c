"""Members that are fitted in closed form, beside those that are trained."""

import pytest
import torch
from helpers.models import SPECS, build
from helpers.sequence_files import as_npz, curves

import zoo
from zoo.data.folds import fold_splits
from zoo.data.splits import Batches
from zoo.inference.evaluation import evaluate_weights
from zoo.models.ensemble import sizes
from zoo.models.ridge import DECAYS, Ridge, solve
from zoo.models.rnn._rocket import Rocket, RocketRidge

NAME = "rnn/rocket_gru"


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


def fitted_model(n=12, **options):
    model = build(NAME, n_features=300, **options)
    lengths = torch.randint(5, 21, (n,))
    batch = {"sequence": torch.randn(n, 20, 4), "lengths": lengths, "target": torch.arange(n) % 3}
    model.fit([batch], [batch])
    return model, batch


def test_the_answers_for_samples_left_out_are_those_of_fits_without_them():
    features, wanted = torch.randn(9, 5, dtype=torch.float64), torch.randn(9, 2, dtype=torch.float64)
    x, n = features - features.mean(0), len(features)
    _, _, found = solve(features, wanted)

    def left_out(decay, i):
        rest = torch.arange(n) != i
        a, b = features[rest] - features[rest].mean(0), wanted[rest] - wanted[rest].mean(0)
        weight = torch.linalg.solve(a.T @ a + decay * torch.eye(5), a.T @ b)
        return wanted[rest].mean(0) + (features[i] - features[rest].mean(0)) @ weight

    decays = DECAYS * x.square().sum() / n
    answers = torch.stack([torch.stack([left_out(decay, i) for i in range(n)]) for decay in decays])
    best = (answers - wanted).square().mean((1, 2)).argmin()
    torch.testing.assert_close(found, answers[best])


@pytest.mark.parametrize("kind", ["classes", "labels", "values"])
def test_a_ridge_learns_classes_labels_and_values(kind):
    features = torch.randn(200, 6)
    signs = (features[:, :3] > 0).float()
    target = {"classes": features[:, :3].argmax(1), "labels": signs, "values": features @ torch.randn(6, 3)}[kind]
    ridge = Ridge(3)
    ridge.fit(features[:150], target[:150])
    output, truth = ridge(features[150:]), target[150:]
    if kind == "values":
        torch.testing.assert_close(output, truth, rtol=0, atol=0.05)
    else:
        answers = output.argmax(1) if kind == "classes" else (output > 0).float()
        assert (answers == truth).float().mean() > 0.85


def test_a_ridge_is_not_fitted_to_targets_of_another_number_than_its_outputs():
    ridge = Ridge(3)
    ridge.fit(torch.randn(5, 4), torch.randn(5, 1))
    assert not ridge.is_fitted


def test_features_of_a_sequence_do_not_depend_on_its_padding():
    rocket, sequence = Rocket(2, 500), torch.randn(4, 30, 2)
    lengths = torch.tensor([30, 12, 9, 1])
    sequence *= (torch.arange(30) < lengths[:, None])[:, :, None]
    rocket.fit(sequence, lengths)
    features = rocket(sequence, lengths)
    assert features.shape[1] == rocket.thresholds.numel() and 0 <= features.min() < features.max() <= 30
    alone = torch.cat([rocket(one[None, :n], n[None]) for one, n in zip(sequence, lengths, strict=True)])
    torch.testing.assert_close(features, alone)


def test_training_gives_the_trained_member_and_evaluation_the_mean_of_both():
    model, batch = fitted_model(dropout=0.0)
    inputs = {name: batch[name] for name in ("sequence", "lengths")}
    trained = model.train().member_outputs(**inputs)
    both = model.eval().member_outputs(**inputs).unflatten(0, (12, -1))
    assert len(trained) == 12 and both.shape == (12, 4, 3)
    torch.testing.assert_close(model(**inputs).exp(), both.softmax(2).mean(1))


def test_the_regression_counts_more_where_there_are_few_sequences():
    few, many = (fitted_model(n)[0].network.fitted.counted.tolist() for n in (149, 150))
    assert few == [0, 1, 1, 1] and many == [0, 0, 1, 1]


def test_what_never_varies_has_no_weight():
    member, sequence = RocketRidge(1, 3, 300), torch.randn(9, 20, 1)
    sequence[:] = sequence[:1].clone()
    member.fit(sequence, torch.full((9,), 20), torch.arange(9) % 3)
    assert (member.ridge.weight == 0).all() and member(sequence).isfinite().all()


def test_what_is_fitted_counts_as_parameters_and_loads_at_any_size():
    model, batch = fitted_model()
    n_trained = sum(parameter.numel() for parameter in model.parameters())
    assert sizes(model)["n_parameters"] == n_trained + model.network.fitted.ridge.weight.numel()
    other = zoo.create_model(NAME, SPECS["sequences"], n_features=300)
    other.load_state_dict(model.state_dict())
    inputs = {name: batch[name] for name in ("sequence", "lengths")}
    assert torch.equal(other.eval()(**inputs), model.eval()(**inputs))


def test_long_sequences_are_shortened_and_steps_with_targets_are_not():
    long = torch.randn(6, 300, 4)
    model = build(NAME, n_features=0)
    model.fit([{"sequence": long, "target": torch.arange(6) % 3, "lengths": torch.full((6,), 300)}] * 2,
              [{"sequence": long, "target": torch.arange(6) % 3, "lengths": torch.full((6,), 300)}])  # fmt: skip
    assert model.network.n_shortened == 8
    maps, lengths = model.network._convolve(long, torch.tensor([300, 299, 64, 8, 2, 1]))
    assert maps.shape[1] == 38 and lengths.tolist() == [38, 38, 8, 1, 1, 1]


@pytest.mark.parametrize("folds", [None, 2])
def test_a_member_is_fitted_to_the_validation_split_at_the_end_unless_that_is_a_fold(tmp_path, folds, capsys):
    as_npz(tmp_path / "own.npz", *curves())
    words = ["data=sequences", f"data.path={tmp_path}/own.npz", "model.n_features=300", "trainer.max_epochs=1"]
    result = zoo.train(
        zoo.config(f"model={NAME}", *words, f"folds={folds or 'null'}", "baseline=false"), tmp_path / "run"
    )
    splits = zoo.load_data("sequences", path=str(tmp_path / "own.npz"))
    splits = fold_splits(splits, 0, folds, 0) if folds else splits
    run = tmp_path / "run" / ("fold=0" if folds else "")
    evaluate_weights(run, split="val", device="cpu")
    assert ("was fitted to the validation split too" in capsys.readouterr().out) == (folds is None)
    known = Batches(splits.train) if folds else Batches(splits.train, splits.val)
    predictor = zoo.load(run)
    found = predictor.model.network.fitted.ridge.weight.clone()
    predictor.model.refit(known)
    torch.testing.assert_close(found, predictor.model.network.fitted.ridge.weight)
    assert result["n_parameters"] == (folds or 1) * sizes(predictor.model)["n_parameters"]
