"""How widely weights are spread."""

import torch
from jaxtyping import Float
from torch import Tensor

from course_lib.precision import at_least_float32
from course_lib.shapes import require_entries
from course_lib.softmax import log_softmax

__all__ = ["entropy", "weight_entropy"]


def entropy(weights: Float[Tensor, "*shape"], axis: int = -1) -> Float[Tensor, "*rest"]:
    r"""Measure how widely weights are spread, in nats.

    .. math:: H(p) = -\sum_i p_i \log p_i, \qquad 0 \log 0 = 0

    Args:
        weights: non-negative, summing to one along the axis.
        axis: the axis to sum over.

    Returns:
        One number per row, from 0 (one key has all the weight) to log S (all have the same), in the
        dtype of the weights; half precision is summed in float32. NaN where a weight is NaN.

    Raises:
        ValueError: if there is no such axis, or no entry along it.

    Source: Shannon 1948, sec. 6.

    >>> entropy(torch.tensor([0.5, 0.5, 0.0]))
    tensor(0.6931)
    """
    require_entries(weights, axis, "weights")
    surprise: Tensor = torch.special.entr(at_least_float32(weights))  # -p log p, and 0 at p = 0
    return surprise.sum(axis).to(weights.dtype)


def weight_entropy(scores: Float[Tensor, "*rows S"]) -> Float[Tensor, "*rows"]:
    r"""Entropy of the softmax of the scores over the last axis, in nats.

    .. math:: H = -\sum_s p_s \log p_s, \qquad p = \mathrm{softmax}(z)

    The logarithms come from the scores, so a weight that rounds to zero does no harm, neither
    to the value nor to the gradient.

    Args:
        scores: one row per query; minus infinity where a key is not read.

    Returns:
        One number per row, from 0 to log S, in the dtype of the scores; half precision is computed
        in float32. NaN for a row that has no weights: of minus infinities, or with plus infinity or
        NaN.

    Raises:
        ValueError: if there is no key.

    Source: Shannon 1948, sec. 6.

    >>> weight_entropy(torch.tensor([0.0, 0.0, -1e4]))
    tensor(0.6931)
    """
    require_entries(scores, -1)
    log_weights = log_softmax(at_least_float32(scores))
    finite = log_weights.masked_fill(log_weights == -torch.inf, 0.0)
    return -(log_weights.exp() * finite).sum(-1).to(scores.dtype)
