"""Which rank holds which positions of a sequence, and how even their work is."""

from dataclasses import dataclass

import torch
from jaxtyping import Shaped
from torch import Tensor

from course_lib.sizes import require_positive, require_whole

__all__ = ["Contiguous", "Layout", "Zigzag", "ring_schedule", "shard", "tiles_of_rank", "unshard"]


@dataclass(frozen=True, slots=True)
class Contiguous:
    """Rank r holds the r-th of P chunks. Under a causal mask the last rank works most.

    ``chunks`` gives those of a rank, the earliest first, as many for each rank.
    """

    def chunks(self, rank: int, num_ranks: int) -> tuple[int, ...]:
        """Return the one chunk of a rank."""
        _require_rank(rank, num_ranks)
        return (rank,)


@dataclass(frozen=True, slots=True)
class Zigzag:
    """Rank r holds the r-th chunk of 2 P from the front and the r-th from the back.

    Under a causal mask an early chunk reads little and a late one much; the two together read as
    much on each rank.

    Source: the zigzag order of the public ring-flash-attention package; Brandon et al. 2023
    (arXiv:2311.09431) even the load out by stripes instead.
    """

    def chunks(self, rank: int, num_ranks: int) -> tuple[int, ...]:
        """Return the two chunks of a rank."""
        _require_rank(rank, num_ranks)
        return rank, 2 * num_ranks - 1 - rank


#: The sequence cut into equal chunks, and which of them each rank holds.
Layout = Contiguous | Zigzag


def ring_schedule(num_ranks: int) -> list[list[int]]:
    r"""Say whose keys each rank holds at each step when all hand theirs to the next rank.

    .. math:: \text{block}(\text{step}, \text{rank}) = (\text{rank} - \text{step}) \bmod P

    Args:
        num_ranks: P, the ranks of the ring.

    Returns:
        A row per step, P of them, and an entry per rank.

    Raises:
        ValueError: if there is no rank.

    Source: Liu et al. 2023 (arXiv:2310.01889), sec. 3.

    >>> ring_schedule(3)
    [[0, 1, 2], [2, 0, 1], [1, 2, 0]]
    """
    require_positive(num_ranks=num_ranks)
    return [[(rank - step) % num_ranks for rank in range(num_ranks)] for step in range(num_ranks)]


def shard(
    x: Shaped[Tensor, "..."], rank: int, num_ranks: int, layout: Layout, axis: int = -2
) -> Shaped[Tensor, "..."]:
    """Cut out the positions that a rank holds.

    Args:
        x: one entry per position on an axis of n entries.
        rank: whose positions.
        num_ranks: P, how many there are.
        layout: who holds what.
        axis: the axis of the positions; -2 in B H T D.

    Returns:
        n / P positions, the chunks of the rank one after the other.

    Raises:
        ValueError: if n is not a multiple of all chunks, or there is no such rank.

    >>> shard(torch.arange(8), 1, 2, Zigzag(), axis=0)
    tensor([2, 3, 4, 5])
    """
    require_whole(axis=axis)
    held = layout.chunks(rank, num_ranks)
    count = len(held) * num_ranks
    length = x.shape[axis]
    if length % count:
        raise ValueError(
            f"each of {num_ranks} ranks holds {len(held)} of {count} equal chunks, so their number "
            f"divides the positions; there are {length}, {length % count} too many or "
            f"{count - length % count} too few; shape {tuple(x.shape)}"
        )
    chunks = x.chunk(count, axis) if length else (x,) * count
    return torch.cat([chunks[chunk] for chunk in held], dim=axis)


def unshard(
    parts: list[Shaped[Tensor, "..."]], layout: Layout, axis: int = -2
) -> Shaped[Tensor, "..."]:
    """Put the parts of all ranks back in the order of the sequence.

    Args:
        parts: what each rank holds, by rank, as ``shard`` cuts it.
        layout: who holds what.
        axis: the axis of the positions.

    Returns:
        The whole.

    Raises:
        ValueError: if there is no part.
    """
    require_whole(axis=axis)
    require_positive(parts=len(parts))
    by_chunk: dict[int, Tensor] = {}
    for rank, part in enumerate(parts):
        held = layout.chunks(rank, len(parts))
        pieces = part.tensor_split(len(held), axis)
        by_chunk.update(zip(held, pieces, strict=True))
    return torch.cat([by_chunk[chunk] for chunk in sorted(by_chunk)], dim=axis)


def tiles_of_rank(rank: int, num_ranks: int, layout: Layout) -> float:
    """Count the work of a rank under a causal mask, in tiles of a chunk by a chunk.

    A chunk reads half of a tile of its own keys, and the whole of each earlier one.

    Args:
        rank: whose work.
        num_ranks: P, how many there are.
        layout: who holds what.

    Returns:
        The tiles. Those of a zigzag are a quarter of a contiguous one's: its chunks are half.

    Raises:
        ValueError: if there is no such rank.

    >>> [tiles_of_rank(rank, 4, Contiguous()) for rank in range(4)]
    [0.5, 1.5, 2.5, 3.5]
    >>> [tiles_of_rank(rank, 4, Zigzag()) for rank in range(4)]
    [8.0, 8.0, 8.0, 8.0]
    """
    return sum(chunk + 0.5 for chunk in layout.chunks(rank, num_ranks))


def _require_rank(rank: int, num_ranks: int) -> None:
    require_positive(num_ranks=num_ranks)
    require_whole(rank=rank)
    if not 0 <= rank < num_ranks:
        raise ValueError(f"ranks count from 0 to P-1; rank is {rank} and P={num_ranks}")
