"""The verdict on a training, from histories and from real trainings."""

import pytest

from zoo.report.verdict import overfitted_since, still_improving, underfitted, verdict

FALLING = [1 / (1 + epoch) for epoch in range(1, 31)]
FLAT = [1 / (1 + min(epoch, 15)) for epoch in range(1, 31)]
RISING = [1 / (1 + epoch) if epoch <= 6 else 1 / 7 + 0.05 * (epoch - 6) for epoch in range(1, 31)]
CONFIG = {"model": {"name": "fnn/mlp", "width": 128, "dropout": 0.0}, "optim": {"lr": 0.003}}


def points(losses):
    return [(epoch, loss) for epoch, loss in enumerate(losses, 1)]


def judged(val, score=0.9, config=CONFIG, train=FALLING, stopped="epochs", **baselines):
    """The verdict on a training whose validation loss was `val`; baselines by name: score, error, naive."""
    best = val.index(min(val)) + 1
    facts = {
        name: {
            "val": {"accuracy": theirs},
            "naive": naive,
            "better_by": {"accuracy": score - theirs, "loss": score - theirs},
            "standard_error": {"accuracy": error, "loss": error},
        }
        for name, (theirs, error, naive) in baselines.items()
    }
    metrics = {"val": {"accuracy": score}, "score": "accuracy", "epoch": best, "seconds": {"fit": 60.0}}
    history = {"val/loss": points(val), "train/loss": points(train)}
    return verdict({**metrics, "baselines": facts, "stopped": stopped}, history, config, "max")


def test_losses_show_whether_a_training_still_improved_or_overfitted():
    assert still_improving(points(FALLING)) and not overfitted_since(points(FALLING), points(FALLING))
    assert not still_improving(points(FLAT)) and not overfitted_since(points(FLAT), points(FALLING))
    assert not still_improving(points(RISING)) and overfitted_since(points(RISING), points(FALLING)) == 6
    assert not overfitted_since(points(RISING), points(RISING))  # it diverged: the training loss rose too
    assert not overfitted_since(points([*FALLING[:25], *[0.06] * 5]), points(FALLING))  # it came late
    for short in ([], points([1.0])):
        assert not still_improving(short) and not overfitted_since(short, short)
    assert still_improving(points([1.0, 0.5]))


def test_the_verdict_compares_with_the_hardest_baseline_and_tries_only_settings_of_the_model():
    naive, reference = ("majority", (0.6, 0.02, True)), ("boosting", (0.85, 0.01, False))
    assert judged(FLAT, **dict([naive, reference])) == (
        "Better than boosting (validation accuracy 0.9000 against 0.8500)."
    )
    assert judged(FLAT, 0.84, **dict([naive, reference])) == (
        "About as good as boosting (validation accuracy 0.8400 against 0.8500)."
    )
    assert judged(FALLING, 0.8, **dict([naive, reference])) == (
        "Behind boosting (validation accuracy 0.8000 against 0.8500); validation loss was still falling at the end; "
        "try trainer.max_epochs=60 or model.width=256."
    )
    assert judged(RISING, 0.63, **dict([naive, reference])) == (
        "Not clearly better than the majority (validation accuracy 0.6300 against 0.6000); "
        "boosting does better: 0.8500; overfitted since epoch 6; try model.dropout=0.2 or model.width=64."
    )
    perceptron = {"model": {"name": "fnn/perceptron"}, "optim": {"lr": 0.003}}
    assert judged(RISING, 0.63, perceptron, **dict([naive])).endswith("try more data or another optim.lr than 0.003.")
    assert judged(FLAT, 0.63, perceptron, **dict([naive])).endswith("; try another optim.lr than 0.003.")


def test_without_baselines_the_verdict_tells_how_the_training_ended():
    assert judged(FLAT) == "Validation loss was lowest at epoch 15 of 30."
    assert judged(FALLING).startswith("Validation loss was still falling at the end; try trainer.max_epochs=60.")
    assert judged(RISING) == "Overfitted since epoch 6; try model.dropout=0.2 or model.width=64."
    assert judged([1.0]) == "One epoch shows little; try trainer.max_epochs=2."


@pytest.mark.parametrize("error", [0.0, None])
def test_one_validation_sample_shows_nothing(error):
    """Not even where the scores are equal, or nothing is known of their noise."""
    assert judged(FLAT, 0.6, majority=(0.6, error, True)).startswith("No better than the majority")


def test_a_training_that_was_stopped_by_validation_is_not_still_improving():
    metrics = {"val": {}, "score": "rmse", "epoch": 30, "seconds": {"fit": 60.0}}
    history = {"val/loss": points(FALLING)}
    ends = {why: verdict({**metrics, "stopped": why}, history, CONFIG, "min") for why in ("validation", "budget")}
    assert ends["validation"] == "Validation loss was lowest at epoch 30 of 30."
    assert ends["budget"].endswith("try budget=2min.")


def test_a_training_whose_score_still_rises_is_not_overfitted():
    """Its loss may rise, as it grows surer of its mistakes."""
    history = {"val/loss": points(RISING), "train/loss": points(FALLING)}
    metrics = {"val": {}, "score": "accuracy", "epoch": 6, "seconds": {"fit": 60.0}}
    for scores, mode, overfitted in ((FALLING, "max", True), (FALLING, "min", False), (FLAT[::-1], "max", False)):
        said = verdict(metrics, {**history, "val/accuracy": points(scores)}, CONFIG, mode)
        assert said.startswith("Overfitted since epoch 6") == overfitted


def test_a_lower_loss_alone_is_better_than_a_naive_answer():
    """Of rare classes the accuracy of the majority is hard to beat."""
    facts = {"val": {"accuracy": 0.98}, "naive": True, "better_by": {"accuracy": 0.001, "loss": 0.03}}
    baselines = {"majority": facts | {"standard_error": {"accuracy": 0.002, "loss": 0.01}}}
    metrics = {"val": {"accuracy": 0.981}, "score": "accuracy", "epoch": 30, "seconds": {"fit": 60.0}}
    assert verdict({**metrics, "baselines": baselines}, {}, CONFIG, "max").startswith("Better than the majority")


def test_a_small_table_that_overfits_is_told_to_learn_less_and_which_reference_does_better():
    """The training returned to its best epoch, and overfitted anew as the rate fell, while the accuracy wavered."""
    val = [0.71, 0.65, *[0.69] * 50, 0.665, 0.67, *[0.68 + 0.003 * n for n in range(16)]]
    train = [0.60, 0.57, *[0.52] * 50, 0.535, 0.53, *[0.51 - 0.006 * n for n in range(16)]]
    naive, reference = ("majority class", (0.5857, 0.0545, True)), ("logistic regression", (0.6429, 0.0305, False))
    assert judged(val, 0.6143, train=train, stopped="validation", **dict([naive, reference])) == (
        "Not clearly better than the majority class (validation accuracy 0.6143 against 0.5857); logistic regression "
        "does better: 0.6429; overfitted since epoch 2; try model.dropout=0.2 or model.width=64."
    )
    worse = ("logistic regression", (0.60, 0.0305, False))
    assert "does better" not in judged(val, 0.6143, train=train, stopped="validation", **dict([naive, worse]))
    # one that is good kept its best epoch: nothing to say
    assert "verfitted" not in judged(val, 0.9, train=train, stopped="validation", **dict([naive, reference]))


def test_a_wider_model_is_advised_only_where_the_training_loss_is_no_lower_than_that_of_validation():
    assert underfitted(points(FLAT), points(FLAT)) and not underfitted(points(FLAT), points([0.0] * 30))
    assert not underfitted((), ())
    majority = {"majority": (0.6, 0.02, True)}
    assert judged(FLAT, 0.61, train=FLAT, **majority).endswith("try model.width=256 or another optim.lr than 0.003.")
    assert judged(FLAT, 0.61, train=[0.03] * 30, **majority).endswith("; try another optim.lr than 0.003.")
