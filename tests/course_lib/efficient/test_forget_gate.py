"""The forget gate: equal to its loops, between 0 and 1, each head at its own pace."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from strategies import B, H, T, arrays, assert_equals_twin, normal, seeds
from torch import Tensor
from torch.testing import assert_close

from course_lib.efficient.forget_gate import forget_gate
from course_lib.naive.efficient import forget_gate as naive

DTYPES = (torch.float32, torch.float64)


def parts(seed: int = 0, dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor, Tensor]:
    return (
        2 * normal(seed, B, T, H, dtype=dtype),
        normal(seed + 1, H, dtype=dtype),
        normal(seed + 2, H, dtype=dtype),
    )


@pytest.mark.parametrize("dtype", DTYPES)
def test_it_equals_its_loops(dtype: torch.dtype) -> None:
    x, log_rate, bias = parts(dtype=dtype)
    found = forget_gate(x, log_rate, bias)
    for b in range(B):
        expected = naive.forget_gate(*arrays(x[b], log_rate, bias))
        assert_equals_twin(found[b], torch.from_numpy(expected), dtype)


@given(seed=seeds, factor=st.floats(0.1, 10.0))
def test_a_rate_is_a_power(seed: int, factor: float) -> None:
    x, log_rate, bias = parts(seed)
    alpha = forget_gate(x, log_rate, bias)
    assert ((alpha > 0) & (alpha < 1)).all()
    faster = forget_gate(x, log_rate + math.log(factor), bias)
    assert_close(faster, alpha**factor)


@given(seed=seeds)
def test_more_is_kept_the_smaller_the_number_is(seed: int) -> None:
    x, log_rate, bias = parts(seed)
    assert (forget_gate(x - 1, log_rate, bias) > forget_gate(x, log_rate, bias)).all()
    assert_close(forget_gate(x, log_rate, bias), forget_gate(x + bias, log_rate, 0 * bias))
    at_rate_one = forget_gate(x, torch.zeros_like(bias), bias)
    assert_close(at_rate_one, torch.sigmoid(-x - bias))


def test_ends_and_nan() -> None:
    x, log_rate, bias = parts()
    x[0, 0], x[0, 1], x[1, 2, 3] = -torch.inf, torch.inf, torch.nan
    alpha = forget_gate(x, log_rate, bias)
    assert (alpha[0, 0] == 1).all()
    assert (alpha[0, 1] == 0).all()
    assert alpha[1, 2, 3].isnan()
    assert alpha.isnan().sum() == 1
    far = forget_gate(torch.full((1, H), 1e4), torch.zeros(H), torch.zeros(H))
    assert not far.any()  # and no overflow: exp(1e4) is none of float32's numbers


def test_half_precision_gives_float32_so_that_slow_heads_forget() -> None:
    slow = forget_gate(
        torch.full((1, 1), -7.0, dtype=torch.bfloat16),
        torch.zeros(1, dtype=torch.bfloat16),
        torch.zeros(1, dtype=torch.bfloat16),
    )
    assert slow.dtype == torch.float32
    assert_close(slow.item(), 1 / (1 + math.exp(-7.0)))
    assert slow.bfloat16() == 1  # what it would have been


def test_gradients_and_purity() -> None:
    given_ = parts()
    leaves = [x.clone().requires_grad_() for x in given_]
    assert torch.autograd.gradcheck(forget_gate, leaves)
    for leaf, copy in zip(leaves, given_, strict=True):
        assert torch.equal(leaf, copy)


@pytest.mark.usefixtures("without_annotations")
def test_refusals_name_the_sizes() -> None:
    x, log_rate, bias = parts()
    with pytest.raises(ValueError, match=r"x is of H=4 heads and log_rate has 3; shapes \(2, 3, 4"):
        forget_gate(x, log_rate[1:], bias)
    with pytest.raises(ValueError, match=r"x is of H=4 heads and bias has 1; shapes .* and \(1,\)"):
        forget_gate(x, log_rate, bias[:1])
    with pytest.raises(ValueError, match=r"bias is torch.int64"):
        forget_gate(x, log_rate, bias.long())
