"""The feed-forward network in blocks, alone and behind attention: the same, less memory."""

import re

import numpy as np
import pytest
import torch
from allocations import Allocations
from hypothesis import given
from hypothesis import strategies as st
from strategies import B, C, arrays, assert_equals_twin, normal, seeds, stacked
from torch import Tensor
from torch.testing import assert_close

from course_lib.attention.grouped import grouped_query_attention
from course_lib.exact.feed_forward import blockwise_feed_forward
from course_lib.exact.fused import attend_then_feed
from course_lib.layers.activations import relu
from course_lib.layers.feed_forward import feed_forward
from course_lib.masks import causal_mask
from course_lib.naive.exact import feed_forward as naive
from course_lib.naive.exact import fused as naive_fused

T, F = 7, 19


def tensors(seed: int, dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor, Tensor]:
    shapes = ((B, T, C), (C, F), (F, C))
    parts = [normal(seed + i, *shape, dtype=dtype) for i, shape in enumerate(shapes)]
    return parts[0].requires_grad_(), parts[1].requires_grad_(), parts[2].requires_grad_()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("block", [1, 3, 7, 50])
def test_it_equals_its_loops(block: int, dtype: torch.dtype) -> None:
    x, w_in, w_out = (part.detach() for part in tensors(0, dtype))
    expected = stacked(
        naive.blockwise_feed_forward(*arrays(x[b], w_in, w_out), block) for b in range(B)
    )
    assert_equals_twin(blockwise_feed_forward(x, w_in, w_out, block), expected, dtype)


@given(seed=seeds, block=st.integers(1, 9))
def test_it_is_the_feed_forward_network_with_its_gradients(seed: int, block: int) -> None:
    x, w_in, w_out = tensors(seed)
    output = blockwise_feed_forward(x, w_in, w_out, block)
    expected = feed_forward(x, w_in, None, w_out, None, relu)
    assert_close(output, expected)
    gradient = normal(seed + 3, *output.shape)
    actual = torch.autograd.grad(output, (x, w_in, w_out), gradient)
    assert_close(actual, torch.autograd.grad(expected, (x, w_in, w_out), gradient))


def test_gradient() -> None:
    inputs = (normal(0, 1, 3, 2), normal(1, 2, 3), normal(2, 3, 2))
    small = tuple(part.requires_grad_() for part in inputs)
    assert torch.autograd.gradcheck(lambda *parts: blockwise_feed_forward(*parts, 2), small)


def test_a_gradient_of_the_gradient_is_refused() -> None:
    x, w_in, w_out = tensors(0)
    output = blockwise_feed_forward(x, w_in, w_out, 3)
    with pytest.raises(ValueError, match=r"with create_graph=True; feed_forward gives the same"):
        torch.autograd.grad(output.sum(), x, create_graph=True)


def test_the_hidden_layer_never_exists() -> None:
    x, w_in, w_out = normal(0, 1, 256, 4), normal(1, 4, 16), normal(2, 16, 4)
    leaves = [part.requires_grad_() for part in (x, w_in, w_out)]
    with Allocations() as made:
        blockwise_feed_forward(*leaves, 8).sum().backward()
    assert made.largest == 256 * 4  # the result; the hidden layer has 4,096 numbers
    with Allocations() as whole:
        feed_forward(x, w_in, None, w_out, None, relu)
    assert whole.largest == 256 * 16


def test_gradients_of_bfloat16_weights_are_summed_in_float32() -> None:
    x = torch.ones(1, 600, 1, dtype=torch.bfloat16)
    w = torch.ones(1, 1, dtype=torch.bfloat16, requires_grad=True)
    blockwise_feed_forward(x, w, w.detach(), 1).sum().backward()
    assert w.grad is not None
    assert w.grad.item() == 600  # a sum in bfloat16 would have stopped at 256


def test_autocast_and_two_dtypes() -> None:
    x, w_in, w_out = tensors(0, torch.float32)
    expected = blockwise_feed_forward(x, w_in, w_out, 3)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert_close(blockwise_feed_forward(x, w_in, w_out, 3), expected)
        mixed = blockwise_feed_forward(x.bfloat16(), w_in, w_out, 3)
    assert mixed.dtype == torch.bfloat16
    mixed.sum().backward()
    assert w_in.grad is not None
    assert w_in.grad.dtype == torch.float32


def test_nan_stays_in_its_row() -> None:
    x, w_in, w_out = (part.detach().clone() for part in tensors(0))
    expected = blockwise_feed_forward(x, w_in, w_out, 3)
    x[0, 4, 2] = torch.nan
    output = blockwise_feed_forward(x, w_in, w_out, 3)
    assert output[0, 4].isnan().all()
    assert_close(output[:, :4], expected[:, :4])
    assert_close(output[1], expected[1])


# A whole layer, block by block


def layer(seed: int, S: int = 9) -> list[Tensor]:
    """Query, key, value of 4 heads in 2 groups, and the two matrices of what follows."""
    shapes = ((B, 4, T, 3), (B, 2, S, 3), (B, 2, S, 5), (20, F), (F, 20))
    return [normal(seed + i, *shape).requires_grad_() for i, shape in enumerate(shapes)]


def test_attend_then_feed_equals_its_loops() -> None:
    query, key, value, w_in, w_out = (part.detach() for part in layer(0))
    numbers = arrays(w_in, w_out)

    def one(vector: np.ndarray) -> np.ndarray:
        return np.array([max(sum(vector * w), 0.0) for w in numbers[0].T]) @ numbers[1]

    for causal in (True, False):
        output = attend_then_feed(query, key, value, causal, lambda x: relu(x @ w_in) @ w_out, 3)
        expected = stacked(
            naive_fused.attend_then_feed(*arrays(query[b], key[b], value[b]), causal, one, 3)
            for b in range(B)
        )
        assert_equals_twin(output, expected, torch.float64)


@given(seed=seeds, block=st.integers(1, 9), causal=st.booleans())
def test_a_layer_in_blocks_is_the_layer_with_all_gradients(
    seed: int, block: int, causal: bool
) -> None:
    query, key, value, w_in, w_out = leaves = layer(seed)
    output = attend_then_feed(
        query, key, value, causal, lambda x: blockwise_feed_forward(x, w_in, w_out, 2), block
    )
    read = grouped_query_attention(query, key, value, causal_mask(T, 9) if causal else None)
    expected = relu(read.transpose(1, 2).flatten(2) @ w_in) @ w_out
    assert_close(output, expected)
    gradient = normal(seed + 9, *output.shape)
    actual = torch.autograd.grad(output, leaves, gradient)
    assert_close(actual, torch.autograd.grad(expected, leaves, gradient))


def test_neither_scores_nor_the_hidden_layer_exist() -> None:
    query, key, value = (normal(i, 1, 1, 512, 4).requires_grad_() for i in range(3))
    w_in, w_out = (
        normal(3 + i, *size).requires_grad_() for i, size in enumerate(((4, 16), (16, 4)))
    )
    with Allocations() as made:
        output = attend_then_feed(query, key, value, True, lambda x: relu(x @ w_in) @ w_out, 16)
        output.sum().backward()
    assert made.largest <= 16 * 256  # a tile; the hidden layer has 8,192 numbers


@pytest.mark.usefixtures("without_annotations")
def test_refusals_of_a_layer() -> None:
    query, key, value, *_ = layer(0, S=5)
    with pytest.raises(ValueError, match=r"T=7 and key S=5; shapes \(2, 4, 7, 3\)"):
        attend_then_feed(query, key, value, True, torch.relu, 3)
    with pytest.raises(ValueError, match="so T >= 1; T is 0; block = 3, T = 0"):
        attend_then_feed(query[:, :, :0], key, value, True, torch.relu, 3)


@pytest.mark.usefixtures("without_annotations")
def test_refusals_name_both_sizes() -> None:
    x, w_in, w_out = tensors(0)
    with pytest.raises(ValueError, match=re.escape("x has 11 and w_in 19; shapes (2, 7, 11)")):
        blockwise_feed_forward(x, w_in.mT, w_out, 3)
    with pytest.raises(ValueError, match="the hidden layer has 19 and w_out 11"):
        blockwise_feed_forward(x, w_in, w_out.mT, 3)
    with pytest.raises(ValueError, match="so block >= 1; block is 0"):
        blockwise_feed_forward(x, w_in, w_out, 0)
