"""Gradients through time: their loops, autograd's Jacobians, how fast they vanish and explode."""

import itertools
import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from strategies import B, C, T, normal, seeds, sizes, stacked
from torch import Tensor
from torch.testing import assert_close

from course_lib.naive.recurrence import gradients as naive
from course_lib.recurrence import gradients as lib
from course_lib.recurrence.sequences import rnn_forward

N = 4
DTYPES = (torch.float32, torch.float64)


def orthogonal(seed: int, size: int) -> Tensor:
    return torch.linalg.qr(normal(seed, size, size)).Q


def states(seed: int, w_h: Tensor, steps: int, scale: float = 1.0) -> Tensor:
    """The states of an RNN that reads random inputs, h0 in front."""
    units = len(w_h)
    x, h0 = scale * normal(seed, steps, C), scale * normal(seed + 1, units).tanh()
    w_x, b = normal(seed + 2, C, units) / 4, scale * normal(seed + 3, units) / 4
    return torch.cat([h0[None], rnn_forward(x, h0, w_x, w_h, b)])


# Equal to the twin


@pytest.mark.parametrize("dtype", DTYPES)
def test_gradients_equal_their_loops(dtype: torch.dtype) -> None:
    w_h, hs = normal(0, N, N, dtype=dtype), normal(1, B, T, N).tanh().to(dtype)
    weights, rows = w_h.double().numpy(), hs.double().numpy()
    expected = stacked(naive.step_jacobians(weights, row) for row in rows)
    assert_close(lib.step_jacobians(w_h, hs), expected.to(dtype))
    expected = stacked(naive.state_jacobian_norms(weights, row) for row in rows)
    assert_close(lib.state_jacobian_norms(w_h, hs), expected.to(dtype))
    jacobians = normal(2, B, T, N, N, dtype=dtype)
    expected = stacked(naive.product_norms(matrices) for matrices in jacobians.double().numpy())
    assert_close(lib.product_norms(jacobians), expected.to(dtype))


def test_float64_is_not_computed_in_float32() -> None:
    w_h, hs = normal(0, N, N), normal(1, T, N).tanh()
    exact = {"rtol": 1e-12, "atol": 1e-14}  # assert_close's 1e-7 cannot tell the two apart
    expected = torch.from_numpy(naive.state_jacobian_norms(w_h.numpy(), hs.numpy()))
    assert_close(lib.state_jacobian_norms(w_h, hs), expected, **exact)
    expected = torch.from_numpy(naive.step_jacobians(w_h.numpy(), hs.numpy()))
    assert_close(lib.step_jacobians(w_h, hs), expected, **exact)


# Laws


@given(seed=seeds, steps=sizes)
def test_the_last_state_is_one_and_the_first_jacobian_takes_no_part(seed: int, steps: int) -> None:
    w_h, hs = normal(seed, N, N), normal(seed + 1, steps, N).tanh()
    norms = lib.state_jacobian_norms(w_h, hs)
    assert norms.shape == (steps,)
    assert norms[-1] == 1.0
    changed = torch.cat([torch.zeros(1, N).double(), hs[1:]])
    assert torch.equal(lib.state_jacobian_norms(w_h, changed), norms)


@given(seed=seeds, batch=sizes)
def test_norms_of_a_batch_do_not_mix(seed: int, batch: int) -> None:
    w_h, hs = normal(seed, N, N), normal(seed + 1, batch, T, N).tanh()
    alone = torch.stack([lib.state_jacobian_norms(w_h, row) for row in hs])
    assert_close(lib.state_jacobian_norms(w_h, hs), alone)


@given(seed=seeds, sigma=st.floats(0.1, 3.0))
def test_no_norm_exceeds_the_power_of_the_largest_singular_value(seed: int, sigma: float) -> None:
    w_h = normal(seed, N, N)
    w_h = w_h * sigma / torch.linalg.matrix_norm(w_h, ord=2)
    norms = lib.state_jacobian_norms(w_h, states(seed, w_h, 12))
    bounds = sigma ** torch.arange(12, -1, -1).double()
    assert (norms <= bounds * (1 + 1e-9)).all()


def slope(norms: Tensor) -> float:
    """Growth of the logarithm per step back in time, by least squares."""
    back = torch.arange(len(norms) - 1, -1, -1).double()
    logs, back = norms.log() - norms.log().mean(), back - back.mean()
    return float((logs * back).sum() / (back * back).sum())


@pytest.mark.parametrize("seed", range(3))
def test_a_singular_value_below_one_makes_gradients_vanish(seed: int) -> None:
    w_h = 0.9 * orthogonal(seed, 16)
    assert slope(lib.state_jacobian_norms(w_h, states(seed, w_h, 60))) <= math.log(0.9)


@pytest.mark.parametrize("seed", range(3))
def test_a_large_orthogonal_matrix_near_zero_makes_them_explode(seed: int) -> None:
    # Near h = 0 the tanh has slope 1, and nothing else is left than 1.5 at every step.
    w_h = 1.5 * orthogonal(seed, 16)
    norms = lib.state_jacobian_norms(w_h, 1e-9 * normal(seed, 60, 16))
    assert abs(slope(norms) - math.log(1.5)) < 1e-9


def test_saturated_units_vanish_in_spite_of_large_weights() -> None:
    w_h = 1.5 * orthogonal(0, 16)
    far = states(0, w_h, 60, scale=1000.0)
    assert lib.state_jacobian_norms(w_h, far)[0] < 1e-12


@pytest.mark.parametrize("outside", [False, True])
def test_a_spectral_radius_of_zero_is_no_protection(outside: bool) -> None:
    # x' = relu(x) @ w + b, or relu(x @ w + b): both eigenvalues of w are 0 and its singular value
    # is 4. From (0, 20) one unit stays awake and doubles: 2^12 times the root of 2.
    w, b = torch.tensor([[2.0, -2.0], [2.0, -2.0]]).double(), torch.tensor([2.0, 20.0]).double()

    def step(x: Tensor) -> Tensor:
        return (x @ w + b).relu() if outside else x.relu() @ w + b

    x = torch.tensor([0.0, 20.0]).double()
    jacobians = [torch.eye(2).double()]
    for _ in range(12):
        jacobians.append(torch.autograd.functional.jacobian(step, x))
        x = step(x)
    assert torch.equal(w @ w, torch.zeros(2, 2).double())
    norms = lib.product_norms(torch.stack(jacobians))
    assert round(norms[0].item(), 1) == 5792.6
    # The bound of the largest singular value is not broken.
    assert norms[0] <= 4.0**12


def test_norms_of_products_are_not_products_of_norms() -> None:
    first, second = torch.diag(torch.tensor([2.0, 0.0])), torch.diag(torch.tensor([0.0, 2.0]))
    norms = lib.product_norms(torch.stack([torch.eye(2), first, second]))
    assert_close(norms, torch.tensor([0.0, 2.0, 1.0]))


def test_the_order_of_the_product_is_that_of_time() -> None:
    a, b = torch.tensor([[0.0, 3.0], [0.0, 0.0]]), torch.diag(torch.tensor([1.0, 0.0]))
    for first, second in itertools.permutations((a, b)):
        norms = lib.product_norms(torch.stack([torch.eye(2), first, second]))
        assert_close(norms[0], torch.linalg.matrix_norm(second @ first, ord=2))


# Numerics and gradients


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, *DTYPES])
def test_the_dtype_of_the_norms_follows_the_inputs(dtype: torch.dtype) -> None:
    w_h, hs = normal(0, N, N, dtype=dtype), normal(1, B, T, N).tanh().to(dtype)
    norms = lib.state_jacobian_norms(w_h, hs)
    assert norms.dtype == lib.step_jacobians(w_h, hs).dtype == dtype
    exact = lib.state_jacobian_norms(w_h.double(), hs.double())
    # Half types: each Jacobian is rounded to 8 or 11 binary digits; measured .4 % and .05 %.
    tolerance = {"rtol": 0.02, "atol": 0.0} if dtype.itemsize == 2 else {"rtol": 1e-5, "atol": 0.0}
    assert_close(norms.double(), exact, **tolerance)


def test_gradient() -> None:
    w_h, hs = normal(0, 2, 2).requires_grad_(), normal(1, 3, 2).tanh().requires_grad_()
    with torch.autograd.set_detect_anomaly(True):
        assert torch.autograd.gradcheck(lib.step_jacobians, (w_h, hs))
        assert torch.autograd.gradcheck(lib.state_jacobian_norms, (w_h, hs))
        jacobians = normal(2, 3, 2, 2).requires_grad_()
        assert torch.autograd.gradcheck(lib.product_norms, (jacobians,))


def test_no_input_is_modified() -> None:
    w_h, hs = normal(0, N, N), normal(1, T, N).tanh()
    copies = w_h.clone(), hs.clone()
    lib.state_jacobian_norms(w_h, hs)
    assert torch.equal(w_h, copies[0])
    assert torch.equal(hs, copies[1])


@pytest.mark.usefixtures("without_annotations")
def test_refusals_name_the_sizes() -> None:
    message = r"4 rows and 4 columns and a state N = 5 units; shapes \(4, 4\) and \(3, 5\)"
    with pytest.raises(ValueError, match=message):
        lib.state_jacobian_norms(torch.zeros(4, 4), torch.zeros(3, 5))
    with pytest.raises(ValueError, match="4 rows and 5 columns"):
        lib.step_jacobians(torch.zeros(4, 5), torch.zeros(3, 4))
    with pytest.raises(ValueError, match=r"there are T = 0 steps; shape \(0, 4, 4\)"):
        lib.product_norms(torch.zeros(0, 4, 4))
