"""ALiBi: equal to its loops, the slopes of the paper, the last query at the last key."""

import math
from collections.abc import Iterator

import pytest
import torch
from hypothesis import given
from strategies import H, S, T, sizes
from torch.testing import assert_close

from course_lib.masks import causal_mask
from course_lib.naive.positions import alibi as naive
from course_lib.positions import alibi as lib
from course_lib.softmax import masked_softmax


@pytest.fixture
def float64() -> Iterator[None]:
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("num_heads", [1, 2, 3, 4, 5, 7, 8, 9, 12, 16, 20, 64, 71, 112])
def test_alibi_slopes_equal_their_loops(num_heads: int) -> None:
    slopes = lib.alibi_slopes(num_heads)
    assert slopes.dtype == torch.float64
    assert_close(slopes, torch.from_numpy(naive.alibi_slopes(num_heads)))


@pytest.mark.usefixtures("float64")
@given(heads=sizes, queries=sizes, keys=sizes)
def test_alibi_bias_equals_its_loops(heads: int, queries: int, keys: int) -> None:
    expected = torch.from_numpy(naive.alibi_bias(heads, queries, keys))
    assert_close(lib.alibi_bias(heads, queries, keys), expected)


@pytest.mark.parametrize("num_heads", [7, 12])
def test_the_dtype_is_the_one_asked_for_and_exact(num_heads: int) -> None:
    slopes = lib.alibi_slopes(num_heads, dtype=torch.float64)
    bias = lib.alibi_bias(num_heads, 3, 700, dtype=torch.float64)
    exact = torch.from_numpy(naive.alibi_slopes(num_heads))
    assert_close(slopes, exact, rtol=1e-12, atol=0.0)  # float32 would be off by 3e-8
    assert_close(bias[:, -1, 0], -699 * exact, rtol=1e-12, atol=0.0)
    assert lib.alibi_slopes(num_heads).dtype == lib.alibi_bias(num_heads, 3, 5).dtype
    # Half precision counts to 256 (bfloat16): the bias is rounded once, at the end.
    half = lib.alibi_bias(num_heads, 3, 700, dtype=torch.bfloat16)
    assert torch.equal(half, lib.alibi_bias(num_heads, 3, 700).bfloat16())


def test_the_slopes_of_the_paper() -> None:
    """Eight heads: 1/2, 1/4, ..., 1/256. Sixteen: those, and their geometric means between."""
    assert lib.alibi_slopes(8).tolist() == [2.0**-i for i in range(1, 9)]
    sixteen = [2 ** (-i / 2) for i in range(1, 17)]
    assert_close(lib.alibi_slopes(16), torch.tensor(sixteen))
    twelve = lib.alibi_slopes(12)
    assert twelve[:8].tolist() == lib.alibi_slopes(8).tolist()
    assert_close(twelve[8:], torch.tensor(sixteen[0:8:2]))
    assert lib.alibi_slopes(1).tolist() == [2.0**-8]


@given(heads=sizes, keys=sizes)
def test_a_bias_counts_steps(heads: int, keys: int) -> None:
    bias = lib.alibi_bias(heads, keys, keys)
    slopes = lib.alibi_slopes(heads)
    assert torch.equal(bias, bias.mT)
    for steps in range(keys):
        along = bias.diagonal(-steps, dim1=1, dim2=2)  # the same at every query
        assert_close(along, (-steps * slopes)[:, None].expand_as(along))
    assert (bias <= 0).all()


def test_the_last_query_sits_at_the_last_key() -> None:
    whole = lib.alibi_bias(H, S, S)
    assert torch.equal(lib.alibi_bias(H, T, S), whole[:, S - T :])
    assert torch.equal(lib.alibi_bias(H, 1, S), whole[:, -1:])
    assert lib.alibi_bias(1, 1, 1).tolist() == [[[0.0]]]
    assert not lib.alibi_bias(H, T, S).signbit()[:, -1, -1].any()  # 0.0, not -0.0


def test_the_newest_key_gets_most() -> None:
    """Eight keys of equal score, slope 1/2: .401 for the newest; printed in reverse it is .012."""
    bias = lib.alibi_bias(8, 8, 8)[0]
    weights = masked_softmax(bias, causal_mask(8))[-1]
    assert round(weights[-1].item(), 3) == 0.401
    assert round(weights[0].item(), 3) == 0.012
    # One step further back costs a factor exp(-1/2), whatever the scale 1/√D of the scores.
    assert_close(weights[:-1] / weights[1:], torch.full((7,), math.exp(-0.5)))


def test_sizes_that_are_none_are_refused() -> None:
    for wrong in (0, -3):
        with pytest.raises(ValueError, match=rf"num_heads >= 1; num_heads is {wrong}$"):
            lib.alibi_slopes(wrong)
        with pytest.raises(ValueError, match=rf"num_heads >= 1; num_heads is {wrong}$"):
            lib.alibi_bias(wrong, 2, 3)
    with pytest.raises(
        ValueError, match=r"num_queries is -1, with num_queries = -1 and num_keys = 3"
    ):
        lib.alibi_bias(2, -1, 3)
    with pytest.raises(ValueError, match=r"num_keys is -3, with num_queries = 1 and num_keys = -3"):
        lib.alibi_bias(2, 1, -3)
