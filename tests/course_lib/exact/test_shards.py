"""Who holds which positions: equal to the walk position by position, whole again, even."""

import re

import pytest
import torch
from strategies import arrays, normal
from torch.testing import assert_close

from course_lib.exact.shards import (
    Contiguous,
    Layout,
    Zigzag,
    ring_schedule,
    shard,
    tiles_of_rank,
    unshard,
)
from course_lib.naive.exact import shards as naive

LAYOUTS: list[tuple[Layout, int]] = [(Contiguous(), 1), (Zigzag(), 2)]


@pytest.mark.parametrize("num_ranks", [1, 2, 3, 5])
@pytest.mark.parametrize(("layout", "chunks"), LAYOUTS)
def test_parts_equal_the_walk_and_are_whole_again(
    layout: Layout, chunks: int, num_ranks: int
) -> None:
    x = normal(0, num_ranks * chunks * 3, 4)
    parts = [shard(x, rank, num_ranks, layout) for rank in range(num_ranks)]
    for rank, part in enumerate(parts):
        assert_close(
            part, torch.from_numpy(naive.shard(*arrays(x), rank, num_ranks, chunks)), rtol=0, atol=0
        )
        assert tiles_of_rank(rank, num_ranks, layout) == naive.tiles_of_rank(
            rank, num_ranks, chunks
        )
    assert torch.equal(unshard(parts, layout), x)
    twin = naive.unshard(arrays(*parts), chunks)
    assert torch.equal(torch.from_numpy(twin), x)
    on_another_axis = [shard(x.mT, rank, num_ranks, layout, axis=1) for rank in range(num_ranks)]
    assert torch.equal(unshard(on_another_axis, layout, axis=1), x.mT)


@pytest.mark.parametrize("num_ranks", [1, 2, 3, 6])
def test_the_schedule_is_that_of_hops_and_everybody_meets_everybody(num_ranks: int) -> None:
    rows = ring_schedule(num_ranks)
    assert rows == naive.ring_schedule(num_ranks)
    assert rows[0] == list(range(num_ranks))
    for column in zip(*rows, strict=True):
        assert sorted(column) == list(range(num_ranks))


@pytest.mark.parametrize("num_ranks", [2, 4, 7])
def test_zigzag_is_even_and_contiguous_is_not(num_ranks: int) -> None:
    zigzag = [tiles_of_rank(rank, num_ranks, Zigzag()) for rank in range(num_ranks)]
    assert len(set(zigzag)) == 1
    assert sum(zigzag) == (2 * num_ranks) ** 2 / 2
    contiguous = [tiles_of_rank(rank, num_ranks, Contiguous()) for rank in range(num_ranks)]
    assert contiguous[-1] == (2 * num_ranks - 1) * contiguous[0]


def test_what_does_not_divide_is_refused_with_its_numbers() -> None:
    rule = "each of 3 ranks holds 2 of 6 equal chunks, so their number divides the positions"
    words = f"{rule}; there are 14, 2 too many or 4 too few; shape (14, 5)"
    with pytest.raises(ValueError, match=re.escape(words)):
        shard(normal(0, 14, 5), 0, 3, Zigzag())
    with pytest.raises(ValueError, match=r"ranks count from 0 to P-1; rank is 3 and P=3"):
        shard(normal(0, 12, 5), 3, 3, Contiguous())
    with pytest.raises(ValueError, match="num_ranks"):
        ring_schedule(0)
    with pytest.raises(ValueError, match="parts"):
        unshard([], Contiguous())
