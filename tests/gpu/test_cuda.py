"""What must hold on CUDA; skipped where there is none."""

import pytest
import torch
from test_models import SPECS, build, spec_of

import zoo
from zoo.evaluation import evaluate_weights
from zoo.release import probe_inputs

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
FAMILIES = tuple(SPECS)


@pytest.mark.parametrize("name", zoo.list_models())
def test_outputs_equal_those_of_the_cpu(name):
    model, inputs = build(name).eval(), probe_inputs(spec_of(name), 4)
    on_cpu = model(**inputs)
    on_gpu = model.cuda()(**{key: value.cuda() for key, value in inputs.items()})
    torch.testing.assert_close(on_gpu.cpu(), on_cpu, rtol=1e-2, atol=1e-3)  # TensorFloat-32 convolutions


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("precision", ["32", "bf16-mixed"])
def test_trains_on_cuda_and_measures_the_same_on_cpu(config, tmp_path, family, precision):
    settings = (f"model={family}", "trainer=gpu", "trainer.max_epochs=5", f"trainer.precision='{precision}'")
    metrics = zoo.train(config(*settings), tmp_path)
    assert metrics["val"]["accuracy"] > 0.5
    again = evaluate_weights(tmp_path, device="cpu")
    assert again["test"]["accuracy"] == pytest.approx(metrics["test"]["accuracy"], abs=0.01)


def test_resident_data_gives_the_same_result(config, tmp_path):
    settings = ("model=fnn", "trainer=gpu", "trainer.max_epochs=3")
    resident = zoo.train(config(*settings), tmp_path / "resident")
    moved = zoo.train(config(*settings, "data.resident=false"), tmp_path / "moved")
    assert resident["val"] == moved["val"]


def test_compiled_equals_eager(config, tmp_path):
    settings = ("model=cnn", "trainer=gpu", "trainer.max_epochs=2", "trainer.precision=32-true")
    eager = zoo.train(config(*settings), tmp_path / "eager")
    compiled = zoo.train(config(*settings, "trainer.compile=true"), tmp_path / "compiled")
    assert compiled["val"]["accuracy"] == pytest.approx(eager["val"]["accuracy"], abs=0.03)
