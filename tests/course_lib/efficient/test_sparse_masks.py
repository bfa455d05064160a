"""Fixed patterns: equal to their loops, also where the last block is short; refused by name."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import seeds

from course_lib.efficient import sparse_masks as lib
from course_lib.masks import causal_mask, window_mask
from course_lib.naive.efficient import sparse_masks as naive

NAMES = ["strided_mask", "fixed_mask", "global_mask", "bigbird_mask", "blockwise_mask"]
counts, blocks = st.integers(0, 23), st.integers(1, 9)


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=40)
@given(size=counts, block=blocks)
def test_patterns_equal_their_loops(name: str, size: int, block: int) -> None:
    expected = torch.from_numpy(getattr(naive, name)(size, block))
    assert torch.equal(getattr(lib, name)(size, block), expected)


@pytest.mark.parametrize("pattern", lib.PATTERNS)
@settings(max_examples=40)
@given(size=st.integers(1, 23), block=blocks)
def test_a_pattern_by_its_name(pattern: str, size: int, block: int) -> None:
    may_attend, density = lib.block_sparse_mask(size, block, pattern)
    mask, share = naive.block_sparse_mask(size, block, pattern)
    assert torch.equal(may_attend, torch.from_numpy(mask))
    assert density == share


def test_each_name_has_its_own_pattern() -> None:
    assert [function.__name__ for function in lib.PATTERNS.values()] == NAMES
    masks = [lib.block_sparse_mask(12, 3, pattern)[0] for pattern in lib.PATTERNS]
    for i, one in enumerate(masks):
        assert not any(torch.equal(one, other) for other in masks[:i])


# Laws


@settings(max_examples=40)
@given(size=counts, block=blocks)
def test_causal_patterns_read_nothing_later_and_two_sided_ones_are_never_empty(
    size: int, block: int
) -> None:
    for pattern in (lib.strided_mask, lib.fixed_mask):
        assert not (pattern(size, block) & ~causal_mask(size)).any()
        assert pattern(size, block).diagonal().all()
    assert torch.equal(lib.global_mask(size, block), lib.global_mask(size, block).mT)
    for pattern in (lib.global_mask, lib.bigbird_mask, lib.blockwise_mask):
        assert pattern(size, block).any(-1).all()


@settings(max_examples=40)
@given(size=counts, block=blocks)
def test_one_block_or_a_stride_of_one_allows_all(size: int, block: int) -> None:
    assert torch.equal(lib.strided_mask(size, 1), causal_mask(size))
    assert torch.equal(lib.strided_mask(size, size + block), causal_mask(size))
    assert torch.equal(lib.fixed_mask(size, size + block), causal_mask(size))
    for pattern in (lib.global_mask, lib.bigbird_mask, lib.blockwise_mask):
        assert pattern(size, size + block).all()


def test_rows_by_hand() -> None:
    rows = {
        "strided": "01001111",  # t = 7: 7, 6, 5, and every third: 7, 4, 1
        "fixed": "00100111",  # 6 and 7 are its own block; 2 and 5 end the others
        "global": "11111111",  # n = 3: block 2 reads its neighbour 1 and the first
        "bigbird": "11111111",
        "blockwise": "11100000",
    }
    for pattern, row in rows.items():
        found = lib.block_sparse_mask(8, 3, pattern)[0][7].int().tolist()
        assert "".join(map(str, found)) == row, pattern
    far = lib.bigbird_mask(10, 1)[4].int().tolist()  # n = 10: block 9, five ahead
    assert far == [1, 0, 0, 1, 1, 1, 0, 0, 0, 1]


@settings(max_examples=40)
@given(seed=seeds, size=st.integers(1, 23), block=blocks, share=st.floats(0, 1))
def test_a_random_mask_reads_so_many_whole_blocks(
    seed: int, size: int, block: int, share: float
) -> None:
    number = -(-size // block)
    drawn = int(share * number)
    may_attend = lib.random_mask(size, block, drawn, torch.Generator().manual_seed(seed))
    for t in range(size):
        numbers = may_attend[t].nonzero().squeeze(-1) // block
        assert len(numbers.unique()) == drawn
        whole = [s for s in range(size) if s // block in numbers.tolist()]
        assert may_attend[t].nonzero().squeeze(-1).tolist() == whole
        assert torch.equal(may_attend[t], may_attend[t // block * block])


def test_random_blocks_are_drawn_evenly_and_from_the_generator() -> None:
    generator = torch.Generator().manual_seed(0)
    counts = sum(lib.random_mask(8, 2, 2, generator).int() for _ in range(2000)) / 2000
    assert (counts - 0.5).abs().max() < 0.05  # 4.5 standard errors of .0112
    first, again = (lib.random_mask(40, 2, 3, torch.Generator().manual_seed(5)) for _ in range(2))
    assert torch.equal(first, again)
    assert not torch.equal(first, lib.random_mask(40, 2, 3, torch.Generator().manual_seed(6)))


def test_global_window_and_random_go_together() -> None:
    random = lib.random_mask(60, 3, 2, torch.Generator().manual_seed(0))
    both = lib.global_mask(60, 3) | random
    assert (both & window_mask(60, 60, 4) == window_mask(60, 60, 4)).all()
    assert both[30].sum() <= 3 * (1 + 3 + 2)


@pytest.mark.usefixtures("without_annotations")
def test_refusals_name_the_sizes() -> None:
    for name in NAMES:
        with pytest.raises(ValueError, match="block >= 1; block is 0"):
            getattr(lib, name)(5, 0)
        with pytest.raises(ValueError, match="num_positions >= 0; num_positions is -2"):
            getattr(lib, name)(-2, 3)
    with pytest.raises(ValueError, match="pattern is 'dilated', with T = 5 and block = 2"):
        lib.block_sparse_mask(5, 2, "dilated")
    with pytest.raises(ValueError, match="T >= 1; T is 0; T = 0, block = 2"):
        lib.block_sparse_mask(0, 2, "fixed")
    with pytest.raises(ValueError, match="num_random is 4 and there are 3 blocks of 2 positions"):
        lib.random_mask(5, 2, 4, torch.Generator())
    with pytest.raises(ValueError, match="num_random >= 0; num_random is -1"):
        lib.random_mask(5, 2, -1, torch.Generator())
