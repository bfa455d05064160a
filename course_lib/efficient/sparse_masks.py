"""Fixed patterns of who may read whom: strided, fixed, global, BigBird's, Qiu's."""

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from course_lib.efficient.reach import density
from course_lib.masks import distances
from course_lib.sizes import require_count, require_positive

__all__ = [
    "PATTERNS",
    "bigbird_mask",
    "block_sparse_mask",
    "blockwise_mask",
    "fixed_mask",
    "global_mask",
    "random_mask",
    "strided_mask",
]


def strided_mask(num_positions: int, block: int) -> Bool[Tensor, "T T"]:
    r"""Read the last positions, and every block-th one before them (causal).

    .. math:: M_{ts} = [\, 0 \le t - s < b \,] \lor [\, t \ge s,\; (t - s) \bmod b = 0 \,]

    Args:
        num_positions: T = S.
        block: b, the stride; about √T makes every position reachable in two layers at the cost of
            2√T keys per query.

    Returns:
        True where query t may read key s.

    Raises:
        ValueError: if the positions are negative or the block is below 1.

    Source: Child et al. 2019 (arXiv:1904.10509), sec. 4.3: the union of what its two kinds of head
    read.

    >>> strided_mask(5, 2)[4].int().tolist()
    [1, 0, 1, 1, 1]
    """
    _require_blocks(num_positions, block)
    distance = distances(num_positions, num_positions)
    return (distance >= 0) & ((distance < block) | (distance % block == 0))


def fixed_mask(num_positions: int, block: int) -> Bool[Tensor, "T T"]:
    r"""Read one's own block, and the last position of every block before it (causal).

    .. math:: M_{ts} = [\, s \le t \,] \land \big( \beta(s) = \beta(t) \lor s \bmod b = b - 1 \big),
        \qquad \beta(t) = \lfloor t / b \rfloor

    Args:
        num_positions: T = S.
        block: b, the positions of a block; the last one may be shorter.

    Returns:
        True where query t may read key s.

    Raises:
        ValueError: if the positions are negative or the block is below 1.

    Source: Child et al. 2019 (arXiv:1904.10509), sec. 4.3, with c = 1.

    >>> fixed_mask(5, 2)[4].int().tolist()
    [0, 1, 0, 1, 1]
    """
    _require_blocks(num_positions, block)
    position, number = torch.arange(num_positions), _numbers(num_positions, block)
    is_near = (number[:, None] == number) | (position % block == block - 1)
    return (distances(num_positions, num_positions) >= 0) & is_near


def global_mask(num_positions: int, block: int) -> Bool[Tensor, "T T"]:
    r"""Read the neighbouring blocks; the first block reads all, and all read it (two-sided).

    .. math:: M_{ts} = [\, |\beta(t) - \beta(s)| \le 1 \,] \lor [\, \beta(s) = 0 \,]
        \lor [\, \beta(t) = 0 \,]

    Args:
        num_positions: T = S.
        block: b, the positions of a block; the last one may be shorter.

    Returns:
        True where query t may read key s; symmetric. Any two positions are two layers apart.

    Raises:
        ValueError: if the positions are negative or the block is below 1.

    Source: Beltagy et al. 2020 (arXiv:2004.05150), sec. 3.1, in blocks as in Zaheer et al. 2020
    (arXiv:2007.14062), sec. 2.
    """
    _require_blocks(num_positions, block)
    number = _numbers(num_positions, block)
    query, key = number[:, None], number
    return ((query - key).abs() <= 1) | (key == 0) | (query == 0)


def bigbird_mask(num_positions: int, block: int) -> Bool[Tensor, "T T"]:
    r"""Read what ``global_mask`` allows and one far block more, half the sequence ahead.

    .. math:: M_{ts} = M^{\text{global}}_{ts} \lor
        [\, \beta(s) = (\beta(t) + \lfloor n/2 \rfloor) \bmod n \,], \qquad n = \lceil T / b \rceil

    BigBird draws that block; here it is the same in each run. ``random_mask`` draws.

    Args:
        num_positions: T = S.
        block: b, the positions of a block; the last one may be shorter.

    Returns:
        True where query t may read key s.

    Raises:
        ValueError: if the positions are negative or the block is below 1.

    Source: Zaheer et al. 2020 (arXiv:2007.14062), sec. 2 and figure 1.
    """
    known = global_mask(num_positions, block)
    return known | _shifted(num_positions, block, -(-num_positions // block) // 2)


def blockwise_mask(num_positions: int, block: int) -> Bool[Tensor, "T T"]:
    r"""Read the block after one's own, the last block the first, and nothing else.

    .. math:: M_{ts} = [\, \beta(s) = (\beta(t) + 1) \bmod n \,], \qquad n = \lceil T / b \rceil

    Args:
        num_positions: T = S.
        block: b, the positions of a block; the last one may be shorter.

    Returns:
        True where query t may read key s: 1/n of all pairs, where the block divides T.

    Raises:
        ValueError: if the positions are negative or the block is below 1.

    Source: Qiu et al. 2019 (arXiv:1911.02972), sec. 3: one of its permutations, the shift
    by one; other heads keep each block to itself. ``permuted_block_attention`` computes it.
    """
    return _shifted(num_positions, block, 1)


def random_mask(
    num_positions: int, block: int, num_random: int, generator: torch.Generator
) -> Bool[Tensor, "T T"]:
    r"""Let each block of queries read some blocks of keys that are drawn for it.

    Args:
        num_positions: T = S.
        block: b, the positions of a block; the last one may be shorter.
        num_random: blocks that are drawn for each block of queries, all different; its own and its
            neighbours are drawn like any other.
        generator: where the randomness comes from.

    Returns:
        True where query t may read key s; combine it with ``global_mask`` by ``|``.

    Raises:
        ValueError: if the positions or num_random are negative, the block is below 1, or more
            blocks are to be drawn than there are.

    Source: Zaheer et al. 2020 (arXiv:2007.14062), sec. 2; they draw among blocks not yet read.
    """
    _require_blocks(num_positions, block)
    require_count(num_random=num_random)
    blocks = -(-num_positions // block)
    if num_random > blocks:
        raise ValueError(
            "a block of queries reads different blocks of keys, so no more are drawn than there "
            f"are; num_random is {num_random} and there are {blocks} blocks of {block} positions"
        )
    device = generator.device
    drawn = torch.rand(blocks, blocks, generator=generator, device=device).argsort(dim=-1)
    is_read = torch.zeros(blocks, blocks, dtype=torch.bool, device=device)
    is_read.scatter_(-1, drawn[:, :num_random], value=True)
    number = _numbers(num_positions, block).to(device)
    return is_read[number][:, number]


#: The patterns that ``block_sparse_mask`` knows by name.
PATTERNS = {
    "strided": strided_mask,
    "fixed": fixed_mask,
    "global": global_mask,
    "bigbird": bigbird_mask,
    "blockwise": blockwise_mask,
}


def block_sparse_mask(T: int, block: int, pattern: str) -> tuple[Bool[Tensor, "T T"], float]:
    """Return a pattern by its name, and the share of pairs that it allows.

    Args:
        T: positions, at least 1; T = S.
        block: b, the positions of a block, or the stride.
        pattern: strided, fixed (both causal), global, bigbird or blockwise (two-sided).

    Returns:
        The mask, True where query t may read key s, and its density: True entries / T².

    Raises:
        ValueError: if T or the block is below 1, or no pattern has this name.

    >>> block_sparse_mask(4, 2, "blockwise")[1]
    0.5
    """
    require_positive(T=T, block=block)
    if pattern not in PATTERNS:
        raise ValueError(
            f"a pattern has one of the names {', '.join(PATTERNS)}; pattern is {pattern!r}, "
            f"with T = {T} and block = {block}"
        )
    may_attend = PATTERNS[pattern](T, block)
    return may_attend, density(may_attend)


def _require_blocks(num_positions: int, block: int) -> None:
    require_count(num_positions=num_positions)
    require_positive(block=block)


def _numbers(num_positions: int, block: int) -> Int[Tensor, " T"]:
    """The number of each position's block."""
    return torch.arange(num_positions) // block


def _shifted(num_positions: int, block: int, shift: int) -> Bool[Tensor, "T T"]:
    """Each block reads the one so many blocks ahead; behind the last comes the first."""
    _require_blocks(num_positions, block)
    number = _numbers(num_positions, block)
    return number == (number[:, None] + shift) % max(-(-num_positions // block), 1)
