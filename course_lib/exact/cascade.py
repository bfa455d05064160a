"""Beginnings that many sequences share, and longer ones that fewer share: each is read once."""

import torch
from jaxtyping import Float
from torch import Tensor

from course_lib.attention.fitting import require_groups, require_key_values
from course_lib.exact.blockwise import blockwise_attention
from course_lib.exact.merging import merge_splits
from course_lib.precision import at_least_float32
from course_lib.shapes import require_axes

__all__ = ["cascade_attention"]


def cascade_attention(
    query: Float[Tensor, "B H T D"],
    levels: tuple[tuple[Float[Tensor, "_ G _ D"], Float[Tensor, "_ G _ Dv"]], ...],
    key: Float[Tensor, "B G S D"],
    value: Float[Tensor, "B G S Dv"],
) -> Float[Tensor, "B H T Dv"]:
    r"""Let sequences that branch off from each other read what they have in common from one copy.

    A system's instructions begin all sequences, a document begins those that ask about it: a tree.
    Level l holds the pieces of one depth of it, N of them, and piece n belongs to the B / N
    neighbouring sequences from n B / N on.

    .. math:: O_{b,l} = \mathrm{attention}(Q_b, K_{l,n(b)}, V_{l,n(b)})

    .. math:: O_b = \mathrm{merge}\big(\{O_{b,l}\}_l, \mathrm{attention}(Q_b, K_b, V_b)\big)

    .. math:: n(b) = \lfloor b N / B \rfloor

    The queries of all sequences that share a piece stand in one matrix before it, so its keys are
    read once and not for each of them.

    Args:
        query: the newest T positions of each sequence.
        levels: for each depth keys and values of its N pieces, all of one length; each query reads
            all of its piece. N may differ from depth to depth, and so may the lengths. None at all
            leaves causal attention.
        key: keys of what follows in each sequence; causal, the last query sits at the last key.
        value: values of what follows.

    Returns:
        What each query would get if its pieces were copied before its sequence's own keys; half
        precision is computed in float32 and rounded once.

    Raises:
        ValueError: if N does not divide B, if a level has not G heads, keys and values of the same
            positions and the same D and Dv as the others, or as ``blockwise_attention``.

    Source: Juravsky et al. 2024, Hydragen (arXiv:2402.05099), sec. 3, and its extension to trees of
    prompts.
    """
    require_groups("query", query, "key", key)
    for number, level in enumerate(levels):
        _require_level(number, level, key, value)
    wide, own_key, own_value = map(at_least_float32, (query, key, value))
    results = [_read_together(wide, *map(at_least_float32, level)) for level in levels]
    results.append(blockwise_attention(wide, own_key, own_value, causal=True))
    outputs, lses = (torch.stack(part) for part in zip(*results, strict=True))
    return merge_splits(outputs, lses)[0].to(query.dtype)


def _read_together(query: Tensor, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
    """Attend to each piece with the queries of all its sequences below each other."""
    share = len(query) // len(key)
    together = torch.unflatten(query, 0, (len(key), share)).transpose(1, 2).flatten(2, 3)
    output, lse = (
        torch.unflatten(x, 2, (share, query.shape[2])).transpose(1, 2).flatten(0, 1)
        for x in blockwise_attention(together, key, value, causal=False)  # N H (B/N)T _
    )
    return output, lse


def _require_level(number: int, level: tuple[Tensor, Tensor], key: Tensor, value: Tensor) -> None:
    for name, part, own in zip(("key", "value"), level, (key, value), strict=True):
        require_axes(f"level {number}'s {name}", part, "N G S _")
        if (part.shape[1], part.shape[3]) != (own.shape[1], own.shape[3]):
            raise ValueError(
                f"a piece is read by the same heads, so its {name}s have G and the last axis of "
                f"{name}; those of level {number} have {part.shape[1]} and {part.shape[3]}, {name} "
                f"has {own.shape[1]} and {own.shape[3]}; "
                f"shapes {tuple(part.shape)} and {tuple(own.shape)}"
            )
    require_key_values(*level)
    pieces = {len(part) for part in level}
    if len(pieces) > 1 or 0 in pieces or len(key) % max(pieces):
        raise ValueError(
            "each piece belongs to as many neighbouring sequences, so N divides B; level "
            f"{number} has {len(level[0])} and {len(level[1])} pieces and B is {len(key)}; "
            f"shapes {tuple(level[0].shape)}, {tuple(level[1].shape)} and {tuple(key.shape)}"
        )
