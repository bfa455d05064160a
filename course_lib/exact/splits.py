"""A long cache in runs, and a beginning that many sequences share: parts that are merged."""

import torch
from jaxtyping import Float
from torch import Tensor

from course_lib.attention.fitting import require_groups, require_key_values
from course_lib.exact.blockwise import blockwise_attention
from course_lib.exact.cascade import cascade_attention
from course_lib.shapes import require_axes
from course_lib.sizes import require_positive

__all__ = ["shared_prefix_attention", "split_kv"]


def split_kv(
    query: Float[Tensor, "B H T D"],
    key: Float[Tensor, "B G S D"],
    value: Float[Tensor, "B G S Dv"],
    splits: int,
) -> tuple[Float[Tensor, "_ B H T Dv"], Float[Tensor, "_ B H T"]]:
    r"""Attend to each of P runs of keys on its own; ``merge_splits`` puts the results together.

    .. math:: (O_p, \mathrm{lse}_p) = \text{attention to the keys } p n \dots (p + 1) n - 1, \qquad
        n = \lceil S / P \rceil

    While a model writes there is one query, and a processor with many cores would use one of them.
    The runs do not wait for each other. Here they come one after another.

    Args:
        query: the newest positions; no key is masked.
        key: one row per key/value head and position of the cache; G divides H.
        value: what each of those positions hands over.
        splits: P, how many runs.

    Returns:
        Output and log-sum-exp of each run. The last runs may be shorter or empty: zeros and minus
        infinity.

    Raises:
        ValueError: if splits is below 1, or as ``blockwise_attention``.

    Source: Dao et al. 2023, "Flash-Decoding for long-context inference" (PyTorch's blog).
    """
    require_positive(splits=splits)
    require_groups("query", query, "key", key)
    require_key_values(key, value)
    run = -(-key.shape[2] // splits)
    results = []
    for part in range(splits):
        keys, values = (x[:, :, part * run : (part + 1) * run] for x in (key, value))
        if keys.shape[2]:
            results.append(blockwise_attention(query, keys, values, causal=False))
        else:
            first, lse = results[0]
            results.append((torch.zeros_like(first), torch.full_like(lse, -torch.inf)))
    outputs, lses = zip(*results, strict=True)
    return torch.stack(outputs), torch.stack(lses)


def shared_prefix_attention(
    query: Float[Tensor, "B H T D"],
    prefix: tuple[Float[Tensor, "G _ D"], Float[Tensor, "G _ Dv"]],
    key: Float[Tensor, "B G S D"],
    value: Float[Tensor, "B G S Dv"],
) -> Float[Tensor, "B H T Dv"]:
    r"""Let B sequences that begin alike read their beginning from one copy.

    .. math:: O_b = \mathrm{merge}(P_b, L_b)

    .. math:: P_b = \mathrm{attention}(Q_b, K_{prefix}, V_{prefix})

    .. math:: L_b = \mathrm{attention}(Q_b, K_b, V_b)

    All B T queries stand in one matrix before the prefix, so its keys are read once and not B
    times. ``cascade_attention`` is the same for a tree of beginnings.

    Args:
        query: the newest T positions of each sequence.
        prefix: keys and values of the beginning; each query reads all of it.
        key: keys of what follows in each sequence; causal, the last query sits at the last key.
        value: values of what follows.

    Returns:
        What each query would get if the prefix were copied before each sequence's own keys; half
        precision is computed in float32 and rounded once.

    Raises:
        ValueError: if the prefix has not G heads, keys and values of the same positions and the
            same D and Dv as the others, or as ``blockwise_attention``.

    Source: Juravsky et al. 2024, Hydragen (arXiv:2402.05099), sec. 3.
    """
    require_groups("query", query, "key", key)
    for name, part, own in zip(("key", "value"), prefix, (key, value), strict=True):
        require_axes(f"prefix {name}", part, "G S _")
        if (part.shape[0], part.shape[2]) != (own.shape[1], own.shape[3]):
            raise ValueError(
                f"the prefix is read by the same heads, so its {name}s have G and the last axis of "
                f"{name}; they have {part.shape[0]} and {part.shape[2]}, {name} has "
                f"{own.shape[1]} and {own.shape[3]}; "
                f"shapes {tuple(part.shape)} and {tuple(own.shape)}"
            )
    levels = ((prefix[0][None], prefix[1][None]),)
    return cascade_attention(query, levels, key, value)
