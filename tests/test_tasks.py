"""Losses and metrics of tasks, and a user's own losses, metrics and tasks."""

import json
import textwrap

import pytest
import torch
import torch.nn.functional as F
from helpers.own_code import forgotten_afterwards
from torch import Tensor

import zoo
from zoo.core.errors import UserError
from zoo.core.spec import DataSpec, Input
from zoo.tasks import TASKS, create_task, trained_task

CLASSES = DataSpec("made", "classification", {}, 3, class_names="abc")
VALUES = DataSpec("made", "regression", {}, 1, Input((1,), scaled_axis=0))
QUICK = ("trainer=debug", "trainer.max_epochs=2")


def measured(task, output: Tensor, target: Tensor) -> dict[str, float]:
    metrics = task.metrics()
    task.measure(metrics, output, target, torch.clone)
    return {name: float(value) for name, value in metrics.compute().items()}


def test_cross_entropy_is_the_default_loss():
    output, target = torch.randn(9, 3), torch.arange(9) % 3
    assert torch.equal(create_task(CLASSES).loss(output, target), F.cross_entropy(output, target))
    smooth = create_task(CLASSES, label_smoothing=0.2).loss(output, target)
    assert torch.equal(smooth, F.cross_entropy(output, target, label_smoothing=0.2))


@pytest.mark.parametrize("gamma", [0.0, 2.0])
def test_the_focal_loss_is_that_of_its_paper(gamma):
    from zoo.tasks.losses import focal

    output, target = torch.randn(50, 3, dtype=torch.float64), torch.arange(50) % 3
    p = output.softmax(1).gather(1, target[:, None])[:, 0]
    torch.testing.assert_close(focal(output, target, gamma=gamma), (-((1 - p) ** gamma) * p.log()).mean())


def test_the_focal_loss_takes_mixed_smoothed_and_weighted_targets():
    output, target = torch.randn(30, 3), torch.arange(30) % 3
    shares = F.one_hot(target, 3).float()
    for options in ({}, {"label_smoothing": 0.2}, {"class_weights": [1, 2, 3]}):
        task = create_task(CLASSES, loss="focal", **options)
        torch.testing.assert_close(task.loss(output, target), task.loss(output, shares))
    weighted = create_task(CLASSES, loss="focal", class_weights=[2, 2, 2])
    torch.testing.assert_close(weighted.loss(output, target), create_task(CLASSES, loss="focal").loss(output, target))


def test_the_focal_loss_leaves_out_padded_steps():
    spec = DataSpec("made", "language_modelling", {}, 4, Input((None,), "int64"), class_names="\ufffdabc")
    task, output = create_task(spec, loss="focal"), torch.randn(2, 5, 4)
    target = torch.tensor([[1, 2, 3, 0, 1], [2, 1, -100, -100, -100]])
    known = target != -100
    torch.testing.assert_close(task.loss(output, target), task.loss(output[known][None], target[known][None]))


@pytest.mark.parametrize(
    ("spec", "options", "message"),
    [
        (CLASSES, {"loss": "focl"}, "no loss 'focl'; the nearest: focal"),
        (CLASSES, {"loss": "mse"}, "no loss 'mse'; there are: cross_entropy, focal"),
        (VALUES, {"loss": "hubr"}, "the nearest: huber"),
        (CLASSES, {"metrics": ["CohenKapa"]}, "no metric of task classification 'CohenKapa'; the nearest: CohenKappa"),
        (VALUES, {"metrics": ["CohenKappa"]}, "no metric of task regression"),
        (CLASSES, {"metrics": ["ConfusionMatrix"]}, "no metric of task classification 'ConfusionMatrix'"),
        (CLASSES, {"metrics": ["FBetaScore"]}, "without arguments; FBetaScore needs some"),
    ],
)
def test_an_unknown_loss_or_metric_gets_the_nearest_name(spec, options, message):
    with pytest.raises(UserError, match=message):
        create_task(spec, **options).metrics()


def test_torchmetrics_can_be_added_to_the_tasks_metrics():
    from torchmetrics.functional.classification import multiclass_cohen_kappa
    from torchmetrics.functional.regression import pearson_corrcoef

    output, target = torch.rand(40, 3), torch.arange(40) % 3  # logits that all lie in [0, 1]
    values = measured(create_task(CLASSES, metrics=["CohenKappa", "CalibrationError"]), output, target)
    assert set(values) == {"accuracy", "f1", "auroc", "cohen_kappa", "calibration_error"}
    assert values["cohen_kappa"] == pytest.approx(float(multiclass_cohen_kappa(output, target, num_classes=3)))
    output, target = torch.randn(40, 1), torch.randn(40, 1)
    values = measured(create_task(VALUES, metrics="PearsonCorrCoef"), output, target)
    assert values["pearson_corr_coef"] == pytest.approx(float(pearson_corrcoef(output[:, 0], target[:, 0])), abs=1e-6)


def test_metrics_of_several_outputs_are_their_mean():
    spec = DataSpec("made", "regression", {}, 2, Input((2,), scaled_axis=0))
    output, target = torch.randn(40, 2), torch.randn(40, 2)
    both = measured(create_task(spec, metrics=["PearsonCorrCoef"]), output, target)["pearson_corr_coef"]
    each = [
        measured(create_task(VALUES, metrics=["PearsonCorrCoef"]), output[:, [i]], target[:, [i]])["pearson_corr_coef"]
        for i in range(2)
    ]
    assert both == pytest.approx(sum(each) / 2, abs=1e-6)


def test_additional_metrics_are_logged_reported_and_evaluated_again(config, tmp_path):
    metrics = zoo.train(config("model=fnn/mlp", *QUICK, "task.metrics=[CohenKappa]", "task.loss=focal"), tmp_path)
    assert "cohen_kappa" in metrics["test"] and "val/cohen_kappa" in (tmp_path / "metrics.csv").read_text()
    assert "inter-annotator agreement" in (tmp_path / "report.html").read_text()
    assert "cohen_kappa" in zoo.load(tmp_path).task.metrics().keys()  # noqa: SIM118, a MetricCollection


def test_a_trained_model_loads_without_metrics_that_are_not_available():
    task = trained_task(CLASSES, {"config": {"task": {"metrics": ["gone", "CohenKappa"], "loss": "gone too"}}})
    assert task.extra_metrics == ["CohenKappa"]
    for card in ({}, {"config": None}, {"config": {"task": 3}}, {"config": {"task": {"metrics": None}}}):
        assert trained_task(CLASSES, card).extra_metrics == []


OWN = {
    "losses.py": """
        from zoo.tasks.losses import LOSSES

        @LOSSES.register("classification/margin")
        def margin(logits, target):
            "Multi-class hinge loss."
            import torch.nn.functional as F
            return F.multi_margin_loss(logits, target)
        """,
    "metrics.py": """
        from zoo.tasks.library import METRICS

        @METRICS.register("classification/top2")
        def top2(spec):
            "Share of samples whose class is among the two likeliest."
            from torchmetrics.classification import MulticlassAccuracy
            return MulticlassAccuracy(spec.n_outputs, top_k=2, average="micro")
        """,
    "counts.py": """
        import numpy as np
        import torch
        from zoo.core.spec import Input
        from zoo.tasks.base import TASKS
        from zoo.tasks.columns import Targets
        from zoo.tasks.regression import Regression

        @TASKS.register("counts")
        class Counts(Regression):
            "Counts, from their logarithms, by the Poisson likelihood."

            def loss(self, output, target):
                return torch.nn.functional.poisson_nll_loss(output.float(), target)

            @classmethod
            def encode(cls, columns, class_names=None):
                return Targets(torch.from_numpy(columns[0].numbers().astype("float32")[:, None]),
                               {"n_outputs": 1, "target": Input((1,))})

            def decode(self, output):
                return output.exp()[:, 0].tolist()

            def report(self, page, output, target):
                page.section("Counts", "A <panel> of my own.", page.scatter("count", target[:, 0], output.exp()[:, 0]))
        """,
}


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    folder = tmp_path_factory.mktemp("own")
    for name, text in OWN.items():
        (folder / name).write_text(textwrap.dedent(text))
    with forgotten_afterwards():
        zoo.add_path(folder)
        yield folder


def test_a_users_loss_and_metric_are_chosen_by_name(own, config, tmp_path):
    choices = ("task.loss=margin", "task.metrics=[top2]", "data=wine", f"zoo_path={own}")
    metrics = zoo.train(config("model=fnn/mlp", *QUICK, *choices), tmp_path)
    assert metrics["test"]["top2"] >= metrics["test"]["accuracy"]
    assert "Share of samples whose class is among the two likeliest" in (tmp_path / "report.html").read_text()
    with pytest.raises(UserError, match="label_smoothing needs a loss with the argument label_smoothing"):
        create_task(CLASSES, loss="margin", label_smoothing=0.1)
    with pytest.raises(UserError, match="class_weights needs a loss with the argument reduction"):
        create_task(CLASSES, loss="margin", class_weights=[1, 2, 3])


def test_a_users_task_reads_targets_predicts_and_reports(own, config, tmp_path):
    rows = [f"{x},{x % 5},{x % 3 * 10}" for x in range(200)]
    (tmp_path / "t.csv").write_text("\n".join(["x,y,n", *rows]))
    data = ("data=csv", f"data.path={tmp_path / 't.csv'}", "data.target=n", "data.task=counts", f"zoo_path={own}")
    zoo.train(config("model=fnn/mlp", *QUICK, *data), tmp_path / "run")
    model = zoo.load(tmp_path / "run")
    assert model.spec.task == "counts" and model.predict({"x": 3, "y": 3}) > 0
    assert "A &lt;panel&gt; of my own." in (tmp_path / "run" / "report.html").read_text()
    assert json.loads((tmp_path / "run" / "metrics.json").read_text())["test"]["rmse"] > 0


def test_an_unknown_task_of_a_table_gets_the_nearest_name(tmp_path):
    (tmp_path / "t.csv").write_text("x,y\n" + "1,2\n3,4\n" * 20)
    with pytest.raises(UserError, match="no task 'regresion'; the nearest: regression"):
        zoo.load_data("csv", path=str(tmp_path / "t.csv"), target="y", task="regresion")
    with pytest.raises(UserError, match="cannot be learnt from a column of targets, such as 'y'"):
        zoo.load_data("csv", path=str(tmp_path / "t.csv"), target="y", task="forecasting")


def test_several_targets_are_regressed_together(config, tmp_path):
    rows = [f"{x},{x % 7},{3 * x + 0.5},{-x * 100.25}" for x in range(200)]
    (tmp_path / "t.csv").write_text("\n".join(["x,y,a,b", *rows]))
    data = ("data=csv", f"data.path={tmp_path / 't.csv'}", "data.target=[a,b]")
    zoo.train(config("model=fnn/mlp", "trainer.max_epochs=30", *data), tmp_path / "run")
    model = zoo.load(tmp_path / "run")
    assert (model.spec.task, model.spec.n_outputs, model.spec.target_name) == ("regression", 2, "a, b")
    a, b = model.predict({"x": 100, "y": 2})
    assert abs(a - 300) < 100 and abs(b + 10025) < 4000
    splits = zoo.load_data("csv", path=str(tmp_path / "t.csv"), target=["a", "b"])
    assert splits.files["schema.yaml"].startswith("target:\n- a\n- b\n")


@pytest.mark.parametrize("name", TASKS.names())
def test_every_metric_and_loss_has_a_meaning(name):
    task = TASKS.get(name)
    shapes = {"forecasting": (1, 2), "next_step": (None, 2), "language_modelling": (None,), "classification": ()}
    shape = shapes.get(name, (2,))
    names = ["a", "b"] if task.has_classes else []
    spec = DataSpec("made", name, {}, 2, Input(shape, task.target[0]), class_names=names)
    made = create_task(spec)
    assert all(made.meaning(metric) for metric in ["loss", *made.default_metrics()])
    assert made.score in made.default_metrics()
