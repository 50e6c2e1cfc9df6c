"""Every registered architecture, on every kind of data that it takes."""

import dataclasses
import fnmatch
import inspect
import re

import pytest
import torch
import yaml
from helpers.commands import ROOT
from helpers.models import SPECS, build, spec_of, targets_of
from torch.utils._pytree import tree_leaves

import zoo
from zoo.core.atomic_files import sha256_of
from zoo.core.errors import UserError
from zoo.core.spec import DataSpec, Input
from zoo.inference.cards import probe_inputs
from zoo.models import MODELS
from zoo.models.cnn.convnext import Block
from zoo.models.cnn.fast import FastCNN, Residual
from zoo.models.cnn.inception_time import MaskedBatchNorm
from zoo.models.cost import multiply_adds
from zoo.models.layers import Dropout, Network
from zoo.models.rnn._recurrent import Recurrent, VariationalDropout
from zoo.tasks import create_task

READ_SEQUENCES = zoo.list_models(spec=SPECS["sequences"])
RECURRENT = [
    name
    for name in READ_SEQUENCES
    if issubclass(MODELS.get(name), Recurrent) and MODELS.get(name).step is not Network.step
]
PLAIN = [name for name in RECURRENT if MODELS.get(name)._run is Recurrent._run]  # the layers read the input itself
POOLINGS = {  # and options, so that tests over poolings cover them too
    "last": {"expansion": 2},
    "mean": {"residual": True},
    "max": {"residual": True, "norm": "layer", "expansion": 1},
    "attention": {"norm": "rms"},
}


every_model = pytest.mark.parametrize("name", zoo.list_models())


@every_model
@pytest.mark.parametrize("n", [1, 5])
def test_each_sample_gets_an_output_and_features(name, n):
    model, inputs = build(name).eval(), probe_inputs(spec_of(name), n)
    assert model(**inputs).flatten(1).shape == (n, 3)
    assert model.features(**inputs).shape[0] == n


@every_model
def test_every_parameter_gets_a_finite_gradient(name):
    model = build(name)
    model(**probe_inputs(spec_of(name), 4)).square().sum().backward()
    for key, parameter in model.named_parameters():
        assert parameter.grad is not None, key
        assert parameter.grad.isfinite().all(), key


@every_model
def test_every_model_overfits_one_batch(name):
    alone = {"linear": False} if name == "rnn/segrnn" else {}  # beside a linear forecast a few windows teach it little
    model, inputs = build(name, **alone), probe_inputs(spec_of(name), 6)
    inputs = {key: value.clamp(min=5) if key == "lengths" else value for key, value in inputs.items()}
    target, task = targets_of(name, 6), create_task(spec_of(name))
    model.fit([{**inputs, "target": target}], [{**inputs, "target": target}])
    optimizer = torch.optim.Adam(model.parameters(), lr=0.03 if "perceptron" in name else 0.005)
    for _ in range(150):
        loss = task.loss(model(**inputs), target)
        if loss < 0.05:
            break
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss < 0.05


@every_model
def test_a_batch_equals_its_rows(name):
    model, inputs = build(name).eval(), probe_inputs(spec_of(name), 5)
    rows = [model(**{key: value[i : i + 1] for key, value in inputs.items()}) for i in range(5)]
    torch.testing.assert_close(model(**inputs), torch.cat(rows), rtol=1e-4, atol=1e-5)


@every_model
def test_a_saved_model_loads_bit_for_bit(name, tmp_path):
    from zoo.inference.weights_file import load_weights, save_weights

    model, inputs = build(name).eval(), probe_inputs(spec_of(name), 3)
    save_weights(tmp_path / "m.safetensors", model, {"model": {"name": name}, "spec": spec_of(name).to_json()})
    again, spec, _ = load_weights(tmp_path / "m.safetensors")
    assert spec == DataSpec.from_json(spec_of(name).to_json())
    assert torch.equal(model(**inputs), again.eval()(**inputs))


@every_model
def test_the_yaml_spells_every_keyword_with_its_default(name):
    section = yaml.safe_load((ROOT / "conf" / "model" / f"{name}.yaml").read_text())["model"]
    assert section.pop("name") == name
    assert section == MODELS.get(name).defaults()


@every_model
def test_factors_on_the_learning_rate_are_of_parameters_that_there_are(name):
    network = build(name).network
    names = [parameter for parameter, _ in network.named_parameters()]
    assert all(fnmatch.filter(names, pattern) for pattern in network.factors)


@every_model
def test_model_and_module_have_docstrings(name):
    network = MODELS.get(name)
    assert inspect.getdoc(inspect.getmodule(network))
    assert inspect.getdoc(network)


def padded_and_alone(model):
    """Outputs for sequences padded to one length with large values, and for each sequence alone."""
    sequence, lengths = torch.full((3, 12, 4), 1e3), torch.tensor([8, 5, 1])
    for index, length in enumerate(lengths):
        sequence[index, :length] = torch.randn(length, 4)
    alone = [
        model(sequence=sequence[i : i + 1, :length], lengths=lengths[i : i + 1]) for i, length in enumerate(lengths)
    ]
    return model(sequence=sequence, lengths=lengths), torch.cat(alone)


@pytest.mark.parametrize("name", READ_SEQUENCES)
def test_padding_never_changes_an_output(name):
    torch.testing.assert_close(*padded_and_alone(build(name).eval()), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", READ_SEQUENCES)
def test_padding_never_changes_what_is_learnt(name):
    """Outputs in training mode, gradients and statistics are equal whatever the padding holds, and at any length."""
    torch.manual_seed(0)
    sequence, lengths = torch.randn(3, 8, 4), torch.tensor([8, 5, 2])
    steps = torch.arange(12)[:, None]
    longer = torch.cat([sequence, torch.randn(3, 4, 4)], 1).where(steps < lengths[:, None, None], 1e3)
    one, other = build(name), build(name)
    outputs = []
    for model, x in ((one, sequence), (other, longer)):
        torch.manual_seed(0)  # of dropout
        outputs.append(model(sequence=x, lengths=lengths))
    torch.testing.assert_close(*outputs, rtol=1e-4, atol=1e-5)
    for output in outputs:
        output.square().sum().backward()
    for theirs, ours in zip(one.parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(ours.grad, theirs.grad, rtol=1e-3, atol=1e-5)
    torch.testing.assert_close(other.state_dict(), one.state_dict(), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", RECURRENT)
@pytest.mark.parametrize("pooling", POOLINGS)
@pytest.mark.parametrize("bidirectional", [False, True])
def test_padding_never_changes_a_pooled_output(name, pooling, bidirectional):
    model = build(name, pooling=pooling, bidirectional=bidirectional, depth=2, **POOLINGS[pooling]).eval()
    torch.testing.assert_close(*padded_and_alone(model), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", PLAIN)
def test_the_last_state_of_each_direction_depends_on_the_whole_sequence(name):
    plain = {"depth": 1, "norm": "none", "expansion": 0}
    network = build(name, pooling="last", bidirectional=True, **plain).eval().network
    sequence, lengths = torch.randn(3, 8, 4), torch.tensor([8, 5, 1])
    features = network.features(sequence=sequence, lengths=lengths)
    for one, n, found in zip(sequence, lengths, features, strict=True):
        ahead, back = network.forwards[0](one[None, :n])[0], network.backwards[0](one[None, :n].flip(1))[0]
        torch.testing.assert_close(found, torch.cat([ahead[0, -1], back[0, -1]]))


@pytest.mark.parametrize("name", RECURRENT)
@pytest.mark.parametrize("pooling", POOLINGS)
def test_step_equals_forward(name, pooling):
    model = build(name, pooling=pooling, bidirectional=False, depth=2, **POOLINGS[pooling]).eval()
    sequence, state = probe_inputs(spec_of(name), 2)["sequence"], None
    for t in range(sequence.shape[1]):
        output, state = model.step(state, sequence=sequence[:, t])
        whole = model(sequence=sequence[:, : t + 1], lengths=torch.tensor([t + 1, t + 1]))
        torch.testing.assert_close(output, whole, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", PLAIN)
def test_residual_layers_add_what_they_compute_from_their_normalised_input(name):
    network = build(name, depth=2, width=8, residual=True, norm="layer", expansion=2, bidirectional=False).network
    sequence = probe_inputs(spec_of(name), 2)["sequence"]
    first = network.forwards[0](sequence)[0]
    first = first + network.feedforwards[0](first)
    second = first + network.forwards[1](torch.nn.functional.layer_norm(first, (8,)))[0]
    second = second + network.feedforwards[1](second)
    torch.testing.assert_close(network.features(sequence), torch.nn.functional.layer_norm(second, (8,)).amax(1))


@pytest.mark.parametrize(("kernel", "stride"), [(1, 1), (4, 3), (2, 5)])
def test_a_strided_front_answers_at_each_step_of_a_stream(kernel, stride):
    options = {"bidirectional": False, "kernel": kernel, "stride": stride, "width": 8}
    model, sequence = build("rnn/conv_gru", **options).eval(), probe_inputs(SPECS["sequences"], 2)["sequence"]
    network, state, steps = model.network, None, []
    for part in sequence.split([1, 2, 4, sequence.shape[1] - 7], 1):
        output, state = network._run(part, state)
        steps.append(output)
    torch.testing.assert_close(torch.cat(steps, 1), network._run(sequence)[0])
    state = None
    for t in range(sequence.shape[1]):
        output, state = network.step(state, sequence=sequence[:, t])
        torch.testing.assert_close(output, network(sequence=sequence[:, : t + 1]))


@pytest.mark.parametrize("bidirectional", [False, True])
def test_padding_never_changes_an_output_of_a_strided_front(bidirectional):
    model = build("rnn/conv_gru", bidirectional=bidirectional, kernel=4, stride=3, n_convs=3).eval()
    torch.testing.assert_close(*padded_and_alone(model), rtol=1e-4, atol=1e-5)


def test_variational_dropout_zeroes_the_same_units_at_all_steps():
    torch.manual_seed(0)
    x = VariationalDropout(0.5)(torch.ones(4, 9, 50))
    assert torch.equal(x, x[:, :1].expand_as(x))
    assert x.unique().tolist() == [0, 2]
    assert not torch.equal(x[0], x[1])


@pytest.mark.parametrize("name", RECURRENT)
@pytest.mark.parametrize("pooling", POOLINGS)
def test_the_state_of_a_stream_never_grows(name, pooling):
    """So a stream of any length runs in bounded memory."""
    model, state, sizes = build(name, pooling=pooling, bidirectional=False, width=8).eval(), None, []
    with torch.no_grad():
        for value in torch.randn(20, 1, 4):
            _, state = model.step(state, sequence=value)
            tensors = [leaf for leaf in tree_leaves(state) if isinstance(leaf, torch.Tensor)]
            sizes.append(sum(tensor.untyped_storage().nbytes() for tensor in tensors))
    assert sizes[10:] == sizes[:1] * 10


def test_bidirectional_step_is_refused():
    with pytest.raises(UserError, match="bidirectional"):
        build("rnn/gru").step(sequence=torch.zeros(1, 4))


@pytest.mark.parametrize(("depth", "parameters"), [(20, 269_722), (32, 464_154), (44, 658_586), (56, 853_018)])
def test_resnet_has_the_published_size(depth, parameters):
    image = Input((3, 32, 32), "uint8", SPECS["images"].inputs["image"].axes, 0)
    spec = DataSpec("cifar10", "classification", {"image": image}, 10, class_names="abcdefghij")
    model = zoo.create_model("cnn/resnet", spec, depth=depth)
    assert sum(p.numel() for p in model.network.parameters()) == parameters


@pytest.mark.parametrize(
    ("name", "kwargs", "millions"),
    [
        ("vgg", {"depth": 16}, 14.7),
        ("preact_resnet18", {}, 11.2),
        ("wide_resnet", {"depth": 28, "widening": 10}, 36.5),
        ("wide_resnet", {"depth": 40, "widening": 4}, 8.9),
        ("mobilenet_v2", {}, 2.2),
        ("densenet", {"depth": 100, "growth": 12}, 0.8),
        ("convnext", {}, 3.4),
    ],
)
def test_other_architectures_have_the_published_size(name, kwargs, millions):
    with torch.device("meta"):
        model = zoo.create_model(f"cnn/{name}", SPECS["images"], **kwargs)
    assert sum(p.numel() for p in model.network.parameters()) / 1e6 == pytest.approx(millions, abs=0.06)


@pytest.mark.parametrize(
    "architecture", ["alexnet", "densenet121", "efficientnet_b0", "mobilenet_v3_small", "squeezenet1_1"]
)
def test_torchvision_networks_read_small_images(architecture):
    model = build("cnn/torchvision", architecture=architecture).eval()
    assert model(**probe_inputs(SPECS["images"], 2)).shape == (2, 3)


@pytest.fixture
def fetched_from(monkeypatch, tmp_path):
    """Choose another address for torchvision's weights, with an empty cache."""
    from types import SimpleNamespace

    import torchvision

    def choose(url):
        found = SimpleNamespace(DEFAULT=SimpleNamespace(url=url))
        monkeypatch.setattr(torchvision.models, "get_model_weights", lambda name: found)

    monkeypatch.setattr(torch.hub, "_hub_dir", str(tmp_path / "hub"))
    return choose


def test_torchvision_weights_are_loaded_once_and_their_hash_checked(fetched_from, tmp_path):
    from torchvision.models import resnet18

    theirs, saved = resnet18().state_dict(), tmp_path / "weights"
    torch.save(theirs, saved)
    file = tmp_path / f"resnet18-{sha256_of(saved)[:8]}.pth"
    saved.rename(file)
    fetched_from(file.as_uri())
    model = build("cnn/torchvision", pretrained=True)
    ours = model.network.body.state_dict()
    before = {name: ours[name].clone() for name in ("conv1.weight", "layer1.0.conv1.weight")}
    assert not torch.equal(before["layer1.0.conv1.weight"], theirs["layer1.0.conv1.weight"])
    model.network.fit([])
    assert torch.equal(ours["conv1.weight"], before["conv1.weight"])  # the stem is another
    assert all(torch.equal(value, theirs[name]) for name, value in ours.items() if name != "conv1.weight")
    kept = tmp_path / "hub" / "checkpoints" / file.name
    kept.write_bytes(kept.read_bytes()[:-1] + b"?")
    with pytest.raises(UserError, match="its hash is not the one in its name"):
        model.network.fit([])


def test_densenet_weights_are_found_under_their_old_names(fetched_from, tmp_path):
    from torchvision.models import densenet121

    theirs, saved = densenet121().state_dict(), tmp_path / "weights"
    torch.save({re.sub(r"(denselayer\d+\.(?:norm|conv))", r"\1.", name): one for name, one in theirs.items()}, saved)
    file = tmp_path / f"densenet121-{sha256_of(saved)[:8]}.pth"
    saved.rename(file)
    fetched_from(file.as_uri())
    network = build("cnn/torchvision", architecture="densenet121", pretrained=True).network
    network.fit([])
    stem, *others = network.body.state_dict().items()
    assert stem[0] == "features.conv0.weight"
    assert all(torch.equal(value, theirs[name]) for name, value in others)


def test_torchvision_weights_that_lack_a_tensor_are_refused(fetched_from, tmp_path):
    torch.save({}, tmp_path / "weights")
    file = tmp_path / f"resnet18-{sha256_of(tmp_path / 'weights')[:8]}.pth"
    (tmp_path / "weights").rename(file)
    fetched_from(file.as_uri())
    with pytest.raises(UserError, match=r"resnet18 lack conv1\.weight"):
        build("cnn/torchvision", pretrained=True).network.fit([])


def test_unreachable_torchvision_weights_are_refused_with_a_path(fetched_from, tmp_path):
    fetched_from("http://127.0.0.1:9/resnet18-12345678.pth")
    with pytest.raises(UserError, match=r"put the file http://127.0.0.1:9/resnet18-12345678.pth at .*checkpoints"):
        build("cnn/torchvision", pretrained=True).network.fit([])


def test_masked_statistics_are_those_of_the_valid_steps():
    torch.manual_seed(0)
    x, valid = torch.randn(3, 5, 7), torch.arange(7) < torch.tensor([7, 3, 1])[:, None, None]
    ours, theirs = MaskedBatchNorm(5), torch.nn.BatchNorm1d(5)
    steps = x.movedim(1, 2)[valid[:, 0]]  # (11, 5)
    torch.testing.assert_close(ours(x, valid).movedim(1, 2)[valid[:, 0]], theirs(steps))
    torch.testing.assert_close(ours.running_mean, theirs.running_mean)
    torch.testing.assert_close(ours.running_var, theirs.running_var)


def test_convolutions_refuse_a_target_per_step():
    step = Input((None,), "int64", ("time",))
    spec = dataclasses.replace(SPECS["sequences"], task="language_modelling", target=step)
    with pytest.raises(UserError, match="each step has a target; take model=rnn"):
        zoo.create_model("cnn/inception_time", spec)


def test_lenet5_has_the_published_layers():
    shapes = [tuple(p.shape) for p in build("cnn/lenet5").parameters() if p.dim() > 1]
    assert shapes == [(6, 3, 5, 5), (16, 6, 5, 5), (120, 400), (84, 120), (3, 84)]


@pytest.mark.parametrize(
    ("norm", "kind"), [("none", torch.nn.ReLU), ("batch", torch.nn.BatchNorm1d), ("layer", torch.nn.LayerNorm)]
)
def test_mlp_blocks_are_residual_with_the_chosen_norm(norm, kind):
    network, x = build("fnn/mlp", depth=3, norm=norm, residual=True).network.eval(), torch.randn(4, 6)
    assert [type(layer[1]) for layer in network.layers] == [kind] * 3
    first = network.layers[0](x)
    second = first + network.layers[1](first)
    torch.testing.assert_close(network.features(x), second + network.layers[2](second))


@pytest.mark.parametrize(
    ("name", "data", "kwargs", "message"),
    [
        ("cnn/smal", "images", {}, "cnn/small"),
        ("cnn/small", "images", {"wdth": 3}, "width"),
        ("cnn/small", "sequences", {}, "takes image; data sequences offers sequence, lengths"),
        ("fnn/mlp", "table", {"activation": "rleu"}, "relu"),
        ("fnn/mlp", "table", {"depth": 0}, "at least 1"),
        ("fnn/mlp", "table", {"dropout": float("nan")}, "finite number"),
        ("cnn/resnet", "images", {"depth": 21}, "6 n"),
        ("cnn/vgg", "images", {"depth": 12}, "11, 13, 16 or 19"),
        ("cnn/wide_resnet", "images", {"depth": 20}, "6 n"),
        ("cnn/densenet", "images", {"growth": 0}, "growth is above 0"),
        ("cnn/convnext", "images", {"depth": 8}, "multiple of 6"),
        ("cnn/torchvision", "images", {"architecture": "resnet81"}, "resnet18"),
        ("cnn/torchvision", "images", {"architecture": "inception_v3"}, "28 by 28"),
        ("rnn/gru", "sequences", {"pooling": "lats"}, "last"),
        ("rnn/gru", "sequences", {"norm": "batch"}, "take none, layer or rms"),
        ("rnn/gru", "sequences", {"expansion": -1}, "0 for no feedforward part, or above; got -1"),
        ("rnn/xlstm", "sequences", {"slstm_every": -1}, "0 for mLSTM alone, or above; got -1"),
        ("rnn/conv_gru", "sequences", {"stride": 0}, "at least 1; got n_convs=2, kernel=5, stride=0"),
        ("cnn/inception_time", "sequences", {"kernel": 40}, "kernel is odd, such as 39; got 40"),
        ("cnn/inception_time", "images", {}, "takes sequence, lengths; data images offers image"),
    ],
)
def test_mistakes_in_a_models_keywords_name_the_fix(name, data, kwargs, message):
    with pytest.raises(UserError, match=message):
        zoo.create_model(name, SPECS[data], **kwargs)


def test_stochastic_depth_skips_blocks_in_training_only():
    torch.manual_seed(0)
    block, x = Block(8, drop_path=0.25), torch.randn(400, 8, 4, 4)
    torch.nn.init.ones_(block.scale)
    with torch.no_grad():
        trained, whole = block.train()(x), block.eval()(x)
    left_out = (trained == x).flatten(1).all(1)
    assert 0.15 < left_out.float().mean() < 0.35
    torch.testing.assert_close(trained[~left_out] - x[~left_out], (whole - x)[~left_out] / 0.75, atol=1e-5, rtol=1e-4)


def test_realmlp_starts_with_outputs_of_unit_variance_around_zero():
    torch.manual_seed(0)
    network = MODELS.get("fnn/realmlp")(n_numeric=6, cardinalities=(), n_outputs=3, dropout=0.0)
    rows = torch.randn(256, 6)
    network.fit([{"numeric": part, "target": torch.zeros(len(part))} for part in rows.split(100)])
    first = network.layers[0]
    outputs = first(network.table(rows) * network.scale)  # (256, width)
    torch.testing.assert_close(outputs.std(0, correction=0), torch.ones(256))
    assert (outputs.amin(0) < 0).all() and (outputs.amax(0) > 0).all()
    assert first.bias.std() > 0.3


def test_dropout_zeroes_a_share_and_scales_the_rest():
    torch.manual_seed(0)
    dropout, x = Dropout(0.3), torch.ones(501, 203, requires_grad=True)
    y = dropout(x)
    assert y.unique().tolist() == pytest.approx([0, 1 / 0.7])
    assert (y == 0).float().mean() == pytest.approx(0.3, abs=0.01)
    (gradient,) = torch.autograd.grad(y.sum(), x)
    assert torch.equal(gradient, y.detach())
    seeds = torch.vmap(dropout, randomness="different")(torch.ones(2, 31))
    assert not torch.equal(seeds[0], seeds[1])
    assert torch.equal(dropout.eval()(x), x)


def test_multiply_adds_equal_those_of_the_papers():
    """ResNet-20 on CIFAR-10 has 40.5 million (arXiv 1512.03385); the others are counted by hand."""
    mlp = zoo.create_model("fnn/mlp", zoo.load_data("breast_cancer").spec)
    assert multiply_adds(mlp, numeric=torch.zeros(5, 30)) == 5 * (30 * 128 + 128 * 128 + 128 * 2)
    lstm = zoo.create_model("rnn/lstm", zoo.load_data("japanese_vowels").spec, width=8, depth=1, bidirectional=False)
    steps = multiply_adds(lstm, sequence=torch.zeros(3, 7, 12), lengths=torch.tensor([7, 7, 7]))
    assert steps == 3 * (7 * 4 * 8 * (12 + 8) + 8 * 9)
    spec = zoo.load_data("mnist5k").spec.to_json()
    spec["inputs"]["image"]["shape"] = [3, 32, 32]
    resnet = zoo.create_model("cnn/resnet", DataSpec.from_json(spec))
    assert multiply_adds(resnet, image=torch.zeros(1, 3, 32, 32)) == pytest.approx(40.5e6, rel=0.02)
    assert resnet.training


def test_layers_of_snn_keep_mean_0_and_variance_1():
    hidden = torch.randn(2000, 6)
    for layer in build("fnn/snn", width=256, depth=16, dropout=0.1).network.layers:
        hidden = layer(hidden)
        if isinstance(layer, torch.nn.AlphaDropout):
            assert abs(hidden.mean()) < 0.2
            assert 0.7 < hidden.var() < 1.3


def test_resnet_for_tables_is_that_of_the_paper():
    """ResNetBlock(x) = x + Linear(ReLU(Linear(BatchNorm(x)))), Prediction(x) = Linear(ReLU(BatchNorm(x)))."""
    network, x = build("fnn/resnet").network, torch.randn(50, 6)
    hidden = network.first(x)
    for norm, one, _, _, two, _ in network.blocks.eval():
        hidden = hidden + two(one(norm(hidden)).relu())
    network.eval()
    torch.testing.assert_close(network(x), network.head(network.last[0](hidden).relu()))


def test_fast_whitens_the_patches_of_training_images():
    splits = zoo.load_data("mnist5k")
    model = zoo.create_model("cnn/fast", splits.spec)
    batch = {name: column[:1000] for name, column in splits.train.columns.items()}
    model.fit([batch], [batch])
    patches = model.network.whitening(model.preprocess({"image": batch["image"]})["image"])  # (n, 8, 27, 27)
    covariance = patches[:, :4].movedim(1, 0).flatten(1).cov()
    torch.testing.assert_close(covariance, torch.eye(4), atol=0.1, rtol=0)
    torch.testing.assert_close(patches[:, 4:], -patches[:, :4])


@pytest.mark.parametrize(("depth", "n_shortcuts"), [(1, 0), (2, 0), (3, 3)])
def test_fast_has_shortcuts_if_deep(depth, n_shortcuts):
    network = FastCNN(in_channels=3, image_height=32, image_width=32, n_outputs=10, width=8, depth=depth)
    assert sum(isinstance(layer, Residual) for layer in network.modules()) == n_shortcuts
    assert sum(isinstance(layer, torch.nn.Conv2d) for layer in network.modules()) == 3 * depth
    assert network(torch.rand(2, 3, 32, 32)).shape == (2, 10)


def test_convolutions_of_fast_start_as_the_identity():
    convolution = build("cnn/fast").network.convolutions[1]
    x = torch.randn(2, convolution.in_channels, 5, 5)
    torch.testing.assert_close(convolution(x)[:, : convolution.in_channels], x)
