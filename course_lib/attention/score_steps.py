"""What may happen to scores before the softmax: a bound, and a mask."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from course_lib.kinds import require_floats
from course_lib.masks import require_mask
from course_lib.precision import at_least_float32
from course_lib.sizes import is_above_zero, require_number

__all__ = ["mask_scores", "soft_cap"]


def soft_cap(scores: Float[Tensor, "*shape"], cap: float) -> Float[Tensor, "*shape"]:
    r"""Bound the scores smoothly: small ones pass, none leaves (-cap, cap).

    .. math:: z' = \text{cap} \cdot \tanh(z / \text{cap})

    It comes before the mask: a score of minus infinity would return as -cap, and be read.

    Args:
        scores: scaled scores, or the logits of a vocabulary.
        cap: the bound; Gemma 2 takes 50 for scores and 30 for logits.

    Returns:
        The bounded scores, in the same order and dtype; half precision is computed in float32 and
        rounded once. An infinity becomes the cap, with its sign; NaN stays NaN.

    Raises:
        ValueError: if the cap is not a positive, finite number, in float32 too.

    Source: Gemma 2 (arXiv:2408.00118), sec. 2, after Bello et al. 2016 (arXiv:1611.09940), eq. 16.

    >>> soft_cap(torch.tensor([0.1, -1000.0]), cap=50.0)
    tensor([  0.1000, -50.0000])
    """
    require_floats(scores=scores)
    require_number(cap=cap)
    if not is_above_zero(cap):
        raise ValueError(
            "a cap bounds the scores, so it is positive and finite, in float32 too; "
            f"cap is {cap}; the scores have shape {tuple(scores.shape)}"
        )
    return (cap * torch.tanh(at_least_float32(scores) / cap)).to(scores.dtype)


def mask_scores(
    scores: Float[Tensor, "*batch T S"], may_attend: Bool[Tensor, "*#batch #T #S"]
) -> Float[Tensor, "*batch T S"]:
    r"""Set the scores of keys that may not be read to minus infinity.

    .. math:: z'_{ts} = z_{ts} \text{ where } M_{ts} = 1, \qquad
        z'_{ts} = -\infty \text{ where } M_{ts} = 0

    Args:
        scores: one row per query, one column per key.
        may_attend: True where query t may read key s. It has two axes, or all axes of the scores,
            each of their size or 1.

    Returns:
        The masked scores; what stood in the others, NaN or an infinity too, is gone.
        ``softmax_with_sink`` makes zeros of a row with nothing to read, which
        plain ``softmax`` cannot; without a sink, ``masked_softmax`` masks and weighs in one step.

    Raises:
        ValueError: if may_attend does not fit the scores.
        TypeError: if may_attend is not of torch.bool.

    Source: Vaswani et al. 2017 (arXiv:1706.03762), sec. 3.2.3.

    >>> mask_scores(torch.ones(2, 2), torch.tensor([[True, False], [True, True]]))
    tensor([[1., -inf],
            [1., 1.]])
    """
    require_mask(may_attend, scores)
    return scores.masked_fill(~may_attend, -torch.inf)
