"""Several rounds of hashing, weighed by what each has read; and the pairs that meet twice."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from course_lib.kinds import require_integers, require_same_dtype
from course_lib.precision import at_least_float32
from course_lib.shapes import require_axes
from course_lib.softmax import softmax

__all__ = ["combine_rounds", "duplicate_counts"]


def combine_rounds(
    outputs: Float[Tensor, "_ *batch T Dv"], lses: Float[Tensor, "_ *batch T"]
) -> Float[Tensor, "*batch T Dv"]:
    r"""Weigh the rounds by the sums of exponentials that each has read.

    .. math:: o = \sum_u \frac{e^{\text{lse}_u}}{\sum_{u'} e^{\text{lse}_{u'}}}\, o_u

    A pair that meets in several rounds counts as often: ``duplicate_counts``.

    Args:
        outputs: one per round, on the first axis.
        lses: the log-sum-exp of the scores of each; minus infinity where nothing was read.

    Returns:
        The mean; zeros where no round has read anything. Rounds that read different keys give
        attention to all of these keys.

    Raises:
        ValueError: if there is no round, or the two differ in their axes or dtype.

    Source: Kitaev et al. 2020 (arXiv:2001.04451), sec. 2, eq. 10 (appendix A counts duplicates).
    """
    require_axes("outputs", outputs, "*rounds T Dv")
    require_same_dtype(outputs=outputs, lses=lses)
    if outputs.shape[:-1] != lses.shape or lses.shape[:1] in ((), (0,)):
        raise ValueError(
            "each round has an output and a log-sum-exp per position, and there is a round; "
            f"outputs has {tuple(outputs.shape[:-1])} and lses {tuple(lses.shape)}"
        )
    wide = at_least_float32(lses)
    nothing = (wide == -torch.inf).all(0, keepdim=True)  # -inf - -inf would be NaN
    weights = (
        softmax(wide.masked_fill(nothing, 0.0), axis=0).masked_fill(nothing, 0.0).unsqueeze(-1)
    )
    return (weights * at_least_float32(outputs)).sum(0).to(outputs.dtype)


def duplicate_counts(buckets: Int[Tensor, "_ T"]) -> Int[Tensor, "T T"]:
    r"""Count the rounds in which two positions share a bucket.

    .. math:: N_{ts} = \sum_u [\, h_u(t) = h_u(s) \,]

    Args:
        buckets: one row per round; a number means another bucket in another round.

    Returns:
        From 0 to the number of rounds; each position meets itself in every round.

    Raises:
        ValueError: if buckets are not integers with two axes.

    Source: Kitaev et al. 2020 (arXiv:2001.04451), appendix A.

    >>> duplicate_counts(torch.tensor([[0, 0, 1], [0, 1, 1]])).tolist()
    [[2, 1, 0], [1, 2, 1], [0, 1, 2]]
    """
    require_integers(buckets=buckets)
    require_axes("buckets", buckets, "U T")
    return (buckets[:, :, None] == buckets[:, None, :]).sum(0)
