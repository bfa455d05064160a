"""Fixed patterns, pair by pair."""

import numpy as np
from jaxtyping import Bool

__all__ = [
    "bigbird_mask",
    "block_sparse_mask",
    "blockwise_mask",
    "fixed_mask",
    "global_mask",
    "strided_mask",
]

Mask = Bool[np.ndarray, "T T"]


def strided_mask(num_positions: int, block: int) -> Mask:
    """Walk back one by one within the window, then in strides."""
    mask = np.zeros((num_positions, num_positions), dtype=bool)
    for t in range(num_positions):
        for s in range(max(0, t - block + 1), t + 1):
            mask[t, s] = True
        for s in range(t, -1, -block):
            mask[t, s] = True
    return mask


def fixed_mask(num_positions: int, block: int) -> Mask:
    """Walk back to the block's first position, then read each block's last one."""
    mask = np.zeros((num_positions, num_positions), dtype=bool)
    for t in range(num_positions):
        first = t
        while first % block:
            first -= 1
        for s in range(first, t + 1):
            mask[t, s] = True
        for s in range(block - 1, first, block):
            mask[t, s] = True
    return mask


def global_mask(num_positions: int, block: int) -> Mask:
    """Block by block: neighbours, and the first block in both directions."""
    mask = np.zeros((num_positions, num_positions), dtype=bool)
    for t in range(num_positions):
        for s in range(num_positions):
            ahead = s // block - t // block
            mask[t, s] = ahead in (-1, 0, 1) or s < block or t < block
    return mask


def bigbird_mask(num_positions: int, block: int) -> Mask:
    """The global pattern, and one far block."""
    mask = global_mask(num_positions, block)
    far = 0
    for b in range(_count(num_positions, block)):
        far += b % 2
    both: Mask = mask | _ahead(num_positions, block, far)
    return both


def blockwise_mask(num_positions: int, block: int) -> Mask:
    """The next block."""
    return _ahead(num_positions, block, 1)


def block_sparse_mask(T: int, block: int, pattern: str) -> tuple[Mask, float]:
    """A pattern by its name, and its pairs counted."""
    if pattern == "strided":
        mask = strided_mask(T, block)
    elif pattern == "fixed":
        mask = fixed_mask(T, block)
    elif pattern == "global":
        mask = global_mask(T, block)
    elif pattern == "bigbird":
        mask = bigbird_mask(T, block)
    else:
        mask = blockwise_mask(T, block)
    return mask, sum(sum(row) for row in mask.tolist()) / T**2


def _count(num_positions: int, block: int) -> int:
    return len(range(0, num_positions, block))


def _ahead(num_positions: int, block: int, steps: int) -> Mask:
    """From each block, step on so often; behind the last block comes the first."""
    mask = np.zeros((num_positions, num_positions), dtype=bool)
    for t in range(num_positions):
        target = t // block
        for _ in range(steps):
            target += 1
            if target == _count(num_positions, block):
                target = 0
        for s in range(target * block, min((target + 1) * block, num_positions)):
            mask[t, s] = True
    return mask
