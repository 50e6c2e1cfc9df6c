"""Uncertainty: intervals and sets of classes hold the truth as often as asked."""

import pytest
import torch

import zoo
from zoo.core.errors import UserError
from zoo.inference.calibration import MOST_SCORES, Calibration
from zoo.inference.predict_files import predict_file
from zoo.inference.predictor import Predictor
from zoo.inference.weights_file import save_weights
from zoo.tasks.conformal import Intervals, Sets
from zoo.tasks.temperature import calibration_error, fit_temperature, reliability

N, N_NEW = 500, 5000


def values():
    """Predictions of two values, and what they were, with noise of another size for each."""
    predicted = torch.randn(N + N_NEW, 2)
    return Intervals(), predicted, predicted + torch.randn(N + N_NEW, 2) * torch.tensor([0.1, 3.0])


def classes():
    """Logits, and classes drawn with twice their probabilities' doubt: a model that is surer than it may be."""
    logits = 4 * torch.randn(N + N_NEW, 5)
    return Sets("abcde", lambda output: output.softmax(1)), logits, (logits / 4).softmax(1).multinomial(1)[:, 0]


@pytest.mark.parametrize("made", [values, classes])
@pytest.mark.parametrize("coverage", [0.5, 0.8, 0.9, 0.95])
def test_new_samples_are_covered_as_often_as_asked(made, coverage):
    torch.manual_seed(0)
    conformal, output, target = made()
    calibration = Calibration.of(conformal.scores(output[:N], target[:N]))
    assert Calibration.from_json(calibration.to_json()).scores.equal(calibration.scores)
    regions = conformal.regions(output[N:], calibration.limits(coverage), coverage)
    found = conformal.covered(regions, target[N:]).double().mean(0)
    deviation = (coverage * (1 - coverage) * (1 / N + 1 / N_NEW)) ** 0.5
    assert ((found - coverage).abs() < 4 * deviation).all()


def test_a_set_always_has_the_likeliest_class():
    conformal = Sets("ab", lambda output: output)
    regions = conformal.regions(torch.tensor([[0.4, 0.6], [0.95, 0.05]]), torch.tensor([0.1]), 0.5)
    assert conformal.decode(regions) == [["b"], ["a"]]
    assert conformal.decode(torch.tensor([[0.4, 0.6]])) == [["b", "a"]]
    assert conformal.tabulate(torch.tensor([[0.4, 0.6]])) == {"prediction set": ["b; a"]}


def test_few_scores_are_kept_of_many_and_they_never_cover_less():
    scores = torch.rand(1, 20_000, 1)
    few, ordered = Calibration.of(scores), scores.flatten().sort().values
    assert len(few.scores) == MOST_SCORES
    for coverage in (0.001, 0.5, 0.9, 0.9993):
        rank = -int(-20_001 * coverage // 1)
        assert ordered[rank - 1] <= few.limits(coverage) <= ordered[min(rank + 20, 19_999)]
    assert len(Calibration.of(torch.rand(1, 20_000, 40)).scores) == 250


def test_too_few_samples_for_a_coverage_are_refused_with_the_smallest_number():
    with pytest.raises(UserError, match=r"coverage=0.95 needs 19 .* was calibrated on 18, enough for coverage=0.9473"):
        Calibration.of(torch.rand(1, 18)).limits(0.95)
    assert Calibration.of(torch.rand(1, 19)).limits(0.95).shape == (1,)
    with pytest.raises(UserError, match="coverage is a share between 0 and 1"):
        Calibration.of(torch.rand(1, 18)).limits(90)


def test_a_file_without_calibration_says_how_to_get_one_and_keeps_it():
    model, data = zoo.load("fnn/mlp.breast_cancer"), zoo.load_data("breast_cancer")
    rows = data.test.columns["numeric"].numpy()
    with pytest.raises(UserError, match="train it again, or call its calibrate"):
        model.predict_set(rows)
    sets = model.calibrate(data.val).predict_set(rows, coverage=0.99)
    assert len(sets) == len(rows) and {len(names) for names in sets} == {1, 2}
    assert model.predict_set(rows[0], coverage=0.99) == sets[0]
    assert [names[0] for names in sets] == model.predict(rows)
    with pytest.raises(UserError, match="predicts diagnosis: use predict_set"):
        model.predict_interval(rows)


def test_a_training_keeps_its_calibration_for_files_and_the_report(runs, tmp_path):
    model = zoo.load(runs["fnn"])
    frame = zoo.load_data("breast_cancer").test.columns["numeric"].numpy()
    lines = [model.spec.column_names, *frame[:5].tolist()]
    (tmp_path / "rows.csv").write_text("\n".join(";".join(map(str, line)) for line in lines))
    headings, rows = predict_file(model, tmp_path / "rows.csv", coverage=0.9)
    assert headings == ["sample", "prediction", "prediction set", *model.spec.class_names]
    assert all(row[1] in row[2].split("; ") for row in rows)
    assert model.calibration["n"] == len(zoo.load_data("breast_cancer").val)
    assert "coverage wanted" in (runs["fnn"] / "report.html").read_text()


def test_a_temperature_makes_probabilities_as_sure_as_they_are_right():
    _, logits, target = classes()
    temperature = fit_temperature(logits[:N], target[:N])
    assert temperature == pytest.approx(4, rel=0.15)
    before, after = (
        calibration_error(reliability((logits[N:] / one).softmax(1), target[N:])) for one in (1, temperature)
    )
    assert after < 0.1 * before
    assert fit_temperature(logits[:N] / 4, target[:N]) == pytest.approx(1, rel=0.15)


def test_samples_that_are_all_right_do_not_make_a_model_infinitely_sure():
    target = torch.arange(60) % 3
    right = torch.nn.functional.one_hot(target, 3).float()
    assert 0.1 < fit_temperature(right, target) < 1
    assert fit_temperature(10 * right, target) == 1


def test_a_temperature_changes_probabilities_alone_and_is_kept(tmp_path):
    data, one = zoo.load_data("mnist5k"), zoo.load("cnn/small.mnist5k")
    images = data.test.columns["image"][:200]
    answers, probabilities = one.predict(images), torch.tensor(one.predict_proba(images))
    one.calibrate(data.val.subset(range(200)))
    assert one.model.temperature != 1 and one.predict(images) == answers
    card = {"model": one.card["model"], "spec": one.card["spec"], "calibration": one.calibration}
    save_weights(tmp_path / "one.safetensors", one.model, card)
    again = zoo.load(tmp_path / "one.safetensors")
    expected = (probabilities.log() / one.model.temperature).softmax(1)
    for model in (one, again):
        torch.testing.assert_close(torch.tensor(model.predict_proba(images)), expected, atol=1e-5, rtol=1e-4)
    with torch.inference_mode():
        torch.testing.assert_close(again.model(image=images).softmax(1), expected, atol=1e-5, rtol=1e-4)
    fixed = Predictor(zoo.load("cnn/small.mnist5k").model, one.spec, {"config": {"task": {"temperature": 1}}})
    assert fixed.calibrate(data.val.subset(range(50))).model.temperature == 1
