"""Reach and density: equal to their loops, and what is known of windows, strides and blocks."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import S, T, mask, seeds
from torch.testing import assert_close

from course_lib.efficient import sparse_masks
from course_lib.efficient.reach import density, reach
from course_lib.masks import causal_mask, window_mask
from course_lib.naive.efficient import reach as naive


def holes(seed: int, size: int) -> torch.Tensor:
    return torch.rand(size, size, generator=torch.Generator().manual_seed(seed)) < 0.3


@settings(max_examples=40)
@given(seed=seeds, size=st.integers(0, 9), layers=st.integers(0, 7))
def test_they_equal_their_loops(seed: int, size: int, layers: int) -> None:
    may_attend = holes(seed, size)
    result = reach(may_attend, layers)
    assert torch.equal(result, torch.from_numpy(naive.reach(may_attend.numpy(), layers)))
    may_attend = mask(seed, T, S)
    assert density(may_attend) == naive.density(may_attend.numpy())


@settings(max_examples=40)
@given(seed=seeds, layers=st.integers(0, 5), more=st.integers(0, 5))
def test_layers_compose_and_never_lose(seed: int, layers: int, more: int) -> None:
    may_attend = holes(seed, 8)
    first, second = reach(may_attend, layers), reach(may_attend, more)
    both = reach(may_attend, layers + more)
    assert torch.equal(both, (second.float() @ first.float()) > 0)
    assert (both | ~first).all()
    assert torch.equal(reach(may_attend, 0), torch.eye(8).bool())
    assert torch.equal(reach(may_attend, 1), may_attend | torch.eye(8).bool())
    assert torch.equal(reach(may_attend, 8), reach(may_attend, 10**6))


@settings(max_examples=40)
@given(window=st.integers(1, 6), layers=st.integers(0, 6))
def test_a_window_reaches_layers_times_its_width_less_one(window: int, layers: int) -> None:
    size = 40
    expected = window_mask(size, size, layers * (window - 1) + 1)
    assert torch.equal(reach(window_mask(size, size, window), layers), expected)


@pytest.mark.parametrize("size", [16, 17, 23, 25])
def test_strided_and_fixed_patterns_reach_all_that_came_before_in_two_layers(size: int) -> None:
    for pattern in ("strided", "fixed"):
        may_attend, share = sparse_masks.block_sparse_mask(size, 4, pattern)
        assert share < density(causal_mask(size))
        assert not torch.equal(reach(may_attend, 1), causal_mask(size))
        assert torch.equal(reach(may_attend, 2), causal_mask(size))


@pytest.mark.parametrize("blocks", [3, 4, 5])
def test_blocks_that_read_one_block_need_a_layer_for_each(blocks: int) -> None:
    may_attend, share = sparse_masks.block_sparse_mask(blocks * 3, 3, "blockwise")
    assert share == pytest.approx(1 / blocks, abs=0)
    assert not reach(may_attend, blocks - 2).all()
    assert reach(may_attend, blocks).all()
    alone = torch.block_diag(*[torch.ones(3, 3)] * blocks).bool()
    assert torch.equal(reach(alone, 99), alone)  # a block that reads itself hears nobody else


def test_a_path_that_is_one_way_is_not_walked_back() -> None:
    may_attend = torch.zeros(4, 4, dtype=torch.bool)
    may_attend[1, 0] = may_attend[2, 1] = may_attend[3, 2] = True
    for layers in range(5):
        assert torch.equal(reach(may_attend, layers), window_mask(4, 4, layers + 1))


def test_densities_that_are_known() -> None:
    assert density(causal_mask(7)) == (7 + 1) / (2 * 7)
    assert density(torch.ones(3, 5).bool()) == 1
    assert density(torch.zeros(3, 5).bool()) == 0
    assert_close(density(window_mask(1000, 1000, 10)), (10 * 1000 - 45) / 1e6)
    assert naive.density(np.ones((2, 3), dtype=bool)) == 1


@pytest.mark.usefixtures("without_annotations")
def test_refusals_name_the_sizes() -> None:
    square = torch.ones(4, 4).bool()
    with pytest.raises(ValueError, match=r"T is 3 and S is 4; shape \(3, 4\)"):
        reach(square[:3], 1)
    with pytest.raises(ValueError, match="num_layers >= 0; num_layers is -1"):
        reach(square, -1)
    with pytest.raises(ValueError, match=r"axes T S, 2 in number; may_attend has 3"):
        reach(square[None], 1)
    with pytest.raises(TypeError, match=r"it is torch.float32; shape \(4, 4\)"):
        reach(square.float(), 1)
    with pytest.raises(TypeError, match=r"it is torch.int64; shape \(4, 4\)"):
        density(square.long())
    with pytest.raises(ValueError, match="T=0 queries and S=4 keys"):
        density(square[:0])
    with pytest.raises(TypeError, match="what came as may_attend is of type list"):
        density([[True]])
