"""The short convolution: equal to its loops, causal, in pieces the same, entry by entry."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from strategies import B, C, arrays, assert_equals_twin, normal, seeds
from torch import Tensor
from torch.testing import assert_close

from course_lib.layers.short_convolution import short_convolution
from course_lib.naive.layers import short_convolution as naive

DTYPES = (torch.float32, torch.float64)
T, W = 7, 4


def rows(seed: int = 0, dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor, Tensor]:
    """Tokens, a kernel, and what came before."""
    shapes = ((B, T, C), (W, C), (B, W - 1, C))
    return tuple(normal(seed + i, *shape, dtype=dtype) for i, shape in enumerate(shapes))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("width", [1, 2, W, T + 3])
@pytest.mark.parametrize("goes_on", [True, False])
def test_it_equals_its_loops(width: int, goes_on: bool, dtype: torch.dtype) -> None:
    x, kernel = normal(0, B, T, C, dtype=dtype), normal(1, width, C, dtype=dtype)
    before = normal(2, B, width - 1, C, dtype=dtype) if goes_on else None
    found = short_convolution(x, kernel, before)
    for b in range(B):
        first = [] if before is None else arrays(before[b])
        expected = naive.short_convolution(*arrays(x[b], kernel), *first)
        for one, other in zip(found, expected, strict=True):
            assert_equals_twin(one[b], torch.from_numpy(other), dtype)


# Laws


@given(seed=seeds, cut=st.integers(0, T))
def test_two_pieces_are_the_whole(seed: int, cut: int) -> None:
    x, kernel, before = rows(seed)
    expected, last = short_convolution(x, kernel, before)
    begun, between = short_convolution(x[:, :cut], kernel, before)
    ended, end = short_convolution(x[:, cut:], kernel, between)
    assert_close(torch.cat([begun, ended], dim=1), expected)
    assert torch.equal(end, last)
    assert end.shape == (B, W - 1, C)


@given(seed=seeds, t=st.integers(0, T - 1))
def test_a_token_reaches_itself_and_the_next_w_minus_one(seed: int, t: int) -> None:
    x, kernel, before = rows(seed)
    moved = x.clone()
    moved[:, t] += 1.0
    change = short_convolution(moved, kernel, before)[0] - short_convolution(x, kernel, before)[0]
    reached = change.abs().amax((0, 2)) > 0
    assert reached.tolist() == [t <= s < t + W for s in range(T)]
    assert_close(change[:, t], kernel[-1].expand(B, C))  # the last row meets the token itself


@given(seed=seeds)
def test_no_entry_sees_another(seed: int) -> None:
    x, kernel, before = rows(seed)
    order = torch.randperm(C, generator=torch.Generator().manual_seed(seed))
    turned = short_convolution(x[..., order], kernel[:, order], before[..., order])
    for one, other in zip(turned, short_convolution(x, kernel, before), strict=True):
        assert torch.equal(one, other[..., order])


@given(seed=seeds)
def test_a_kernel_of_one_row_is_a_factor_and_one_of_ones_a_running_sum(seed: int) -> None:
    x, kernel, _ = rows(seed)
    y, after = short_convolution(x, kernel[:1])
    assert_close(y, x * kernel[0])
    assert after.shape == (B, 0, C)
    everything, _ = short_convolution(x, torch.ones(T, C, dtype=x.dtype))
    assert_close(everything, x.cumsum(1))


@given(seed=seeds)
def test_zeros_before_are_nothing_before(seed: int) -> None:
    x, kernel, before = rows(seed)
    found = short_convolution(x, kernel, torch.zeros_like(before))
    assert_close(found, short_convolution(x, kernel))


def test_half_precision_is_rounded_once() -> None:
    low = rows(dtype=torch.bfloat16)
    y, after = short_convolution(*low)
    assert y.dtype == after.dtype == torch.bfloat16
    exact, _ = short_convolution(*(x.double() for x in low))
    assert_close(y.double(), exact, rtol=2**-8, atol=1e-6)
    # Terms of 256 and 1: a sum in bfloat16 itself would end at 256.
    ones = torch.ones(1, W, 1, dtype=torch.bfloat16)
    ones[0, 0] = 256.0
    assert short_convolution(ones, torch.ones_like(ones[0]))[0][0, -1].item() == 260.0


def test_nan_reaches_its_entry_of_its_token_and_of_the_next() -> None:
    x, kernel, before = rows()
    x[0, 2, 3] = torch.nan
    is_nan = short_convolution(x, kernel, before)[0].isnan()
    assert is_nan[0, 2 : 2 + W, 3].all()
    assert is_nan.sum() == W


def test_gradients_and_purity() -> None:
    given_ = rows()
    leaves = [x.clone().requires_grad_() for x in given_]
    assert torch.autograd.gradcheck(short_convolution, leaves)
    for leaf, copy in zip(leaves, given_, strict=True):
        assert torch.equal(leaf, copy)


@pytest.mark.usefixtures("without_annotations")
def test_refusals_name_the_sizes() -> None:
    x, kernel, before = rows()
    with pytest.raises(ValueError, match=r"x has 11 entries, the kernel W=4 rows and 10 columns"):
        short_convolution(x, kernel[:, 1:])
    with pytest.raises(ValueError, match=r"the kernel W=0 rows and 11 columns; shapes \(2, 7, 11"):
        short_convolution(x, kernel[:0])
    with pytest.raises(ValueError, match=r"W=4 rows has W - 1 = 3 .* \(2, 2, 11\) .* \(2, 3, 11\)"):
        short_convolution(x, kernel, before[:, 1:])
    with pytest.raises(ValueError, match=r"before has the shape \(1, 3, 11\) and is to have \(2,"):
        short_convolution(x, kernel, before[:1])
    with pytest.raises(ValueError, match=r"x is torch.float64 and kernel torch.float32"):
        short_convolution(x, kernel.float())
    with pytest.raises(ValueError, match=r"x is torch.float64 and before torch.float32"):
        short_convolution(x, kernel, before.float())
    with pytest.raises(ValueError, match=r"kernel has the axes W C, 2 in number; kernel has 3"):
        short_convolution(x, kernel[:, None])
