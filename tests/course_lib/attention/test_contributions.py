"""What a head adds: equal to its twin, a summand of the layer, clear when refused."""

from collections.abc import Callable

import pytest
import torch
from hypothesis import given
from strategies import DV, B, C, D, H, T, arrays, assert_equals_twin, normal, seeds
from torch import Tensor
from torch.testing import assert_close

from course_lib.attention import contributions as lib
from course_lib.attention.heads import multi_head_attention
from course_lib.naive.attention import contributions as naive

DTYPES = (torch.float32, torch.float64)


def layer(seed: int = 5, dtype: torch.dtype = torch.float64) -> tuple[Tensor, ...]:
    """w_q, w_k, w_v, w_o and b_o; H D and H Dv both differ from C."""
    columns = (H * D, H * D, H * DV)
    matrices = [normal(seed + i, C, size, dtype=dtype) / C**0.5 for i, size in enumerate(columns)]
    w_o = normal(seed + 3, H * DV, C, dtype=dtype) / (H * DV) ** 0.5
    return (*matrices, w_o, normal(seed + 4, C, dtype=dtype))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("head", range(H))
def test_head_contribution_equals_its_twin(head: int, dtype: torch.dtype) -> None:
    x, given_ = normal(0, B, T, C, dtype=dtype), layer(dtype=dtype)
    output = lib.head_contribution(x, *given_, H, head)
    for b in range(B):
        expected = naive.head_contribution(*arrays(x[b], *given_), H, head)
        assert_equals_twin(output[b], torch.from_numpy(expected), dtype)


@given(seed=seeds)
def test_all_heads_and_the_bias_are_the_layers_output(seed: int) -> None:
    x, (*matrices, b_o) = normal(seed, B, T, C), layer(seed)
    total = sum(lib.head_contribution(x, *matrices, b_o, H, head) for head in range(H))
    assert_close(total + b_o, multi_head_attention(x, *matrices, H) + b_o)


@given(seed=seeds)
def test_the_bias_belongs_to_no_head(seed: int) -> None:
    x, (*matrices, b_o) = normal(seed, B, T, C), layer(seed)
    alone = lib.head_contribution(x, *matrices, b_o, H, 1)
    assert torch.equal(lib.head_contribution(x, *matrices, 100 * b_o, H, 1), alone)


@given(seed=seeds)
def test_another_heads_columns_and_rows_do_not_matter(seed: int) -> None:
    x, (w_q, w_k, w_v, w_o, b_o) = normal(seed, B, T, C), layer(seed)
    alone = lib.head_contribution(x, w_q, w_k, w_v, w_o, b_o, H, 2)
    for matrix, size in ((w_q, D), (w_k, D), (w_v, DV)):
        matrix[:, : 2 * size] = matrix[:, 3 * size :] = 1e3
    w_o[: 2 * DV] = w_o[3 * DV :] = 1e3
    assert torch.equal(lib.head_contribution(x, w_q, w_k, w_v, w_o, b_o, H, 2), alone)


def test_gradient_and_purity() -> None:
    shapes = [(3, 2), *[(2, 4)] * 3, (4, 2), (2,)]
    inputs = tuple(normal(seed, *shape) for seed, shape in enumerate(shapes))
    before = [tensor.clone() for tensor in inputs]
    # The bias has no part in it, so its gradient is zero.
    ready = tuple(tensor.clone().requires_grad_() for tensor in inputs[:-1])
    assert torch.autograd.gradcheck(
        lambda *given_: lib.head_contribution(*given_, inputs[-1], 2, 1), ready
    )
    lib.head_contribution(*inputs, 2, 1)
    for tensor, copy in zip(inputs, before, strict=True):
        assert torch.equal(tensor, copy)


@pytest.mark.parametrize("dtype", DTYPES)
def test_extreme_inputs_stay_finite_in_their_dtype(dtype: torch.dtype) -> None:
    x = 1e4 * normal(0, B, T, C, dtype=dtype)
    output = lib.head_contribution(x, *layer(dtype=dtype), H, 0)
    assert output.isfinite().all()
    assert output.dtype == dtype


@pytest.mark.usefixtures("without_annotations")
@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: lib.head_contribution(normal(0, T, C), *layer(), H, H),
            r"last one is num_heads - 1; head is 4 and num_heads 4",
        ),
        (
            lambda: lib.head_contribution(normal(0, T, C), *layer(), H, -1),
            r"head is -1 and num_heads 4",
        ),
        (
            lambda: lib.head_contribution(normal(0, T, C), *layer(), 5, 0),
            r"width is 28 and num_heads 5; shape \(11, 28\)",
        ),
        (
            lambda: lib.head_contribution(normal(0, T, C), *layer()[:4], normal(0, 1), H, 0),
            r"w_o has 11 columns and its bias 1 numbers; shapes \(\d+, 11\) and \(1,\)",
        ),
    ],
)
def test_refusals_name_both_sizes(call: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()
