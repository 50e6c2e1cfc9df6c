"""Uncertainty: intervals and sets of classes hold the truth as often as asked."""

import pytest
import torch

import zoo
from zoo.core.errors import UserError
from zoo.inference.calibration import MOST_SCORES, Calibration
from zoo.inference.ensembling import ensemble
from zoo.inference.predict_files import predict_file
from zoo.inference.predictor import Predictor
from zoo.inference.weights_file import save_weights
from zoo.models.model import rising
from zoo.tasks.conformal import Intervals, Sets
from zoo.tasks.heads import Head
from zoo.tasks.heads.gaussian import Gaussian, gaussian_crps
from zoo.tasks.heads.quantiles import Quantiles, pinball
from zoo.tasks.temperature import calibration_error, fit_temperature, reliability

N, N_NEW = 500, 5000


def values():
    """Predictions of two values, and what they were, with noise of another size for each."""
    predicted = torch.randn(N + N_NEW, 2)
    return Intervals(Head(), (2,)), predicted, predicted + torch.randn(N + N_NEW, 2) * torch.tensor([0.1, 3.0])


def distributions(head, numbers):
    """Numbers of a head for one value, by standard normal quantiles and deviations that are too small by half."""
    mean, deviation = torch.randn(N + N_NEW, 1), torch.rand(N + N_NEW, 1) + 0.1
    output = mean[:, None] + deviation[:, None] * torch.tensor(numbers)[:, None]
    return Intervals(head, (1,)), output, mean + 2 * deviation * torch.randn(N + N_NEW, 1)


def gaussian():
    return distributions(Gaussian(), [0.0, 1.0])


def quantiles():
    return distributions(Quantiles(levels=[0.05, 0.25, 0.5, 0.75, 0.95]), [-1.645, -0.674, 0.0, 0.674, 1.645])


def classes():
    """Logits, and classes drawn with twice their probabilities' doubt: a model that is surer than it may be."""
    logits = 4 * torch.randn(N + N_NEW, 5)
    return Sets("abcde", lambda output: output.softmax(1)), logits, (logits / 4).softmax(1).multinomial(1)[:, 0]


@pytest.mark.parametrize("made", [values, gaussian, quantiles, classes])
@pytest.mark.parametrize("coverage", [0.5, 0.8, 0.9, 0.95])
def test_new_samples_are_covered_as_often_as_asked(made, coverage):
    torch.manual_seed(0)
    conformal, output, target = made()
    calibration = Calibration.of(conformal.scores(output[:N], target[:N]))
    assert Calibration.from_json(calibration.to_json(), conformal.shape).scores.equal(calibration.scores)
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
    for broken in ({"n": 9}, {"n": 9, "scores": [[0.1, 0.2]]}, {"n": 0, "scores": [[0.1]]}, {"n": 9, "scores": "all"}):
        with pytest.raises(UserError, match="the file's calibration"):
            Predictor(model.model, model.spec, {}, broken).predict_set(rows)


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


def test_the_crps_of_a_normal_distribution_is_the_integral_that_defines_it():
    mean, deviation, target = torch.tensor([[0.0, 2.0, -1.0], [1.0, 0.5, 3.0], [0.3, 0.0, 9.0]])
    x = torch.linspace(-30, 30, 600_001, dtype=torch.float64)[:, None]
    below = torch.special.ndtr((x - mean) / deviation)
    integral = torch.trapezoid((below - (x >= target).double()).square(), x, dim=0)
    torch.testing.assert_close(gaussian_crps(mean, deviation, target).double(), integral, atol=2e-4, rtol=1e-4)
    torch.testing.assert_close(Gaussian().crps(torch.tensor([[0.0, 0.0]]), torch.tensor([2.0])), torch.tensor([2.0]))


def test_the_crps_of_many_quantiles_is_that_of_their_distribution():
    levels = [*torch.linspace(0.0025, 0.9975, 200).tolist(), 0.5]
    quantiles = torch.special.ndtri(torch.tensor(sorted(levels)))[None, :, None]
    for target in (torch.tensor([[0.2]]), torch.tensor([[-1.5]])):
        found = Quantiles(levels=levels).crps(quantiles, target)
        torch.testing.assert_close(found, gaussian_crps(torch.zeros(1), torch.ones(1), target), atol=3e-3, rtol=0)


def test_the_pinball_loss_is_lowest_at_the_quantile_of_its_level():
    torch.manual_seed(0)
    sample, guesses = torch.randn(2001).exp(), torch.linspace(0, 5, 2001)
    levels = torch.tensor([0.1, 0.5, 0.9])
    losses = pinball(guesses[:, None, None].expand(-1, 3, 2001), sample.expand(len(guesses), -1), levels).mean(-1)
    torch.testing.assert_close(guesses[losses.argmin(0)], sample.quantile(levels), atol=0.02, rtol=0)


def test_members_are_combined_as_mean_quantiles_and_as_a_mixture_of_distributions():
    torch.manual_seed(0)
    members = torch.tensor([[[0.0, 1.0]], [[4.0, 6.0]]])  # (n_members, 1 sample, mean and mean + deviation)
    drawn = torch.cat([torch.randn(200_000), 4 + 2 * torch.randn(200_000)])
    mean, upper = Gaussian().combine(members)[0].tolist()
    assert (mean, upper - mean) == pytest.approx((float(drawn.mean()), float(drawn.std())), abs=0.02)
    assert Quantiles(levels=[0.5, 0.9]).combine(members).tolist() == [[2.0, 3.5]]


def test_numbers_of_a_value_never_cross():
    numbers = rising(10 * torch.randn(50, 7, 2))
    assert (numbers.diff(dim=1) >= 0).all()
    plain = torch.randn(3, 4, 1)
    assert rising(plain)[:, 1].equal(plain[:, 1])  # the lower middle one


@pytest.mark.parametrize("head", ["quantiles", "gaussian"])
def test_a_head_gives_the_middle_and_a_width_for_each_sample(config, head, tmp_path):
    short = ("model=fnn/mlp", "data=diabetes", "trainer.max_epochs=2", f"task.head={head}", "seeds=[0,1]")
    results = zoo.train_seeds(config(*short), tmp_path)
    ensemble([result.path / "model.safetensors" for result in results], tmp_path / "both.safetensors")
    data = zoo.load_data("diabetes").test
    rows, target = data.columns["numeric"].numpy(), data.columns["target"].double().numpy()[:, 0]
    for model in (results[0].predictor, zoo.load(tmp_path / "both.safetensors")):
        assert {"crps", "coverage", "rmse", "mae"} <= set(zoo.evaluate(model, data)[0])
        (lower, upper), table = model.predict_interval(rows, coverage=0.9).T, model.tabulate(rows, coverage=0.9)
        assert (upper - lower).std() > 1  # each sample its own width
        assert abs(((lower <= target) & (target <= upper)).mean() - 0.9) < 0.15
        assert table["prediction"] == model.predict(rows) and table["lower"] == pytest.approx(lower.tolist())
        assert ("quantile 0.05" if head == "quantiles" else "standard deviation") in table
    assert results[0]["baselines"] == {} and "crps" in results[0]["test"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["data=diabetes", "task.quantiles=[0.5,0.9]"], "is for task.head=quantiles; this one is value"),
        (["data=diabetes", "task.head=quantiles", "task.quantiles=[0.1,0.9]"], "with 0.5 among them; got"),
        (["data=diabetes", "task.head=quantiles", "task.loss=mse"], "no loss 'mse'; there are: pinball"),
        (
            ["data=diabetes", "task.head=gaussian", "model=fnn/modern_nca"],
            "one number for each value, that of similar rows",
        ),
        (["data=breast_cancer", "task.head=gaussian"], "no option of task classification"),
        (["data=breast_cancer", "task.temperature=0"], "task.temperature is above 0, or null"),
    ],
)
def test_a_head_that_does_not_suit_is_refused(config, words, message, tmp_path):
    with pytest.raises(UserError, match=message):
        zoo.train(config("model=fnn/mlp", *words, "trainer=debug"), tmp_path / "run")
