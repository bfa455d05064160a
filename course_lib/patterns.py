"""Queries and keys that make attention read what we want: patterns built by hand."""

import math

import torch
from jaxtyping import Float
from torch import Tensor

from course_lib.sizes import require_whole

__all__ = ["PATTERNS", "make_qk_for"]

#: Who reads whom: itself, the position before (the first reads itself), the first, all alike.
PATTERNS: tuple[str, ...] = ("identity", "previous token", "first token", "average")

# The wanted key's lead after scaling is log T + 8: its weight is at least 1/(1 + e^-8) > 0.9996.
_LEAD = 8.0


def make_qk_for(pattern: str, T: int) -> tuple[Float[Tensor, "T D"], Float[Tensor, "T D"]]:
    r"""Build queries and keys whose softmax(QKᵀ/√D) follows a pattern.

    Keys are one-hot, so D = T and key s points along axis s. Query t points along the axis of the
    key that it wants, far enough that all other keys together get almost nothing:

    .. math:: q_t = \sqrt{D} \, (\ln T + 8) \, k_{r(t)}

    where r(t) is t, max(t - 1, 0) or 0. For the average all queries are zero.

    Args:
        pattern: one of ``PATTERNS``: "identity", "previous token" (the first position reads
            itself), "first token" or "average".
        T: positions, at least 1.

    Returns:
        query and key, in float32.

    Raises:
        ValueError: if the pattern is unknown or T < 1.

    >>> query, key = make_qk_for("previous token", 3)
    >>> (query @ key.T).argmax(-1)
    tensor([0, 0, 1])
    """
    if pattern not in PATTERNS:
        raise ValueError(
            f"a pattern is chosen by its name; {pattern!r} is none; known are {', '.join(PATTERNS)}"
        )
    require_whole(T=T)
    if T < 1:
        raise ValueError(f"a pattern needs at least one position, so T >= 1; T is {T}")
    key = torch.eye(T)
    if pattern == "average":
        return torch.zeros(T, T), key
    position = torch.arange(T)
    wanted = {
        "identity": position,
        "previous token": (position - 1).clamp(min=0),
        "first token": torch.zeros_like(position),
    }[pattern]
    return math.sqrt(T) * (math.log(T) + _LEAD) * key[wanted], key
