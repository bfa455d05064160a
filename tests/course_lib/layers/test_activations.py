"""The activations: equal to their loops, lawful, differentiable, right far from zero."""

import math

import pytest
import torch
from hypothesis import given
from strategies import B, S, T, along, normal, seeds
from torch.testing import assert_close

from course_lib.layers import activations as lib
from course_lib.naive.layers import activations as naive

NAMES = ("relu", "gelu", "gelu_tanh", "silu")
DTYPES = (torch.float32, torch.float64)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", NAMES)
def test_activations_equal_their_loops(name: str, dtype: torch.dtype) -> None:
    x = 3 * normal(0, B, T, S, dtype=dtype)
    assert_close(getattr(lib, name)(x), along(getattr(naive, name), -1, x).to(dtype))


@given(seed=seeds)
@pytest.mark.parametrize("name", NAMES)
def test_what_is_kept_of_x_and_of_minus_x_makes_x(name: str, seed: int) -> None:
    """x f(x) with f(x) + f(-x) = 1: a step, a probability, a sigmoid."""
    x, activation = 4 * normal(seed, T, S), getattr(lib, name)
    assert_close(activation(x) - activation(-x), x)
    assert (activation(x) <= x.clamp(min=0.0) + 1e-12).all()


def test_both_gelus_differ_by_less_than_a_thousandth() -> None:
    x = torch.linspace(-6.0, 6.0, 120_001, dtype=torch.float64)
    difference = (lib.gelu(x) - lib.gelu_tanh(x)).abs()
    assert round(difference.max().item(), 6) == 0.000473
    assert round(abs(x[difference.argmax()].item()), 2) == 2.70


def test_values_by_hand() -> None:
    x = torch.tensor([1.0], dtype=torch.float64)
    assert math.isclose(lib.gelu(x).item(), 0.8413447460685429)  # Φ(1)
    assert math.isclose(lib.silu(x).item(), 1 / (1 + math.exp(-1)))
    least = lib.silu(torch.linspace(-3, 0, 30_001, dtype=torch.float64)).min()
    assert round(least.item(), 4) == -0.2785


@pytest.mark.parametrize("dtype", [*DTYPES, torch.bfloat16])
@pytest.mark.parametrize("name", NAMES)
def test_far_from_zero(name: str, dtype: torch.dtype) -> None:
    x = torch.tensor([-1e4, -100.0, 0.0, 100.0, 1e4], dtype=dtype, requires_grad=True)
    result = getattr(lib, name)(x)
    assert_close(result, x.detach().clamp(min=0.0))
    result.sum().backward()
    middle = 0.0 if name == "relu" else 0.5
    assert_close(x.grad, torch.tensor([0.0, 0.0, middle, 1.0, 1.0], dtype=dtype))


@pytest.mark.parametrize("dtype", DTYPES)
def test_gelu_keeps_the_digits_of_a_small_probability(dtype: torch.dtype) -> None:
    x = torch.tensor([-3.0, -5.0, -8.0, -12.0], dtype=dtype)
    exact = [entry / 2 * math.erfc(-entry / math.sqrt(2)) for entry in x.tolist()]
    # Relative: 1 + erf would leave nothing of the last three in float32. Rounding x/√2 costs x²
    # roundings, 1e-5 (2e-14) at 12; measured 1.0e-5.
    rtol = 2e-5 if dtype == torch.float32 else 5e-14
    assert_close(
        lib.gelu(x).double(), torch.tensor(exact, dtype=torch.float64), rtol=rtol, atol=0.0
    )


@pytest.mark.parametrize("name", NAMES)
def test_bfloat16(name: str) -> None:
    x = 3 * normal(0, 4096, dtype=torch.bfloat16)
    exact = along(getattr(naive, name), -1, x)
    error = (getattr(lib, name)(x).double() - exact).abs()
    # Rounded once, to 8 binary digits; relu rounds nothing. 1 % for what float32 itself rounds, and
    # 1e-14 for the twins, whose 1 + erf and 1 + tanh cancel in float64 near x = -8.
    assert (error <= (0.0 if name == "relu" else 1.01 * 2**-8) * exact.abs() + 1e-14).all()


@pytest.mark.parametrize("name", NAMES)
def test_nan_stays(name: str) -> None:
    assert getattr(lib, name)(torch.tensor(math.nan)).isnan()


@pytest.mark.parametrize("name", NAMES)
def test_gradients(name: str) -> None:
    x = (3 * normal(0, T, S)).requires_grad_()
    assert torch.autograd.gradcheck(getattr(lib, name), (x,))
