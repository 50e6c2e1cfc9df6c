"""The kernel ridge regression beside fnn/tabm_nca: fitted in closed form, weighed like all members, absent from larger
tables."""

import pytest
import torch
from helpers.models import SPECS

import zoo
from zoo.models.fnn import _kernel_ridge
from zoo.models.fnn._kernel_ridge import KernelRidge


def rows(n=40):
    draw = torch.Generator().manual_seed(0)
    numeric = torch.randn(n, 6, generator=draw)
    return {"numeric": numeric, "target": (numeric[:, :3] + 0.1 * torch.randn(n, 3, generator=draw)).argmax(1)}


def fitted(**kwargs):
    torch.manual_seed(0)
    model, batch = zoo.create_model("fnn/tabm_nca", SPECS["table"], **kwargs), rows()
    model.fit([batch], [batch])
    return model.eval()


def test_answers_left_out_are_those_of_a_fit_without_the_row():
    draw = torch.Generator().manual_seed(0)
    x, y = torch.randn(30, 2, generator=draw).double(), torch.randn(30, 1, generator=draw).double()
    kernel = torch.exp(-torch.cdist(x, x))
    weight, left_out = _kernel_ridge.solve_dual(_kernel_ridge._centred(kernel), y)
    decay = float(((y - y.mean() - _kernel_ridge._centred(kernel) @ weight) / weight).mean())
    for index in range(3):
        others = [row for row in range(30) if row != index]
        part = kernel[others][:, others]
        ridge = torch.linalg.solve(_kernel_ridge._centred(part) + decay * torch.eye(29), y[others] - y[others].mean())
        answer = y[others].mean() - (part @ ridge).mean(0) + kernel[index, others] @ ridge
        torch.testing.assert_close(answer, left_out[index])


def test_it_predicts_new_rows_and_the_bias_far_away():
    x = torch.rand(300, 3, generator=torch.Generator().manual_seed(0))
    y = (3 * x).sin().sum(1, keepdim=True)
    ridge = KernelRidge([], 1)
    ridge.fit(y[:200], numeric=x[:200])
    assert (ridge(numeric=x[200:]) - y[200:]).std() < 0.2 * y.std()
    torch.testing.assert_close(ridge(numeric=torch.full((1, 3), 1e6))[0], ridge.bias)


def test_a_smooth_function_gets_the_smooth_kernel_and_steps_the_rough_one():
    x = torch.rand(200, 2, generator=torch.Generator().manual_seed(0))
    for y, smooth in (((3 * x).sin(), 1), ((5 * x).floor() % 2, 0)):
        ridge = KernelRidge([], 1)
        ridge.fit(y.sum(1, keepdim=True), numeric=x)
        assert ridge.smooth == smooth


def test_answers_do_not_depend_on_the_rows_that_are_answered_at_once(monkeypatch):
    ridge, batch = KernelRidge([], 1), {"numeric": torch.randn(50, 3, generator=torch.Generator().manual_seed(0))}
    ridge.fit(batch["numeric"][:, :1], **batch)
    whole = ridge(**batch)
    monkeypatch.setattr(_kernel_ridge, "BLOCK_VALUES", 350)
    torch.testing.assert_close(ridge(**batch), whole)


def test_it_counts_as_much_as_all_members_and_not_in_training():
    network, batch = fitted().network, {"numeric": rows()["numeric"]}
    outputs = network(**batch)
    assert outputs.shape[1] == 2 * network.n_members
    torch.testing.assert_close(outputs[:, network.n_members], network.fitted(**batch))
    learnt = network.train()(**batch, row=torch.arange(40))  # with the answer of the second kernel
    assert learnt.shape[1] == network.n_members + 1


def test_tables_of_more_rows_have_none():
    assert not fitted(ridge_rows=39).network.fitted.is_fitted
    assert fitted(ridge_rows=40).network.fitted.is_fitted


def test_a_loaded_state_gives_its_answers():
    model, batch = fitted(), {"numeric": rows()["numeric"]}
    other = zoo.create_model("fnn/tabm_nca", SPECS["table"]).eval()
    other.load_state_dict(model.state_dict())
    torch.testing.assert_close(other(**batch), model(**batch))


def test_the_file_of_a_larger_table_has_none():
    assert not zoo.load("fnn/tabm_nca.california").model.network.fitted.is_fitted


@pytest.mark.parametrize("n", [1, 2])
def test_one_or_two_rows_are_fitted_or_left(n):
    ridge = KernelRidge([], 1)
    ridge.fit(torch.arange(float(n))[:, None], numeric=torch.zeros(n, 2))
    assert ridge(numeric=torch.ones(1, 2)).isfinite().all() if ridge.is_fitted else n == 1
