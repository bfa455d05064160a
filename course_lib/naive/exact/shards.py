"""A sequence dealt out to ranks, one position and one hop at a time.

The layout is how many chunks a rank holds: one is contiguous, two are zigzag.
"""

import numpy as np
from jaxtyping import Shaped

__all__ = ["ring_schedule", "shard", "tiles_of_rank", "unshard"]


def ring_schedule(num_ranks: int) -> list[list[int]]:
    """Let each rank start with its own block, and hand on what it holds."""
    held = list(range(num_ranks))
    rows = []
    for _ in range(num_ranks):
        rows.append(list(held))
        arrived = [0] * num_ranks
        for rank in range(num_ranks):
            following = rank + 1 if rank + 1 < num_ranks else 0
            arrived[following] = held[rank]
        held = arrived
    return rows


def shard(
    x: Shaped[np.ndarray, "..."], rank: int, num_ranks: int, layout: int
) -> Shaped[np.ndarray, "..."]:
    """Take the positions of a rank one by one."""
    size = len(x) // (num_ranks * layout)
    kept = []
    for position in range(len(x)):
        chunk = position // size
        owner = chunk if chunk < num_ranks else 2 * num_ranks - 1 - chunk
        if owner == rank:
            kept.append(x[position])
    return np.array(kept)


def unshard(parts: list[Shaped[np.ndarray, "..."]], layout: int) -> Shaped[np.ndarray, "..."]:
    """Walk over the sequence, and take the next row of whoever holds the position."""
    num_ranks, size = len(parts), len(parts[0]) // layout
    taken = [0] * num_ranks
    rows = []
    for chunk in range(num_ranks * layout):
        owner = chunk if chunk < num_ranks else 2 * num_ranks - 1 - chunk
        for _ in range(size):
            rows.append(parts[owner][taken[owner]])
            taken[owner] += 1
    return np.array(rows)


def tiles_of_rank(rank: int, num_ranks: int, layout: int) -> float:
    """Count each tile that a rank's chunks read: a whole one before them, half of their own."""
    tiles = 0.0
    for chunk in range(num_ranks * layout):
        owner = chunk if chunk < num_ranks else 2 * num_ranks - 1 - chunk
        for read in range(chunk + 1):
            if owner == rank:
                tiles += 0.5 if read == chunk else 1.0
    return tiles
