"""Several models in one network: each member learns every target, and the task combines what they answer."""

import copy
from types import SimpleNamespace

import pytest
import torch

import zoo
from zoo.core.spec import DataSpec, Input
from zoo.engine.distillation import Distillation
from zoo.engine.families import create_module
from zoo.engine.means import MeanLoss
from zoo.engine.speed.stacked import stack
from zoo.inference.ensembling import ensemble
from zoo.models import MODELS
from zoo.models.fnn._members import MemberLinear, first_adapter
from zoo.models.fnn.mlp import MLP
from zoo.models.fnn.table_input import TableInput

INPUTS = {
    "numeric": Input((4,), "float32", ("n_numeric",), 0),
    "categorical": Input((2,), "int64", ("n_categorical",), cardinalities=(3, 4)),
}
FIELDS = {
    "classification": {"n_outputs": 3, "class_names": "abc"},
    "regression": {"n_outputs": 2, "target": Input((2,), "float32", scaled_axis=0)},
    "multi_label": {"n_outputs": 3, "class_names": "abc", "target": Input((3,))},
}
OPTIM = {"name": "adamw", "lr": 1e-3, "weight_decay": 0.0, "schedule": {"name": "constant", "warmup": 0.0}}
SMALL = {"width": 8, "n_members": 5}
BATCH = {"numeric": torch.randn(6, 4), "categorical": torch.tensor([[0, 1], [1, 2], [2, 3], [0, 0], [1, 1], [2, 0]])}

every_network = pytest.mark.parametrize("name", ["fnn/tabm", "fnn/tabm_mini"])


def module_of(task, name="fnn/tabm", **choices):
    """A module without dropout, its training split's targets, and a batch."""
    spec = DataSpec("made", task, INPUTS, **FIELDS[task])
    torch.manual_seed(0)
    module = create_module(
        {"name": name, "dropout": 0.0, **SMALL, **choices}, spec=spec.to_json(), task={}, optim=OPTIM
    )
    module.trainer, module.manual_backward = SimpleNamespace(world_size=1), torch.Tensor.backward
    target = torch.tensor([0, 1, 2, 0, 1, 2]) if task == "classification" else 7 + 3 * torch.randn(6, spec.n_outputs)
    target = (target > 7).float() if task == "multi_label" else target.to(getattr(torch, spec.target.dtype))
    module.model.preprocess.fit([{**BATCH, "target": target}])
    return module, target


@pytest.mark.parametrize("task", FIELDS)
def test_the_loss_is_the_mean_of_the_members_and_the_answer_is_theirs_combined(task):
    module, target = module_of(task)
    outputs = module.model.member_outputs(**BATCH).unflatten(0, (6, 5))
    scaled = module.model.preprocess.scale_target(target)
    losses = [module.task.loss(outputs[:, i], scaled) for i in range(5)]
    module.add_gradient({**BATCH, "target": target}, 1.0, mean := MeanLoss())
    torch.testing.assert_close(mean.mean(), torch.stack(losses).mean())
    answer = module.task.combine(module.model.preprocess.restore(outputs.transpose(0, 1)))
    torch.testing.assert_close(module.model(**BATCH), answer)
    torch.testing.assert_close(module.model.carry(None, **BATCH)[0], module.model.preprocess.scale_target(answer))
    assert losses[0] != losses[1]


@pytest.mark.parametrize("task", ["classification", "regression", "multi_label"])
def test_each_member_learns_from_a_teacher(task):
    module, _ = module_of(task)
    teacher, _ = module_of(task, width=4)
    distillation = Distillation(module.task, teacher.model, weight=0.5, temperature=2.0)
    outputs = module.model.member_outputs(**BATCH)
    each = [distillation.distance(part, BATCH, module.model) for part in outputs.unflatten(0, (6, 5)).unbind(1)]
    torch.testing.assert_close(distillation.distance(outputs, BATCH, module.model), torch.stack(each).mean())


@every_network
def test_seeds_at_once_have_the_members_of_each(name):
    modules = [module_of("classification", name)[0] for _ in range(2)]
    torch.nn.init.normal_(modules[1].model.network.head.weight)
    both = stack([copy.deepcopy(module) for module in modules]).model
    twice = {key: torch.cat([value, value]) for key, value in BATCH.items()}
    alone = [module.model.member_outputs(**BATCH) for module in modules]
    torch.testing.assert_close(both.member_outputs(**twice), torch.cat(alone))
    answers = torch.cat([module.model.scaled(**BATCH) for module in modules])
    torch.testing.assert_close(both.scaled(**twice), answers)
    torch.testing.assert_close(both.carry(None, **BATCH)[0], answers)


def test_a_task_of_ones_own_combines_values_in_the_targets_units():
    module, _ = module_of("regression")
    module.model.combine = lambda outputs: outputs.square().mean(0)
    outputs = module.model.preprocess.restore(module.model.member_outputs(**BATCH))
    torch.testing.assert_close(module.model(**BATCH), outputs.unflatten(0, (6, 5)).square().mean(1))


@every_network
def test_a_member_with_adapters_of_one_is_a_plain_perceptron(name):
    network = MODELS.get(name)(n_numeric=4, cardinalities=(3, 4), n_outputs=3, dropout=0.0, **SMALL)
    mlp = MLP(n_numeric=4, cardinalities=(3, 4), n_outputs=3, depth=3, width=8)
    for key, value in network.named_parameters():
        if key == "adapter" or key.endswith((".r", ".s")):
            torch.nn.init.ones_(value)
        else:
            torch.nn.init.normal_(value)
    with torch.no_grad():
        for ours, theirs in zip((network.layers[i] for i in (0, 3, 6)), mlp.layers, strict=True):
            theirs[0].weight.copy_(getattr(ours, "linear", ours).weight)
            theirs[0].bias.copy_(ours.bias[2] if isinstance(ours, MemberLinear) else ours.bias)
        mlp.head.weight.copy_(network.head.weight[2].T)
        mlp.head.bias.copy_(network.head.bias[2, 0])
    torch.testing.assert_close(network(**BATCH)[:, 2], mlp(**BATCH))


@pytest.mark.parametrize("embedding", ["none", "pbld"])
def test_scales_are_drawn_for_each_member_and_column(embedding):
    torch.manual_seed(0)
    scales = first_adapter(50, TableInput(2, (4,), embedding=embedding))
    widths = [1, 1, 3] if embedding == "none" else [4, 4, 3]
    first, second, category = scales.split(widths, 1)
    for part in (first, second, category):
        assert (part == part[:, :1]).all()
    assert set(scales.unique().tolist()) == {-1, 1} if embedding == "none" else len(scales.unique()) == 150


def test_a_training_of_members_ends_in_files_that_answer_alike(config, tmp_path):
    """Through validation, moving averages, seeds at once, the report and an ensemble of files."""
    settings = (
        "model=fnn/tabm_mini",
        "model.width=8",
        "model.n_members=3",
        "trainer.max_epochs=1",
        "optim.ema=0.9",
        "baseline=false",
    )
    zoo.train_seeds(config(*settings, "seeds=[0,1]"), tmp_path / "seeds")
    files = sorted(tmp_path.rglob("model.safetensors"))
    ensemble(files, tmp_path / "both.safetensors")
    rows = zoo.load_data("breast_cancer").test[:4]["numeric"]
    one, other, both = (zoo.load(file).model for file in (*files, tmp_path / "both.safetensors"))
    mean = (
        one.scaled(numeric=rows).softmax(1) + other.scaled(numeric=rows).softmax(1)
    ) / 2  # temperatures do not count
    torch.testing.assert_close(both.scaled(numeric=rows).softmax(1), mean)
    assert zoo.load(files[0]).features(rows.numpy()).shape == (4, 3 * 8)
