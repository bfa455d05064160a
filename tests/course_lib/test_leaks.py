"""Who depends on whom: equal to its loops and to the Jacobian, and it sees what hides."""

from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from strategies import D, T, mask, normal, seeds
from torch import Tensor
from torch.testing import assert_close

from course_lib.attention.dot_product import scaled_dot_product_attention
from course_lib.leaks import leak_matrix
from course_lib.masks import causal_mask, window_mask
from course_lib.naive import leaks as naive

Function = Callable[[Tensor], Tensor]


def layer(may_attend: Tensor) -> Function:
    """Self-attention that keeps its input: each row depends on itself and on what it reads."""
    return lambda x: x + scaled_dot_product_attention(x, 2 * x, x, may_attend)[0]


@settings(max_examples=10)  # one asks for a Jacobian, number by number
@given(seed=seeds)
def test_it_equals_its_loops(seed: int) -> None:
    reads = mask(seed, T + 1, T + 1).double()
    found = leak_matrix(lambda x: (reads @ x).sin(), normal(seed, T + 1, D))
    twin = naive.leak_matrix(
        lambda x: torch.sin(reads @ torch.from_numpy(x)).numpy(), normal(seed, T + 1, D).numpy()
    )
    assert_close(found, torch.from_numpy(twin))


@settings(max_examples=10)  # one asks for a Jacobian, number by number
@given(seed=seeds)
def test_it_finds_where_the_jacobian_is_not_zero(seed: int) -> None:
    may_attend = mask(seed, T + 2, T + 2)
    x = normal(seed, T + 2, D)
    jacobian = torch.autograd.functional.jacobian(layer(may_attend), x)
    assert_close(leak_matrix(layer(may_attend), x), (jacobian != 0).any(-1).any(1))


@settings(max_examples=10)  # one asks for a Jacobian, number by number
@given(seed=seeds)
def test_one_layer_shows_its_mask_and_two_show_its_square(seed: int) -> None:
    may_attend = mask(seed, T + 2, T + 2) | torch.eye(T + 2, dtype=torch.bool)
    x = normal(seed, T + 2, D)
    assert_close(leak_matrix(layer(may_attend), x), may_attend)
    twice = leak_matrix(lambda x: layer(may_attend)(layer(may_attend)(x)), x)
    assert_close(twice, (may_attend.double() @ may_attend.double()) > 0)


def test_a_window_reaches_as_far_as_its_layers() -> None:
    window = layer(window_mask(9, 9, 3))
    x = normal(0, 9, D)
    assert_close(leak_matrix(lambda x: window(window(x)), x), window_mask(9, 9, 5))


@pytest.mark.parametrize("fill", [-30.0, -1e4])
def test_a_fill_that_is_not_low_enough_leaks(fill: float) -> None:
    def leaky(x: Tensor) -> Tensor:
        scores = x @ x.mT + fill * ~causal_mask(len(x))
        return x + torch.softmax(scores, -1) @ x

    found = leak_matrix(leaky, normal(0, T, D))
    assert found[causal_mask(T)].all()
    assert found[~causal_mask(T)].any()


def test_nan_that_comes_or_goes_is_a_change_and_nan_that_stays_is_none() -> None:
    def function(x: Tensor) -> Tensor:
        row = torch.where(x[1:2] > 100, float("nan"), 0.0) + 0 * x
        row[0] = float("nan")
        return row

    found = leak_matrix(function, torch.zeros(3, 2))
    assert found.tolist() == [[False] * 3, [False, True, False], [False, True, False]]


def test_what_torch_cannot_differentiate_is_judged_by_changes() -> None:
    found = leak_matrix(lambda x: torch.from_numpy(x.detach().numpy().cumsum(0)), normal(0, T, D))
    assert_close(found, causal_mask(T))


def test_a_weight_that_rounding_hides_is_found() -> None:
    tiny = torch.tensor([[1.0, 1e-30], [0.0, 1.0]], dtype=torch.float64)
    assert_close(leak_matrix(lambda x: tiny @ x.sin(), normal(0, 2, D)), tiny != 0)


def test_neither_x_nor_a_buffer_that_is_shared_misleads_it() -> None:
    buffer = torch.zeros(T, D, dtype=torch.float64)

    def function(x: Tensor) -> Tensor:
        x.mul_(2)
        return buffer.copy_(x.detach())

    x = normal(0, T, D)
    before = x.clone()
    assert_close(leak_matrix(function, x), torch.eye(T, dtype=torch.bool))
    assert_close(x, before)


def test_what_cannot_be_judged_is_refused() -> None:
    x = normal(0, T, D)
    with pytest.raises(ValueError, match="x has 3 rows and f returned \\(7, 3\\)"):
        leak_matrix(lambda x: x.mT, x)
    with pytest.raises(ValueError, match="x has 3 rows and f returned tuple"):
        leak_matrix(lambda x: (x, x), x)
    generator = torch.Generator().manual_seed(0)
    with pytest.raises(ValueError, match=r"rows \[0, 1, 2\] differed between two calls"):
        leak_matrix(lambda x: x + torch.randn(x.shape, generator=generator), x)
    with pytest.raises(ValueError, match="0 rows and 7 columns"):
        leak_matrix(lambda x: x, x[:0])
